package tweetstream_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream"
)

var errDown = errors.New("connection refused")

func has(tweets []*tweetstream.Tweet, id string) bool {
	return slices.ContainsFunc(tweets, func(t *tweetstream.Tweet) bool { return t.ID == id })
}

// What becomes of ten tweets when a sink answers in its own way. Time is fake:
// nine come at once and one after half an hour; a stop after an hour.
func TestAnswersOfASink(t *testing.T) {
	// The same fault each time it sees a tweet of this id.
	whenever := func(id string, err error) func(context.Context, int, []*tweetstream.Tweet) error {
		return func(_ context.Context, _ int, tweets []*tweetstream.Tweet) error {
			if has(tweets, id) {
				return err
			}
			return nil
		}
	}
	first := func(n int, err error) func(context.Context, int, []*tweetstream.Tweet) error {
		return func(_ context.Context, call int, _ []*tweetstream.Tweet) error {
			if call <= n {
				return err
			}
			return nil
		}
	}
	but := func(drop ...string) []string {
		return slices.DeleteFunc(ids(1, 10), func(id string) bool { return slices.Contains(drop, id) })
	}
	one := []tweetstream.SinkOption{tweetstream.Batch(1, 0)}
	for name, c := range map[string]struct {
		fail    func(ctx context.Context, call int, tweets []*tweetstream.Tweet) error
		opts    []tweetstream.SinkOption
		want    []string // delivered; order counts unless anyOrder
		dead    map[tweetstream.Reason][]string
		any     bool // any order
		again   bool // tweets may come again
		atLeast time.Duration
	}{
		"takes all":                    {want: ids(1, 10)},
		"fails for a while":            {fail: first(3, errDown), want: ids(1, 10)},
		"an outage is no poison":       {fail: first(40, errDown), want: ids(1, 10), any: true},
		"an outage, one by one":        {fail: first(40, errDown), opts: one, want: ids(1, 10)},
		"permanent: split to the one":  {fail: whenever("4", tweetstream.Permanent(errDown)), want: but("4"), dead: map[tweetstream.Reason][]string{tweetstream.Rejected: {"4"}}},
		"permanent, wrapped":           {fail: whenever("4", fmt.Errorf("sink: %w", tweetstream.Permanent(errDown))), want: but("4"), dead: map[tweetstream.Reason][]string{tweetstream.Rejected: {"4"}}},
		"permanent, one by one":        {fail: whenever("4", tweetstream.Permanent(errDown)), opts: one, want: but("4"), dead: map[tweetstream.Reason][]string{tweetstream.Rejected: {"4"}}},
		"named and permanent":          {fail: whenever("4", &tweetstream.TweetError{ID: "4", Err: tweetstream.Permanent(errDown)}), want: but("4"), dead: map[tweetstream.Reason][]string{tweetstream.Rejected: {"4"}}},
		"two named, one for ever":      {fail: whenever("4", errors.Join(&tweetstream.TweetError{ID: "3", Err: errDown}, fmt.Errorf("x: %w", &tweetstream.TweetError{ID: "4", Err: tweetstream.Permanent(errDown)}))), want: []string{"1", "2", "5", "6", "7", "8", "9", "3", "10"}, dead: map[tweetstream.Reason][]string{tweetstream.Rejected: {"4"}}},
		"a join with another leaf":     {fail: first(2, errors.Join(&tweetstream.TweetError{ID: "3", Err: tweetstream.Permanent(errDown)}, errDown)), want: ids(1, 10), again: true},
		"a name that is not there":     {fail: first(2, &tweetstream.TweetError{ID: "99", Err: tweetstream.Permanent(errDown)}), want: ids(1, 10), again: true},
		"a name without an error":      {fail: first(2, &tweetstream.TweetError{ID: "3"}), want: ids(1, 10), again: true},
		"poison in a batch":            {fail: whenever("4", errDown), want: but("4"), dead: map[tweetstream.Reason][]string{tweetstream.Rejected: {"4"}}},
		"poison, one by one":           {fail: whenever("4", errDown), opts: one, want: but("4"), dead: map[tweetstream.Reason][]string{tweetstream.Rejected: {"4"}}, any: true},
		"named for ever":               {fail: whenever("4", &tweetstream.TweetError{ID: "4", Err: errDown}), want: but("4"), dead: map[tweetstream.Reason][]string{tweetstream.Rejected: {"4"}}},
		"panics on one":                {fail: func(_ context.Context, _ int, tweets []*tweetstream.Tweet) error { return panicOn(tweets, "4") }, want: but("4"), dead: map[tweetstream.Reason][]string{tweetstream.Rejected: {"4"}}},
		"asks for time":                {fail: first(2, tweetstream.RetryAfter(errDown, 7*time.Minute)), want: ids(1, 10), atLeast: 14 * time.Minute},
		"asks for time, by name":       {fail: first(1, &tweetstream.TweetError{ID: "4", Err: tweetstream.RetryAfter(errDown, 7*time.Minute)}), want: []string{"1", "2", "3", "5", "6", "7", "8", "9", "4", "10"}, atLeast: 7 * time.Minute},
		"given up":                     {fail: whenever("4", errDown), opts: append(one, tweetstream.GiveUp(time.Second)), want: but("4"), dead: map[tweetstream.Reason][]string{tweetstream.GaveUp: {"4"}}},
		"hangs until the time-out":     {fail: func(ctx context.Context, call int, _ []*tweetstream.Tweet) error { return hang(ctx, call <= 2) }, want: ids(1, 10), atLeast: 30 * time.Second},
		"down for ever":                {fail: whenever("1", errDown), opts: []tweetstream.SinkOption{tweetstream.Batch(1, 0), tweetstream.Through(tweetstream.Keep(func(t *tweetstream.Tweet) bool { return t.ID == "1" }))}, dead: map[tweetstream.Reason][]string{tweetstream.ShutDown: {"1"}}},
		"permanent or not, both hours": {fail: first(1, errors.Join(tweetstream.Permanent(errDown), errDown)), want: ids(1, 10)},
		"parallel":                     {opts: []tweetstream.SinkOption{tweetstream.Batch(2, 0), tweetstream.Parallel(4)}, fail: whenever("4", tweetstream.Permanent(errDown)), want: but("4"), any: true, dead: map[tweetstream.Reason][]string{tweetstream.Rejected: {"4"}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				var last time.Time
				sink := recorder{fail: func(ctx context.Context, call int, tweets []*tweetstream.Tweet) error {
					if c.fail == nil {
						return nil
					}
					err := c.fail(ctx, call, tweets)
					if err == nil && c.atLeast > 0 {
						last = time.Now()
					}
					return err
				}}
				var grave graveyard
				opts := append([]tweetstream.SinkOption{tweetstream.Batch(10, 0)}, c.opts...)
				src := source(func(ctx context.Context, _ []byte, emit tweetstream.Emit) error {
					if err := emit(ctx, posts(1, 9), nil); err != nil || !sleepFor(ctx, 30*time.Minute) {
						return err
					}
					return emitting(post(10, "the last"))(ctx, nil, emit)
				})
				r := start(t, src, tweetstream.WithSink("sink", &sink, opts...), tweetstream.WithDeadLetter(grave.bury))
				after(time.Hour)
				s := r.sink("sink")
				r.stop()
				got := sink.got()
				if c.any || c.again {
					slices.SortFunc(got, func(a, b string) int { return len(a)*100 + int(a[0]) - len(b)*100 - int(b[0]) })
				}
				if c.again {
					got = slices.Compact(got)
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("delivered (-want +got):\n%s", diff)
				}
				dead := 0
				for _, why := range []tweetstream.Reason{tweetstream.Rejected, tweetstream.GaveUp, tweetstream.ShutDown, tweetstream.Overflowed, tweetstream.TransformFailed} {
					if diff := cmp.Diff(c.dead[why], grave.ids("sink", why)); diff != "" {
						t.Errorf("dead letter, %s (-want +got):\n%s", why, diff)
					}
					dead += len(c.dead[why])
				}
				if c.atLeast > 0 && last.Sub(begin) < c.atLeast {
					t.Errorf("the last try came after %v, want at least %v", last.Sub(begin), c.atLeast)
				}
				if c.dead[tweetstream.ShutDown] == nil && (s.State != tweetstream.Running || s.Waiting != 0 || s.Delivered < uint64(len(c.want))) {
					t.Errorf("Stats after an hour: %+v", s)
				}
			})
		})
	}
}

func panicOn(tweets []*tweetstream.Tweet, id string) error {
	if has(tweets, id) {
		panic("a Post that panics")
	}
	return nil
}

func hang(ctx context.Context, does bool) error {
	if does {
		<-ctx.Done()
	}
	return ctx.Err()
}

// During an outage no tweet may go to the dead letter, though a probe from
// further on in the log is tried too.
func TestOutageWithProbesLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := time.Now().Add(30 * time.Minute)
		sink := tweetstream.SinkFunc(nil)
		var rec recorder
		sink = func(ctx context.Context, tw *tweetstream.Tweet) error {
			if time.Now().Before(up) {
				return errDown
			}
			return rec.Deliver(ctx, []*tweetstream.Tweet{tw})
		}
		src := source(func(ctx context.Context, _ []byte, emit tweetstream.Emit) error {
			for id := 1; id <= 3600; id++ {
				if err := emit(ctx, posts(id, id), nil); err != nil || !sleepFor(ctx, time.Second) {
					return err
				}
			}
			return nil
		})
		for _, opts := range [][]tweetstream.SinkOption{nil, {tweetstream.Batch(50, 0)}, {tweetstream.Parallel(3)}} {
			rec = recorder{}
			up = time.Now().Add(30 * time.Minute)
			var grave graveyard
			r := start(t, src, tweetstream.WithSink("sink", sink, opts...), tweetstream.WithDeadLetter(grave.bury))
			after(20 * time.Minute)
			if s := r.sink("sink"); s.State != tweetstream.Outage {
				t.Errorf("state %s after 20 minutes, want an outage", s.State)
			}
			r.wait()
			got := rec.got()
			if len(got) != 3600 || len(grave.letters) != 0 {
				t.Errorf("%d of 3600 delivered, %d dead", len(got), len(grave.letters))
			}
			slices.Sort(got)
			if n := len(slices.Compact(got)); n != len(got) {
				t.Errorf("%d of %d were delivered twice", len(got)-n, len(got))
			}
		}
	})
}

func sleepFor(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// A sink that asks for time again and again is in an outage too, and it is said.
func TestOutageOfASinkThatAsksForTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lines
		sink := recorder{fail: func(context.Context, int, []*tweetstream.Tweet) error {
			return tweetstream.RetryAfter(errors.New("no space left on device"), time.Second)
		}}
		r := start(t, emitting(posts(1, 5)...), tweetstream.WithSink("sink", &sink, tweetstream.Batch(5, 0)), tweetstream.WithLogger(log.logger()))
		after(time.Minute)
		if s := r.sink("sink"); s.State != tweetstream.Outage || s.Waiting != 5 || !strings.Contains(log.String(), "an outage") {
			t.Errorf("Stats: %+v; the log:\n%s", s, log.String())
		}
		r.stop()
	})
}

func TestBatchWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := source(func(ctx context.Context, _ []byte, emit tweetstream.Emit) error {
			for id := 1; id <= 10; id++ {
				if err := emit(ctx, posts(id, id), nil); err != nil {
					return err
				}
				sleepFor(ctx, 300*time.Millisecond)
			}
			return nil
		})
		var sizes []int
		var waited time.Duration
		sink := recorder{fail: func(_ context.Context, _ int, tweets []*tweetstream.Tweet) error {
			sizes = append(sizes, len(tweets))
			waited = max(waited, time.Since(tweets[0].Received))
			return nil
		}}
		start(t, src, tweetstream.WithSink("sink", &sink, tweetstream.Batch(3, 500*time.Millisecond))).wait()
		// The first two of each batch come 300 ms apart, the third too late.
		if diff := cmp.Diff([]int{2, 2, 2, 2, 2}, sizes); diff != "" || waited != 500*time.Millisecond {
			t.Errorf("batches after %v at most (-want +got):\n%s", waited, diff)
		}
	})
}

func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var slow, hung recorder
		slow.fail = func(ctx context.Context, _ int, _ []*tweetstream.Tweet) error {
			sleepFor(ctx, time.Second)
			return ctx.Err()
		}
		free := make(chan struct{})
		hung.fail = func(context.Context, int, []*tweetstream.Tweet) error {
			<-free // whatever its context says
			return nil
		}
		var grave graveyard
		var log lines
		r := start(t, emitting(posts(1, 20)...),
			tweetstream.WithSink("slow", &slow), tweetstream.WithSink("hung", &hung, tweetstream.Batch(2, 0)),
			tweetstream.WithDeadLetter(grave.bury), tweetstream.WithLogger(log.logger()), tweetstream.WithDrain(5700*time.Millisecond))
		after(2500 * time.Millisecond)
		begin := time.Now()
		r.stop()
		if took := time.Since(begin); took != 6800*time.Millisecond {
			t.Errorf("Run took %v to return, want the drain time and a good second for the hung one", took)
		}
		if diff := cmp.Diff(ids(1, 8), slow.got()); diff != "" {
			t.Errorf("the slow sink went on during the drain (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(ids(9, 20), grave.ids("slow", tweetstream.ShutDown)); diff != "" {
			t.Errorf("what the slow sink has not got (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(ids(1, 20), grave.ids("hung", tweetstream.ShutDown)); diff != "" {
			t.Errorf("what the hung sink has not got (-want +got):\n%s", diff)
		}
		if !strings.Contains(log.String(), "left behind") || !strings.Contains(log.String(), "sink=hung") {
			t.Errorf("the log does not name the sink that hangs:\n%s", log.String())
		}
		close(free)
		synctest.Wait()
		if hung.calls != 1 {
			t.Errorf("the sink that hung was called %d times, want no call after the end", hung.calls)
		}
	})
}

func TestHungSinkIsSaidToBeStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lines
		free := make(chan struct{})
		sink := recorder{fail: func(_ context.Context, call int, _ []*tweetstream.Tweet) error {
			if call == 1 {
				<-free
			}
			return nil
		}}
		r := start(t, emitting(posts(1, 5)...), tweetstream.WithSink("sink", &sink), tweetstream.WithLogger(log.logger()))
		after(10 * time.Second)
		if s := r.sink("sink"); s.State != tweetstream.Running {
			t.Errorf("state %s within the time-out", s.State)
		}
		after(time.Minute)
		if s := r.sink("sink"); s.State != tweetstream.Stuck || s.Waiting != 5 || s.Oldest != 70*time.Second {
			t.Errorf("Stats of a sink that hangs: %+v", s)
		}
		if n := strings.Count(log.String(), "does not return from Deliver"); n != 1 {
			t.Errorf("said %d times, want once:\n%s", n, log.String())
		}
		close(free)
		after(time.Second)
		if s := r.sink("sink"); s.State != tweetstream.Running || s.Delivered != 5 {
			t.Errorf("Stats of a sink that came back: %+v", s)
		}
		r.stop()
	})
}

func TestDeadLetterThatFailsHoldsItsSinkOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var full atomic.Bool
		full.Store(true)
		var grave graveyard
		bury := func(ctx context.Context, letters []tweetstream.Letter) error {
			if full.Load() {
				return errors.New("no space left on device")
			}
			return grave.bury(ctx, letters)
		}
		var good, bad recorder
		bad.fail = func(_ context.Context, _ int, tweets []*tweetstream.Tweet) error {
			if tweets[0].ID == "2" {
				return tweetstream.Permanent(errDown)
			}
			return nil
		}
		var log lines
		r := start(t, emitting(posts(1, 5)...), tweetstream.WithSink("good", &good), tweetstream.WithSink("bad", &bad),
			tweetstream.WithDeadLetter(bury), tweetstream.WithLogger(log.logger()))
		after(time.Hour)
		if diff := cmp.Diff(ids(1, 5), good.got()); diff != "" {
			t.Errorf("the good sink (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(ids(1, 1), bad.got()); diff != "" {
			t.Errorf("the other waits for the dead letter (-want +got):\n%s", diff)
		}
		if !strings.Contains(log.String(), "no space left") {
			t.Errorf("the log does not say why:\n%s", log.String())
		}
		full.Store(false)
		after(time.Minute)
		if diff := cmp.Diff([]string{"1", "3", "4", "5"}, bad.got()); diff != "" {
			t.Errorf("it goes on (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"2"}, grave.ids("bad", tweetstream.Rejected)); diff != "" {
			t.Errorf("dead letter (-want +got):\n%s", diff)
		}
		r.stop()
	})
}

func TestLetterSaysWhatHappened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var grave graveyard
		sink := tweetstream.SinkFunc(func(_ context.Context, tw *tweetstream.Tweet) error {
			return fmt.Errorf("row %s is refused: password=hunter2", tw.Raw)
		})
		r := start(t, emitting(posts(1, 1)...), tweetstream.WithSink("sink", sink, tweetstream.GiveUp(10*time.Second)), tweetstream.WithDeadLetter(grave.bury))
		after(time.Minute)
		r.stop()
		if len(grave.letters) != 1 {
			t.Fatalf("%d letters, want 1", len(grave.letters))
		}
		l := grave.letters[0]
		if l.Tries < 3 || !l.First.Equal(begin) || l.Last.Sub(begin) < 10*time.Second || l.Last.Sub(begin) > 11*time.Second {
			t.Errorf("letter: %d tries from %v to %v", l.Tries, l.First.Sub(begin), l.Last.Sub(begin))
		}
		if strings.Contains(l.Error, "post number") || strings.Contains(l.Error, "hunter2") || !strings.Contains(l.Error, "is refused") {
			t.Errorf("letter's error: %s", l.Error)
		}
	})
}
