package httpsink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/tweetstream-go/tweetstream"
)

// pace spreads requests evenly.
type pace struct {
	every time.Duration // 0: as they come

	mu   sync.Mutex
	next time.Time
}

var errPace = errors.New("httpsink: MaxRate allows no request at the moment")

// wait waits for the turn of a request. If that comes too late for ctx, the batch
// is to come again.
func (p *pace) wait(ctx context.Context) error {
	if p.every == 0 {
		return nil
	}
	p.mu.Lock()
	now := time.Now()
	turn := p.next
	if turn.Before(now) {
		turn = now
	}
	if end, ok := ctx.Deadline(); ok && turn.After(end) {
		p.mu.Unlock()
		return tweetstream.RetryAfter(errPace, turn.Sub(now))
	}
	p.next = turn.Add(p.every)
	p.mu.Unlock()
	timer := time.NewTimer(turn.Sub(now))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", errPace, ctx.Err())
	}
}

// throttle is how long a receiver is left alone that answers 429 and does not say
// for how long. All calls of Deliver share it.
type throttle struct {
	mu    sync.Mutex
	last  time.Duration // the wait that ends at until; 0 after a success
	until time.Time
}

// more returns the wait after a 429: twice the last one, unless that is not over.
func (t *throttle) more(now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if left := t.until.Sub(now); left > 0 {
		return max(left, minRetryAfter)
	}
	t.last = min(max(2*t.last, minRetryAfter), maxRetryAfter)
	t.until = now.Add(t.last)
	return t.last
}

func (t *throttle) over() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last, t.until = 0, time.Time{}
}

// refusals watches out for a receiver that refuses all Posts, each as if it were
// the Post's fault.
type refusals struct {
	logger *slog.Logger
	shown  string

	mu    sync.Mutex
	count int // of single Posts, with nothing taken in between
	say   int // the count at which it is said again
}

// firstSaid is how many Posts must be refused for it to be said.
const firstSaid = 5

// note is told how a request with n Posts has ended.
func (r *refusals) note(n int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var answer *problem
	switch {
	case err == nil:
		r.count, r.say = 0, 0
		return
	case n > 1 || !errors.As(err, &answer) || !postsFault(answer.status):
		return
	}
	r.count++
	if r.say = max(r.say, firstSaid); r.count < r.say {
		return
	}
	r.say *= 10
	r.logger.Error("the receiver refuses every Post: is it the right URL, and does it take what is sent?", "count", r.count, "url", r.shown, "error", err.Error())
}
