package sinktest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/tweetstream-go/tweetstream"
)

// runTime is how long a Streamer may take to deliver all.
const runTime = time.Minute

const adviceRun = "See what the checks before this one say; alone, it hints at calls that disturb one another."

// aRun streams through a Streamer, if possible with an outage.
func aRun(p *probe) {
	ctx, cancel := context.WithTimeout(p.ctx, runTime)
	defer cancel()
	breaks := p.Break != nil && p.Mend != nil
	p.stream(ctx, !breaks, true, func(ctx context.Context, s *tweetstream.Streamer, emit func(context.Context) error) error {
		if breaks {
			p.trouble(p.Break)
		}
		if err := emit(ctx); err != nil {
			return err
		}
		if breaks {
			until(ctx, func() bool { return s.Stats().Sinks[0].Failures > 0 })
			p.mend()
		}
		return nil // the source has ended: all is delivered, for however long it takes
	})
}

// aRunThatStops cancels the run when all was emitted.
func aRunThatStops(p *probe) {
	ctx, cancel := context.WithTimeout(p.ctx, runTime)
	defer cancel()
	p.stream(ctx, true, false, func(ctx context.Context, _ *tweetstream.Streamer, emit func(context.Context) error) error {
		err := emit(ctx)
		cancel()
		<-ctx.Done()
		return err
	})
}

// until waits for what f says.
func until(ctx context.Context, f func() bool) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// stream runs a Streamer whose source is drive, and looks at what has become of
// the tweets that emit emits; some of them are deleted at the end.
func (p *probe) stream(ctx context.Context, ordered, deletes bool, drive func(context.Context, *tweetstream.Streamer, func(context.Context) error) error) {
	const size = 50
	tweets := p.posts(1_000)
	p.known = append(p.known, tweets...)
	gone := 0
	if _, ok := p.Sink.(tweetstream.Deleter); ok && deletes {
		gone = 5
	}
	var mu sync.Mutex
	var letters []tweetstream.Letter
	bury := func(_ context.Context, l []tweetstream.Letter) error {
		mu.Lock()
		defer mu.Unlock()
		letters = append(letters, l...)
		return nil
	}
	var s *tweetstream.Streamer
	src := source(func(ctx context.Context, emit tweetstream.Emit) error {
		err := drive(ctx, s, func(ctx context.Context) error {
			for part := range slices.Chunk(tweets, size) {
				if err := emit(ctx, part, nil); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || ctx.Err() != nil {
			gone = 0
			return err
		}
		// A Post that is gone before it was delivered passes by the sink.
		until(ctx, func() bool { return s.Stats().Sinks[0].Waiting == 0 })
		for _, t := range tweets[:gone] {
			tombstone := &tweetstream.Tweet{ID: t.ID, Raw: fmt.Appendf(nil, `{"delete":{"tweet":{"id":%q}}}`, t.ID), Deleted: true}
			if err := emit(ctx, []*tweetstream.Tweet{tombstone}, nil); err != nil {
				return err
			}
		}
		return nil
	})
	s = p.newStreamer(src, tweetstream.WithDeadLetter(bury), tweetstream.WithDrain(callTime))
	ran := make(chan error, 1)
	go func() { ran <- s.Run(ctx) }()
	var err error
	select {
	case err = <-ran:
	case <-time.After(2 * runTime):
		p.fatal(ruleContext, adviceRun, "A run of %d Posts does not end.", len(tweets))
	}
	st := s.Stats().Sinks[0]
	if err != nil {
		p.fatal(ruleNil, adviceRun, "A run of %d Posts ends with: %v.", len(tweets), err)
	}
	if want := uint64(len(tweets) + gone); st.Delivered != want || len(letters) > 0 {
		what := fmt.Sprintf("%d of %d Posts and deletes delivered, %d given up (%v), %d calls failed", st.Delivered, want, len(letters), st.Lost, st.Failures)
		if len(letters) > 0 {
			what += ", of them Post " + letters[0].Tweet.ID + " with: " + letters[0].Error
		} else if st.LastError != "" {
			what += ", the last with: " + st.LastError
		}
		p.fatal(rulePermanent, adviceRun, "In a run, where nothing is wrong with the Posts: %s.", what)
	}
	p.held(holding{when: "After a run", tweets: tweets[gone:], ordered: ordered, advice: adviceRun})
}
