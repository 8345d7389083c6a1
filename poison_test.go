package tweetstream_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream"
)

func stack() string {
	b := make([]byte, 1<<20)
	return string(b[:runtime.Stack(b, false)])
}

// A typed nil is an error that panics when it is read.
func TestErrorThatPanicsIsAPanicOfTheSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := tweetstream.SinkFunc(func(_ context.Context, tw *tweetstream.Tweet) error { var e *tweetstream.TweetError; return e })
		r := start(t, emitting(posts(1, 1)...), tweetstream.WithSink("bad", sink))
		after(time.Second)
		r.stop()
	})
}

// A Post that fails may have been stored all the same: its tombstone comes
// behind, and its delivery ends with it.
func TestTombstoneEndsTheTriesOfItsPost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d deleter
		d.fail = func(context.Context, int, []*tweetstream.Tweet) error { return errDown }
		src := source(func(ctx context.Context, _ []byte, emit tweetstream.Emit) error {
			_ = emit(ctx, posts(1, 1), nil)
			time.Sleep(time.Minute)
			_ = emit(ctx, []*tweetstream.Tweet{tombstone("1")}, nil)
			<-ctx.Done()
			return nil
		})
		r := start(t, src, tweetstream.WithSink("s", &d))
		after(time.Hour)
		s := r.sink("s")
		r.stop()
		if g := fmt.Sprint(d.got()); g != "[-1]" {
			t.Errorf("got %v, want [-1]", g)
		}
		if s.Deleted != 1 || s.Delivered != 1 || s.Waiting != 0 || s.State != tweetstream.Running || len(s.Lost) != 0 {
			t.Errorf("Stats: %+v", s)
		}
	})
}

// A sink on a full disk may delete and not store: that is an outage.
func TestTombstoneIsNoProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d deleter
		d.fail = func(_ context.Context, call int, _ []*tweetstream.Tweet) error { return errDown }
		var grave graveyard
		r := start(t, emitting(post(1, "a"), &tweetstream.Tweet{ID: "9", Raw: []byte(`{}`), Deleted: true}), tweetstream.WithSink("s", &d), tweetstream.WithDeadLetter(grave.bury))
		after(time.Hour)
		if g := grave.ids("s", tweetstream.Rejected); len(g) != 0 {
			t.Errorf("rejected in an outage: %v", g)
		}
		r.stop()
	})
}

// Those behind it are tried too.
func TestTweetThatHangsIsRejectedAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rec recorder
		rec.fail = func(ctx context.Context, _ int, tw []*tweetstream.Tweet) error { return hang(ctx, has(tw, "1")) }
		var grave graveyard
		r := start(t, emitting(posts(1, 11)...), tweetstream.WithSink("s", &rec, tweetstream.Batch(10, 0)), tweetstream.WithDeadLetter(grave.bury))
		after(2 * time.Hour)
		t.Log("delivered", rec.got())
		if g := grave.ids("s", tweetstream.Rejected); fmt.Sprint(g) != "[1]" {
			t.Errorf("rejected %v, want [1]", g)
		}
		r.stop()
	})
}

// That others passed once says nothing of the hour after.
func TestSinkThatFlapsRejectsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rec recorder
		rec.fail = func(ctx context.Context, call int, tw []*tweetstream.Tweet) error {
			if call == 6 || call == 7 { // up for a moment
				return nil
			}
			return errDown
		}
		var grave graveyard
		r := start(t, emitting(posts(1, 10)...), tweetstream.WithSink("s", &rec, tweetstream.Batch(10, 0)), tweetstream.WithDeadLetter(grave.bury))
		after(time.Hour)
		if g := grave.ids("s", tweetstream.Rejected); len(g) != 0 {
			t.Errorf("rejected in an outage: %v; delivered %v", g, rec.got())
		}
		r.stop()
	})
}

// The second one is no measure for the first.
func TestTwoPoisonsInARow(t *testing.T) {
	for name, second := range map[string]error{"plain": errDown, "permanent": tweetstream.Permanent(errDown)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var rec recorder
				rec.fail = func(ctx context.Context, call int, tw []*tweetstream.Tweet) error {
					if has(tw, "1") {
						return errDown
					}
					if has(tw, "2") {
						return second
					}
					return nil
				}
				var grave graveyard
				r := start(t, emitting(posts(1, 10)...), tweetstream.WithSink("s", &rec), tweetstream.WithDeadLetter(grave.bury))
				after(24 * time.Hour)
				if len(rec.got()) != 8 {
					t.Errorf("after a day: delivered %v, state %v", rec.got(), r.sink("s").State)
				}
				r.stop()
			})
		})
	}
}

// Retry-After: 0 has been seen.
func TestRetryAfterNothingIsNoStorm(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	var rec recorder
	rec.fail = func(context.Context, int, []*tweetstream.Tweet) error { return tweetstream.RetryAfter(errDown, 0) }
	s, _ := tweetstream.New(emitting(posts(1, 1)...), tweetstream.WithSink("s", &rec), tweetstream.WithDrain(0))
	_ = s.Run(ctx)
	if rec.calls > 10 {
		t.Errorf("%d calls in 300 ms", rec.calls)
	}
}

// It is said of each of them.
func TestRetryAfterAroundTweetErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var second time.Duration
		var rec recorder
		rec.fail = func(_ context.Context, call int, _ []*tweetstream.Tweet) error {
			if call == 1 {
				return tweetstream.RetryAfter(errors.Join(&tweetstream.TweetError{ID: "1", Err: errDown}, &tweetstream.TweetError{ID: "2", Err: errDown}), time.Minute)
			}
			if second == 0 {
				second = time.Since(begin)
			}
			return nil
		}
		r := start(t, emitting(posts(1, 3)...), tweetstream.WithSink("s", &rec, tweetstream.Batch(3, 0)))
		after(time.Hour)
		r.stop()
		if second < time.Minute {
			t.Errorf("tried again after %v", second)
		}
	})
}

func TestPermanentAroundATweetError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rec recorder
		rec.fail = func(_ context.Context, call int, tw []*tweetstream.Tweet) error {
			if has(tw, "1") {
				return tweetstream.Permanent(&tweetstream.TweetError{ID: "1", Err: errDown})
			}
			return nil
		}
		var g graveyard
		r := start(t, emitting(posts(1, 1)...), tweetstream.WithSink("s", &rec, tweetstream.Batch(3, 0)), tweetstream.WithDeadLetter(g.bury))
		after(time.Hour)
		if len(g.letters) != 1 {
			t.Errorf("%d letters after an hour, %d calls", len(g.letters), rec.calls)
		}
		r.stop()
	})
}

func TestGiveUpTriesNotBeforeTheTimeAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var rec recorder
		rec.fail = func(_ context.Context, call int, tw []*tweetstream.Tweet) error {
			if d := time.Since(begin); call > 1 && d < time.Minute {
				t.Errorf("called again after %v", d)
			}
			return tweetstream.RetryAfter(errDown, time.Minute)
		}
		r := start(t, emitting(posts(1, 1)...), tweetstream.WithSink("s", &rec, tweetstream.GiveUp(10*time.Second)))
		after(time.Hour)
		r.stop()
	})
}

func TestTriesOfASplitBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rec recorder
		n := 0
		rec.fail = func(_ context.Context, _ int, tw []*tweetstream.Tweet) error {
			if has(tw, "1") {
				n++
				return tweetstream.Permanent(errDown)
			}
			return nil
		}
		var g graveyard
		r := start(t, emitting(posts(1, 8)...), tweetstream.WithSink("s", &rec, tweetstream.Batch(8, 0)), tweetstream.WithDeadLetter(g.bury))
		r.stop()
		if g.letters[0].Tries != n {
			t.Errorf("Tries %d, tried %d times", g.letters[0].Tries, n)
		}
	})
}

func TestStackDoesNotGrowWithWhatIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		depth := 0
		rec := &recorder{fail: func(_ context.Context, call int, _ []*tweetstream.Tweet) error {
			mu.Lock()
			defer mu.Unlock()
			depth = max(depth, strings.Count(stack(), ").handle("))
			return errDown
		}}
		r := start(t, emitting(posts(1, 300)...), tweetstream.WithSink("s", rec, tweetstream.Retry(time.Second, time.Second), tweetstream.GiveUp(10*time.Second)))
		after(time.Hour)
		r.stop()
		if depth > 3 {
			t.Errorf("handle stands %d times on the stack", depth)
		}
	})
}

func TestSinkThatAsksForTimeIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		hits := map[time.Duration]int{}
		rec := &recorder{fail: func(_ context.Context, call int, _ []*tweetstream.Tweet) error {
			hits[time.Since(begin)]++
			if call <= 5 {
				return errDown
			}
			return tweetstream.RetryAfter(errDown, time.Minute)
		}}
		r := start(t, emitting(posts(1, 101)...), tweetstream.WithSink("s", rec, tweetstream.Batch(100, 0)))
		after(time.Minute)
		r.stop()
		for at, n := range hits {
			if n > 1 {
				t.Errorf("%d calls at %v, each answered RetryAfter(1m)", n, at)
			}
		}
	})
}

func TestTweetThatAsksForTimeIsNoPoison(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := time.Now().Add(time.Hour)
		sink := tweetstream.SinkFunc(func(_ context.Context, tw *tweetstream.Tweet) error {
			switch {
			case tw.ID == "1":
				return errDown
			case tw.ID == "2" && time.Now().Before(up):
				return tweetstream.RetryAfter(errDown, time.Minute)
			}
			return nil
		})
		var g graveyard
		r := start(t, emitting(posts(1, 15)...), tweetstream.WithSink("s", sink, tweetstream.Batch(5, 0)), tweetstream.WithDeadLetter(g.bury))
		after(3 * time.Hour)
		r.stop()
		if x := g.ids("s", tweetstream.Rejected); fmt.Sprint(x) != "[1]" {
			t.Errorf("rejected %v, want [1]", x)
		}
	})
}

// An outage that ends while tweets are tried one by one leaves none of them behind
// the rest of the batch: only the first that passes has passed by others.
func TestOutageThatEndsAmongSingleTriesKeepsTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := recorder{fail: func(_ context.Context, call int, _ []*tweetstream.Tweet) error {
			if call <= 5+20 { // five times the batch, then 1 to 20
				return errDown
			}
			return nil
		}}
		r := start(t, emitting(posts(1, 60)...), tweetstream.WithSink("s", &sink, tweetstream.Batch(50, 0)))
		after(time.Hour)
		r.stop()
		want := slices.Concat(ids(21, 21), ids(1, 20), ids(22, 60))
		if diff := cmp.Diff(want, sink.got()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}
