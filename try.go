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
// Posts pass at the same time.
const (
	// suspicious is after how many failures tweets are tried one by one.
	suspicious = 5

	// poisonous is how often more a tweet must fail, while others pass, to be
	// given up.
	poisonous = 5
)

// deliver hands over tweets of a batch until each is delivered or given up, or
// ctx is done.
func (w *worker) deliver(ctx context.Context, b *batch, tweets []*Tweet) {
	if tweets = w.admit(ctx, b, tweets); len(tweets) == 0 {
		return
	}
	err := w.try(ctx, b, tweets)
	if err == nil {
		w.delivered(b, tweets)
		return
	}
	w.struggle(b, tweets, tweets, time.Now(), 1).run(ctx, err)
}

// struggle is the way of tweets whose first Deliver has failed.
type struggle struct {
	*worker
	batch  *batch
	all    []*Tweet // of the Deliver that failed first, which an error may quote
	tweets []*Tweet // of these, still to be delivered

	first    time.Time // of the failures
	tries    int
	failures int // but for those that asked for a time
	backoff  backoff.BackOff
	poison   map[*Tweet]int // failures of each alone while others passed
	said     State          // what this struggle has said of the sink
}

func (w *worker) struggle(b *batch, all, tweets []*Tweet, first time.Time, tries int) *struggle {
	return &struggle{
		worker:  w,
		batch:   b,
		all:     all,
		tweets:  tweets,
		first:   first,
		tries:   tries,
		backoff: newBackoff(w.retryFirst, w.retryMax),
		poison:  map[*Tweet]int{},
	}
}

// run goes on from a failure, err.
func (s *struggle) run(ctx context.Context, err error) {
	defer s.calm(s)
	wait, asked := s.sort(ctx, err)
	for s.goOn(ctx) {
		singly := len(s.poison) > 0
		if !asked {
			s.failures++
			singly = singly || s.failures%suspicious == 0
			wait = max(wait, s.backoff.NextBackOff())
		}
		s.trouble(s)
		short := wait
		if s.giveUpAfter > 0 {
			left := s.giveUpAfter - time.Since(s.first)
			if left <= 0 {
				s.giveUp(ctx, s.tweets, GaveUp, err)
				return
			}
			short = min(wait, left)
		}
		if !sleep(ctx, short) || !s.goOn(ctx) {
			return
		}
		if asked && short < wait {
			wait -= short // the sink wants no try before that: it is given up, or was paused
			continue
		}
		s.tries++
		if singly {
			wait, asked, err = s.oneByOne(ctx)
			continue
		}
		if err = s.retry(ctx, s.tweets); err == nil {
			s.delivered(s.batch, s.tweets)
			s.tweets = nil
			return
		}
		wait, asked = s.sort(ctx, err)
	}
}

// goOn waits while the sink is paused, which is no time for which it has failed.
// It reports whether there is something left to be delivered, and time for it.
func (s *struggle) goOn(ctx context.Context) bool {
	s.first = s.first.Add(s.gate(ctx))
	s.tweets = s.admit(ctx, s.batch, s.tweets)
	return len(s.tweets) > 0
}

// sort takes off what an error says of single tweets: delivered, or rejected. A
// permanent error of a whole batch is brought down to the tweets at fault. It
// returns the time after which the sink asked to be tried again, if it did.
func (s *struggle) sort(ctx context.Context, err error) (wait time.Duration, asked bool) {
	s.failed(err, s.all)
	failed := tweetErrors(err, s.tweets)
	if failed == nil {
		if !isPermanent(err) {
			return retryAfter(err)
		}
		tweets := s.tweets
		if len(tweets) == 1 {
			s.giveUp(ctx, tweets, Rejected, err)
			return 0, false
		}
		s.tweets = nil
		for _, half := range [][]*Tweet{tweets[:len(tweets)/2], tweets[len(tweets)/2:]} {
			if ctx.Err() != nil {
				return 0, false
			}
			if err := s.retry(ctx, half); err == nil {
				s.delivered(s.batch, half)
			} else {
				s.struggle(s.batch, s.all, half, s.first, s.tries+1).run(ctx, err)
			}
		}
		return 0, false
	}
	var delivered, again []*Tweet
	asked = true
	for i, t := range s.tweets {
		switch err := failed[t.ID]; {
		case err == nil:
			delivered = append(delivered, t)
		case isPermanent(err):
			s.bury(ctx, s.batch, s.letters(s.tweets[i:i+1], Rejected, err))
		default:
			again = append(again, t)
			after, asks := retryAfter(err)
			wait, asked = max(wait, after), asked && asks
		}
	}
	s.delivered(s.batch, delivered)
	s.tweets = again
	return wait, asked
}

// oneByOne tries each tweet alone, and, where none of them passes, one from
// further on in the log. It takes off what is delivered or given up, and returns
// the last error.
func (s *struggle) oneByOne(ctx context.Context) (wait time.Duration, asked bool, last error) {
	tweets, passed := s.tweets, false
	var failed, untried []*Tweet
	causes := map[*Tweet]error{}
	for i := range tweets {
		one := tweets[i : i+1]
		err := s.retry(ctx, one)
		if err == nil {
			s.delivered(s.batch, one)
			if !passed {
				failed = s.again(ctx, failed)
			}
			passed = true
			continue
		}
		s.failed(err, s.all)
		if named := tweetErrors(err, one); named != nil {
			err = named[one[0].ID]
		}
		last = err
		causes[one[0]] = err
		if isPermanent(err) {
			s.bury(ctx, s.batch, s.letters(one, Rejected, err))
			continue
		}
		if wait, asked = retryAfter(err); asked {
			untried = tweets[i:] // it wants to be left alone
			break
		}
		failed = append(failed, one...)
		if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) {
			untried = tweets[i+1:] // each of them may take as long
			break
		}
	}
	if len(failed) > 0 {
		failed = s.suspect(ctx, failed, passed, causes)
	}
	// Those that were not tried come first in the next round.
	s.tweets = append(append([]*Tweet(nil), untried...), failed...)
	return wait, asked, last
}

// again tries those that failed before the first that passes: an outage that has
// ended in between must not leave them behind all others. It returns those that
// fail once more.
func (s *struggle) again(ctx context.Context, failed []*Tweet) (left []*Tweet) {
	for i := range failed {
		one := failed[i : i+1]
		err := s.retry(ctx, one)
		if err == nil {
			s.delivered(s.batch, one)
			continue
		}
		s.failed(err, s.all)
		if _, asked := retryAfter(err); asked || ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) {
			return append(left, failed[i:]...)
		}
		left = append(left, one...)
	}
	return left
}

// suspect counts the failures of tweets tried alone, if others pass meanwhile,
// gives up those that are a poison, and returns the others.
func (s *struggle) suspect(ctx context.Context, failed []*Tweet, passed bool, causes map[*Tweet]error) (left []*Tweet) {
	compared := passed || len(failed) > 1
	if !passed {
		tried, ok := s.tryProbe(ctx)
		compared, passed = compared || tried, ok
	}
	switch {
	case passed:
	case compared:
		clear(s.poison) // an outage, whatever it was before
		return failed
	case len(s.poison) == 0:
		return failed // there is nothing to compare with: it stays open
	}
	for _, t := range failed {
		if s.poison[t]++; s.poison[t] > poisonous {
			delete(s.poison, t)
			s.bury(ctx, s.batch, s.letters([]*Tweet{t}, Rejected, causes[t]))
			continue
		}
		left = append(left, t)
	}
	return left
}

// giveUp buries tweets that the struggle is about.
func (s *struggle) giveUp(ctx context.Context, tweets []*Tweet, why Reason, err error) {
	s.tweets = nil
	s.bury(ctx, s.batch, s.letters(tweets, why, err))
}

// letters returns the letters of tweets that are given up.
func (s *struggle) letters(tweets []*Tweet, why Reason, err error) []Letter {
	text := safeError(err, append(s.all[:len(s.all):len(s.all)], tweets...)...)
	letters := make([]Letter, len(tweets))
	for i, t := range tweets {
		letters[i] = Letter{Tweet: t, Sink: s.name, Reason: why, Error: text, Tries: s.tries, First: s.first, Last: time.Now()}
	}
	return letters
}

// retry is try, of tweets that have failed before.
func (s *struggle) retry(ctx context.Context, tweets []*Tweet) error {
	s.retrying()
	return s.try(ctx, s.batch, tweets)
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
	defer func() {
		if err != nil {
			readable(err, tweets)
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
