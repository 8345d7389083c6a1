package xstream

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// reconnect says how long to wait before the next connection, by X's policy
// (https://docs.x.com/x-api/fundamentals/handling-disconnections): at once after
// a connection that was good; then 250 ms more each time, up to 16 s, for errors
// of the network; from 5 s doubling to 320 s for errors of HTTP; from 60 s
// doubling, or until x-rate-limit-reset, for 429.
type reconnect struct {
	network, http, rate backoff.BackOff
	first               bool // nothing has failed since a connection proved healthy
}

func newReconnect() *reconnect {
	doubling := func(first, longest time.Duration) backoff.BackOff {
		return backoff.NewExponentialBackOff(
			backoff.WithInitialInterval(first),
			backoff.WithMaxInterval(longest),
			backoff.WithMultiplier(2),
			backoff.WithRandomizationFactor(0), // see later
			backoff.WithMaxElapsedTime(0),
		)
	}
	return &reconnect{
		network: &linear{step: 250 * time.Millisecond, longest: 16 * time.Second},
		http:    doubling(5*time.Second, 320*time.Second),
		rate:    doubling(60*time.Second, 15*time.Minute),
		first:   true,
	}
}

// healthy is told of a connection that stood for longer than a keep-alive.
func (r *reconnect) healthy() {
	r.network.Reset()
	r.http.Reset()
	r.rate.Reset()
	r.first = true
}

// maxRateLimit is the length of X's rate-limit window; nothing that X says makes
// a wait longer.
const maxRateLimit = 15 * time.Minute

// wait returns how long to wait after err.
func (r *reconnect) wait(err error) time.Duration {
	first := r.first
	r.first = false
	var e *Error
	if !errors.As(err, &e) {
		if first {
			return 0
		}
		return later(r.network.NextBackOff())
	}
	if e.Status != http.StatusTooManyRequests {
		return later(r.http.NextBackOff())
	}
	wait := later(r.rate.NextBackOff())
	if reset, err := strconv.ParseInt(e.header.Get("X-Rate-Limit-Reset"), 10, 64); err == nil && e.connectionIssue == "" {
		if until := time.Unix(reset, 0).Sub(now(e.header)); until > 0 {
			// A second more, for Date and the reset are cut to seconds.
			wait = min(until, maxRateLimit) + time.Second
		}
	}
	return wait
}

// later adds up to a tenth, so that many programs do not come at once. X's times
// are the least to wait, so that nothing is taken off.
func later(d time.Duration) time.Duration {
	return d + rand.N(d/10+1)
}

// linear is a backoff that grows by a step each time.
type linear struct {
	step, longest, last time.Duration
}

func (l *linear) NextBackOff() time.Duration {
	l.last = min(l.last+l.step, l.longest)
	return l.last
}

func (l *linear) Reset() { l.last = 0 }
