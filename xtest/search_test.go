package xtest_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream/xtest"
)

// search asks for one page and returns the ids on it.
func search(t *testing.T, x *xtest.Server, params ...string) ([]string, answer) {
	t.Helper()
	q := url.Values{}
	for i := 0; i < len(params); i += 2 {
		q.Set(params[i], params[i+1])
	}
	a := call(t, x, "GET", recentPath+"?"+q.Encode(), "")
	var posts []struct{ ID string }
	if len(a.Data) > 0 {
		if err := json.Unmarshal(a.Data, &posts); err != nil {
			t.Fatal(err)
		}
	}
	ids := []string{}
	for _, p := range posts {
		ids = append(ids, p.ID)
	}
	return ids, a
}

func TestSearchRecent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newServer(t)
		var want []string // newest first
		for i := range 250 {
			id := x.Post(xtest.Post{Text: fmt.Sprint("coop number ", i), Author: "alice"})
			want = append([]string{id}, want...)
			x.Post(xtest.Post{Text: "something else"})
			time.Sleep(time.Second)
		}

		var got []string
		pages := 0
		params := []string{"query", "coop", "max_results", "100", "tweet.fields", "id,text", "expansions", "author_id"}
		for next := params; next != nil; pages++ {
			ids, a := search(t, x, next...)
			got = append(got, ids...)
			if a.status != 200 || a.Meta.ResultCount != len(ids) || a.Meta.NewestID != ids[0] || a.Meta.OldestID != ids[len(ids)-1] {
				t.Fatalf("page %d: %d %+v", pages, a.status, a.Meta)
			}
			alices := 0
			for _, u := range a.Includes["users"] {
				if u["username"] == "alice" {
					alices++
				}
			}
			if alices != 1 {
				t.Errorf("page %d: the author is included %d times, want once", pages, alices)
			}
			if next = nil; a.Meta.NextToken != "" {
				next = append(params[:len(params):len(params)], "next_token", a.Meta.NextToken)
			}
			x.Post(xtest.Post{Text: "coop, newer"}) // does not shift the pages
		}
		if diff := cmp.Diff(want, got); diff != "" || pages != 3 {
			t.Errorf("%d pages (-want +got):\n%s", pages, diff)
		}

		for _, c := range []struct {
			params []string
			want   []string
		}{
			{[]string{"since_id", want[7], "until_id", want[4]}, want[5:7]},
			{[]string{"since_id", want[3], "query", "number"}, want[:3]},
			{[]string{"start_time", "2026-01-01T00:04:00Z", "end_time", "2026-01-01T00:04:03Z"}, want[7:10]},
			{[]string{"query", "from:alice -coop"}, []string{}},
			{[]string{"query", `"number 17" from:alice`}, want[232:233]},
		} {
			ids, a := search(t, x, append([]string{"query", "coop"}, c.params...)...)
			if diff := cmp.Diff(c.want, ids); diff != "" {
				t.Errorf("%v: %d (-want +got):\n%s\n%.300s", c.params, a.status, diff, a.raw)
			}
		}
		if ids, a := search(t, x, "query", "coop"); len(ids) != 10 {
			t.Errorf("by default %d Posts, want 10: %.300s", len(ids), a.raw)
		}
		if _, a := search(t, x, "query", "nothing"); a.raw != `{"meta":{"result_count":0}}` {
			t.Errorf("nothing found: %s", a.raw)
		}
	})
}

func TestSearchErrors(t *testing.T) {
	x := newServer(t)
	for _, params := range [][]string{
		{},
		{"query", ""},
		{"query", strings.Repeat("a", 513)},
		{"query", "-coop"},
		{"query", "coop", "max_results", "9"},
		{"query", "coop", "max_results", "101"},
		{"query", "coop", "since_id", "x"},
		{"query", "coop", "start_time", "yesterday"},
		{"query", "coop", "next_token", "!"},
		{"query", "coop", "page", "2"},
		{"query", "coop sample:10"},
		{"query", "coop", "since_id", "1000"},
		{"query", "coop", "start_time", "2020-01-01T00:00:00Z"},
	} {
		if _, a := search(t, x, params...); a.status != 400 || a.Title != "Invalid Request" || len(a.Errors) != 1 {
			t.Errorf("%.40q: %d %s", params, a.status, a.raw)
		}
	}
	if _, a := search(t, x, "query", strings.Repeat("a", 512)); a.status != 200 {
		t.Errorf("512 characters: %d", a.status)
	}
}

// What a client missed is found, and what was sent by hand too.
func TestSearchFindsWhatWasMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newServer(t, xtest.Rate(10))
		addRule(t, x, "coop -is:retweet", "")
		s := connect(t, x, streamPath)
		last := s.next().Data.ID
		s.body.Close()
		time.Sleep(5*time.Second + 50*time.Millisecond) // between two Posts
		ids, _ := search(t, x, "query", "coop", "since_id", last, "max_results", "100")
		all := x.IDs()
		if len(ids) != 50 || len(ids) != len(all)-1 || ids[0] != all[len(all)-1] {
			t.Errorf("found %d of %d Posts", len(ids), len(all))
		}

		raw := `{"data":{"id":"900","text":"by hand","author_id":"7","created_at":"2025-12-31T00:00:00.000Z"},"includes":{"users":[{"id":"7","username":"Bob"}]}}`
		x.Send([]byte(raw))
		x.Send([]byte(raw))
		ids, a := search(t, x, "query", `"by hand" from:bob`)
		if diff := cmp.Diff([]string{"900"}, ids); diff != "" || len(a.Includes["users"]) != 1 {
			t.Errorf("sent by hand: %s", a.raw)
		}
	})
}

// A Post is the same on the stream and in search, and Data is that.
func TestSearchFindsWhatWasSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newServer(t)
		addRule(t, x, "coop", "")
		s := connect(t, x, streamPath)
		id := x.Post(xtest.Post{Text: `coop </b> & "co" \ ` + "\u2028 é"})
		line, err := s.line()
		if err != nil {
			t.Fatal(err)
		}
		data := string(x.Data(id))
		if !strings.Contains(data, `</b> & `) || !strings.HasPrefix(line, `{"data":`+data+`,"includes":`) {
			t.Errorf("Data is\n%s\nthe stream has\n%s", data, line)
		}
		if _, a := search(t, x, "query", "coop"); string(a.Data) != "["+data+"]" {
			t.Errorf("Data is\n%s\nsearch has\n%s", data, a.Data)
		}
		for _, id := range []string{"1", "x", ""} {
			if data := x.Data(id); data != nil {
				t.Errorf("Data(%q) = %q", id, data)
			}
		}
	})
}

// Search does not find all that the stream sends: no reposts, and no quotes for what
// they quote. Counts are of what search finds.
func TestSearchFindsLessThanTheStreamSends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newServer(t)
		addRule(t, x, "coop", "")
		s := connect(t, x, streamPath)
		plain := x.Post(xtest.Post{Text: "coop"})
		repost := x.Post(xtest.Post{Text: "coop", Kind: "retweet"})
		quote := x.Post(xtest.Post{Text: "look", Kind: "quote", Quoted: "the Coop is open"})
		both := x.Post(xtest.Post{Text: "my coop", Kind: "quote", Quoted: "the Coop is open"})
		x.Post(xtest.Post{Text: "look", Kind: "quote", Quoted: "nothing"})
		for _, want := range []string{plain, repost, quote, both} {
			line, err := s.line()
			if err != nil || !strings.Contains(line, want) {
				t.Errorf("the stream sends %q, %v; want %s", line, err, want)
			}
			if want == quote && !strings.Contains(line, `"text":"the Coop is open"`) {
				t.Errorf("what it quotes is not included: %s", line)
			}
		}
		ids, _ := search(t, x, "query", "coop")
		if diff := cmp.Diff([]string{both, plain}, ids); diff != "" {
			t.Errorf("search finds (-want +got):\n%s", diff)
		}
		time.Sleep(time.Second)
		if a := call(t, x, "GET", "/2/tweets/counts/recent?query=coop", ""); !strings.Contains(a.raw, `"total_tweet_count":2`) {
			t.Errorf("counts are of others: %s", a.raw)
		}
		if a := call(t, x, "GET", "/2/tweets/counts/recent?query=coop&since_id="+quote, ""); !strings.Contains(a.raw, `"total_tweet_count":1`) {
			t.Errorf("counts do not look at since_id: %s", a.raw)
		}
	})
}

// What X could not read stands beside the Posts in search as it does in the stream.
func TestSearchHasTheErrorsOfItsPosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newServer(t)
		addRule(t, x, "coop", "")
		s := connect(t, x, streamPath)
		found := 0
		for found == 0 {
			since := x.Post(xtest.Post{Text: "coop"})
			s.next()
			x.Post(xtest.Post{Text: "coop", Kind: "reply"})
			line, err := s.line()
			if err != nil {
				t.Fatal(err)
			}
			_, rest, has := strings.Cut(line, `,"errors":`)
			_, a := search(t, x, "query", "coop", "since_id", since)
			_, got, searched := strings.Cut(a.raw, `,"errors":`)
			if has != searched {
				t.Fatalf("the stream has\n%s\nsearch has\n%s", line, a.raw)
			}
			if has {
				found++
				if want, _, _ := strings.Cut(rest, `,"matching_rules"`); !strings.HasPrefix(got, want) {
					t.Errorf("the stream has\n%s\nsearch has\n%s", want, got)
				}
			}
		}
	})
}

func TestHistory(t *testing.T) {
	for n, found := range map[int]int{0: 0, 2: 2, 5: 3} {
		synctest.Test(t, func(t *testing.T) {
			x := newServer(t, xtest.History(n))
			var want []string // newest first
			for range 3 {
				want = append([]string{x.Post(xtest.Post{Text: "coop"})}, want...)
			}
			got, _ := search(t, x, "query", "coop")
			if diff := cmp.Diff(want[:found], got); diff != "" {
				t.Errorf("History(%d) (-want +got):\n%s", n, diff)
			}
			if x.Data(want[2]) != nil != (found == 3) {
				t.Errorf("History(%d): Data of the oldest is %q", n, x.Data(want[2]))
			}
		})
	}
}
