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
// doubling, or until x-rate-limit-reset, for 429. While there is no money it asks
// seldom: X may book a recharge five minutes late, and nothing changes a usage cap
// but a person or the calendar.
type reconnect struct {
	network, http, rate, money backoff.BackOff

	first  bool // nothing has failed since a connection proved healthy
	forced bool // since then, somebody has closed our connection by force
	taken  bool // since then, the stream was taken over
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
		money:   doubling(5*time.Minute, time.Hour),
		first:   true,
	}
}

// healthy is told of a connection that stood for longer than a keep-alive.
func (r *reconnect) healthy() {
	r.network.Reset()
	r.http.Reset()
	r.rate.Reset()
	r.money.Reset()
	r.first, r.forced, r.taken = true, false, false
}

// mayTakeOver reports whether a connection that is in the way may be closed.
func (r *reconnect) mayTakeOver(err error) bool {
	var e *Error
	return !r.forced && errors.As(err, &e) && e.connectionIssue == tooManyConnections
}

// tookOver returns how long to wait after a connection in the way was closed:
// after the first time not long, but if it did not help, as X's policy says.
func (r *reconnect) tookOver(wait time.Duration) time.Duration {
	if r.taken {
		return wait
	}
	r.taken = true
	return time.Second
}

// maxRateLimit is the length of X's rate-limit window; nothing that X says makes
// a wait longer.
const maxRateLimit = 15 * time.Minute

// wait returns how long to wait after err.
func (r *reconnect) wait(err error) time.Duration {
	first := r.first
	r.first = false
	var e *Error
	var told *disconnectError
	if errors.As(err, &told) && told.kind == forceDisconnect {
		r.forced = true
	}
	switch {
	case errors.As(err, &e) && e.money():
		return r.held(e)
	case e != nil && e.Status != http.StatusTooManyRequests, told != nil && told.slowly():
		return later(r.http.NextBackOff())
	case e != nil:
		return r.limited(e)
	case first:
		return 0
	case errors.As(err, new(*noStreamError)):
		return later(r.http.NextBackOff())
	}
	return later(r.network.NextBackOff())
}

// held returns how long to wait before X is asked whether it has money again.
func (r *reconnect) held(e *Error) time.Duration {
	switch {
	case e.capped() && e.period == "daily":
		at := now(e.header).UTC()
		turn := at.Truncate(24 * time.Hour).Add(24 * time.Hour)
		return turn.Sub(at) + time.Second + rand.N(time.Minute)
	case e.capped():
		return later(time.Hour)
	}
	return later(r.money.NextBackOff())
}

// limited returns how long to wait after a 429.
func (r *reconnect) limited(e *Error) time.Duration {
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
