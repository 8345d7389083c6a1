package tweetstream

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/tweetstream-go/tweetstream/internal/ring"
)

// delivery brings one sink from its cursor to the end of the log: it gathers a
// batch, passes it through the sink's transforms, and hands it over (see try.go)
// until each tweet is delivered or given up.
type delivery struct {
	*sinkConfig
	logger  *slog.Logger
	journal Journal
	losses  *losses
	gone    *tombstones
	reader  *ring.Reader[*Tweet]
	ctx     context.Context    // of the workers
	end     context.CancelFunc // ends it

	gathering chan struct{} // holds a token while a worker gathers a batch
	overflow  atomic.Uint64 // tweets lost from the full ring, or the journal
	deleted   atomic.Uint64 // tweets passed by, for they are gone from X
	closing   chan struct{} // closed when Run's context has ended

	mu      sync.Mutex
	batches []*batch             // not settled yet, in the order of the log
	taken   uint64               // the position behind the last batch
	oldest  bool                 // it is to begin with the oldest tweet kept, and has not yet
	turn    turn                 // from one Seek to the next
	paused  chan struct{}        // closed by Resume; nil if it is not paused
	working int                  // workers that have not ended
	ended   bool                 // finish was called: who comes back later is too late
	calls   map[*batch]time.Time // of Deliver, that have not returned
	figures figures
}

// batch is a part of the log that a worker has taken.
type batch struct {
	turn     turn
	from, to uint64
	tweets   []*Tweet // neither delivered nor given up yet
	passed   bool     // through the sink's transforms
	settled  bool
}

// turn is the time in which a sink reads the log straight on. It is over when
// Seek has moved the cursor, and so is all that is done for its batches.
type turn struct {
	number int
	ctx    context.Context
	over   context.CancelFunc
}

// start starts the workers. When all of them have ended, ended gets a token.
func (d *delivery) start(ctx context.Context, ended chan<- struct{}) {
	d.ctx, d.end = context.WithCancel(ctx)
	d.nextTurn()
	d.working = d.workers
	var left atomic.Int64
	left.Store(int64(d.workers))
	for range d.workers {
		go func() {
			d.work()
			if left.Add(-1) == 0 {
				d.end()
				ended <- struct{}{}
			}
		}()
	}
}

// work delivers until the end of the log, or of the drain time.
func (d *delivery) work() {
	w := worker{delivery: d, buf: make([]*Tweet, d.max), call: make([]*Tweet, d.max)}
	for {
		b := w.gather()
		if b == nil {
			return
		}
		w.handle(b.turn.ctx, b)
		for len(w.aside) > 0 && b.turn.ctx.Err() == nil {
			b, w.aside = w.aside[0], w.aside[1:]
			w.handle(b.turn.ctx, b)
		}
		w.aside = nil // what is left of a turn that is over
		if d.ctx.Err() != nil || d.isClosed() {
			d.leave()
			return // what is left in the log is not for this worker any more
		}
	}
}

// worker is one of the goroutines that deliver, with memory of its own.
type worker struct {
	*delivery
	buf     []*Tweet // of the batch at hand
	call    []*Tweet // of the Deliver at hand
	entries []Entry  // of the read of the journal at hand
	aside   []*batch // of one tweet each, taken out of turn: see probe.go
}

// gather waits for the next batch; nil is the end. Workers take turns, so that
// each batch is in one piece.
func (w *worker) gather() *batch {
	select {
	case w.gathering <- struct{}{}:
	case <-w.ctx.Done():
		w.leave()
		return nil
	}
	defer func() { <-w.gathering }()
	for {
		turn := w.thisTurn()
		n, from, to, err := w.read(turn.ctx, w.buf, nil)
		if err != nil {
			if w.leaveAt(turn) {
				return nil
			}
			continue
		}
		if b := w.take(turn, from, to, w.buf[:n]); b != nil {
			w.fill(b)
			return b
		}
	}
}

// fill waits for more tweets of a batch, if the sink wants that.
func (w *worker) fill(b *batch) {
	n := len(b.tweets)
	wait := w.wait - time.Since(w.buf[0].Received)
	if n == w.max || w.wait == 0 || wait <= 0 {
		return
	}
	timer := time.NewTimer(min(wait, w.wait))
	defer timer.Stop()
	for n < w.max {
		more, _, to, err := w.read(b.turn.ctx, w.buf[n:], timer.C)
		if err != nil || more == 0 {
			return // what is there goes out; the error comes again
		}
		n += more
		if !w.extend(b, to, w.buf[:n]) {
			return
		}
	}
}

// take notes a batch that was read in a turn. It returns nil if Seek has moved
// the cursor meanwhile, so that it was read in vain.
func (d *delivery) take(t turn, from, to uint64, tweets []*Tweet) *batch {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.inTurn(t) {
		return nil
	}
	b := &batch{turn: t, from: from, to: to, tweets: tweets}
	d.batches = append(d.batches, b)
	d.taken, d.oldest = to, false
	d.figures.read(tweets)
	return b
}

// extend notes that more was read for the last batch. It reports false if that
// was in vain.
func (d *delivery) extend(b *batch, to uint64, tweets []*Tweet) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.inTurn(b.turn) {
		return false
	}
	d.figures.read(tweets[len(b.tweets):])
	b.to, b.tweets, d.taken = to, tweets, to
	return true
}

// read reads from the ring or, what is not there any more, from the journal.
func (w *worker) read(ctx context.Context, dst []*Tweet, stop <-chan time.Time) (n int, from, to uint64, err error) {
	for {
		n, from, err = w.reader.Next(ctx, dst, stop)
		if !errors.Is(err, ring.ErrBehind) {
			return n, from, from + uint64(n), err
		}
		if n, from, to, err = w.readJournal(ctx, from, dst); n > 0 || err != nil {
			return n, from, to, err
		}
		w.gap(w.reader.SeekOldest() - from) // all of it is gone from the journal
	}
}

func (w *worker) readJournal(ctx context.Context, pos uint64, dst []*Tweet) (n int, from, to uint64, err error) {
	if w.entries == nil {
		w.entries = make([]Entry, w.max)
	}
	try := func() (err error) {
		n, err = w.journal.Read(ctx, pos, w.entries[:len(dst)])
		return err
	}
	failing := false
	failed := func(err error, _ time.Duration) {
		text := safeError(err)
		w.unreadable(text, !failing)
		if !failing {
			w.logger.Error("the journal can't be read: the sink waits", "error", text)
		}
		failing = true
	}
	err = backoff.RetryNotify(try, backoff.WithContext(newBackoff(w.retryFirst, w.retryMax), ctx), failed)
	if failing {
		w.readable()
	}
	if err != nil || n == 0 {
		return 0, pos, pos, err
	}
	for i, e := range w.entries[:n] {
		dst[i] = e.Tweet
	}
	from, to = w.entries[0].Pos, w.entries[n-1].Pos+1
	w.gap(from - min(from, pos))
	w.missing(to - from - uint64(n)) // holes behind the first
	clear(w.entries)
	w.reader.Seek(to)
	return n, from, to, nil
}

// gap is told how many tweets the journal has dropped before the sink could read
// them: because its cursor does not hold them there (Live), or had been forgotten.
func (d *delivery) gap(n uint64) {
	d.mu.Lock()
	fromStart := d.oldest
	d.oldest = false // it asked for the oldest that is kept, and has it now
	d.mu.Unlock()
	if !fromStart {
		d.missing(n)
	}
}

// missing counts tweets that the journal does not have any more.
func (d *delivery) missing(n uint64) {
	if n == 0 {
		return
	}
	d.overflow.Add(n)
	d.logger.Error("tweets lost: the journal does not have them any more", "reason", string(Overflowed), "count", n)
}

// handle brings a batch to its end, or returns when ctx is done.
func (w *worker) handle(ctx context.Context, b *batch) {
	w.passBy(b, b.tweets)
	if len(w.through) > 0 && !b.passed {
		w.pass(ctx, b)
	}
	// Tombstones go another way; the order is kept.
	for rest := b.tweets; len(rest) > 0 && ctx.Err() == nil; {
		n := 1
		for n < len(rest) && rest[n].Deleted == rest[0].Deleted {
			n++
		}
		if rest[0].Deleted && !w.follows() {
			w.resolve(b, rest[:n])
		} else {
			w.deliver(ctx, b, rest[:n])
		}
		rest = rest[n:]
	}
	w.settle(b)
}

// follows reports whether the sink is handed tombstones.
func (d *delivery) follows() bool {
	_, ok := d.sink.(Deleter)
	return ok
}

// pass passes the batch through the sink's own transforms.
func (w *worker) pass(ctx context.Context, b *batch) {
	w.calling(b)
	defer w.called(b)
	passed := make([]*Tweet, 0, len(b.tweets))
	var letters []Letter
	for _, t := range b.tweets {
		changed, err := transform(ctx, w.through, t)
		switch {
		case err != nil && ctx.Err() != nil:
			return // it was cut off: that is not the Post's fault
		case err != nil:
			now := time.Now()
			letters = append(letters, Letter{Tweet: t, Sink: w.name, Reason: TransformFailed, Error: safeError(err, t), First: now, Last: now})
		case changed != nil:
			passed = append(passed, changed)
		}
	}
	w.bury(ctx, b, letters)
	w.mu.Lock()
	defer w.mu.Unlock()
	if ctx.Err() == nil { // else what could not be buried is still in it
		b.tweets, b.passed = passed, true
	}
}

// bury hands letters to the dead letter, and takes their tweets off the batch.
func (d *delivery) bury(ctx context.Context, b *batch, letters []Letter) {
	if len(letters) == 0 || d.isEnded() {
		return
	}
	if !d.losses.bury(ctx, letters, d.journal != nil) || d.isEnded() {
		return // the journal still has them; or finish has seen to them
	}
	d.mu.Lock()
	for _, l := range letters {
		d.figures.lost[l.Reason]++
	}
	d.mu.Unlock()
	tweets := make([]*Tweet, len(letters))
	for i, l := range letters {
		tweets[i] = l.Tweet
	}
	d.resolve(b, tweets)
}

func (d *delivery) isEnded() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ended
}

// resolve takes tweets off the batch: they are delivered, given up or not for
// this sink.
func (d *delivery) resolve(b *batch, tweets []*Tweet) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended {
		return
	}
	if len(tweets) >= len(b.tweets) {
		b.tweets = nil
		return
	}
	done := make(map[*Tweet]bool, len(tweets))
	for _, t := range tweets {
		done[t] = true
	}
	b.tweets = slices.DeleteFunc(slices.Clone(b.tweets), func(t *Tweet) bool { return done[t] })
}

// settle moves the cursor to the first batch that is not settled yet.
func (d *delivery) settle(b *batch) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(b.tweets) > 0 || d.ended {
		return // left over at the end: finish sees to it
	}
	b.settled = true
	// Batches behind one that hangs are drawn together, lest they pile up.
	kept := d.batches[:0]
	for _, next := range d.batches {
		switch n := len(kept); {
		case next.settled && n == 0:
		case next.settled && kept[n-1].settled:
			kept[n-1].to = next.to
		default:
			kept = append(kept, next)
		}
	}
	clear(d.batches[len(kept):])
	d.batches = kept
}

// cursor returns the position up to which all is settled.
func (d *delivery) cursor() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.batches) > 0 {
		return d.batches[0].from
	}
	return d.taken
}

// overflowed is told by the ring what the sink has lost. It is in every sink's
// way, and so takes no lock under which something is logged.
func (d *delivery) overflowed(t *Tweet) {
	if t.Deleted && !d.follows() {
		return
	}
	if d.gone.has(t) {
		d.deleted.Add(1)
		return
	}
	d.overflow.Add(1)
	now := time.Now()
	d.losses.lose(Letter{Tweet: t, Sink: d.name, Reason: Overflowed, First: now, Last: now})
}

// finish accounts for what the sink has not got when the drain time is over.
// With a journal it stays there. Until ctx is done the dead letter can take it.
func (d *delivery) finish(ctx context.Context) {
	d.mu.Lock()
	d.ended = true
	var left []*Tweet
	for _, b := range d.batches {
		left = append(left, b.tweets...)
	}
	hangs := len(d.calls) > 0
	d.mu.Unlock()
	if hangs {
		d.logger.Error("the sink does not return from Deliver, though its context is done: it is left behind")
	}
	if d.journal != nil {
		return
	}
	now := make(chan time.Time)
	close(now)
	for buf := make([]*Tweet, 500); ; {
		n, _, err := d.reader.Next(context.Background(), buf, now)
		left = append(left, buf[:n]...)
		if err == io.EOF || n == 0 {
			break
		}
	}
	var letters []Letter
	for _, t := range left {
		switch {
		case t.Deleted && !d.follows():
			continue
		case d.gone.has(t):
			d.deleted.Add(1)
			continue
		}
		at := time.Now()
		letters = append(letters, Letter{Tweet: t, Sink: d.name, Reason: ShutDown, First: at, Last: at})
	}
	if len(letters) == 0 {
		return
	}
	d.mu.Lock()
	d.figures.lost[ShutDown] += uint64(len(letters))
	d.mu.Unlock()
	d.losses.bury(ctx, letters, false)
}
