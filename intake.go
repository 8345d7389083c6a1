package tweetstream

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/tweetstream-go/tweetstream/internal/dedupe"
	"github.com/tweetstream-go/tweetstream/internal/ring"
)

// intake is the one way into the log. A single goroutine takes what all calls of
// Emit have brought meanwhile, drops repeats, transforms the rest and appends
// it in one go: so a repeat waits for the result of its first, and many small
// calls share one commit of the journal.
type intake struct {
	*config
	ring   *ring.Ring[*Tweet]
	losses *losses

	requests chan *request
	ended    chan struct{} // closed when nothing is taken any more

	seen   *dedupe.Window // the window of repeats
	gone   *tombstones
	tweets []*Tweet // of the append at hand; used again

	received, repeats, dropped, deleted atomic.Uint64

	held atomic.Pointer[string] // why the log takes nothing, nil if it does

	mu    sync.Mutex
	lost  map[Reason]uint64
	marks []mark // of states that the checkpoint has not stored
}

// request is one call of Emit.
type request struct {
	tweets []*Tweet
	state  []byte
	done   chan error
}

// mark is a state of the source and the position up to which the log holds what
// it stands for.
type mark struct {
	pos   uint64
	state []byte
}

var (
	errEnded  = errors.New("tweetstream: the stream has ended")
	errNoPost = errors.New("tweetstream: a tweet without an id was emitted")
)

func newIntake(c *config, r *ring.Ring[*Tweet], l *losses, gone *tombstones, newest iter.Seq2[string, bool]) *intake {
	in := &intake{
		config:   c,
		ring:     r,
		losses:   l,
		requests: make(chan *request),
		ended:    make(chan struct{}),
		seen:     dedupe.New(c.dedup),
		gone:     gone,
		lost:     map[Reason]uint64{},
	}
	if newest != nil {
		for id, deleted := range newest {
			in.seen.Add(id, deleted)
		}
	}
	return in
}

// emit is the Emit that the source is given.
func (in *intake) emit(ctx context.Context, tweets []*Tweet, state []byte) error {
	for _, t := range tweets {
		if t == nil || t.ID == "" {
			return errNoPost
		}
	}
	// Copies, for the caller may go before the intake has done with them.
	r := &request{slices.Clone(tweets), slices.Clone(state), make(chan error, 1)}
	select {
	case in.requests <- r:
	case <-ctx.Done():
		return ctx.Err()
	case <-in.ended:
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return errEnded
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run takes requests until ctx is done.
func (in *intake) run(ctx context.Context) {
	defer close(in.ended)
	var taken []*request
	for {
		select {
		case r := <-in.requests:
			taken = append(taken[:0], r)
		case <-ctx.Done():
			return
		}
		for more := true; more; {
			select {
			case r := <-in.requests:
				taken = append(taken, r)
			default:
				more = false
			}
		}
		err := in.take(ctx, taken)
		for _, r := range taken {
			r.done <- err
		}
		clear(taken)
	}
}

// take appends what the requests brought to the log.
func (in *intake) take(ctx context.Context, taken []*request) error {
	now := time.Now()
	tweets := in.tweets[:0]
	var failed []Letter
	var cut []*Tweet // by the end, in a transform
	var state []byte
	for _, r := range taken {
		if r.state != nil {
			state = r.state
		}
		for _, t := range r.tweets {
			in.received.Add(1)
			if in.gone.has(t) {
				in.deleted.Add(1)
				continue
			}
			// It is in the log as soon as anybody can ask: the append fails
			// only when the intake ends with it.
			if !in.seen.Add(t.ID, t.Deleted) {
				in.repeats.Add(1)
				continue
			}
			if t.Deleted {
				in.gone.add(t.ID)
			}
			passed, err := transform(ctx, in.transforms, t)
			switch {
			case err != nil && ctx.Err() != nil:
				cut = append(cut, t) // that is not the Post's fault
				continue
			case err != nil:
				failed = append(failed, Letter{Tweet: t, Reason: TransformFailed, Error: safeError(err, t), First: now, Last: now})
				continue
			case passed == nil:
				in.dropped.Add(1)
				continue
			}
			if passed.Received.IsZero() {
				passed.Received = now
			}
			tweets = append(tweets, passed)
		}
	}
	var err error
	if len(cut) > 0 {
		err = ctx.Err()
	} else {
		err = in.bury(ctx, failed)
	}
	switch {
	case err != nil:
		for _, l := range failed {
			cut = append(cut, l.Tweet)
		}
		in.abandon(append(cut, tweets...), err)
	default:
		err = in.append(ctx, tweets, state)
	}
	clear(tweets)
	in.tweets = tweets
	return err
}

// abandon accounts for tweets that the log did not take before the end. The
// source knows of them by the error.
func (in *intake) abandon(tweets []*Tweet, err error) {
	now := time.Now()
	for _, t := range tweets {
		in.losses.lose(Letter{Tweet: t, Reason: ShutDown, Error: safeError(err, t), First: now, Last: now})
	}
	in.lose(ShutDown, len(tweets))
}

// bury sees to tweets that a transform has failed on. Where the source's state
// outlives the process it waits for the dead letter, lest the state say that all
// is well with them.
func (in *intake) bury(ctx context.Context, letters []Letter) error {
	if len(letters) == 0 {
		return nil
	}
	if in.journal != nil || in.checkpoint != "" {
		in.hold("the dead letter does not take what a transform has failed on")
		kept := in.losses.bury(ctx, letters, true)
		in.held.Store(nil)
		if !kept {
			return ctx.Err()
		}
	} else {
		for _, l := range letters {
			in.losses.lose(l)
		}
	}
	in.lose(TransformFailed, len(letters))
	return nil
}

// lose counts tweets that no sink will get.
func (in *intake) lose(why Reason, n int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.lost[why] += uint64(n)
}

// append adds tweets and state to the log; it waits for as long as the log is
// full or can't be written.
func (in *intake) append(ctx context.Context, tweets []*Tweet, state []byte) error {
	if in.journal != nil {
		return in.store(ctx, tweets, state)
	}
	if in.ring.Full() {
		in.hold("the buffer is full, and a sink that blocks has not read it")
		// When ctx is done, what was brought already goes past the full ring,
		// for there the sinks have the drain time to take it.
		_ = in.ring.Room(ctx)
		in.held.Store(nil)
	}
	next := in.ring.Append(tweets)
	if state != nil && in.checkpoint != "" {
		in.mark(mark{next, state})
	}
	return nil
}

// store is append with a journal.
func (in *intake) store(ctx context.Context, tweets []*Tweet, state []byte) error {
	try := func() error {
		next, err := in.journal.Append(ctx, tweets, state)
		if want := in.ring.Next() + uint64(len(tweets)); err == nil && next != want {
			return backoff.Permanent(fmt.Errorf("the journal says that it is at %d after an append, and is at %d: its cursors can't be trusted", next, want))
		}
		return err
	}
	failed := func(err error, wait time.Duration) {
		if text := safeError(err, tweets...); in.hold(text) {
			in.logger.Error("the journal can't be written: the source is held", "error", text)
		}
	}
	err := backoff.RetryNotify(try, backoff.WithContext(newBackoff(500*time.Millisecond, 30*time.Second), ctx), failed)
	if in.held.Swap(nil) != nil && err == nil {
		in.logger.Info("the journal is written again: the source goes on")
	}
	if err != nil {
		in.abandon(tweets, err)
		return err
	}
	in.ring.Append(tweets)
	return nil
}

// hold notes why the log takes nothing; it reports whether that is new.
func (in *intake) hold(why string) bool { return in.held.Swap(&why) == nil }

// maxMarks bounds the memory that a sink which is far behind costs; with fewer
// marks the checkpoint is stored in larger steps.
const maxMarks = 1024

func (in *intake) mark(m mark) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.marks) == maxMarks {
		for i := range maxMarks / 2 {
			in.marks[i] = in.marks[2*i+1]
		}
		clear(in.marks[maxMarks/2:])
		in.marks = in.marks[:maxMarks/2]
	}
	in.marks = append(in.marks, m)
}

// passed returns the newest state that stands for tweets up to pos only, and
// forgets those before it; nil if there is none.
func (in *intake) passed(pos uint64) []byte {
	in.mu.Lock()
	defer in.mu.Unlock()
	n := 0
	for n < len(in.marks) && in.marks[n].pos <= pos {
		n++
	}
	if n == 0 {
		return nil
	}
	state := in.marks[n-1].state
	in.marks = slices.Delete(in.marks, 0, n)
	return state
}
