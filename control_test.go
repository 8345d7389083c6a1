package tweetstream_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream"
)

// everySecond emits tweets, one a second, and waits for its end.
func everySecond(tweets []*tweetstream.Tweet) source {
	return func(ctx context.Context, _ []byte, emit tweetstream.Emit) error {
		for _, t := range tweets {
			if err := emit(ctx, []*tweetstream.Tweet{t}, nil); err != nil {
				return err
			}
			time.Sleep(time.Second)
		}
		<-ctx.Done()
		return nil
	}
}

func TestPauseKeepsTweetsFromOneSinkAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var paused, other recorder
		r := start(t, everySecond(posts(1, 30)), tweetstream.WithSink("paused", &paused), tweetstream.WithSink("other", &other))
		after(4500 * time.Millisecond) // 1 to 5 are out
		for range 2 {
			if err := r.Pause("paused"); err != nil {
				t.Fatal(err)
			}
		}
		after(10 * time.Second)
		if diff := cmp.Diff(ids(1, 5), paused.got()); diff != "" {
			t.Errorf("paused (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(ids(1, 15), other.got()); diff != "" {
			t.Errorf("the other (-want +got):\n%s", diff)
		}
		if s := r.sink("paused"); s.State != tweetstream.Paused || s.Waiting != 10 || s.Failures != 0 || s.Oldest < 9*time.Second {
			t.Errorf("Stats: %+v", s)
		}
		for range 2 {
			if err := r.Resume("paused"); err != nil {
				t.Fatal(err)
			}
		}
		after(time.Minute)
		if diff := cmp.Diff(ids(1, 30), paused.got()); diff != "" {
			t.Errorf("resumed (-want +got):\n%s", diff)
		}
		if s := r.sink("paused"); s.State != tweetstream.Running {
			t.Errorf("state %s", s.State)
		}
		r.stop()
	})
}

// A sink that fails is left alone too while it is paused.
func TestPauseEndsTheTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := recorder{fail: func(context.Context, int, []*tweetstream.Tweet) error { return errDown }}
		r := start(t, emitting(posts(1, 3)...), tweetstream.WithSink("down", &down))
		after(time.Minute)
		if err := r.Pause("down"); err != nil {
			t.Fatal(err)
		}
		after(time.Minute) // the tries under way
		calls := r.sink("down").Failures
		after(time.Hour)
		if now := r.sink("down").Failures; now != calls {
			t.Errorf("%d tries while it is paused", now-calls)
		}
		if s := r.sink("down"); s.Retries == 0 || s.Retries >= s.Failures {
			t.Errorf("%d retries of %d failures", s.Retries, s.Failures)
		}
		r.stop()
	})
}

// A sink that is paused has nobody wait for it at the end.
func TestPausedSinkDoesNotHoldTheDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sink recorder
		var grave graveyard
		r := start(t, everySecond(posts(1, 5)), tweetstream.WithSink("paused", &sink), tweetstream.WithDeadLetter(grave.bury))
		after(500 * time.Millisecond)
		if err := r.Pause("paused"); err != nil {
			t.Fatal(err)
		}
		after(time.Minute)
		begin := time.Now()
		r.stop()
		if took := time.Since(begin); took > time.Second {
			t.Errorf("Run took %v to end", took)
		}
		if diff := cmp.Diff(ids(2, 5), grave.ids("paused", tweetstream.ShutDown)); diff != "" {
			t.Errorf("dead letter (-want +got):\n%s", diff)
		}
	})
}

func TestControlRefusesWhatCannotBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := tweetstream.New(emitting(), tweetstream.WithSink("sink", &recorder{}))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Pause("sink"); err == nil {
			t.Error("Pause() before Run = nil, want an error")
		}
		r := start(t, emitting(), tweetstream.WithSink("sink", &recorder{}))
		for _, err := range []error{r.Pause("none"), r.Resume("none"), r.Seek("none", tweetstream.Oldest)} {
			if err == nil || !strings.Contains(err.Error(), `"none"`) {
				t.Errorf("of a sink that is not there: %v", err)
			}
		}
		if err := r.Seek("sink", tweetstream.Oldest); err == nil || !strings.Contains(err.Error(), "journal") {
			t.Errorf("Seek() without a journal = %v", err)
		}
		if st := r.Stats().State; st != tweetstream.Running {
			t.Errorf("state %q", st)
		}
		r.stop()
		if err := r.Resume("sink"); err == nil {
			t.Error("Resume() after Run = nil, want an error")
		}
		if st := r.Stats().State; st != tweetstream.Ended {
			t.Errorf("state %q", st)
		}
		r = start(t, emitting(), tweetstream.WithSink("sink", &recorder{}), tweetstream.WithJournal(&memory{}))
		if err := r.Seek("sink", tweetstream.Newest); err != nil {
			t.Error(err)
		}
		if err := r.Seek("sink", "12"); err != nil {
			t.Errorf("Seek() in an empty journal = %v", err)
		}
		r.stop()
	})
}

func TestSeek(t *testing.T) {
	begin := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		to   tweetstream.Position
		want []string
	}{
		{tweetstream.Oldest, ids(10, 3009)},
		{tweetstream.Newest, nil},
		{"10", ids(10, 3009)},
		{"1500", ids(1500, 3009)},
		{"3009", ids(3009, 3009)},
		{tweetstream.At(begin), ids(10, 3009)},
		{tweetstream.At(begin.Add(1999 * time.Second)), ids(2009, 3009)},
		{tweetstream.At(begin.Add(1999*time.Second + 1)), ids(2010, 3009)},
		{tweetstream.At(begin.Add(time.Hour)), nil},
	} {
		for _, max := range []int{1, 100} {
			synctest.Test(t, func(t *testing.T) {
				m := memory{first: 10, cursors: map[string]uint64{"sink": 3010}}
				tweets := posts(10, 3009)
				for i, tw := range tweets {
					tw.Received = begin.Add(time.Duration(i) * time.Second)
				}
				if _, err := m.Append(t.Context(), tweets, nil); err != nil {
					t.Fatal(err)
				}
				var sink recorder
				r := start(t, emitting(), tweetstream.WithJournal(&m), tweetstream.WithSink("sink", &sink, tweetstream.Batch(max, 0)))
				after(time.Second)
				if err := r.Seek("sink", tweetstream.Position("77777")); err == nil || !strings.Contains(err.Error(), "77777") {
					t.Errorf("Seek() to what is not there = %v", err)
				}
				if err := r.Seek("sink", c.to); err != nil {
					t.Fatal(err)
				}
				after(time.Minute)
				if diff := cmp.Diff(c.want, sink.got()); diff != "" {
					t.Errorf("Seek(%s), batches of %d (-want +got):\n%s", c.to, max, diff)
				}
				if s := r.sink("sink"); s.Waiting != 0 || len(s.Lost) != 0 {
					t.Errorf("Stats: %+v", s)
				}
				r.stop()
				if m.cursors["sink"] != 3010 {
					t.Errorf("cursor %d", m.cursors["sink"])
				}
			})
		}
	}
}

// A sink that is stuck in an outage, or waits for a full batch, goes where it is
// sent, and what it was at is not taken up again.
func TestSeekEndsWhatIsUnderWay(t *testing.T) {
	for _, opts := range [][]tweetstream.SinkOption{
		nil,
		{tweetstream.Batch(10, 0)},
		{tweetstream.Batch(10, time.Hour)},
		{tweetstream.Parallel(4)},
	} {
		synctest.Test(t, func(t *testing.T) {
			var m memory
			var mu sync.Mutex
			up := false
			sink := recorder{fail: func(context.Context, int, []*tweetstream.Tweet) error {
				mu.Lock()
				defer mu.Unlock()
				if !up {
					return errDown
				}
				return nil
			}}
			r := start(t, everySecond(posts(1, 100)), tweetstream.WithJournal(&m), tweetstream.WithSink("sink", &sink, opts...))
			after(49500 * time.Millisecond)
			if err := r.Seek("sink", "40"); err != nil {
				t.Fatal(err)
			}
			after(10 * time.Second)
			mu.Lock()
			up = true
			mu.Unlock()
			after(2 * time.Hour)
			got := sink.got()
			slices.SortFunc(got, func(a, b string) int { return len(a)*1000 - len(b)*1000 + strings.Compare(a, b) })
			if diff := cmp.Diff(ids(40, 100), got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			r.stop()
			if m.cursors["sink"] != 100 {
				t.Errorf("cursor %d, want 100", m.cursors["sink"])
			}
		})
	}
}

// Sought to and fro under load, a sink is never past what it was sent to.
func TestSeekUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m memory
		var sink recorder
		sink.fail = func(_ context.Context, call int, _ []*tweetstream.Tweet) error {
			time.Sleep(time.Duration(call%7) * time.Millisecond)
			return nil
		}
		src := source(func(ctx context.Context, _ []byte, emit tweetstream.Emit) error {
			for i := range 3000 {
				if err := emit(ctx, posts(i+1, i+1), nil); err != nil {
					return err
				}
				time.Sleep(time.Millisecond)
			}
			<-ctx.Done()
			return nil
		})
		r := start(t, src, tweetstream.WithJournal(&m), tweetstream.WithSink("sink", &sink, tweetstream.Batch(5, 20*time.Millisecond)))
		for i := range 200 {
			after(time.Duration(i%13) * time.Millisecond)
			_ = r.Seek("sink", tweetstream.Position(fmt.Sprint(1+i*7%max(1, i))))
		}
		after(time.Minute)
		if err := r.Seek("sink", tweetstream.Oldest); err != nil {
			t.Fatal(err)
		}
		before := len(sink.got())
		after(time.Minute)
		if diff := cmp.Diff(ids(1, 3000), sink.got()[before:]); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		r.stop()
	})
}

// locked is a journal that another process has for a while.
type locked struct {
	memory
	free chan struct{}
}

func (l *locked) Start(ctx context.Context) (tweetstream.JournalState, error) {
	select {
	case <-l.free:
		return l.memory.Start(ctx)
	case <-ctx.Done():
		return tweetstream.JournalState{}, ctx.Err()
	}
}

func TestStandbyWaitsForTheJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &locked{free: make(chan struct{})}
		var sink recorder
		r := start(t, emitting(posts(1, 3)...), tweetstream.WithJournal(l), tweetstream.WithSink("sink", &sink))
		after(time.Hour)
		if st := r.Stats(); st.State != tweetstream.Standby {
			t.Errorf("Stats: %+v", st)
		}
		if err := r.Pause("sink"); err == nil {
			t.Error("Pause() in standby = nil, want an error")
		}
		close(l.free)
		after(time.Second)
		if st := r.Stats(); st.State != tweetstream.Running {
			t.Errorf("state %s", st.State)
		}
		if diff := cmp.Diff(ids(1, 3), sink.got()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		r.stop()

		// Stopped in standby, it ends without an error.
		r = start(t, emitting(), tweetstream.WithJournal(&locked{free: make(chan struct{})}), tweetstream.WithSink("sink", &sink))
		r.stop()
	})
}

// What is gone from X does not come back: not by a replay, nor to a sink that
// goes on where it was, nor to one that shows the newest.
func TestDeletedPostsDoNotComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m memory
		down := recorder{fail: func(context.Context, int, []*tweetstream.Tweet) error { return errors.New("down") }}
		r := start(t, emitting(posts(1, 9)...), tweetstream.WithJournal(&m), tweetstream.WithSink("sink", &down, tweetstream.Batch(4, 0)))
		after(time.Minute)
		r.stop()
		r = start(t, emitting(tombstone("3"), tombstone("7"), tombstone("20")), tweetstream.WithJournal(&m), tweetstream.WithSink("sink", &down))
		after(time.Minute)
		r.stop()

		var sink, follows deleter
		var live recorder
		r = start(t, emitting(posts(19, 21)...), tweetstream.WithJournal(&m), tweetstream.WithDedup(0), // the tombstones alone keep 20 out
			tweetstream.WithSink("sink", &sink),
			tweetstream.WithSink("follows", &follows, tweetstream.From(tweetstream.Oldest), tweetstream.Batch(100, 0)),
			tweetstream.WithSink("live", &live, tweetstream.Live(100)))
		after(time.Minute)
		want := []string{"1", "2", "4", "5", "6", "8", "9", "19", "21"}
		if diff := cmp.Diff(want, live.got()); diff != "" {
			t.Errorf("a live sink (-want +got):\n%s", diff)
		}
		want = []string{"1", "2", "4", "5", "6", "8", "9", "-3", "-7", "-20", "19", "21"}
		if diff := cmp.Diff(want, sink.got()); diff != "" {
			t.Errorf("the sink that was down (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(want, follows.got()); diff != "" {
			t.Errorf("a sink that begins with the oldest (-want +got):\n%s", diff)
		}
		if st := r.Stats(); st.Deleted != 1 || r.sink("sink").Deleted != 2 || r.sink("live").Deleted != 2 {
			t.Errorf("Stats: %+v", st)
		}
		r.stop()
	})
}

// Nor does it come back by way of the dead letter.
func TestDeletedPostsAreNotBuried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := recorder{fail: func(context.Context, int, []*tweetstream.Tweet) error { return errDown }}
		var grave graveyard
		r := start(t, emitting(posts(1, 3)...), tweetstream.WithSink("sink", &down), tweetstream.WithDeadLetter(grave.bury))
		r.stop()
		r = start(t, emitting(append(posts(1, 3), tombstone("2"))...), tweetstream.WithSink("again", &down), tweetstream.WithDeadLetter(grave.bury))
		r.stop()
		if diff := cmp.Diff(ids(1, 3), grave.ids("sink", tweetstream.ShutDown)); diff != "" {
			t.Errorf("without a tombstone (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"1", "3"}, grave.ids("again", tweetstream.ShutDown)); diff != "" {
			t.Errorf("with one (-want +got):\n%s", diff)
		}
	})
}
