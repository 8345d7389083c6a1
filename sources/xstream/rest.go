package xstream

import (
	"context"
	"errors"
	"log/slog"
	"regexp"
	"time"
)

// StopWhenHeld makes Stream return an error when the app is out of credits, or a
// usage cap or the [Budget] is reached. By default the source is held: it asks X
// seldom whether that is over, and the sinks go on meanwhile.
func StopWhenHeld() Option {
	return func(c *config) { c.stopHeld = true }
}

// rest waits before the next connection, says why unless that was said last, and
// returns what was said.
func (s *Source) rest(ctx context.Context, policy *reconnect, err error, said string) string {
	wait := policy.wait(err)
	if s.takeOver && policy.mayTakeOver(err) {
		if failed := s.closeOther(ctx); failed != nil {
			s.logger.Warn("the stream can't be taken over", "error", s.clean(failed.Error()))
		} else {
			wait = policy.tookOver(wait)
		}
	}
	text := s.clean(err.Error())
	level, message := slog.LevelWarn, "the stream is down: it is opened again"
	why := held(err)
	if why != "" {
		level, message = slog.LevelError, "the source is held: X sends nothing until somebody acts, or the time comes"
	}
	if sameTrouble(text, said) {
		level = slog.LevelDebug // said once
	}
	args := []any{"error", text, "wait", wait.Round(time.Millisecond)}
	var told *disconnectError
	if errors.As(err, &told) {
		args = append(args, "disconnect_type", told.kind)
		if advice := told.advice(); advice != "" {
			args = append(args, "advice", advice)
		}
	}
	s.logger.Log(ctx, level, message, args...)
	if errors.As(err, new(*Error)) { // what is no answer says nothing about money
		s.setHeld(why)
	}
	sleep(ctx, wait)
	return text
}

// sameTrouble reports whether one error says what another said.
func sameTrouble(a, b string) bool {
	return localPort.ReplaceAllString(a, "->") == localPort.ReplaceAllString(b, "->")
}

// localPort is what differs from one error of the network to the next.
var localPort = regexp.MustCompile(`:\d+->`)

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
