package replay

import (
	"context"
	"log/slog"
	"math"
	"time"
)

// pacer finds out when Posts are due.
type pacer struct {
	factor float64
	logger *slog.Logger

	first, begun time.Time // the first Post's time, and when it was replayed
}

// longWait is one that whoever looks on may take for a replay that hangs.
const longWait = time.Minute

// wait returns how long a Post of that time is still to wait, 0 if it is late or
// has none.
func (p *pacer) wait(at time.Time) time.Duration {
	if at.IsZero() {
		return 0
	}
	now := time.Now()
	if p.first.IsZero() {
		p.first, p.begun = at, now
		return 0
	}
	after := min(float64(at.Sub(p.first))/p.factor, math.MaxInt64/2)
	if after <= 0 {
		return 0
	}
	wait := time.Duration(after) - now.Sub(p.begun)
	if wait > longWait {
		p.logger.Info("waiting for the time of the next Post", "wait", wait.Round(time.Second))
	}
	return wait
}

// sleep reports whether it has slept for d; it ends with ctx.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
