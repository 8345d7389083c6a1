package xtest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream/xtest"
)

func TestFilteredStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newServer(t)
		coop := addRule(t, x, "coop OR #coop", "coop")
		plain := addRule(t, x, "golang lang:en", "")
		s := connect(t, x, streamPath)

		x.Post(xtest.Post{Text: "nothing of interest"})
		first := x.Post(xtest.Post{Text: "the Coop in golang", Lang: "en"})
		second := x.Post(xtest.Post{Text: "golang", Lang: "fr"})
		third := x.Post(xtest.Post{Text: "#coop", Author: "Alice", Kind: "retweet"})

		m := s.next()
		if m.Data.ID != first || m.Data.Text != "the Coop in golang" || m.Data.Lang != "en" {
			t.Errorf("got %+v, want Post %s", m, first)
		}
		if diff := cmp.Diff([]rule{{ID: coop, Tag: "coop"}, {ID: plain}}, m.Rules); diff != "" {
			t.Errorf("matching_rules (-want +got):\n%s", diff)
		}
		m = s.next()
		if m.Data.ID != third || !strings.HasPrefix(m.Data.Text, "RT @") || m.Data.Referenced[0].Type != "retweeted" {
			t.Errorf("got %+v, want the repost %s", m, third)
		}
		if diff := cmp.Diff([]string{first, third}, x.IDs()); diff != "" {
			t.Errorf("IDs() (-want +got):\n%s", diff)
		}

		// A change takes effect at once on the live stream.
		call(t, x, "POST", rulesPath, `{"delete":{"ids":["`+coop+`"]}}`)
		addRule(t, x, "lang:fr golang", "fr")
		x.Post(xtest.Post{Text: "coop"})
		fourth := x.Post(xtest.Post{Text: "golang", Lang: "fr"})
		if m = s.next(); m.Data.ID != fourth || m.Data.ID == second || m.Rules[0].Tag != "fr" {
			t.Errorf("got %+v, want Post %s", m, fourth)
		}
		want := xtest.Stats{Connected: 1, Connects: 1, Made: 6, Matched: 3, Sent: 3}
		synctest.Wait()
		if diff := cmp.Diff(want, x.Stats()); diff != "" {
			t.Errorf("Stats() (-want +got):\n%s", diff)
		}
	})
}

func TestRuleDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newServer(t, xtest.RuleDelay(20*time.Second))
		id := addRule(t, x, "coop", "")
		s := connect(t, x, streamPath)
		x.Post(xtest.Post{Text: "coop, too early"})
		time.Sleep(20 * time.Second)
		x.Post(xtest.Post{Text: "coop, in time"})
		call(t, x, "POST", rulesPath, `{"delete":{"ids":["`+id+`"]}}`)
		x.Post(xtest.Post{Text: "coop, still"})
		time.Sleep(20 * time.Second)
		x.Post(xtest.Post{Text: "coop, too late"})
		x.Send([]byte(`{"data":{"text":"end"}}`))
		for _, want := range []string{"coop, in time", "coop, still", "end"} {
			if m := s.next(); m.Data.Text != want {
				t.Errorf("got %q, want %q", m.Data.Text, want)
			}
		}
	})
}

func TestSampledStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newServer(t)
		s := connect(t, x, samplePath) // needs no rules
		id := x.Post(xtest.Post{Text: "anything"})
		l, err := s.line()
		if err != nil || strings.Contains(l, "matching_rules") || !strings.Contains(l, `"id":"`+id+`"`) {
			t.Errorf("line %q, %v", l, err)
		}
	})
}

func TestSampleFraction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newServer(t, xtest.SampleFraction(0.1), xtest.Rate(1000), xtest.Limit(5000), xtest.KeepAlive(time.Hour))
		s := connect(t, x, samplePath)
		go func() {
			time.Sleep(10 * time.Second)
			x.Disconnect(xtest.Clean)
		}()
		n := 0
		for {
			if _, err := s.line(); err != nil {
				break
			}
			n++
		}
		if n < 400 || n > 600 {
			t.Errorf("the sample has %d of 5,000 Posts, want about 500", n)
		}
	})
}

func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newServer(t)
		a := call(t, x, "GET", streamPath, "")
		if a.status != 409 || a.ConnectionIssue != "RuleConfigurationIssue" {
			t.Errorf("without rules: %d %s", a.status, a.raw)
		}
		addRule(t, x, "coop", "")
		for _, q := range []string{"?backfill_minutes=6", "?backfill_minutes=x", "?tweet.field=id"} {
			if a := call(t, x, "GET", streamPath+q, ""); a.status != 400 {
				t.Errorf("%s: %d", q, a.status)
			}
		}
		s := connect(t, x, streamPath+"?backfill_minutes=5&tweet.fields=id,text&expansions=author_id")
		a = call(t, x, "GET", streamPath, "")
		if a.status != 429 || a.Title != "ConnectionException" || a.ConnectionIssue != "TooManyConnections" {
			t.Errorf("second connection: %d %s", a.status, a.raw)
		}
		if a.header.Get("x-rate-limit-remaining") != "44" || a.header.Get("x-rate-limit-reset") != fmt.Sprint(1767225600+900) {
			t.Errorf("headers %v", a.header)
		}
		connect(t, x, samplePath) // is another stream

		s.body.Close()
		synctest.Wait()
		connect(t, x, streamPath)
		if got := x.Stats(); got.Connects != 3 || got.Refused != 5 || got.Connected != 2 {
			t.Errorf("Stats() = %+v", got)
		}
		reqs := x.Requests()
		if last := reqs[len(reqs)-1]; last.Path != streamPath || last.Status != 200 || last.Method != "GET" {
			t.Errorf("last request %+v", last)
		}
	})
}

func TestConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newServer(t, xtest.Connections(2))
		addRule(t, x, "coop", "")
		a, b := connect(t, x, streamPath), connect(t, x, streamPath)
		if r := call(t, x, "GET", streamPath, ""); r.status != 429 {
			t.Errorf("third connection: %d", r.status)
		}
		id := x.Post(xtest.Post{Text: "coop"})
		for _, s := range []*stream{a, b} {
			if m := s.next(); m.Data.ID != id {
				t.Errorf("got %s, want %s", m.Data.ID, id)
			}
		}
	})
}

// A bubble begins in 2000, before X's ids: the server's clock begins in 2026,
// and headers, ids and created_at agree on it.
func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newServer(t)
		time.Sleep(90 * time.Second)
		s := connect(t, x, samplePath)
		x.Post(xtest.Post{Text: "now"})
		m := s.next()
		if want := "2026-01-01T00:01:30.000Z"; m.Data.CreatedAt != want {
			t.Errorf("created_at %q, want %q", m.Data.CreatedAt, want)
		}
		var id int64
		fmt.Sscan(m.Data.ID, &id)
		if got := time.UnixMilli(id>>22 + 1288834974657).UTC(); !got.Equal(time.Date(2026, 1, 1, 0, 1, 30, 0, time.UTC)) {
			t.Errorf("id of %v", got)
		}
		if d := call(t, x, "GET", rulesPath, "").header.Get("Date"); d != "Thu, 01 Jan 2026 00:01:30 GMT" {
			t.Errorf("Date %q", d)
		}
	})
}

func TestKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newServer(t)
		s := connect(t, x, samplePath)
		begin := time.Now()
		for i := range 3 {
			if l, err := s.line(); l != "" || err != nil {
				t.Fatalf("line %q, %v, want a keep-alive", l, err)
			}
			if got := time.Since(begin); got != time.Duration(i+1)*20*time.Second {
				t.Errorf("keep-alive %d after %v", i+1, got)
			}
		}
		time.Sleep(15 * time.Second)
		x.Post(xtest.Post{Text: "a message counts too"})
		s.next()
		begin = time.Now()
		s.line()
		if got := time.Since(begin); got != 20*time.Second {
			t.Errorf("keep-alive %v after the message, want 20s", got)
		}
	})
}

func TestRate(t *testing.T) {
	for _, rate := range []float64{0.5, 10, 2000, 7000} {
		synctest.Test(t, func(t *testing.T) {
			x := newServer(t, xtest.Rate(rate), xtest.KeepAlive(time.Hour))
			addRule(t, x, "coop OR #coop", "coop")
			addRule(t, x, "golang -is:retweet -has:media", "go")
			time.Sleep(time.Minute) // nothing before the first connection
			s := connect(t, x, streamPath)
			if n := x.Stats().Made; n != 0 {
				t.Errorf("made %d before the first connection", n)
			}
			begin := time.Now()
			seconds := 4.0
			if rate >= 1000 {
				seconds = 1
			}
			want := int(rate * seconds)
			var got []string
			for len(got) < want {
				m := s.next()
				got = append(got, m.Data.ID)
			}
			if took := time.Since(begin); took.Seconds() < seconds || took.Seconds() > seconds*1.1 {
				t.Errorf("rate %v: %d Posts in %v, want %v s", rate, want, took, seconds)
			}
			s.body.Close()
			synctest.Wait()
			if diff := cmp.Diff(x.IDs()[:want], got); diff != "" {
				t.Errorf("rate %v: Posts (-want +got):\n%s", rate, diff)
			}
			st := x.Stats()
			if float64(st.Matched) < 0.98*float64(st.Made) {
				t.Errorf("of %d Posts only %d matched", st.Made, st.Matched)
			}
		})
	}
}

// A rule without a tag has no member for it, as at X.
func TestRuleWithoutATag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newServer(t)
		id := addRule(t, x, "coop", "")
		s := connect(t, x, streamPath)
		x.Post(xtest.Post{Text: "coop"})
		if l, err := s.line(); err != nil || !strings.HasSuffix(strings.TrimSpace(l), `"matching_rules":[{"id":"`+id+`"}]}`) {
			t.Errorf("line %q, %v", l, err)
		}
	})
}

// However many are due at once, no more are made than Limit says.
func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newServer(t, xtest.Rate(7000), xtest.Limit(100))
		addRule(t, x, "coop", "")
		connect(t, x, streamPath)
		time.Sleep(time.Minute)
		if st := x.Stats(); st.Made != 100 {
			t.Errorf("%d made, want 100", st.Made)
		}
	})
}

// On a real clock and a real socket, a reader that reads loses nothing.
func TestNothingLost(t *testing.T) {
	x := xtest.NewServer(xtest.Rate(2000), xtest.Limit(4000))
	defer x.Close()
	addRule(t, x, "coop", "")
	req, _ := http.NewRequest("GET", x.URL+streamPath, nil)
	req.Header.Set("Authorization", "Bearer b")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	last := ""
	dec := json.NewDecoder(resp.Body)
	for range 4000 {
		var m message
		if err := dec.Decode(&m); err != nil {
			t.Fatal(err)
		}
		if len(m.Rules) == 0 || m.Data.ID <= last {
			t.Fatalf("Post %s after %s, with rules %v", m.Data.ID, last, m.Rules)
		}
		last = m.Data.ID
	}
	if s := x.Stats(); s.Dropped != 0 {
		t.Errorf("Stats() = %+v, want none dropped", s)
	}
}

func TestTopics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newServer(t, xtest.Topics("marmalade", "two words"), xtest.Rate(100), xtest.Limit(300))
		addRule(t, x, `marmalade OR "two words"`, "")
		addRule(t, x, `unrelated`, "")
		s := connect(t, x, streamPath)
		for range 300 {
			s.next()
		}
	})
}

func TestSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newServer(t)
		addRule(t, x, "coop", "")
		x.Send([]byte("to nobody"))
		s := connect(t, x, streamPath)
		for _, raw := range []string{`{"half":`, "\x00\xff garbage", `{"data":{"id":"5","text":"no rule matches"}}`, ""} {
			x.Send([]byte(raw))
			if l, err := s.line(); l != raw || err != nil {
				t.Errorf("line %q, %v, want %q", l, err, raw)
			}
		}
	})
}

func TestWaitConnected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newServer(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := x.WaitConnected(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("WaitConnected() = %v, want the context's error", err)
		}
		got := make(chan error)
		go func() { got <- x.WaitConnected(t.Context()) }()
		connect(t, x, samplePath)
		if err := <-got; err != nil {
			t.Errorf("WaitConnected() = %v", err)
		}
		x.Disconnect(xtest.Clean)
		go func() { got <- x.WaitConnected(t.Context()) }()
		synctest.Wait()
		x.Close()
		if err := <-got; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("WaitConnected() = %v, want http.ErrServerClosed", err)
		}
		x.Close()
		x.Post(xtest.Post{}) // after Close: to nobody
	})
}
