package tweetstream

import (
	"context"
	"slices"
	"time"
)

// maxAside is how many tweets may be taken out of turn.
const maxAside = 100

// tryProbe tries a tweet from further on in the log, to tell a poison from an
// outage where there are no others to compare with. It overtakes only tweets that
// have failed for several times. What fails too is set aside, and its turn comes
// right behind them. tried is false if there was nothing to compare with.
//
// A tombstone is no probe, for a sink may be able to delete and not to store;
// nor does anything overtake one, for it may be of a Post that fails.
func (s *struggle) tryProbe(ctx context.Context) (tried, passed bool) {
	if s.tweets[0].Deleted || ctx.Err() != nil {
		return false, false
	}
	if n := len(s.aside); n < maxAside && (n == 0 || !s.aside[n-1].tweets[0].Deleted) {
		if b := s.takeOne(ctx); b != nil {
			s.aside = append(s.aside, b)
		}
	}
	// The one just taken, or, where there is no more, one that was tried before.
	at := len(s.aside) - 1
	if at >= maxAside-1 {
		at = s.tries % len(s.aside)
	}
	for at >= 0 && s.aside[at].tweets[0].Deleted {
		at--
	}
	if at < 0 {
		return false, false
	}
	b := s.aside[at]
	if len(s.passBy(b, b.tweets)) == 0 {
		s.settle(b)
		s.aside = slices.Delete(s.aside, at, at+1)
		return false, false
	}
	err := s.try(ctx, b, b.tweets)
	switch {
	case err == nil:
		s.delivered(b, b.tweets)
		tried, passed = true, true
	case isPermanent(err):
		s.failed(err, b.tweets)
		s.bury(ctx, b, s.letters(b.tweets, Rejected, err))
	default:
		s.failed(err, b.tweets)
		return true, false
	}
	s.settle(b)
	s.aside = slices.Delete(s.aside, at, at+1)
	return tried, passed
}

// takeOne takes the next tweet of the log that is for this sink, if there is one
// at hand.
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
		b := s.take(s.batch.turn, from, to, one)
		if b == nil {
			return nil
		}
		s.passBy(b, b.tweets)
		if len(s.through) > 0 && len(b.tweets) > 0 {
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
