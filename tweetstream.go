package tweetstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tweetstream-go/tweetstream/internal/ring"
)

// A Streamer takes tweets from one [Source] and hands each of them to every
// [Sink]. It is made by [New].
type Streamer struct {
	config
	source  Source
	running atomic.Bool
	state   atomic.Value // a State, of the Streamer itself

	ring   *ring.Ring[*Tweet]
	intake *intake
	sinks  []*delivery
	losses *losses
	keeper *keeper

	ready chan struct{} // closed when Run has set the fields above
}

// ErrRunTwice is returned by [Streamer.Run] when it was called before.
var ErrRunTwice = errors.New("tweetstream: Run was called before: a Streamer runs once")

// New returns a Streamer that is ready to run. It checks the options, all at
// once; it opens nothing and starts nothing.
func New(source Source, opts ...Option) (*Streamer, error) {
	c := config{
		logger: slog.New(slog.DiscardHandler),
		buffer: 64 << 20,
		dedup:  1_000_000,
		drain:  10 * time.Second,
		set:    map[string]bool{},
	}
	var errs []error
	if source == nil {
		errs = append(errs, errors.New("tweetstream: New: the source is nil"))
	}
	for i, opt := range opts {
		if opt == nil {
			errs = append(errs, fmt.Errorf("tweetstream: New: option %d is nil", i+1))
			continue
		}
		opt(&c)
	}
	if err := errors.Join(append(errs, c.validate())...); err != nil {
		return nil, err
	}
	return &Streamer{config: c, source: source, ready: make(chan struct{})}, nil
}

// Run streams until the source ends or ctx is done, and may be called once. It
// blocks. When ctx is done, the source stops at once and the sinks go on for
// the drain time ([WithDrain]); when the source has ended by itself, they go on
// until all is delivered. What is left then stays in the journal, or goes to
// the dead letter as [ShutDown].
//
// Run returns nil after that, or the error for which the source or the journal
// could not go on: the source's as it is. All goroutines that it started have
// ended, but for a Deliver that ignores its context: it is named in the log and
// left behind.
func (s *Streamer) Run(ctx context.Context) error {
	if !s.running.CompareAndSwap(false, true) {
		return ErrRunTwice
	}
	s.state.Store(Standby)
	defer s.state.Store(Ended)
	state, err := s.start(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil // stopped while it waited for the journal
		}
		return err
	}

	// Sinks outlive ctx by the drain time.
	sinkCtx, stopSinks := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSinks()
	var rest sync.WaitGroup
	sinks := make(chan struct{}, len(s.sinks)) // a token from each that has ended
	for _, d := range s.sinks {
		d.start(sinkCtx, sinks)
	}
	intakeCtx, stopIntake := context.WithCancel(ctx)
	defer stopIntake()
	intakeDone := make(chan struct{})
	go func() {
		defer close(intakeDone)
		s.intake.run(intakeCtx)
	}()
	restCtx, stopRest := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRest()
	rest.Go(func() { s.keeper.run(restCtx) })
	rest.Go(func() { s.keeper.say(restCtx) })
	rest.Go(func() { s.losses.run(restCtx) })

	s.state.Store(Running)
	err = s.stream(ctx, state)
	stopIntake()
	<-intakeDone
	s.ring.End()

	if err != nil {
		s.logger.Warn("the source has failed: the sinks have the drain time", "drain", s.drain)
		failed, cancel := context.WithCancel(ctx)
		cancel()
		s.drainSinks(failed, sinks, stopSinks)
	} else {
		s.drainSinks(ctx, sinks, stopSinks)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	for _, d := range s.sinks {
		d.finish(last)
	}
	stopRest()
	rest.Wait()
	s.losses.flush() // of what the dead letter did not take at last
	return err
}

// tweetSize is about what a tweet takes in memory besides its message.
const tweetSize = 256

// start reads what an earlier run has left, and sets up the log and its readers.
func (s *Streamer) start(ctx context.Context) (state []byte, err error) {
	var js JournalState
	switch {
	case s.journal != nil:
		s.journal = newGuardedJournal(s.journal, s.logger)
		if js, err = s.journal.Start(ctx); err != nil {
			return nil, fmt.Errorf("start journal: %w", err)
		}
	case s.checkpoint != "":
		if js.State, err = readCheckpoint(s.checkpoint); err != nil {
			return nil, fmt.Errorf("read checkpoint: %w", err)
		}
		if js.State == nil {
			s.logger.Info("no checkpoint yet: the source begins anew", "file", s.checkpoint)
		}
	default:
		s.logger.Info("no checkpoint: the source begins anew")
	}

	s.ring = ring.New(js.Next, s.buffer, func(t *Tweet) int { return len(t.Raw) + tweetSize })
	s.losses = newLosses(s.logger, s.deadLetter)
	gone := newTombstones(js.Deleted)
	s.intake = newIntake(&s.config, s.ring, s.losses, gone, js.Newest)
	for i := range s.config.sinks {
		s.sinks = append(s.sinks, s.newDelivery(&s.config.sinks[i], js, gone))
	}
	s.keeper = newKeeper(&s.config, s.intake, s.sinks, s.losses)
	if s.journal != nil {
		// A sink's name is known before the first tweet comes: killed right after
		// that, it is owed the tweet in the next run.
		if err := s.keeper.storeCursors(ctx); err != nil {
			return nil, fmt.Errorf("store cursors: %w", err)
		}
	}
	close(s.ready)
	return js.State, nil
}

// newDelivery makes the delivery of one sink, with its reader of the ring.
func (s *Streamer) newDelivery(c *sinkConfig, js JournalState, gone *tombstones) *delivery {
	d := &delivery{
		sinkConfig: c,
		logger:     s.logger.With("sink", c.name),
		journal:    s.journal,
		losses:     s.losses,
		gone:       gone,
		gathering:  make(chan struct{}, 1),
		calls:      map[*batch]time.Time{},
		closing:    make(chan struct{}),
		figures:    figures{lost: map[Reason]uint64{}, state: Running},
	}
	from, policy, oldest := js.Next, ring.Lose, false
	switch {
	case s.journal != nil:
		policy = ring.Behind
		cursor, known := js.Cursors[c.name]
		switch {
		case c.set["Live"]:
			from -= min(from, uint64(c.live))
		case known:
			from = min(cursor, js.Next)
		case c.from == Oldest:
			from, oldest = 0, true
		}
	case c.whenFull == Block || c.whenFull == 0 && canWait(s.source):
		policy = ring.Block
	}
	d.taken, d.oldest = from, oldest
	d.reader = s.ring.Reader(from, policy, d.overflowed)
	return d
}

func canWait(s Source) bool {
	w, ok := s.(interface{ CanWait() bool })
	return ok && w.CanWait()
}

// stream runs the source.
func (s *Streamer) stream(ctx context.Context, state []byte) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = newPanicError(p)
		}
		for _, end := range []error{ctx.Err(), context.Cause(ctx), errEnded} {
			if ctx.Err() != nil && errors.Is(err, end) {
				err = nil // it ended because ctx did, whatever it says
			}
		}
	}()
	return s.source.Stream(ctx, state, s.intake.emit)
}

// drainSinks waits until the sinks have all that is in the log, or ctx is done
// and the drain time over. Each sink puts a token into ended.
func (s *Streamer) drainSinks(ctx context.Context, ended <-chan struct{}, stop context.CancelFunc) {
	var drained, abandoned <-chan time.Time
	done := ctx.Done()
	for left := len(s.sinks); left > 0; {
		select {
		case <-ended:
			left--
		case <-done:
			drained, done = time.After(s.drain), nil
			for _, d := range s.sinks {
				d.close()
			}
		case <-drained:
			stop()
			abandoned = time.After(abandonAfter + abandonAfter/10) // the guards have the first word
		case <-abandoned:
			return
		}
	}
}
