package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/tweetstream-go/tweetstream/sources/xstream"
)

// How long to wait before rules that could not be changed are tried again.
const (
	reloadFirst   = 5 * time.Second
	reloadLongest = 5 * time.Minute
)

// reload reads --rules again on each SIGHUP, until ctx is done or stop is called.
// Without --rules the signal ends the program in order, as SIGINT does.
func (d *declares) reload(ctx context.Context, source *xstream.Source, s *settings, logger *slog.Logger) (stop func()) {
	if d.Rules == nil {
		return func() {}
	}
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		d.reread(ctx, hangup, source, s, logger)
	}()
	return func() {
		signal.Stop(hangup)
		cancel()
		<-ended
	}
}

// reread does so until ctx is done.
func (d *declares) reread(ctx context.Context, hangup <-chan os.Signal, source *xstream.Source, s *settings, logger *slog.Logger) {
	wait := reloadFirst
	var again <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			wait = reloadFirst
		case <-again:
		}
		again = nil
		if d.change(ctx, source, s, logger, wait) {
			again = time.After(wait)
			wait = min(2*wait, reloadLongest)
		}
	}
}

// change hands the rules to the source. It reports whether to try again after wait.
func (d *declares) change(ctx context.Context, source *xstream.Source, s *settings, logger *slog.Logger, wait time.Duration) bool {
	rules, err := d.read(s)
	if err == nil {
		err = source.SetRules(ctx, rules...)
	}
	text := func() string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
	refused, isAnswer := errors.AsType[*xstream.Error](err)
	switch {
	case ctx.Err() != nil:
	case err == nil:
		logger.Info("the rules are read again: X goes by them in some 20 s", "declared", len(rules))
	case errors.As(err, new(usageError)), errors.As(err, new(*xstream.RuleError)), isAnswer && refused.Status == http.StatusUnprocessableEntity:
		logger.Error("the new rules are refused: the old ones stay; mend the file and send SIGHUP again", "error", text())
	default:
		logger.Warn("the rules can't be changed now: it is tried again", "error", text(), "wait", wait)
		return true
	}
	return false
}
