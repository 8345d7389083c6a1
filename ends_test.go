package tweetstream_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tweetstream-go/tweetstream"
)

// A transform that ends because its context does has not failed on the Post.
func TestTransformThatIsCutOffLosesNothing(t *testing.T) {
	for _, seek := range []bool{false, true} {
		for _, dead := range []bool{false, true} {
			t.Run("", func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var m memory
					var sink recorder
					var grave graveyard
					slow := func(ctx context.Context, tw *tweetstream.Tweet) (*tweetstream.Tweet, error) {
						select {
						case <-time.After(time.Minute):
							return tw, nil
						case <-ctx.Done():
							return nil, ctx.Err()
						}
					}
					opts := []tweetstream.Option{tweetstream.WithJournal(&m), tweetstream.WithSink("s", &sink, tweetstream.Through(slow))}
					if dead {
						opts = append(opts, tweetstream.WithDeadLetter(grave.bury))
					}
					r := start(t, emitting(posts(1, 1)...), opts...)
					after(time.Second)
					if seek {
						if err := r.Seek("s", tweetstream.Oldest); err != nil {
							t.Error(err)
						}
						after(time.Second)
					}
					r.stop()
					if s := r.sink("s"); len(s.Lost) != 0 || m.cursors["s"] != 0 || len(grave.letters) != 0 {
						t.Errorf("sought: %v, dead letter: %v: lost %v, %d letters, cursor %d: want all of it in the journal", seek, dead, s.Lost, len(grave.letters), m.cursors["s"])
					}
				})
			})
		}
	}
}

// A transform of a sink that does not return is said, like a Deliver.
func TestTransformThatHangsIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sink recorder
		var log lines
		free := make(chan struct{})
		hangs := func(_ context.Context, tw *tweetstream.Tweet) (*tweetstream.Tweet, error) { <-free; return tw, nil }
		r := start(t, emitting(posts(1, 1)...), tweetstream.WithSink("s", &sink, tweetstream.Through(hangs)), tweetstream.WithLogger(log.logger()))
		after(time.Hour)
		if s := r.sink("s"); s.State == tweetstream.Running {
			t.Errorf("state %s after an hour in a transform", s.State)
		}
		r.cancel()
		after(time.Minute)
		if !strings.Contains(log.String(), "does not return") {
			t.Errorf("nothing is said of it:\n%s", log.String())
		}
		close(free)
		r.wait()
	})
}

// At the end, all that the source brought and that was taken is counted and named.
func TestWhatTheDeadLetterHeldBackIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m memory
		var sink recorder
		var log lines
		bad := func(_ context.Context, tw *tweetstream.Tweet) (*tweetstream.Tweet, error) {
			if tw.ID == "1" {
				return nil, errors.New("no")
			}
			return tw, nil
		}
		full := func(context.Context, []tweetstream.Letter) error { return errors.New("no space") }
		r := start(t, emitting(posts(1, 3)...), tweetstream.WithJournal(&m), tweetstream.WithSink("s", &sink),
			tweetstream.WithTransform(bad), tweetstream.WithDeadLetter(full), tweetstream.WithLogger(log.logger()))
		after(time.Minute)
		r.stop()
		st := r.Stats()
		n := uint64(0)
		for _, lost := range st.Lost {
			n += lost
		}
		if n != 3 || !strings.Contains(log.String(), "tweets lost") {
			t.Errorf("of 3 taken %d are counted: %+v\n%s", n, st, log.String())
		}
	})
}

// A dead letter that is down holds the end of Run for a bounded time.
func TestEndIsBoundedWhileTheDeadLetterIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := recorder{fail: func(ctx context.Context, _ int, _ []*tweetstream.Tweet) error { <-ctx.Done(); return ctx.Err() }}
		full := func(context.Context, []tweetstream.Letter) error { return errors.New("no space") }
		r := start(t, emitting(posts(1, 10000)...), tweetstream.WithSink("s", &hangs, tweetstream.Timeout(time.Hour)),
			tweetstream.WithBuffer(1<<20), tweetstream.WithDeadLetter(full))
		after(time.Minute)
		begin := time.Now()
		r.stop()
		if took := time.Since(begin); took > 30*time.Second {
			t.Errorf("Run took %v to end, with a drain time of 10 s", took)
		}
	})
}

// frozen is a journal on a disk that does not answer any more.
type frozen struct {
	memory
	gate       chan struct{}
	what       string
	frozenFrom time.Time
}

func (f *frozen) Append(ctx context.Context, ts []*tweetstream.Tweet, state []byte) (uint64, error) {
	if f.what == "append" {
		<-f.gate
	}
	return f.memory.Append(ctx, ts, state)
}

func (f *frozen) Read(ctx context.Context, from uint64, dst []tweetstream.Entry) (int, error) {
	if f.what == "read" {
		<-f.gate
	}
	return f.memory.Read(ctx, from, dst)
}

func (f *frozen) Commit(ctx context.Context, c map[string]uint64) error {
	if f.what == "commit" && time.Now().After(f.frozenFrom) {
		<-f.gate
	}
	return f.memory.Commit(ctx, c)
}

// A journal that does not return is left behind at the end, and that is said.
func TestJournalThatHangsIsLeftBehind(t *testing.T) {
	for _, what := range []string{"append", "read", "commit"} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &frozen{gate: make(chan struct{}), what: what, frozenFrom: time.Now()}
				var sink recorder
				var log lines
				if what == "read" {
					_, _ = f.memory.Append(t.Context(), posts(11, 13), nil)
				}
				r := start(t, emitting(posts(1, 3)...), tweetstream.WithJournal(f), tweetstream.WithLogger(log.logger()),
					tweetstream.WithSink("s", &sink, tweetstream.From(tweetstream.Oldest)))
				after(time.Minute)
				r.cancel()
				select {
				case <-r.err:
				case <-time.After(10 * time.Minute):
					t.Errorf("%s: Run has not returned", what)
				}
				if !strings.Contains(log.String(), "ERROR") {
					t.Errorf("%s: nothing is said:\n%s", what, log.String())
				}
				close(f.gate)
				after(time.Minute)
			})
		})
	}
}

// The time for which a sink is paused is no time for which it has failed.
func TestPauseIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var up atomic.Bool
		sink := recorder{fail: func(_ context.Context, call int, _ []*tweetstream.Tweet) error {
			if up.Load() && call > 6 {
				return nil
			}
			return errDown
		}}
		var grave graveyard
		r := start(t, emitting(posts(1, 1)...), tweetstream.WithSink("s", &sink, tweetstream.GiveUp(10*time.Minute), tweetstream.Retry(time.Second, time.Second)), tweetstream.WithDeadLetter(grave.bury))
		after(2500 * time.Millisecond)
		_ = r.Pause("s")
		after(time.Hour)
		up.Store(true)
		_ = r.Resume("s")
		after(5 * time.Minute)
		if got := grave.ids("s", tweetstream.GaveUp); len(got) != 0 || !slices.Equal(sink.got(), ids(1, 1)) {
			t.Errorf("gave up %v, delivered %v: it had failed for some seconds", got, sink.got())
		}
		r.stop()
	})
}
