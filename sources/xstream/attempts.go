package xstream

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"
)

const (
	// X lets an app connect 50 times in 15 minutes, and counts what it refuses
	// too. Some are left for the app's other programs, and for this one should it
	// be started anew.
	maxAttempts = 45
	// X's window of 15 minutes, and what the way there may take.
	attemptWindow = 15*time.Minute + 10*time.Second
)

// attempts are the times of the connects that reached X, so that its limit is
// never met, whatever X answers and however often the source is started.
type attempts struct {
	mu    sync.Mutex
	times []time.Time // of the last window, oldest first
}

// wait returns once another connect is allowed, at once mostly.
func (a *attempts) wait(ctx context.Context, logger *slog.Logger) error {
	for {
		d := a.until(time.Now())
		if d <= 0 {
			return ctx.Err()
		}
		logger.Warn("too many connects: X allows 50 in 15 minutes", "count", maxAttempts, "wait", d.Round(time.Millisecond))
		sleep(ctx, d)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// until returns how long it is to the next connect.
func (a *attempts) until(now time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.times) > 0 && now.Sub(a.times[0]) >= attemptWindow {
		a.times = a.times[1:]
	}
	if len(a.times) < maxAttempts {
		return 0
	}
	return a.times[len(a.times)-maxAttempts].Add(attemptWindow).Sub(now)
}

func (a *attempts) note() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.times = append(a.times, time.Now())
}

// do sends a request for the stream, and notes it if it reached X. A dial that
// failed is none of X's business.
func (a *attempts) do(next http.RoundTripper, req *http.Request) (*http.Response, error) {
	var once sync.Once
	trace := &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { once.Do(a.note) }}
	resp, err := next.RoundTrip(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	if err == nil {
		once.Do(a.note) // a transport of the caller's may trace nothing
	}
	return resp, err
}
