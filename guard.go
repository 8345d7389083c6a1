package tweetstream

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"
)

// abandonAfter is how long foreign code may take to notice that its context is
// done, before it is given up for hung.
const abandonAfter = time.Second

// A guard calls code that is not ours: a journal or a dead letter. A panic is an
// error like any other, and a call that does not return though its context is
// done is left behind.
type guard struct {
	what   string // is called
	logger *slog.Logger
	hung   atomic.Bool // a call was left behind, and has not returned since
}

var errHangs = errors.New("it has not returned from an earlier call")

// call returns what f says. left reports that f was left behind: it may still
// come to its end.
func (g *guard) call(ctx context.Context, f func() error) (left bool, err error) {
	if g.hung.Load() {
		return true, errHangs // or every try would leave another one behind
	}
	done := make(chan error, 1)
	go func() {
		var err error
		defer func() {
			if p := recover(); p != nil {
				err = newPanicError(p)
			}
			done <- err
			g.hung.Store(false)
		}()
		if err = f(); err != nil {
			readable(err, nil)
			err = foreignError{err}
		}
	}()
	select {
	case err := <-done:
		return false, err
	case <-ctx.Done():
	}
	abandon := time.NewTimer(abandonAfter)
	defer abandon.Stop()
	select {
	case err := <-done:
		return false, err
	case <-abandon.C:
	}
	g.hung.Store(true)
	if len(done) > 0 {
		g.hung.Store(false) // it has returned in this moment
	}
	g.logger.Error("a call does not return, though its context is done: it is left behind", "what", g.what)
	return true, ctx.Err()
}

// A foreignError is one to try again after, whatever it holds: it hides what
// package backoff would take for its own.
type foreignError struct{ err error }

func (e foreignError) Error() string { return e.err.Error() }

// guardedJournal is a Journal whose calls are guarded, each kind by itself.
type guardedJournal struct {
	journal                     Journal
	start, append, read, commit guard
}

func newGuardedJournal(j Journal, l *slog.Logger) *guardedJournal {
	g := &guardedJournal{journal: j}
	for what, of := range map[string]*guard{"Start": &g.start, "Append": &g.append, "Read": &g.read, "Commit": &g.commit} {
		of.what, of.logger = "the journal's "+what, l
	}
	return g
}

func (g *guardedJournal) Start(ctx context.Context) (JournalState, error) {
	var st JournalState
	left, err := g.start.call(ctx, func() (err error) { st, err = g.journal.Start(ctx); return err })
	if left || err != nil {
		return JournalState{}, err
	}
	return st, nil
}

func (g *guardedJournal) Append(ctx context.Context, tweets []*Tweet, state []byte) (uint64, error) {
	var next uint64
	left, err := g.append.call(ctx, func() (err error) { next, err = g.journal.Append(ctx, tweets, state); return err })
	if left || err != nil {
		return 0, err
	}
	return next, nil
}

// Read needs a dst that is not used again if it was left behind.
func (g *guardedJournal) Read(ctx context.Context, from uint64, dst []Entry) (int, error) {
	var n int
	left, err := g.read.call(ctx, func() (err error) { n, err = g.journal.Read(ctx, from, dst); return err })
	if left || err != nil {
		return 0, err
	}
	return n, nil
}

func (g *guardedJournal) Commit(ctx context.Context, cursors map[string]uint64) error {
	_, err := g.commit.call(ctx, func() error { return g.journal.Commit(ctx, cursors) })
	return err
}
