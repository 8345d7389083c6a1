package tweetstream

import (
	"errors"
	"time"
)

// tweetErrors returns what err says of single tweets, by id: nil if it speaks of
// the whole batch, as it does as soon as one of the errors joined in it is no
// TweetError, or is one of another tweet. What Permanent and RetryAfter say of
// several is said of each.
func tweetErrors(err error, tweets []*Tweet) map[string]error {
	known := make(map[string]bool, len(tweets))
	for _, t := range tweets {
		known[t.ID] = true
	}
	failed := map[string]error{}
	var walk func(err error, around func(error) error) bool
	walk = func(err error, around func(error) error) bool {
		switch e := err.(type) {
		case *TweetError:
			if !known[e.ID] || e.Err == nil {
				return false
			}
			failed[e.ID] = errors.Join(around(e.Err), failed[e.ID])
			return true
		case *permanentError:
			return walk(e.err, func(err error) error { return Permanent(around(err)) })
		case *retryAfterError:
			return walk(e.err, func(err error) error { return RetryAfter(around(err), e.after) })
		case interface{ Unwrap() []error }:
			for _, err := range e.Unwrap() {
				if !walk(err, around) {
					return false
				}
			}
			return len(e.Unwrap()) > 0
		case interface{ Unwrap() error }:
			return walk(e.Unwrap(), around)
		}
		return false
	}
	if !walk(err, func(err error) error { return err }) {
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

// retryAfter returns the time for which a sink asked. At once is no time: the
// usual waits keep a sink that says so from being stormed.
func retryAfter(err error) (d time.Duration, asked bool) {
	var e *retryAfterError
	if !errors.As(err, &e) || e.after <= 0 {
		return 0, false
	}
	return e.after, true
}

// readable reads all of an error that delivery will read, so that one that
// panics on the way, such as a nil *TweetError, does it where a sink's panics
// are caught.
func readable(err error, tweets []*Tweet) {
	_ = err.Error()
	tweetErrors(err, tweets)
	isPermanent(err)
	retryAfter(err)
}
