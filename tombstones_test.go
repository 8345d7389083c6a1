package tweetstream_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tweetstream-go/tweetstream"
)

// The Post that is tried to tell a poison from an outage may be gone too.
func TestDeletedPostIsNoProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := recorder{fail: func(_ context.Context, _ int, tweets []*tweetstream.Tweet) error {
			if tweets[0].ID == "1" {
				return errDown
			}
			return nil
		}}
		r := start(t, emitting(post(1, "one"), post(2, "two"), post(3, "three"), tombstone("2")), tweetstream.WithSink("s", &sink))
		after(time.Hour)
		if slices.Contains(sink.got(), "2") {
			t.Errorf("got %v: 2 was deleted before", sink.got())
		}
		if s := r.sink("s"); s.Deleted != 1 {
			t.Errorf("deleted %d, want 1", s.Deleted)
		}
		r.stop()
	})
}

// Nor is one that was set aside tried again.
func TestDeletedPostAsideIsNotTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var gone atomic.Bool
		sink := recorder{}
		sink.fail = func(_ context.Context, _ int, tweets []*tweetstream.Tweet) error {
			if gone.Load() && tweets[0].ID == "2" {
				t.Error("2 was deleted before, and is delivered")
			}
			return errDown
		}
		src := source(func(ctx context.Context, _ []byte, emit tweetstream.Emit) error {
			_ = emit(ctx, posts(1, 2), nil)
			time.Sleep(2 * time.Minute)
			_ = emit(ctx, []*tweetstream.Tweet{tombstone("2")}, nil)
			gone.Store(true)
			<-ctx.Done()
			return nil
		})
		r := start(t, src, tweetstream.WithSink("s", &sink))
		after(5 * time.Minute)
		r.stop()
	})
}

// What ends as passed by because it is gone is counted, also at the end of Run.
func TestDeletedPostsAreCountedAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := recorder{fail: func(context.Context, int, []*tweetstream.Tweet) error { return errDown }}
		r := start(t, emitting(append(posts(1, 3), tombstone("2"))...), tweetstream.WithSink("s", &down))
		r.stop()
		s := r.sink("s")
		if n := s.Delivered + s.Deleted + s.Lost[tweetstream.ShutDown]; n != 3 {
			t.Errorf("%d of 3 Posts are counted: %+v", n, s)
		}
	})
}

// A Post that is gone does not go to the dead letter from the full buffer.
func TestDeletedPostThatOverflowsIsNotBuried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := recorder{fail: func(ctx context.Context, _ int, _ []*tweetstream.Tweet) error { <-ctx.Done(); return ctx.Err() }}
		var grave graveyard
		r := start(t, emitting(slices.Concat(big(1, 3), []*tweetstream.Tweet{tombstone("2")}, big(4, 40))...),
			tweetstream.WithSink("s", &hangs, tweetstream.Timeout(time.Hour)), tweetstream.WithBuffer(1<<20), tweetstream.WithDeadLetter(grave.bury))
		after(time.Minute)
		if got := grave.ids("s", tweetstream.Overflowed); len(got) == 0 || slices.Contains(got, "2") {
			t.Errorf("overflowed %v: 2 is gone from X and is kept on", got)
		}
		r.stop()
	})
}

// Nor one that a transform of the sink fails on.
func TestDeletedPostIsNotTransformed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sink recorder
		var grave graveyard
		var m memory
		if _, err := m.Append(t.Context(), append(posts(1, 2), tombstone("1")), nil); err != nil {
			t.Fatal(err)
		}
		fails := func(context.Context, *tweetstream.Tweet) (*tweetstream.Tweet, error) { return nil, errors.New("no") }
		r := start(t, emitting(), tweetstream.WithJournal(&m), tweetstream.WithDeadLetter(grave.bury),
			tweetstream.WithSink("s", &sink, tweetstream.From(tweetstream.Oldest), tweetstream.Through(fails)))
		after(time.Minute)
		if got := grave.ids("s", tweetstream.TransformFailed); slices.Contains(got, "1") {
			t.Errorf("buried %v: 1 is gone from X", got)
		}
		r.stop()
	})
}

// A tweet that was tried out of turn passes through the sink's transforms once.
func TestProbeIsTransformedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var got []string
		sink := tweetstream.SinkFunc(func(_ context.Context, tw *tweetstream.Tweet) error {
			if time.Since(begin) < 10*time.Minute {
				return errDown
			}
			got = append(got, string(tw.Raw))
			return nil
		})
		add := func(_ context.Context, tw *tweetstream.Tweet) (*tweetstream.Tweet, error) {
			return tw.WithRaw(append(bytes.Clone(tw.Raw), '+')), nil
		}
		tweets := posts(1, 3)
		r := start(t, emitting(tweets...), tweetstream.WithSink("s", sink, tweetstream.Through(add)))
		after(time.Hour)
		for _, g := range got {
			if n := bytes.Count([]byte(g), []byte("+")); n != 1 {
				t.Errorf("transformed %d times: %s", n, g)
			}
		}
		if len(got) != 3 {
			t.Errorf("got %d", len(got))
		}
		r.stop()
	})
}
