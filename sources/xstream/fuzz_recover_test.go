package xstream

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/tweetstream-go/tweetstream"
)

// Whatever search answers, no Post is made of it that is not one line with the
// rule that was asked for.
func FuzzPage(f *testing.F) {
	f.Add([]byte(`{"data":[{"id":"1","text":"a"}],"includes":{"users":[{"id":"2"}]},"errors":[{"resource_id":"9"}],"meta":{"next_token":"x"}}`))
	f.Add([]byte("{\n\"data\": [ {\"id\":\"1\", \"author_id\":\"2\"} ],\n\"includes\":{\"users\":[{\"id\":\"2\"},3],\"tweets\":7}}"))
	f.Add([]byte(`{"data":{"id":"1"},"includes":[],"meta":{"next_token":5}}`))
	f.Add([]byte(`{"data":[null,[],"",{"id":1}],"meta":null}`))
	f.Add([]byte(`<html>`))
	f.Add([]byte("{\"data\":[{\"id\":\"1\",\"text\":\"\xff\"}]}"))
	rules := []tweetstream.Rule{{ID: "7", Tag: `a "tag" <b>`}}
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := parsePage(body)
		if err != nil {
			return
		}
		for _, raw := range p.posts {
			tweet, err := tweetstream.ParseTweet(p.compose(raw, rules))
			if err != nil {
				continue
			}
			if len(tweet.Rules) != 1 || tweet.Rules[0] != rules[0] {
				t.Errorf("rules %+v of %s", tweet.Rules, tweet.Raw)
			}
			if bytes.ContainsAny(tweet.Raw, "\n\r") || !json.Valid(tweet.Raw) {
				t.Errorf("not a line of JSON: %q", tweet.Raw)
			}
		}
	})
}

// A state that is read is written as it was.
func FuzzState(f *testing.F) {
	f.Add([]byte(`{"source":"xstream","heard":"2026-01-01T00:00:00Z"}`))
	f.Add([]byte(`{"source":"xstream","heard":"2026-01-01T00:00:01.5Z","gaps":[{"since":"2025-12-31T23:00:00Z","until":"2026-01-01T00:00:00Z"}],"rate":2.5,"reads":{"day":"2026-01-01","posts":7,"cycle":"2025-12-05","month":99}}`))
	f.Add([]byte(`{"source":"xstream","reads":{"day":"x","posts":-1}}`))
	f.Add([]byte(`{"source":"file"}`))
	f.Fuzz(func(t *testing.T, from []byte) {
		st, err := decodeState(from)
		if err != nil {
			return
		}
		s, err := New(Token("t"))
		if err != nil {
			t.Fatal(err)
		}
		p, err := s.newPosition(from, nil)
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeState(p.encode(p.heard))
		if err != nil {
			if y := st.Heard.Year(); y < 0 || y > 9999 {
				return
			}
			t.Fatalf("%v: %s", err, p.encode(p.heard))
		}
		if !again.Heard.Equal(st.Heard) || len(again.Gaps) != len(st.Gaps) {
			t.Errorf("%+v became %+v", st, again)
		}
		if c := st.counted(); !c.day.IsZero() && c.reads.Day > 0 && again.counted() != c {
			t.Errorf("%+v became %+v", c, again.counted())
		}
	})
}

func FuzzUsage(f *testing.F) {
	f.Add([]byte(`{"data":{"project_usage":"7","project_cap":100,"cap_reset_day":40}}`))
	f.Add([]byte(`{"data":{"project_usage":1e300}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var answer usageAnswer
		if json.Unmarshal(body, &answer) != nil {
			return
		}
		u, err := answer.usage()
		if err == nil && (u.ResetDay < 0 || u.ResetDay > 31) {
			t.Errorf("%+v", u)
		}
	})
}

func TestCyclesOfTheMonth(t *testing.T) {
	for _, c := range []struct {
		now  string
		day  int
		want string
	}{
		{"2026-01-01", 1, "2026-01-01"},
		{"2026-01-31", 1, "2026-01-01"},
		{"2026-01-02", 3, "2025-12-03"},
		{"2026-01-03", 3, "2026-01-03"},
		{"2026-02-27", 31, "2026-01-31"},
		{"2026-02-28", 31, "2026-02-28"},
		{"2026-03-30", 31, "2026-02-28"},
		{"2028-02-29", 30, "2028-02-29"},
	} {
		now, err := time.Parse(time.DateOnly, c.now)
		if err != nil {
			t.Fatal(err)
		}
		if got := cycleOf(now, c.day).Format(time.DateOnly); got != c.want {
			t.Errorf("on %s with day %d the cycle began on %s, want %s", c.now, c.day, got, c.want)
		}
	}
}

func TestAnIDIsNewOnce(t *testing.T) {
	var s idSet
	ids := []string{"", "0", "1", "2006515713438646272", "9223372036854775807", "9223372036854775808", "abc", "00000000000000000001x"}
	for n := range 5000 {
		ids = append(ids, json.Number(time.Duration(n+100).String()).String())
	}
	for round := range 2 {
		for _, id := range ids {
			if got := s.add(id); got != (round == 0) {
				t.Fatalf("add(%q) = %v in round %d", id, got, round)
			}
		}
	}
	s.n = maxIDs // full: all are forgotten rather than kept without end
	if !s.add("1") || s.n != 1 {
		t.Errorf("%d ids after the set was full", s.n)
	}
}
