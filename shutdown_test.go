package tweetstream_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tweetstream-go/tweetstream"
)

type pruning struct{ memory }

func (m *pruning) Commit(ctx context.Context, c map[string]uint64) error {
	_ = m.memory.Commit(ctx, c)
	m.mu.Lock()
	defer m.mu.Unlock()
	low := uint64(math.MaxUint64)
	for _, p := range m.cursors {
		low = min(low, p)
	}
	for len(m.entries) > 0 && m.first < low {
		m.entries = m.entries[1:]
		m.first++
	}
	return nil
}

type blockHandler struct{ gate chan struct{} }

func (h blockHandler) Enabled(context.Context, slog.Level) bool { return true }
func (h blockHandler) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, "delivery failed") {
		<-h.gate
	}
	return nil
}
func (h blockHandler) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h blockHandler) WithGroup(string) slog.Handler      { return h }

// With a journal, what the dead letter did not take to the end stays.
func TestCursorWaitsForTheDeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m memory
		var rec recorder
		rec.fail = func(context.Context, int, []*tweetstream.Tweet) error { return tweetstream.Permanent(errDown) }
		full := func(context.Context, []tweetstream.Letter) error { return errors.New("no space") }
		r := start(t, each(posts(1, 1)), tweetstream.WithJournal(&m), tweetstream.WithSink("s", &rec), tweetstream.WithDeadLetter(full))
		after(time.Minute)
		r.stop()
		if c := m.cursors["s"]; c != 0 {
			t.Errorf("cursor %d: it passed a tweet that no dead letter has", c)
		}
	})
}

// A live sink has no cursor that would hold its tweets in the journal.
func TestWhatTheJournalDroppedIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m pruning
		var good, live recorder
		up := time.Now().Add(time.Minute)
		live.fail = func(context.Context, int, []*tweetstream.Tweet) error {
			if time.Now().Before(up) {
				return errDown
			}
			return nil
		}
		var log lines
		var grave graveyard
		r := start(t, each(big(1, 100)), tweetstream.WithJournal(&m), tweetstream.WithBuffer(1<<20), tweetstream.WithSink("good", &good),
			tweetstream.WithSink("live", &live, tweetstream.Live(0)), tweetstream.WithLogger(log.logger()), tweetstream.WithDeadLetter(grave.bury))
		after(time.Hour)
		s := r.sink("live")
		r.stop()
		if n := uint64(len(live.got())); n == 100 || n+s.Lost[tweetstream.Overflowed] != 100 || !strings.Contains(log.String(), "tweets lost") {
			t.Errorf("%d delivered, %d letters, Lost %v, waiting %d; log: %s", len(live.got()), len(grave.letters), s.Lost, s.Waiting, log.String())
		}
	})
}

func TestCancelWithACauseIsNoError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		var rec recorder
		src := source(func(ctx context.Context, _ []byte, emit tweetstream.Emit) error { <-ctx.Done(); return ctx.Err() })
		s, _ := tweetstream.New(src, tweetstream.WithSink("s", &rec))
		time.AfterFunc(time.Second, func() { cancel(errors.New("maintenance")) })
		if err := s.Run(ctx); err != nil {
			t.Errorf("Run() = %v", err)
		}
	})
}

func TestEmitAfterACancelIsNoError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := 0
		for range 100 {
			ctx, cancel := context.WithCancel(t.Context())
			var rec recorder
			src := source(func(ctx context.Context, _ []byte, emit tweetstream.Emit) error {
				<-ctx.Done()
				time.Sleep(time.Millisecond)
				return emit(ctx, posts(1, 1), nil)
			})
			s, _ := tweetstream.New(src, tweetstream.WithSink("s", &rec))
			cancel()
			if err := s.Run(ctx); err != nil {
				bad++
				if bad == 1 {
					t.Errorf("Run() = %v", err)
				}
			}
		}
		t.Log(bad, "of 100")
	})
}

// However it ends.
func TestEndOfAnOutageIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, n := range []int{6, 7, 8, 9, 10, 11} {
			var rec recorder
			rec.fail = func(_ context.Context, call int, _ []*tweetstream.Tweet) error {
				if call <= n {
					return errDown
				}
				return nil
			}
			var log lines
			r := start(t, emitting(posts(1, 1)...), tweetstream.WithSink("s", &rec), tweetstream.WithLogger(log.logger()))
			after(time.Hour)
			r.stop()
			if strings.Contains(log.String(), "an outage") && !strings.Contains(log.String(), "takes tweets again") {
				t.Errorf("up after %d calls: the end of the outage is not said", n)
			}
		}
	})
}

func TestBatchThatFillsIsInTheFigures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rec recorder
		r := start(t, emitting(posts(1, 5)...), tweetstream.WithSink("s", &rec, tweetstream.Batch(10, time.Minute)))
		after(30 * time.Second)
		if s := r.sink("s"); s.Waiting+s.Delivered != 5 || s.Oldest != 30*time.Second {
			t.Errorf("received %d, waiting %d, delivered %d, oldest %v", r.Stats().Received, s.Waiting, s.Delivered, s.Oldest)
		}
		r.stop()
	})
}

func TestLongestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rec recorder
		rec.fail = func(context.Context, int, []*tweetstream.Tweet) error { time.Sleep(5 * time.Second); return nil }
		r := start(t, emitting(posts(1, 1)...), tweetstream.WithSink("s", &rec, tweetstream.Timeout(math.MaxInt64)))
		after(time.Second)
		if s := r.sink("s"); s.State != tweetstream.Running {
			t.Errorf("state %v", s.State)
		}
		r.stop()
	})
}

func TestSourceThatFailsEndsRunDuringAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rec recorder
		rec.fail = func(context.Context, int, []*tweetstream.Tweet) error { return errDown }
		var log lines
		src := source(func(ctx context.Context, _ []byte, emit tweetstream.Emit) error {
			_ = emit(ctx, posts(1, 1), nil)
			return errors.New("401 token refused")
		})
		r := start(t, src, tweetstream.WithSink("s", &rec), tweetstream.WithLogger(log.logger()))
		after(24 * time.Hour)
		select {
		case <-r.err:
		default:
			if !strings.Contains(log.String(), "401") {
				t.Errorf("a day after the source has failed Run has not returned, and the log says nothing")
			}
		}
		r.cancel()
	})
}

func TestShutdownIsBoundedHoweverManySinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := []tweetstream.Option{tweetstream.WithDeadLetter(func(ctx context.Context, _ []tweetstream.Letter) error { return errDown })}
		for i := range 10 {
			rec := &recorder{fail: func(context.Context, int, []*tweetstream.Tweet) error { return errDown }}
			opts = append(opts, tweetstream.WithSink(fmt.Sprint("s", i), rec))
		}
		r := start(t, emitting(posts(1, 1)...), opts...)
		begin := time.Now()
		r.stop()
		if d := time.Since(begin); d > 20*time.Second {
			t.Errorf("stopping took %v with a drain of 10 s", d)
		}
	})
}

func TestDeadLetterThatHangsIsLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{})
		rec := &recorder{fail: func(context.Context, int, []*tweetstream.Tweet) error { return tweetstream.Permanent(errDown) }}
		r := start(t, emitting(posts(1, 1)...), tweetstream.WithSink("s", rec), tweetstream.WithDeadLetter(func(context.Context, []tweetstream.Letter) error { <-free; return nil }))
		r.cancel()
		after(time.Hour)
		select {
		case <-r.err:
		default:
			t.Errorf("Run has not returned an hour after its cancel; state %v", r.sink("s").State)
		}
		close(free)
		synctest.Wait()
		t.Log(r.sink("s").Lost)
	})
}

func TestCursorBeyondTheJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memory{cursors: map[string]uint64{"s": 5}}
		var rec recorder
		r := start(t, each(posts(1, 10)), tweetstream.WithJournal(&m), tweetstream.WithSink("s", &rec))
		after(time.Minute)
		r.stop()
		if len(rec.got()) != 10 {
			t.Errorf("got %v", rec.got())
		}
	})
}

// Its Received is set all the same.
func TestTransformThatMakesATweet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{fail: func(context.Context, int, []*tweetstream.Tweet) error { return errDown }}
		r := start(t, emitting(posts(1, 1)...), tweetstream.WithSink("s", rec), tweetstream.WithTransform(func(_ context.Context, t *tweetstream.Tweet) (*tweetstream.Tweet, error) {
			return &tweetstream.Tweet{ID: t.ID, Raw: t.Raw}, nil
		}))
		after(time.Second)
		if o := r.sink("s").Oldest; o > time.Hour {
			t.Errorf("oldest %v", o)
		}
		r.stop()
	})
}

func TestLoggerThatBlocksHoldsNoFigures(t *testing.T) {
	h := blockHandler{make(chan struct{})}
	path := filepath.Join(t.TempDir(), "cp")
	rec := &recorder{fail: func(_ context.Context, call int, tw []*tweetstream.Tweet) error {
		if tw[0].ID == "3" {
			return errDown
		}
		return nil
	}}
	src := source(func(ctx context.Context, _ []byte, emit tweetstream.Emit) error {
		for id := 1; id <= 5; id++ {
			emit(ctx, posts(id, id), fmt.Append(nil, id))
		}
		<-ctx.Done()
		return nil
	})
	s, _ := tweetstream.New(src, tweetstream.WithSink("s", rec), tweetstream.WithLogger(slog.New(h)), tweetstream.WithCheckpoint(path), tweetstream.WithDrain(0))
	ctx, cancel := context.WithCancel(t.Context())
	ret := make(chan error)
	go func() { ret <- s.Run(ctx) }()
	time.Sleep(3 * time.Second)
	got := make(chan struct{})
	go func() { s.Stats(); close(got) }()
	select {
	case <-got:
	case <-time.After(time.Second):
		t.Error("Stats hangs")
	}
	if _, err := os.Stat(path); err != nil {
		t.Error("no checkpoint:", err)
	}
	close(h.gate)
	cancel()
	<-ret
}

func TestNilOptionIsRefused(t *testing.T) {
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("New panics: %v", p)
		}
	}()
	_, _ = tweetstream.New(emitting(), nil, tweetstream.WithSink("s", &recorder{}))
}
