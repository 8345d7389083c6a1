package tweetstream

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// When a Deliver fails, three things can be at fault: one Post (Permanent, or a
// poison that fails whenever it is in a batch), the sink (an outage), or the
// moment (RetryAfter). An outage must never send Posts to the dead letter, and
// a poison must not stop a sink for ever. What tells them apart is whether other
// Posts pass meanwhile.
const (
	// suspicious is after how many failures in a row tweets are tried one by
	// one.
	suspicious = 5

	// poisonous is how often a tweet must fail, when others have passed, to be
	// given up.
	poisonous = 5
)

// deliver hands over tweets of a batch until each is delivered or given up, or
// ctx is done.
func (w *worker) deliver(ctx context.Context, b *batch, tweets []*Tweet) {
	err := w.try(ctx, b, tweets)
	if err == nil {
		w.delivered(b, tweets)
		return
	}
	s := &struggle{
		worker:  w,
		batch:   b,
		tweets:  tweets,
		first:   time.Now(),
		tries:   1,
		backoff: newBackoff(w.retryFirst, w.retryMax),
	}
	s.run(ctx, err)
}

// struggle is the way of tweets whose first Deliver has failed.
type struggle struct {
	*worker
	batch  *batch
	tweets []*Tweet // still to be delivered

	first    time.Time // of the failures
	tries    int
	failures int  // in a row, but for those that asked for a time
	passes   bool // others pass meanwhile, so that tweets are tried one by one
	poison   int  // failures since then
	backoff  backoff.BackOff
	said     State // what this struggle has said of the sink

	probe *batch // one tweet from further on in the log, to see if others pass
}

// run goes on from the first failure, err.
func (s *struggle) run(ctx context.Context, err error) {
	defer s.calm(s)
	wait, asked := s.sort(ctx, err)
	for len(s.tweets) > 0 && ctx.Err() == nil {
		if !asked {
			s.failures++
			wait = max(wait, s.backoff.NextBackOff())
			if s.passes {
				s.poison++
			}
		}
		s.trouble(s, err)
		if s.poison > poisonous {
			s.bury(ctx, s.batch, s.letters(s.tweets, Rejected, err))
			break
		}
		if s.giveUpAfter > 0 {
			left := s.giveUpAfter - time.Since(s.first)
			if left <= 0 {
				s.bury(ctx, s.batch, s.letters(s.tweets, GaveUp, err))
				break
			}
			wait = min(wait, left)
		}
		if !sleep(ctx, wait) {
			return
		}
		s.tries++
		if s.passes || !asked && s.failures%suspicious == 0 {
			wait, asked, err = s.oneByOne(ctx)
			continue
		}
		if err = s.try(ctx, s.batch, s.tweets); err == nil {
			s.delivered(s.batch, s.tweets)
			break
		}
		wait, asked = s.sort(ctx, err)
	}
	if s.probe != nil && ctx.Err() == nil {
		s.handle(ctx, s.probe)
	}
}

// sort takes off what an error says of single tweets: delivered, or rejected. A
// permanent error of a whole batch is brought down to the tweets at fault. It
// returns the time after which the sink asked to be tried again, if it did.
func (s *struggle) sort(ctx context.Context, err error) (wait time.Duration, asked bool) {
	s.failed(err, s.tweets)
	failed := tweetErrors(err, s.tweets)
	if failed == nil {
		if !isPermanent(err) {
			return retryAfter(err)
		}
		tweets := s.tweets
		s.tweets = nil
		if len(tweets) == 1 {
			s.bury(ctx, s.batch, s.letters(tweets, Rejected, err))
			return 0, false
		}
		for _, half := range [][]*Tweet{tweets[:len(tweets)/2], tweets[len(tweets)/2:]} {
			if ctx.Err() == nil {
				s.deliver(ctx, s.batch, half)
			}
		}
		return 0, false
	}
	var delivered, again []*Tweet
	var rejected []Letter
	asked = true
	for i, t := range s.tweets {
		switch err := failed[t.ID]; {
		case err == nil:
			delivered = append(delivered, t)
		case isPermanent(err):
			rejected = append(rejected, s.letters(s.tweets[i:i+1], Rejected, err)...)
		default:
			again = append(again, t)
			after, asks := retryAfter(err)
			wait, asked = max(wait, after), asked && asks
		}
	}
	s.delivered(s.batch, delivered)
	s.bury(ctx, s.batch, rejected)
	s.tweets = again
	return wait, asked
}

// oneByOne tries each tweet alone, and, where none of them passes, one from
// further on in the log. It takes off what is delivered or rejected, and returns
// the last error of those that are left.
func (s *struggle) oneByOne(ctx context.Context) (wait time.Duration, asked bool, last error) {
	var left []*Tweet
	tweets, passed := s.tweets, s.passes
	asked = true
	for i := range tweets {
		one := tweets[i : i+1]
		err := s.try(ctx, s.batch, one)
		if err == nil {
			s.delivered(s.batch, one)
			passed = true
			continue
		}
		s.failed(err, one)
		if failed := tweetErrors(err, one); failed != nil {
			err = failed[one[0].ID]
		}
		if isPermanent(err) {
			s.bury(ctx, s.batch, s.letters(one, Rejected, err))
			continue
		}
		left, last = append(left, one...), err
		after, asks := retryAfter(err)
		wait, asked = max(wait, after), asked && asks
		if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) {
			left = append(left, tweets[i+1:]...) // each of them might take as long
			break
		}
	}
	s.tweets = left
	s.passes = passed || len(left) > 0 && s.tryProbe(ctx)
	return wait, asked, last
}

// tryProbe tries a tweet from further on in the log, to tell a poison from an
// outage where there are no others to compare with. It overtakes only tweets that
// have failed for several times.
func (s *struggle) tryProbe(ctx context.Context) bool {
	if s.probe == nil {
		s.probe = s.takeOne(ctx)
	}
	if s.probe == nil {
		return false
	}
	tweets := s.probe.tweets
	if err := s.try(ctx, s.probe, tweets); err != nil {
		s.failed(err, tweets)
		return false
	}
	s.delivered(s.probe, tweets)
	s.settle(s.probe)
	s.probe = nil
	return true
}

// takeOne takes the next tweet of the log that is for this sink, if there is one
// among those at hand.
func (s *struggle) takeOne(ctx context.Context) *batch {
	select {
	case s.gathering <- struct{}{}:
	default:
		return nil // another worker waits for tweets: there is none
	}
	defer func() { <-s.gathering }()
	now := make(chan time.Time)
	close(now)
	for range 1_000 {
		one := make([]*Tweet, 1)
		n, from, to, err := s.read(ctx, one, now)
		if n == 0 || err != nil {
			return nil
		}
		b := s.take(from, to, one)
		if len(s.through) > 0 {
			s.pass(ctx, b)
		}
		if len(b.tweets) == 1 && !(b.tweets[0].Deleted && !s.follows()) {
			return b
		}
		s.resolve(b, b.tweets)
		s.settle(b)
	}
	return nil
}

// letters returns the letters of tweets that are given up.
func (s *struggle) letters(tweets []*Tweet, why Reason, err error) []Letter {
	letters := make([]Letter, len(tweets))
	for i, t := range tweets {
		letters[i] = Letter{Tweet: t, Sink: s.name, Reason: why, Error: safeError(err, t), Tries: s.tries, First: s.first, Last: time.Now()}
	}
	return letters
}

// try calls the sink once.
func (w *worker) try(ctx context.Context, b *batch, tweets []*Tweet) (err error) {
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	w.calling(b)
	defer w.called(b)
	defer func() {
		if p := recover(); p != nil {
			err = newPanicError(p)
		}
	}()
	if tweets[0].Deleted {
		ids := make([]string, len(tweets))
		for i, t := range tweets {
			ids[i] = t.ID
		}
		return w.sink.(Deleter).Delete(ctx, ids)
	}
	// A slice for the sink alone, which may sort it or cut it up.
	call := append(w.call[:0], tweets...)
	defer clear(call)
	return w.sink.Deliver(ctx, call)
}

// tweetErrors returns what err says of single tweets, by id: nil if it speaks of
// the whole batch, as it does as soon as one of the errors joined in it is no
// TweetError, or is one of another tweet.
func tweetErrors(err error, tweets []*Tweet) map[string]error {
	known := make(map[string]bool, len(tweets))
	for _, t := range tweets {
		known[t.ID] = true
	}
	failed := map[string]error{}
	var walk func(err error) bool
	walk = func(err error) bool {
		switch e := err.(type) {
		case *TweetError:
			failed[e.ID] = errors.Join(e.Err, failed[e.ID])
			return known[e.ID] && e.Err != nil
		case interface{ Unwrap() []error }:
			for _, err := range e.Unwrap() {
				if !walk(err) {
					return false
				}
			}
			return true
		case interface{ Unwrap() error }:
			return walk(e.Unwrap())
		}
		return false
	}
	if !walk(err) {
		return nil
	}
	return failed
}

// isPermanent reports whether err is Permanent; errors joined must all be.
func isPermanent(err error) bool {
	switch e := err.(type) {
	case *permanentError:
		return true
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			if !isPermanent(err) {
				return false
			}
		}
		return len(e.Unwrap()) > 0
	case interface{ Unwrap() error }:
		return isPermanent(e.Unwrap())
	}
	return false
}

func retryAfter(err error) (d time.Duration, asked bool) {
	var e *retryAfterError
	if !errors.As(err, &e) {
		return 0, false
	}
	return e.after, true
}

// newBackoff returns the waits between tries, which never end by themselves.
func newBackoff(first, longest time.Duration) *backoff.ExponentialBackOff {
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(first),
		backoff.WithMaxInterval(longest),
		backoff.WithMultiplier(2),
		backoff.WithMaxElapsedTime(0),
	)
}

// sleep waits; it reports false if ctx is done first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
