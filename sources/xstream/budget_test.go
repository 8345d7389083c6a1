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
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sources/xstream"
	"github.com/tweetstream-go/tweetstream/xtest"
)

// meter counts what X would bill: each Post that it sends once a UTC day. It
// stands between the client and X.
type meter struct {
	next http.RoundTripper

	mu    sync.Mutex
	days  map[string]map[string]bool // ids, by day
	twice int                        // Posts that came by search though they had come before on that day
	found int                        // Posts that came by search
}

func newMeter(x *xtest.Server) (*meter, xstream.Option) {
	m := &meter{next: x.Client().Transport, days: map[string]map[string]bool{}}
	return m, xstream.HTTPClient(&http.Client{Transport: m})
}

func (m *meter) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := m.next.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		return resp, err
	}
	switch req.URL.Path {
	case recentPath:
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return nil, err
		}
		var page struct{ Data []struct{ ID string } }
		_ = json.Unmarshal(body, &page)
		for _, p := range page.Data {
			m.bill(p.ID, true)
		}
		resp.Body = io.NopCloser(bytes.NewReader(body))
	case streamPath:
		resp.Body = &metered{resp.Body, m, nil}
	}
	return resp, nil
}

func (m *meter) bill(id string, search bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	day := xclock().Format(time.DateOnly)
	if m.days[day] == nil {
		m.days[day] = map[string]bool{}
	}
	if search {
		m.found++
		if m.days[day][id] {
			m.twice++
		}
	}
	m.days[day][id] = true
}

// day returns what is billed for a day of January 2026.
func (m *meter) day(n int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.days[fmt.Sprintf("2026-01-%02d", n)])
}

type metered struct {
	io.ReadCloser
	*meter
	line []byte
}

func (b *metered) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.line = append(b.line, p[:n]...)
	for {
		line, rest, ok := bytes.Cut(b.line, []byte("\n"))
		if !ok {
			return n, err
		}
		b.line = rest
		if t, bad := tweetstream.ParseTweet(line); bad == nil {
			b.bill(t.ID, false)
		}
	}
}

func TestTheBudgetHoldsTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t, xtest.Rate(0.2))
		defer x.Close()
		m, client := newMeter(x)
		s := start(t, nil, xstream.Token("secret"), append(opts, client, originals, xstream.Budget(xstream.Reads{Day: 100}), xstream.Price(0.01))...)
		after(79 * 5 * time.Second)
		if strings.Contains(s.logged(), "80 %") {
			t.Error("warned before 80 %")
		}
		after(10 * time.Second)
		if !strings.Contains(s.logged(), "80 % of the budget is spent") {
			t.Errorf("no warning at 80 %%:\n%s", s.logged())
		}
		if held := s.Stats().Held; held != "" {
			t.Errorf("held before the budget is spent: %s", held)
		}
		after(time.Hour)
		st := s.Stats()
		if st.Connected || !strings.Contains(st.Held, "100 Posts a day") || x.Stats().Connected != 0 {
			t.Errorf("the stream goes on after the budget: %+v", st)
		}
		if m.day(1) != 100 || st.Read != (xstream.Reads{Day: 100, Month: 100}) || st.Cost != 1 {
			t.Errorf("billed %d, counted %+v, cost %v; want 100, $1", m.day(1), st.Read, st.Cost)
		}
		after(23 * time.Hour)
		if !s.Stats().Connected && m.day(2) == 0 {
			t.Errorf("the stream does not go on when the day has turned:\n%s", s.logged())
		}
		after(time.Hour)
		s.stop()
		// The new day's recovery of what was not read leaves something, or not;
		// it stays in the budget.
		if m.day(2) > 101 || s.Stats().Read.Month > 201 {
			t.Errorf("billed %d on the second day, counted %+v", m.day(2), s.Stats().Read)
		}
		for _, says := range []string{"the budget: at most so many Posts a UTC day", "cost=$1.00", "held by the budget", "a gap stays", "it is longer ago than 15m0s"} {
			if !strings.Contains(s.logged(), says) {
				t.Errorf("the log does not say %q:\n%s", says, s.logged())
			}
		}
	})
}

// What one read brings at once goes over the budget at the most.
func TestTheBudgetIsOvershotByOneReadAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		m, client := newMeter(x)
		var state []byte
		reads, largest := 0, 0
		src, err := xstream.New(xstream.Token("secret"), append(opts, client, originals, xstream.Budget(xstream.Reads{Day: 50}))...)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() {
			ended <- src.Stream(ctx, state, func(_ context.Context, tweets []*tweetstream.Tweet, _ []byte) error {
				reads += len(tweets)
				largest = max(largest, len(tweets))
				return nil
			})
		}()
		synctest.Wait()
		for range 20 {
			for range 20 {
				x.Post(xtest.Post{Text: "coop"})
			}
			after(time.Second)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if reads < 50 || reads >= 50+largest || src.Stats().Read.Day != reads || m.day(1) < reads {
			t.Errorf("%d Posts with a budget of 50, one read brought up to %d, counted %d, billed %d", reads, largest, src.Stats().Read.Day, m.day(1))
		}
	})
}

// However often the stream breaks, recovery does not pass the budget, nor does
// it across restarts.
func TestAStormOfReconnectsDoesNotPassTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t, xtest.Rate(0.5))
		defer x.Close()
		m, client := newMeter(x)
		opts = append(opts, client, originals, xstream.Budget(xstream.Reads{Day: 1000, Month: 1500}), xstream.Recover(2*time.Hour, 100_000))
		r := rand.New(rand.NewPCG(3, 4))
		s := start(t, nil, xstream.Token("secret"), opts...)
		day := func() {
			for today := xclock().Day(); xclock().Day() == today; {
				if s.Stats().Held != "" {
					after(10 * time.Minute)
				}
				switch r.IntN(6) {
				case 0:
					s.stop()
					after(time.Duration(r.Int64N(int64(3 * time.Minute))))
					s = start(t, s.state, xstream.Token("secret"), opts...)
				default:
					if r.IntN(2) == 0 {
						x.Fail(streamPath, 1, xtest.Problem(503))
					}
					x.Disconnect(xtest.Reset)
				}
				after(time.Duration(r.Int64N(int64(time.Minute))))
			}
		}
		day()
		first := m.day(1)
		if counted := s.Stats().Read.Day; first > 1002 || counted < min(first, 1000) && xclock().Day() == 1 {
			t.Errorf("billed %d, counted %d, with a budget of 1,000 a day", first, counted)
		}
		if first < 300 {
			t.Errorf("only %d read", first)
		}
		day()
		s.stop()
		sum := 0
		for n := 1; n < 6; n++ {
			sum += m.day(n)
		}
		if m.day(2) > 1002 || sum > 1502 || sum < 700 {
			t.Errorf("billed %d on the second day, %d in all, with a budget of 1,500 a month", m.day(2), sum)
		}
		t.Logf("billed %d on the first day, %d in all, by %d searches and %d connections", first, sum, asked(x, recentPath), x.Stats().Connects)
		if !strings.Contains(s.Stats().Held, "month") {
			t.Errorf("held: %q", s.Stats().Held)
		}
	})
}

// In a day of interruptions what is counted is what X bills, and what is asked
// for again is the overlap only.
func TestWhatIsCountedIsWhatIsBilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t, xtest.Rate(0.2))
		defer x.Close()
		m, client := newMeter(x)
		r := rand.New(rand.NewPCG(5, 6))
		s := start(t, nil, xstream.Token("secret"), append(opts, client, originals)...)
		counted := 0
		for xclock().Day() == 1 {
			if r.IntN(2) == 0 {
				x.Fail(streamPath, 1+r.IntN(3), xtest.Problem(503))
			}
			x.Disconnect(xtest.End(r.IntN(3)))
			counted = s.Stats().Read.Day
			after(time.Duration(1+r.IntN(20)) * time.Minute)
		}
		last := m.day(1)
		after(10 * time.Minute)
		s.stop()
		if counted < last-300 || counted > last {
			t.Errorf("counted %d at the last look, billed %d at the end of the day", counted, last)
		}
		if st := s.Stats(); st.Read.Day < m.day(2)-1 || st.Read.Day > m.day(2)+1 || st.Read.Month != m.day(1)+m.day(2) {
			t.Errorf("counted %+v, billed %d and %d", st.Read, m.day(1), m.day(2))
		}
		ids := sorted(x.IDs())
		if diff := cmp.Diff(ids[:len(ids)-1], sorted(s.got())[:len(ids)-1]); diff != "" {
			t.Errorf("Posts (-want +got):\n%s", diff)
		}
		t.Logf("%d Posts in a day, %d by search, of which %d were known and cost nothing; %d searches, %d disconnects", last, m.found, m.twice, asked(x, recentPath), s.Stats().Disconnects)
	})
}

func TestTheCountSurvivesARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t, xtest.Rate(1), xtest.Limit(300))
		defer x.Close()
		opts = append(opts, originals, xstream.Recover(0, 0), xstream.Budget(xstream.Reads{Day: 100}))
		s := start(t, nil, xstream.Token("secret"), opts...)
		after(60500 * time.Millisecond)
		s.stop()
		if n := s.Stats().Read.Day; n != 60 {
			t.Fatalf("counted %d", n)
		}
		s = start(t, s.state, xstream.Token("secret"), opts...)
		if n := s.Stats().Read.Day; n != 60 {
			t.Errorf("after a restart %d are counted, want 60", n)
		}
		after(time.Hour)
		s.stop()
		if n := s.Stats().Read.Day; n != 100 || len(s.got()) != 40 {
			t.Errorf("counted %d, %d Posts; want 100, 40", n, len(s.got()))
		}
		// Started with a budget that is spent, it is held before the first
		// connection, and until X's day has turned, whatever the clock here.
		connects := x.Stats().Connects
		s = start(t, s.state, xstream.Token("secret"), append(opts, xstream.StopWhenHeld())...)
		if err := <-s.err; err == nil || !strings.Contains(err.Error(), "100 Posts a day is spent until 2026-01-02") {
			t.Errorf("Stream() = %v", err)
		}
		s = start(t, s.state, xstream.Token("secret"), opts...)
		after(time.Hour)
		if s.Stats().Held == "" || x.Stats().Connects != connects {
			t.Errorf("%d connections with a spent budget", x.Stats().Connects-connects)
		}
		after(23 * time.Hour)
		s.stop()
		if x.Stats().Connects != connects+1 {
			t.Errorf("%d connections when the day had turned", x.Stats().Connects-connects)
		}
	})
}

// Where nothing else has told X's time yet, it is asked whether it is still the day
// of which the stored count is, whatever the clock here.
func TestXTellsTheDay(t *testing.T) {
	for day, held := range map[string]bool{
		"2026-01-01": true,
		"2025-12-31": false,
		"2026-07-01": true, // a clock that was wrong; what it counted stays counted for the day
	} {
		t.Run(day, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x, opts := server(t)
				defer x.Close()
				state := fmt.Sprintf(`{"source":"xstream","heard":"2026-01-01T00:00:00Z","reads":{"day":%q,"posts":100,"cycle":"2025-12-01","month":100}}`, day)
				s := start(t, []byte(state), xstream.Token("secret"), append(opts, xstream.Sample(), xstream.Budget(xstream.Reads{Day: 100}))...)
				after(time.Hour)
				if st := s.Stats(); st.Connected == held || (st.Held != "") != held {
					t.Errorf("an hour later: %+v", st)
				}
				after(24 * time.Hour)
				if st := s.Stats(); !st.Connected || st.Held != "" {
					t.Errorf("a day later: %+v", st)
				}
				s.stop()
			})
		})
	}
}

// Of two budgets that are spent, the one that turns later holds.
func TestTheBudgetThatTurnsLaterHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		const state = `{"source":"xstream","heard":"2026-01-01T00:00:00Z","reads":{"day":"2026-01-01","posts":9,"cycle":"2026-01-01","month":9}}`
		s := start(t, []byte(state), xstream.Token("secret"), append(opts, coop, xstream.Budget(xstream.Reads{Day: 9, Month: 9}), xstream.StopWhenHeld())...)
		if err := <-s.err; err == nil || !strings.Contains(err.Error(), "9 Posts a month is spent until 2026-02-01") {
			t.Errorf("Stream() = %v", err)
		}
	})
}

// What was set aside for pages that brought less is free again.
func TestPagesThatBringLittleAreNoReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		s := start(t, nil, xstream.Token("secret"), append(opts, originals, xstream.Budget(xstream.Reads{Day: 250}))...)
		for range 5 {
			after(time.Minute)
			x.Disconnect(xtest.Reset)
		}
		after(2 * time.Minute)
		if st := s.Stats(); !st.Connected || st.RecoveredGaps != 5 || asked(x, recentPath) < 5 {
			t.Errorf("after %d empty pages: %+v", asked(x, recentPath), st)
		}
		s.stop()
	})
}

// The state that a run was started from may be older than what this Source has
// counted since.
func TestASecondStreamGoesOnCounting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t, xtest.Rate(1))
		defer x.Close()
		src, err := xstream.New(xstream.Token("secret"), append(opts, originals)...)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), 10500*time.Millisecond)
			err := src.Stream(ctx, nil, func(context.Context, []*tweetstream.Tweet, []byte) error { return nil })
			cancel()
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait() // until X has noticed the end: it takes one connection
		}
		if n := src.Stats().Read.Day; n < 20 {
			t.Errorf("counted %d of 21", n)
		}
	})
}

func TestTheMonthTurnsOnItsDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t, xtest.Rate(0.1))
		defer x.Close()
		s := start(t, nil, xstream.Token("secret"), append(opts, originals, xstream.Budget(xstream.Reads{Month: 50}), xstream.CycleDay(3))...)
		after(47 * time.Hour)
		if n := s.Stats().Read.Month; n != 50 || s.Stats().Held == "" {
			t.Errorf("%d read, held %q", n, s.Stats().Held)
		}
		after(2 * time.Hour)
		if r := s.Stats().Read; r.Month < 50 || r.Month > 51 || r.Day != r.Month || s.Stats().Held == "" {
			t.Errorf("%+v read an hour after the cycle has turned, held %q", r, s.Stats().Held)
		}
		if !strings.Contains(s.logged(), `reason="held by the budget"`) {
			t.Errorf("not said what made the gap:\n%s", s.logged())
		}
		s.stop()
	})
}

func TestUsage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		x.Fail("/2/usage/tweets", -1, xtest.Response{Body: `{"data":{"cap_reset_day":18,"project_cap":"3000000","project_id":"1","project_usage":"1234"}}`})
		s := start(t, nil, xstream.Token("secret"), append(opts, originals, xstream.Budget(xstream.Reads{Month: 1000}))...)
		after(3*time.Hour + time.Minute)
		s.stop()
		u := s.Stats().Usage
		if u.Posts != 1234 || u.Cap != 3_000_000 || u.ResetDay != 18 || u.At.IsZero() {
			t.Errorf("Usage: %+v", u)
		}
		if n := asked(x, "/2/usage/tweets"); n != 4 {
			t.Errorf("asked %d times in three hours, want 4", n)
		}
		if !strings.Contains(s.logged(), "set the cycle day") {
			t.Errorf("not said that the cycle begins on another day:\n%s", s.logged())
		}
	})
}

func TestFiguresOfTags(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		s := start(t, nil, xstream.Token("secret"), append(opts, xstream.Rules(
			tweetstream.Rule{Tag: "coop", Value: "coop"}, tweetstream.Rule{Tag: "cat", Value: "cat"}), xstream.Price(0.5))...)
		x.Post(xtest.Post{Text: "coop and cat"})
		after(time.Second)
		x.Post(xtest.Post{Text: "coop only"})
		after(time.Second)
		s.stop()
		st := s.Stats()
		coop, cat := st.Tags["coop"], st.Tags["cat"]
		if coop.Posts != 2 || coop.Billed != 2 || coop.Cost != 1 || cat.Posts != 1 || cat.Cost != 0.5 || !coop.Last.After(cat.Last) || st.Cost != 1 {
			t.Errorf("Tags: %+v, cost %v", st.Tags, st.Cost)
		}
	})
}

func TestXItselfHasABudgetByDefault(t *testing.T) {
	for _, c := range []struct {
		opts []xstream.Option
		want xstream.Reads
	}{
		{nil, xstream.Reads{Day: 10_000}},
		{[]xstream.Option{xstream.BaseURL("https://api.twitter.com")}, xstream.Reads{Day: 10_000}},
		{[]xstream.Option{xstream.BaseURL("https://API.X.com:443")}, xstream.Reads{Day: 10_000}},
		{[]xstream.Option{xstream.BaseURL("http://127.0.0.1:1")}, xstream.Reads{}},
		{[]xstream.Option{xstream.Budget(xstream.Reads{})}, xstream.Reads{}},
		{[]xstream.Option{xstream.Budget(xstream.Reads{Month: 7})}, xstream.Reads{Month: 7}},
	} {
		src, err := xstream.New(xstream.Token("t"), c.opts...)
		if err != nil {
			t.Fatal(err)
		}
		if got := src.Stats().Budget; got != c.want {
			t.Errorf("Budget = %+v, want %+v", got, c.want)
		}
	}
	_, err := xstream.New(xstream.Token("t"), xstream.Budget(xstream.Reads{Day: -1}), xstream.CycleDay(32), xstream.Price(-1),
		xstream.Recover(time.Hour, 0), xstream.Backfill(time.Second))
	for _, want := range []string{"Budget", "CycleDay", "Price", "Recover", "Backfill"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New() = %v, want it to name %s", err, want)
		}
	}
}

// To read of X itself without a budget is allowed, and said.
func TestNoBudgetIsSaid(t *testing.T) {
	for _, c := range []struct {
		base xstream.Option
		said bool
	}{
		{xstream.BaseURL(xstream.DefaultBaseURL), true},
		{xstream.BaseURL("https://x.example"), false},
	} {
		synctest.Test(t, func(t *testing.T) {
			x, opts := server(t)
			defer x.Close()
			s := start(t, nil, xstream.Token("secret"), append(opts, c.base, coop, xstream.HTTPClient(elsewhere(x)), xstream.Budget(xstream.Reads{}))...)
			s.stop()
			if said := strings.Contains(s.logged(), "no budget: each Post is billed"); said != c.said || x.Stats().Connects != 1 {
				t.Errorf("said: %v, want %v:\n%s", said, c.said, s.logged())
			}
		})
	}
}

// elsewhere takes requests to any host to the simulated X.
func elsewhere(x *xtest.Server) *http.Client {
	return &http.Client{Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
		to, err := url.Parse(x.URL)
		if err != nil {
			return nil, err
		}
		req = req.Clone(req.Context())
		req.URL.Scheme, req.URL.Host, req.Host = to.Scheme, to.Host, ""
		return x.Client().Transport.RoundTrip(req)
	})}
}

// A log that fails in a recovery ends the stream, also when no Post comes live.
func TestALogThatFailsEndsTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t, xtest.KeepAlive(19*time.Second))
		defer x.Close()
		src, err := xstream.New(xstream.Token("secret"), append(opts, originals)...)
		if err != nil {
			t.Fatal(err)
		}
		if err := src.SyncRules(t.Context()); err != nil {
			t.Fatal(err)
		}
		x.Post(xtest.Post{Text: "coop"})
		after(10 * time.Second)
		broken := errors.New("no space")
		state := fmt.Sprintf(`{"source":"xstream","heard":%q}`, xclock().Add(-time.Minute).Format(time.RFC3339Nano))
		begin := time.Now()
		err = src.Stream(t.Context(), []byte(state), func(_ context.Context, tweets []*tweetstream.Tweet, _ []byte) error {
			if len(tweets) > 0 {
				return broken
			}
			return nil
		})
		if !errors.Is(err, broken) || time.Since(begin) > 10*time.Second {
			t.Errorf("Stream() = %v after %v", err, time.Since(begin))
		}
	})
}

// The month is warned about too; and what comes on another day is billed again.
func TestTheMonthIsWarnedAbout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		s := start(t, nil, xstream.Token("secret"), append(opts, coop, xstream.Budget(xstream.Reads{Month: 10}))...)
		line := []byte(`{"data":{"id":"1800000000000000000","text":"coop"}}`)
		x.Send(line)
		x.Send(line)
		after(25 * time.Hour)
		x.Send(line)
		after(time.Second)
		if got, want := s.Stats().Read, (xstream.Reads{Day: 1, Month: 2}); got != want {
			t.Errorf("read %+v, want %+v", got, want)
		}
		if want := "so many Posts a billing cycle\" posts=10 cost=$0.05 read=0 cycle_day=1"; !strings.Contains(s.logged(), want) {
			t.Errorf("the log does not say %q:\n%s", want, s.logged())
		}
		const warning = "80 % of the budget is spent"
		for i := range 6 {
			if strings.Contains(s.logged(), warning) {
				t.Errorf("warned after %d Posts of 10", i+2)
			}
			x.Post(xtest.Post{Text: "coop"})
			synctest.Wait()
		}
		x.Post(xtest.Post{Text: "coop"})
		after(time.Second)
		x.Post(xtest.Post{Text: "coop"})
		after(time.Second)
		if n := strings.Count(s.logged(), warning); n != 1 || !strings.Contains(s.logged(), "period=month read=8 budget=10") {
			t.Errorf("warned %d times:\n%s", n, s.logged())
		}
		s.stop()
	})
}

// Each day, and each cycle, is warned about once.
func TestEachPeriodIsWarnedAboutOnce(t *testing.T) {
	for _, c := range []struct {
		budget xstream.Reads
		length time.Duration
	}{{xstream.Reads{Day: 5}, 24 * time.Hour}, {xstream.Reads{Month: 5}, 31 * 24 * time.Hour}} {
		synctest.Test(t, func(t *testing.T) {
			x, opts := server(t)
			defer x.Close()
			s := start(t, nil, xstream.Token("secret"), append(opts, coop, xstream.Budget(c.budget), xstream.Recover(0, 0))...)
			for period := 1; period <= 2; period++ {
				for range 5 { // the fourth is at 80 %
					x.Post(xtest.Post{Text: "coop"})
					after(time.Second)
				}
				if n := strings.Count(s.logged(), "80 % of the budget is spent"); n != period {
					t.Errorf("%+v: warned %d times in %d periods", c.budget, n, period)
				}
				after(c.length)
			}
			s.stop()
		})
	}
}
