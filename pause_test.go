package tweetstream_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tweetstream-go/tweetstream"
)

// While a sink is paused nothing of it is given up.
func TestPausedSinkGivesNothingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := recorder{fail: func(context.Context, int, []*tweetstream.Tweet) error {
			return tweetstream.RetryAfter(errDown, time.Hour)
		}}
		var grave graveyard
		r := start(t, emitting(posts(1, 1)...), tweetstream.WithSink("s", &sink, tweetstream.GiveUp(10*time.Minute)), tweetstream.WithDeadLetter(grave.bury))
		after(time.Second)
		_ = r.Pause("s")
		after(time.Hour)
		if got := grave.ids("s", tweetstream.GaveUp); len(got) != 0 {
			t.Errorf("gave up %v while paused", got)
		}
		r.stop()
	})
}

// A cursor that Seek has moved is on disk when Seek returns: a kill right after it
// would undo it.
func TestSeekIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m memory
		r := start(t, emitting(posts(0, 9)...), tweetstream.WithJournal(&m), tweetstream.WithSink("s", &recorder{}))
		after(1500 * time.Millisecond)
		_ = r.Pause("s")
		if err := r.Seek("s", "5"); err != nil {
			t.Fatal(err)
		}
		m.mu.Lock()
		got := m.cursors["s"]
		m.mu.Unlock()
		if got != 5 {
			t.Errorf("stored cursor %d after Seek, want 5", got)
		}
		r.stop()
	})
}
