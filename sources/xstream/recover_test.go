package xstream_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sources/xstream"
	"github.com/tweetstream-go/tweetstream/xtest"
)

const recentPath = "/2/tweets/search/recent"

// originals are Posts that search gives too.
var originals = xstream.Rules(tweetstream.Rule{Tag: "coop", Value: "(coop OR #coop) -is:retweet"})

// asked returns how often a path was asked for.
func asked(x *xtest.Server, path string) (n int) {
	for _, r := range x.Requests() {
		if r.Path == path {
			n++
		}
	}
	return n
}

// xclock returns the time at the simulated X, whose clock begins with 2026.
func xclock() time.Time {
	return time.Now().Add(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Sub(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))).UTC()
}

// sorted returns the ids in their order, once each.
func sorted(ids []string) []string { return slices.Compact(slices.Sorted(slices.Values(ids))) }

// A recovered Post is as the stream would have sent it: a second stream that was
// never interrupted shows how.
func TestARecoveredPostIsAsTheStreamSendsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t, xtest.Connections(2), xtest.Rate(5))
		defer x.Close()
		opts = append(opts, xstream.Rules(
			tweetstream.Rule{Tag: "all \"of\" <it>", Value: "(coop OR #coop) -is:retweet"},
			tweetstream.Rule{Value: "coop -is:retweet has:media"},
			tweetstream.Rule{Tag: "answers", Value: "coop is:reply"},
			tweetstream.Rule{Tag: "quotes", Value: "coop is:quote"},
		))
		through := start(t, nil, xstream.Token("secret"), opts...)
		s := start(t, nil, xstream.Token("secret"), opts...)
		after(time.Minute)
		s.stop()
		after(80 * time.Second)
		s = start(t, s.state, xstream.Token("secret"), opts...)
		after(2 * time.Minute)
		s.stop()
		through.stop()
		want := map[string]*tweetstream.Tweet{}
		for _, w := range through.tweets {
			want[w.ID] = w
		}
		recovered, partial := 0, 0
		for _, got := range s.tweets {
			w := want[got.ID]
			if !got.Recovered || w == nil {
				continue
			}
			recovered++
			var g, v any
			if json.Unmarshal(got.Raw, &g) != nil || json.Unmarshal(w.Raw, &v) != nil {
				t.Fatalf("no JSON: %s", got.Raw)
			}
			if g.(map[string]any)["errors"] != nil {
				partial++
			}
			anyOrder := cmpopts.SortSlices(func(a, b any) bool { return fmt.Sprint(a) < fmt.Sprint(b) })
			if diff := cmp.Diff(v, g, anyOrder); diff != "" {
				t.Fatalf("a recovered Post differs from the streamed one (-want +got):\n%s", diff)
			}
			byID := cmpopts.SortSlices(func(a, b tweetstream.Rule) bool { return a.ID < b.ID })
			if diff := cmp.Diff(w.Rules, got.Rules, byID); diff != "" {
				t.Fatalf("rules (-want +got):\n%s", diff)
			}
			if bytes.ContainsAny(got.Raw, "\r\n") {
				t.Errorf("more than one line: %q", got.Raw)
			}
		}
		if recovered < 300 || partial == 0 {
			t.Errorf("%d Posts recovered of a gap of 80 s at 5 a second, %d with errors about a part", recovered, partial)
		}
		if st := s.Stats(); st.RecoveredGaps != 1 || st.LostGaps != 0 || len(st.OpenGaps) != 0 || len(st.LastGaps) != 1 || st.LastGaps[0].Posts == 0 {
			t.Errorf("Stats: %+v", st)
		}
	})
}

// Of a page, each Post gets what is its own, in both of X's spellings, and bytes
// stay as they are.
func TestIncludesAreThePostsOwn(t *testing.T) {
	const answer = `{
  "data": [
    {"id":"103","author_id":"1","text":"2 \u003ci\u003e 11","conversation_id":"90","x_new":{"deep":["77"]},"referenced_posts":[{"type":"quoted","id":"91"}],"attachments":{"media_keys":["3_1"]}},
    {"author_id":"2","id":"102","text":"@UserC","entities":{"mentions":[{"username":"USERC"}]},"referenced_tweets":[{"type":"replied_to","id":"99"}],"context_annotations":[{"domain":{"id":"1"}}],"geo":{"place_id":"p1"}},
    {"id":"no good","text":""},
    7,
    {"id":"101","text":"alone"}
  ],
  "includes": {
    "users":[{"id":"1","username":"usera"},{"id":"2","username":"userb"},{"id":"3","username":"userc","text":"é\u00e9"}],
    "posts":[{"id":"91","author_id":"3","geo":{"place_id":"p2"},"referenced_posts":[{"id":"90"}]},{"id":"90","author_id":"2"}],
    "media":[{"media_key":"3_1"},{"media_key":"3_2"}], "places":[{"id":"p1"},{"id":"p2"}],
    "novel":[{"id":"77"},{"id":"78"}], "odd":"no list", "polls":[3]
  },
  "errors": [{"resource_id":"99","title":"Not Found Error"}],
  "meta": {"result_count":5}
}`
	want := []string{
		`{"data":{"id":"101","text":"alone"},"matching_rules":[{"id":"R","tag":"coop"}]}`,
		`{"data":{"author_id":"2","id":"102","text":"@UserC","entities":{"mentions":[{"username":"USERC"}]},"referenced_tweets":[{"type":"replied_to","id":"99"}],"context_annotations":[{"domain":{"id":"1"}}],"geo":{"place_id":"p1"}},` +
			`"includes":{"places":[{"id":"p1"}],"users":[{"id":"2","username":"userb"},{"id":"3","username":"userc","text":"é\u00e9"}]},"errors":[{"resource_id":"99","title":"Not Found Error"}],"matching_rules":[{"id":"R","tag":"coop"}]}`,
		`{"data":{"id":"103","author_id":"1","text":"2 \u003ci\u003e 11","conversation_id":"90","x_new":{"deep":["77"]},"referenced_posts":[{"type":"quoted","id":"91"}],"attachments":{"media_keys":["3_1"]}},` +
			`"includes":{"media":[{"media_key":"3_1"}],"novel":[{"id":"77"}],"posts":[{"id":"91","author_id":"3","geo":{"place_id":"p2"},"referenced_posts":[{"id":"90"}]}],"users":[{"id":"1","username":"usera"},{"id":"3","username":"userc","text":"é\u00e9"}]},"matching_rules":[{"id":"R","tag":"coop"}]}`,
	}
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		x.Fail(recentPath, -1, xtest.Response{Body: answer})
		src, err := xstream.New(xstream.Token("secret"), append(opts, coop)...)
		if err != nil {
			t.Fatal(err)
		}
		if err := src.SyncRules(t.Context()); err != nil {
			t.Fatal(err)
		}
		rules, err := src.ListRules(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s := &stream{t: t, full: make(chan struct{}, 1)}
		if err := src.Recovery(xclock().Add(-time.Hour), xclock()).Stream(t.Context(), nil, s.emit); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range s.tweets {
			got = append(got, strings.ReplaceAll(string(p.Raw), rules[0].ID, "R"))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

// An interruption of any kind, and however search answers, loses nothing that
// search has.
func TestGapsAreRecovered(t *testing.T) {
	limited := func() xtest.Response {
		r := xtest.Problem(http.StatusTooManyRequests)
		r.Header = http.Header{"X-Rate-Limit-Reset": {fmt.Sprint(xclock().Add(5 * time.Minute).Unix())}}
		return r
	}
	for name, c := range map[string]struct {
		search  func() xtest.Response // the first answers of search
		n       int
		opts    []xstream.Option
		wait    time.Duration // until all is there
		atLeast time.Duration // before which nothing is asked again
		says    string
	}{
		"plainly":         {wait: time.Minute},
		"429":             {search: limited, n: 1, wait: 10 * time.Minute, atLeast: 4*time.Minute + 50*time.Second, says: "recovery waits"},
		"503":             {search: func() xtest.Response { return xtest.Problem(503) }, n: 3, wait: 10 * time.Minute, says: "recovery waits"},
		"402":             {search: func() xtest.Response { return xtest.Problem(402) }, n: 2, wait: 30 * time.Minute, atLeast: 5 * time.Minute, says: "recovery waits"},
		"garbage":         {search: func() xtest.Response { return xtest.Response{Body: "<html>"} }, n: 2, wait: 10 * time.Minute, says: "recovery waits"},
		"many rules":      {opts: []xstream.Option{xstream.Rules(tweetstream.Rule{Tag: "b", Value: "coop lang:en -is:retweet"}, tweetstream.Rule{Tag: "c", Value: "#coop -is:retweet"})}, wait: time.Minute},
		"refuses a query": {search: func() xtest.Response { return xtest.Problem(400) }, n: 1, opts: []xstream.Option{xstream.Rules(tweetstream.Rule{Tag: "b", Value: "coop lang:en -is:retweet"}), coop}, wait: time.Minute, says: "a rule whose Posts are not recovered"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x, opts := server(t)
				defer x.Close()
				s := start(t, nil, xstream.Token("secret"), append(append(opts, originals), c.opts...)...)
				after(time.Minute)
				x.Fail(streamPath, 3, xtest.Problem(503)) // some 35 s
				x.Disconnect(xtest.Clean)
				for range 30 {
					x.Post(xtest.Post{Text: "coop", Lang: "en"})
					after(time.Second)
				}
				if c.search != nil {
					x.Fail(recentPath, c.n, c.search())
				}
				after(20 * time.Second) // it is there again
				begin := time.Now()
				if c.atLeast > 0 {
					after(c.atLeast - 20*time.Second)
					if n := asked(x, recentPath); n > 1 {
						t.Errorf("search was asked %d times within %v of its refusal", n, c.atLeast)
					}
				}
				after(c.wait - time.Since(begin))
				s.stop()
				if diff := cmp.Diff(sorted(x.IDs()), sorted(s.got())); diff != "" {
					t.Errorf("-want +got:\n%s\n%s", diff, s.logged())
				}
				if st := s.Stats(); st.RecoveredGaps != 1 || st.LostGaps != 0 {
					t.Errorf("%d gaps recovered, %d lost\n%s", st.RecoveredGaps, st.LostGaps, s.logged())
				}
				if !strings.Contains(s.logged(), c.says) {
					t.Errorf("the log does not say %q:\n%s", c.says, s.logged())
				}
			})
		})
	}
}

// What can't be recovered is named, with bounds, size, cost and command.
func TestGapsThatStay(t *testing.T) {
	long := "coop -is:retweet -" + strings.Repeat("x", 520)
	for name, c := range map[string]struct {
		opts   []xstream.Option
		search *xtest.Response
		says   []string
		lost   uint64
		got    int // of the 60 Posts that were missed, at most
	}{
		"longer ago":     {[]xstream.Option{originals, xstream.Recover(30*time.Second, 1000)}, nil, []string{"longer ago than 30s", `msg="a gap stays: what X sent then is not here" since=2026-01-01T00:0`, " until=2026-01-01T00:0", "streamer recover --since 2026-01-01T00:0", "posts_about=3", "cost_about=$0.1"}, 1, 50},
		"too many":       {[]xstream.Option{originals, xstream.Recover(time.Hour, 20)}, nil, []string{"more than 20 Posts", "streamer recover"}, 1, 20},
		"off":            {[]xstream.Option{originals, xstream.Recover(0, 0)}, nil, []string{"recovery is off", "streamer recover"}, 1, 0},
		"no search":      {[]xstream.Option{originals}, &xtest.Response{Status: 403, Body: `{"title":"Forbidden","detail":"no search"}`}, []string{"no search", "streamer recover"}, 1, 0},
		"sampled stream": {[]xstream.Option{xstream.Sample()}, nil, []string{"search does not give the sampled stream"}, 1, 0},
		"a long rule":    {[]xstream.Option{xstream.Rules(tweetstream.Rule{Tag: "long", Value: long})}, nil, []string{"search takes queries of 512 characters", "long: search takes"}, 0, 0},
		"sample:":        {[]xstream.Option{xstream.Rules(tweetstream.Rule{Tag: "part", Value: `coop "sample:no" -is:retweet`})}, nil, nil, 0, 60},
		"an operator":    {[]xstream.Option{xstream.Rules(tweetstream.Rule{Tag: "part", Value: "coop sample:100 -is:retweet"})}, nil, []string{"part: search knows no sample:"}, 0, 0},
		"quotes":         {[]xstream.Option{originals}, nil, []string{"quotes that match only by what they quote are not recovered", "coop: quotes that match by what they quote"}, 0, 60},
		"reposts":        {[]xstream.Option{coop}, nil, []string{"reposts that are missed", "coop: reposts"}, 0, 60},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x, opts := server(t)
				defer x.Close()
				opts = append(opts, c.opts...)
				s := start(t, nil, xstream.Token("secret"), opts...)
				post := func() {
					for range 60 {
						x.Post(xtest.Post{Text: `coop "sample:no"`})
						after(time.Second)
					}
				}
				post()
				s.stop()
				if c.search != nil {
					x.Fail(recentPath, -1, *c.search)
				}
				post()
				s = start(t, s.state, xstream.Token("secret"), opts...)
				after(2 * time.Minute)
				s.stop()
				st := s.Stats()
				missed := x.IDs()
				if len(missed) > 60 {
					missed = missed[60:]
				}
				n := 0
				for _, id := range s.got() {
					if slices.Contains(missed, id) {
						n++
					}
				}
				if n > c.got || c.got == 60 && n < 60 || c.got == 50 && n < 30 {
					t.Errorf("%d of 60 Posts recovered, want %d", n, c.got)
				}
				if st.LostGaps != c.lost || len(st.OpenGaps) > 0 {
					t.Errorf("%d gaps lost, %d open, want %d, 0", st.LostGaps, len(st.OpenGaps), c.lost)
				}
				if c.lost > 0 && (st.LastGaps[0].Lost == "" || st.LastGaps[0].Posts < 0) {
					t.Errorf("the gap that is lost: %+v", st.LastGaps[0])
				}
				for _, says := range c.says {
					if strings.Count(s.logged(), says) < 1 {
						t.Errorf("the log does not say %q:\n%s", says, s.logged())
					}
				}
				if n := strings.Count(s.logged(), "a gap stays"); n != int(c.lost) {
					t.Errorf("the gap is named %d times, want %d", n, c.lost)
				}
			})
		})
	}
}

// While a gap is open, Posts go on coming live, and the state says that it is
// open.
func TestTheStreamGoesOnBesideARecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		opts = append(opts, originals)
		s := start(t, nil, xstream.Token("secret"), opts...)
		after(time.Minute)
		s.stop()
		first := s.heard()
		missed := x.Post(xtest.Post{Text: "coop missed"})
		after(time.Minute)
		x.Fail(recentPath, 5, xtest.Problem(503))
		s = start(t, s.state, xstream.Token("secret"), opts...)
		after(time.Second)
		live := x.Post(xtest.Post{Text: "coop live"})
		after(time.Second)
		if diff := cmp.Diff([]string{live}, s.got()); diff != "" {
			t.Errorf("while search fails (-want +got):\n%s", diff)
		}
		var st struct {
			Heard time.Time
			Gaps  []struct{ Since, Until time.Time }
		}
		if err := json.Unmarshal([]byte(s.stored()), &st); err != nil || len(st.Gaps) != 1 || st.Gaps[0].Since.After(first) || !st.Heard.After(st.Gaps[0].Until) {
			t.Errorf("state %s, want a gap since %v", s.stored(), first)
		}
		// A restart in its middle takes it up.
		s.stop()
		x.Fail(recentPath, 0, xtest.Response{})
		s = start(t, s.state, xstream.Token("secret"), opts...)
		after(3 * time.Minute)
		s.stop()
		if !slices.Contains(s.got(), missed) {
			t.Errorf("the Post of the gap was not asked for again:\n%s", s.logged())
		}
		if strings.Contains(string(s.state), "gaps") {
			t.Errorf("state %s after the recovery", s.state)
		}
	})
}

// Search is late: what it did not know at first is found when it is asked again.
func TestSearchIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		s := start(t, nil, xstream.Token("secret"), append(opts, originals)...)
		after(time.Minute)
		x.Fail(recentPath, 1, xtest.Response{Body: `{"meta":{"result_count":0}}`})
		x.Fail(streamPath, 1, xtest.Problem(503))
		x.Disconnect(xtest.Clean)
		synctest.Wait()
		x.Post(xtest.Post{Text: "coop late"})
		after(10 * time.Second)
		if len(s.got()) != 0 {
			t.Fatal("found at once")
		}
		after(time.Minute)
		s.stop()
		if len(s.got()) != 1 {
			t.Errorf("%d Posts, want the one that search found late", len(s.got()))
		}
	})
}

// An answer 200 that holds an error, or nothing at all, is no page without Posts:
// search is asked again, and the gap is not taken for recovered.
func TestSearchAnswersAnError(t *testing.T) {
	for _, fault := range []string{"nostream", "html200", "empty"} {
		synctest.Test(t, func(t *testing.T) {
			x, opts := server(t)
			defer x.Close()
			s := start(t, nil, xstream.Token("secret"), append(opts, originals)...)
			after(time.Minute)
			inject(t, x, fault+"@searchx3 503 clean")
			x.Post(xtest.Post{Text: "coop missed"})
			after(30 * time.Second)
			if st := s.Stats(); len(s.got()) != 0 || len(st.OpenGaps) != 1 {
				t.Errorf("%s: after three such answers %d Posts, and %d open gaps, want one", fault, len(s.got()), len(st.OpenGaps))
			}
			after(time.Minute)
			s.stop()
			if st := s.Stats(); len(s.got()) != 1 || st.RecoveredGaps != 1 || st.LostGaps != 0 {
				t.Errorf("%s: %d Posts, want the one that was missed: %+v", fault, len(s.got()), st)
			}
		})
	}
}

func TestBackfill(t *testing.T) {
	for name, c := range map[string]struct {
		refusal  *xtest.Response
		searches bool
	}{
		"taken": {nil, false},
		"refused": {&xtest.Response{Status: 400, Body: `{"errors":[{"parameters":{"backfill_minutes":["2"]},"message":"not on this plan"}],"title":"Invalid Request"}`},
			true},
		"forbidden": {&xtest.Response{Status: 403, Body: `{"title":"Forbidden","detail":"your plan has no backfill_minutes"}`}, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x, opts := server(t)
				defer x.Close()
				one := xstream.HTTPClient(&http.Client{Transport: &oneAtATime{t: t, next: x.Client().Transport}})
				s := start(t, nil, xstream.Token("secret"), append(opts, one, originals, xstream.Backfill(5*time.Minute))...)
				after(70 * time.Second)
				if c.refusal != nil {
					x.Fail(streamPath, 1, *c.refusal)
				}
				x.Disconnect(xtest.Clean)
				after(3 * time.Minute)
				x.Fail(streamPath, 2, xtest.Problem(503))
				x.Disconnect(xtest.Clean)
				synctest.Wait()
				missed := x.Post(xtest.Post{Text: "coop"})
				after(30 * time.Second)
				if len(s.Stats().OpenGaps) != 1 || !strings.Contains(s.stored(), `"gaps"`) {
					t.Errorf("the gap is closed before X has had time to fill it: %s", s.stored())
				}
				after(3 * time.Minute)
				s.stop()
				if i := slices.Index(s.got(), missed); i < 0 || !s.tweets[i].Recovered {
					t.Error("what was missed is not there, or not as recovered")
				}
				var minutes []string
				for _, r := range x.Requests() {
					if r.Path == streamPath {
						minutes = append(minutes, r.Query.Get("backfill_minutes"))
					}
				}
				want := []string{"", "1", "1", "1", "1"}
				if c.refusal != nil {
					want = []string{"", "1", "", "", "", ""}
				}
				if diff := cmp.Diff(want, minutes); diff != "" {
					t.Errorf("backfill_minutes (-want +got):\n%s", diff)
				}
				if n := asked(x, recentPath); (n > 0) != c.searches {
					t.Errorf("%d searches", n)
				}
				if n := strings.Count(s.logged(), "X refuses backfill_minutes"); (n == 1) != c.searches {
					t.Errorf("the refusal is said %d times", n)
				}
				if st := s.Stats(); st.RecoveredGaps != 2 || len(st.OpenGaps) != 0 {
					t.Errorf("%d gaps recovered, open %v", st.RecoveredGaps, st.OpenGaps)
				}
			})
		})
	}
}

// oneAtATime sees to it that the answer of one request for the stream is closed when
// the next is made: until then its connection stays open.
type oneAtATime struct {
	t    *testing.T
	next http.RoundTripper
	open atomic.Int32
}

func (o *oneAtATime) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Path != streamPath {
		return o.next.RoundTrip(req)
	}
	if o.open.Load() > 0 {
		o.t.Error("asked for the stream again, and the answer of before is still open")
	}
	resp, err := o.next.RoundTrip(req)
	if err == nil {
		o.open.Add(1)
		resp.Body = &closing{resp.Body, sync.OnceFunc(func() { o.open.Add(-1) })}
	}
	return resp, err
}

type closing struct {
	io.ReadCloser
	closed func()
}

func (c *closing) Close() error {
	c.closed()
	return c.ReadCloser.Close()
}

// Killed whenever, also while emitting, and started again from the state that is
// in the log: no Post is lost that search can give.
func TestKilledAThousandTimesDuringRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t, xtest.Rate(0.2))
		defer x.Close()
		inject(t, x, "search-late=20s")
		opts = append(opts, xstream.Rules(
			tweetstream.Rule{Tag: "coop", Value: "(coop OR #coop) -is:retweet"},
			tweetstream.Rule{Tag: "cat", Value: "cat -is:retweet -is:reply"},
		))
		r := rand.New(rand.NewPCG(1, 2))
		var mu sync.Mutex
		log := map[string]bool{}
		var state []byte
		kills, open := 0, 0
		run := func(kill time.Duration, failAt int) {
			src, err := xstream.New(xstream.Token("secret"), opts...)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			calls := 0
			dead := false
			emit := func(ctx context.Context, tweets []*tweetstream.Tweet, st []byte) error {
				mu.Lock()
				defer mu.Unlock()
				calls++
				if dead || ctx.Err() != nil {
					return errors.New("killed")
				}
				// The log may or may not hold what it was killed with.
				dead = calls == failAt
				if !dead || failAt%2 == 0 {
					for _, t := range tweets {
						log[t.ID] = true
					}
					if st != nil {
						state = bytes.Clone(st)
					}
				}
				if dead {
					return errors.New("killed")
				}
				return nil
			}
			time.AfterFunc(kill, cancel)
			if err := src.Stream(ctx, state, emit); err != nil && !dead {
				t.Fatal(err)
			}
			if len(src.Stats().OpenGaps) > 0 {
				open++
			}
			if n := src.Stats().LostGaps; n > 0 {
				t.Fatalf("%d gaps are lost", n)
			}
		}
		for ; kills < 1000; kills++ {
			failAt := 0
			if kills%2 == 0 {
				failAt = 1 + r.IntN(12)
			}
			run(time.Duration(r.Int64N(int64(40*time.Second))), failAt)
			time.Sleep(time.Duration(r.Int64N(int64(20 * time.Second))))
		}
		run(5*time.Minute, 0)
		missing := 0
		ids := x.IDs()
		for _, id := range ids[:len(ids)-1] { // the newest may be on its way
			if !log[id] {
				missing++
			}
		}
		if missing > 0 || len(ids) < 4000 || open < 500 {
			t.Errorf("%d of %d Posts are lost by %d kills, %d of them in a recovery", missing, len(ids), kills, open)
		}
		t.Logf("%d Posts, %d lost, %d kills, %d of them in a recovery, %d searches", len(ids), missing, kills, open, asked(x, recentPath))
	})
}

// A gap that takes longer to recover than the program lives is recovered all the
// same: each life goes on where the one before it was killed.
func TestEveryLifeBringsARecoveryOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t, xtest.Rate(20), xtest.Faults("limits=none"))
		defer x.Close()
		client := *x.Client()
		client.Transport = roundTrip(func(req *http.Request) (*http.Response, error) {
			if req.URL.Path == recentPath {
				time.Sleep(time.Second)
			}
			return x.Client().Transport.RoundTrip(req)
		})
		opts = append(opts, originals, xstream.HTTPClient(&client), xstream.Recover(15*time.Minute, 2_200))
		s := start(t, nil, xstream.Token("secret"), opts...)
		after(30 * time.Second)
		s.stop()
		there := s.got()
		since := xclock()
		after(100 * time.Second) // 2,000 Posts: 20 pages, a second each, and those asked for again before them
		missed := x.IDs()[len(there):]
		missed = missed[:len(missed)-20] // those of the last second, to which X tells the time, come when search has settled
		const lives = 4
		for range lives {
			s = start(t, s.state, xstream.Token("secret"), opts...)
			after(20 * time.Second)
			s.stop()
			there = append(there, s.got()...)
		}
		there = sorted(there)
		lost := slices.DeleteFunc(slices.Clone(missed), func(id string) bool { _, ok := slices.BinarySearch(there, id); return ok })
		if len(missed) < 1_980 || len(lost) > 0 {
			t.Errorf("%d of %d Posts since %v are not there after %d lives of 20 s, %d searches", len(lost), len(missed), since, lives, asked(x, recentPath))
		}
	})
}

// The form that the state had before it named gaps is understood.
func TestTheStateOfBeforeIsUnderstood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		state := fmt.Sprintf(`{"source":"xstream","heard":%q}`, xclock().Add(-time.Minute).Format(time.RFC3339Nano))
		s := start(t, []byte(state), xstream.Token("secret"), append(opts, originals)...)
		after(time.Minute)
		s.stop()
		if st := s.Stats(); st.RecoveredGaps != 1 {
			t.Errorf("%d gaps recovered, want 1", st.RecoveredGaps)
		}
	})
}

func TestRecoveryByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t, xtest.Rate(2))
		defer x.Close()
		s := start(t, nil, xstream.Token("secret"), append(opts, originals)...)
		after(10 * time.Minute)
		s.stop()
		since, until := xclock().Add(-8*time.Minute), xclock().Add(-2*time.Minute)
		src, err := xstream.New(xstream.Token("secret"), append(opts, originals, xstream.Recover(time.Hour, 5000))...)
		if err != nil {
			t.Fatal(err)
		}
		by := src.Recovery(since, until)
		if w, ok := by.(interface{ CanWait() bool }); !ok || !w.CanWait() {
			t.Error("the recovery can't wait, so that Posts are dropped")
		}
		again := &stream{t: t, full: make(chan struct{}, 1)}
		if err := by.Stream(t.Context(), nil, again.emit); err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, w := range s.tweets {
			c, err := w.Content()
			if err != nil {
				t.Fatal(err)
			}
			if !c.CreatedAt.Before(since) && c.CreatedAt.Before(until) {
				want = append(want, w.ID)
			}
		}
		got := again.got()
		for _, id := range want {
			if !slices.Contains(got, id) {
				t.Fatalf("Post %s is missing: %d of %d", id, len(got), len(want))
			}
		}
		if len(got) > len(want)+60 || again.state != nil {
			t.Errorf("%d Posts instead of %d, state %s", len(got), len(want), again.state)
		}
		// With a limit it says what it left out.
		src, err = xstream.New(xstream.Token("secret"), append(opts, originals, xstream.Recover(time.Hour, 100))...)
		if err != nil {
			t.Fatal(err)
		}
		some := &stream{t: t, full: make(chan struct{}, 1)}
		err = src.Recovery(since, until).Stream(t.Context(), nil, some.emit)
		if err == nil || !strings.Contains(err.Error(), "more than 100 Posts") || len(some.got()) > 100 || len(some.got()) < 90 {
			t.Errorf("Stream() = %v with %d Posts", err, len(some.got()))
		}
	})
}

// cutting cuts the answers of search in their middle.
type cutting struct{ next http.RoundTripper }

func (c cutting) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := c.next.RoundTrip(req)
	if err == nil && req.URL.Path == recentPath {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(io.LimitReader(resp.Body, 100), errReader{}), resp.Body}
	}
	return resp, err
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// Answers that are bought and never come whole must not be bought for ever.
func TestAnswersThatAreCutAreNotBoughtForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		client := *x.Client()
		client.Transport = cutting{client.Transport}
		s := start(t, nil, xstream.Token("secret"), append(opts, originals, xstream.HTTPClient(&client), xstream.Budget(xstream.Reads{Day: 100_000}))...)
		after(time.Minute)
		x.Disconnect(xtest.Clean)
		after(time.Hour)
		s.stop()
		if n := asked(x, recentPath); n > 5 || s.Stats().LostGaps != 1 || s.Stats().Read.Day != 100*n {
			t.Errorf("%d searches, %d gaps lost, %d Posts counted", n, s.Stats().LostGaps, s.Stats().Read.Day)
		}
	})
}

// What stands between may answer searches for a time: with its pages no gap is
// lost, no rule given up, and nothing counted as bought.
func TestForeignAnswersLoseNoGap(t *testing.T) {
	for _, status := range []int{200, 400, 403, 404, 502} {
		synctest.Test(t, func(t *testing.T) {
			x, opts := server(t)
			defer x.Close()
			s := start(t, nil, xstream.Token("secret"), append(opts, originals, xstream.Budget(xstream.Reads{Day: 1000}))...)
			after(time.Minute)
			x.Fail(recentPath, 7, xtest.Response{
				Status: status,
				Header: http.Header{"Content-Type": {"text/html"}},
				Body:   "<html><h1>Just a moment</h1></html>",
			})
			x.Fail(streamPath, 1, xtest.Problem(503))
			x.Disconnect(xtest.Clean)
			synctest.Wait()
			x.Post(xtest.Post{Text: "coop missed"})
			after(5 * time.Minute)
			if st := s.Stats(); st.Read.Day != 0 || len(st.OpenGaps) != 1 {
				t.Errorf("%d: %d Posts counted, %d open gaps", status, st.Read.Day, len(st.OpenGaps))
			}
			after(15 * time.Minute)
			s.stop()
			if st := s.Stats(); len(s.got()) != 1 || st.LostGaps != 0 || st.RecoveredGaps != 1 || strings.Contains(s.logged(), "a rule whose Posts are not recovered") {
				t.Errorf("%d: %d Posts, want the one that was missed: %+v\n%s", status, len(s.got()), st, s.logged())
			}
		})
	}
}

// What a page has cost is in the state before the next page is asked for.
func TestThePageIsCountedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		x.Fail(recentPath, 1, xtest.Response{Body: `{"data":[{"id":"1"},{"id":"2"},{"id":"3"}],"meta":{"next_token":"more"}}`})
		x.Fail(recentPath, -1, xtest.Problem(503))
		state := fmt.Sprintf(`{"source":"xstream","heard":%q}`, xclock().Add(-time.Minute).Format(time.RFC3339Nano))
		s := start(t, []byte(state), xstream.Token("secret"), append(opts, originals)...)
		after(10 * time.Second)
		if !strings.Contains(s.stored(), `"posts":3`) {
			t.Errorf("state %s, want 3 reads", s.stored())
		}
		s.stop()
	})
}

// With many rules recovery keeps within search's rate limit, by X's clock.
func TestRecoveryKeepsWithinTheRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t, xtest.EnforceLimits())
		defer x.Close()
		rules := []tweetstream.Rule{{Tag: "coop", Value: "coop -is:retweet"}}
		for i := range 150 {
			rules = append(rules, tweetstream.Rule{Tag: fmt.Sprint(i), Value: fmt.Sprintf("word%d -is:retweet", i)})
		}
		s := start(t, nil, xstream.Token("secret"), append(opts, xstream.Rules(rules...))...)
		for range 4 {
			after(70 * time.Second)
			x.Fail(streamPath, 1, xtest.Problem(503))
			x.Disconnect(xtest.Clean)
			synctest.Wait()
			x.Post(xtest.Post{Text: "coop"})
		}
		after(time.Hour)
		s.stop()
		for _, r := range x.Requests() {
			if r.Path == recentPath && r.Status != http.StatusOK {
				t.Errorf("search answered %d at %v", r.Status, r.Time)
			}
		}
		if n := asked(x, recentPath); n < 600 || len(s.got()) != 4 || s.Stats().LostGaps != 0 {
			t.Errorf("%d searches, %d Posts of 4, %d gaps lost", n, len(s.got()), s.Stats().LostGaps)
		}
	})
}

// What grows too old for search while it can't be asked, for want of money say, is
// named as lost; the rest of the gap, and the rules, are not given up.
func TestGapsGrowTooOld(t *testing.T) {
	for name, script := range map[string]string{"refused": "503@searchx*", "no answer": "html200@searchx*"} {
		synctest.Test(t, func(t *testing.T) {
			x, opts := server(t)
			defer x.Close()
			s := start(t, nil, xstream.Token("secret"), append(opts, originals, xstream.Recover(time.Hour, 1000))...)
			after(time.Minute)
			inject(t, x, script+" 503x9 clean") // 9 times are 21 minutes
			synctest.Wait()
			x.Post(xtest.Post{Text: "coop old"})
			after(20 * time.Minute)
			x.Post(xtest.Post{Text: "coop young"})
			after(7*24*time.Hour - 8*time.Minute)
			inject(t, x, "ok@search")
			after(30 * time.Minute)
			s.stop()
			st := s.Stats()
			if len(s.got()) != 1 || st.LostGaps == 0 || st.RecoveredGaps != 1 || len(st.OpenGaps) != 0 {
				t.Errorf("%s: %d Posts, want the younger one: %+v", name, len(s.got()), st)
			}
			if strings.Contains(s.logged(), "a rule whose Posts are not recovered") || !strings.Contains(s.logged(), "search goes back 7 days only") {
				t.Errorf("%s:\n%s", name, s.logged())
			}
		})
	}
}

// In a storm of reconnects one gap grows, and search is asked for it as a whole;
// what is too young to be asked for twice is kept short.
func TestRecoveryIsThrifty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t, xtest.Rate(2))
		defer x.Close()
		s := start(t, nil, xstream.Token("secret"), append(opts, originals, xstream.Recover(time.Hour, 5000))...)
		after(2 * time.Minute)
		inject(t, x, "503x7 clean") // 5+10+20+40+80+160+320 s: 10 minutes
		after(25 * time.Minute)
		s.stop()
		if st := s.Stats(); st.RecoveredGaps != 1 || st.Recovered < 1100 {
			t.Errorf("Stats: %+v", st)
		}
		if n := asked(x, recentPath); n > 22 {
			t.Errorf("%d searches for some 1,300 Posts, of which 2 minutes are asked for twice", n)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		s := start(t, nil, xstream.Token("secret"), append(opts, originals)...)
		after(time.Minute)
		inject(t, x, "503@searchx2 clean")
		for range 20 {
			after(2 * time.Second)
			x.Disconnect(xtest.Clean)
		}
		after(5 * time.Minute)
		s.stop()
		if st := s.Stats(); st.RecoveredGaps != 1 || st.Connects < 4 {
			t.Errorf("%d gaps for %d connections, want one", st.RecoveredGaps, st.Connects)
		}
	})
}

// By default it is 15 minutes and 1,000 Posts that are asked for again, and what lies
// beyond is named.
func TestRecoveryByDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t, xtest.Rate(2), xtest.Topics("coop"))
		defer x.Close()
		s := start(t, nil, xstream.Token("secret"), append(opts, originals)...)
		after(time.Minute)
		s.stop()
		since := s.heard()
		after(20 * time.Minute)
		s = start(t, s.state, xstream.Token("secret"), append(opts, originals)...)
		after(2 * time.Minute)
		s.stop()
		st := s.Stats()
		if len(st.LastGaps) != 2 || !st.LastGaps[0].Since.Equal(since) || st.LastGaps[0].Lost != "it is longer ago than 15m0s" || st.LastGaps[1].Lost != "more than 1000 Posts for one gap are not asked for" {
			t.Errorf("gaps: %+v", st.LastGaps)
		}
		if length := st.LastGaps[0].Until.Sub(since); length < 5*time.Minute || length > 5*time.Minute+2*time.Second {
			t.Errorf("%v are longer ago than 15 minutes, want 5 minutes", length)
		}
		if n := int(st.Recovered - st.Known); n > 1000 || n < 900 {
			t.Errorf("%d Posts bought, want up to 1,000", n)
		}
	})
}

// However many Posts a gap has, the log gets them in portions that it can hold, also
// when no life of the program was long enough to know their rate.
func TestALargeGapComesInPortions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t, xtest.Rate(2), xtest.Faults("limits=none"))
		defer x.Close()
		src, err := xstream.New(xstream.Token("secret"), append(opts, originals, xstream.Recover(time.Hour, 1_000_000))...)
		if err != nil {
			t.Fatal(err)
		}
		s := start(t, nil, xstream.Token("secret"), append(opts, originals)...) // X begins to make Posts
		after(time.Second)
		s.stop()
		after(6 * time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		seen, largest := map[string]bool{}, 0
		state := fmt.Sprintf(`{"source":"xstream","heard":%q}`, xclock().Add(-6*time.Minute).Format(time.RFC3339Nano))
		err = src.Stream(ctx, []byte(state), func(_ context.Context, tweets []*tweetstream.Tweet, _ []byte) error {
			largest = max(largest, len(tweets))
			for _, t := range tweets {
				seen[t.ID] = true
			}
			return nil
		})
		if err != nil || len(seen) < 6*60*2 || largest > 400 {
			t.Errorf("Stream() = %v; %d Posts, want all %d of 6 minutes, and not %d at once", err, len(seen), 6*60*2, largest)
		}
	})
}

// A gap that grows while search is asked may be filled with more Posts than when it
// was asked.
func TestTheLimitGrowsWithTheGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		client := *x.Client()
		client.Transport = roundTrip(func(req *http.Request) (*http.Response, error) {
			if req.URL.Path == recentPath {
				time.Sleep(20 * time.Second)
			}
			return x.Client().Transport.RoundTrip(req)
		})
		s := start(t, nil, xstream.Token("secret"), append(opts, originals, xstream.HTTPClient(&client), xstream.Recover(time.Hour, 20))...)
		after(time.Minute)
		inject(t, x, "503 clean")
		synctest.Wait()
		for range 30 {
			x.Post(xtest.Post{Text: "coop missed"})
		}
		after(10 * time.Second) // the stream stands again, and search is asked
		x.Disconnect(xtest.Clean)
		after(5 * time.Minute)
		s.stop()
		if st := s.Stats(); len(s.got()) != 30 || st.LostGaps != 0 || st.RecoveredGaps != 1 {
			t.Errorf("%d of 30 Posts, %d gaps lost, %d recovered\n%s", len(s.got()), st.LostGaps, st.RecoveredGaps, s.logged())
		}
	})
}

// What X was asked to send again is asked for again if its connection ends before
// it has brought it, and for as many minutes as are missing.
func TestBackfillThatIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		s := start(t, nil, xstream.Token("secret"), append(opts, originals, xstream.Backfill(5*time.Minute))...)
		after(70 * time.Second)
		inject(t, x, "503x4 clean") // 75 s, jittered
		after(110 * time.Second)    // a keep-alive has come
		x.Disconnect(xtest.Clean)
		after(30 * time.Second)
		s.stop()
		x.Close() // all requests are on its list
		var minutes []string
		for _, r := range x.Requests() {
			if r.Path == streamPath && r.Status == http.StatusOK {
				minutes = append(minutes, r.Query.Get("backfill_minutes"))
			}
		}
		if diff := cmp.Diff([]string{"", "2", "3"}, minutes); diff != "" {
			t.Errorf("backfill_minutes (-want +got):\n%s", diff)
		}
		if open := s.Stats().OpenGaps; len(open) != 1 || open[0].Until.Sub(open[0].Since) < 90*time.Second {
			t.Errorf("open gaps: %+v, want one from the first end on", open)
		}
	})
}

// Of several gaps the oldest is filled first.
func TestTheOldestGapComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		s := start(t, nil, xstream.Token("secret"), append(opts, originals)...)
		after(time.Minute)
		inject(t, x, "503@searchx*")
		for range 3 {
			inject(t, x, "503 clean")
			synctest.Wait()
			x.Post(xtest.Post{Text: "coop missed"})
			after(3 * time.Minute)
		}
		inject(t, x, "ok@search")
		after(10 * time.Minute)
		s.stop()
		if diff := cmp.Diff(x.IDs(), s.got()); diff != "" || s.Stats().RecoveredGaps != 3 {
			t.Errorf("%d gaps recovered; Posts (-want +got):\n%s", s.Stats().RecoveredGaps, diff)
		}
	})
}
