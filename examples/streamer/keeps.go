package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/deadletter"
)

// keeps are the flags for what outlives a run, besides the sinks.
type keeps struct {
	Checkpoint *string `placeholder:"FILE" help:"Keep in this file how far the stream was read, to go on there after a restart."`
	DeadLetter *string `placeholder:"FILE" help:"Keep the Posts that a sink will not get in this file, with the reason. \"streamer replay\" hands them to sinks again."`
}

// check finds what can't be, before anything is opened.
func (k *keeps) check(targets []target, s *settings) error {
	files := map[string]*string{"checkpoint": k.Checkpoint, "dead-letter": k.DeadLetter}
	for _, flag := range []string{"checkpoint", "dead-letter"} {
		path := files[flag]
		if path == nil {
			continue
		}
		if *path == "" || os.IsPathSeparator((*path)[len(*path)-1]) {
			return misuse("%s: want the name of a file", s.given(flag))
		}
		for _, t := range targets {
			if t.scheme == "file" && sameFile(t.place, *path) {
				return misuse("%s and the sink %s are the same file", s.given(flag), t.name)
			}
		}
	}
	if k.Checkpoint != nil && k.DeadLetter != nil && sameFile(*k.Checkpoint, *k.DeadLetter) {
		return misuse("%s and %s are the same file", s.given("checkpoint"), s.given("dead-letter"))
	}
	return nil
}

// sameFile reports whether two names stand for one file, there or not.
func sameFile(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	if errX == nil && errY == nil {
		return os.SameFile(x, y)
	}
	a, errX = filepath.Abs(a)
	b, errY = filepath.Abs(b)
	return errX == nil && errY == nil && a == b
}

// open opens the targets and what is kept besides, and returns the options for
// all of them and what closes them. After an error nothing is open.
func open(ctx context.Context, targets []target, k keeps, logger *slog.Logger) (opts []tweetstream.Option, closeAll func() error, err error) {
	opts = []tweetstream.Option{tweetstream.WithLogger(logger)}
	closeAll = func() error { return nil }
	if k.Checkpoint != nil {
		opts = append(opts, tweetstream.WithCheckpoint(*k.Checkpoint))
	}
	if k.DeadLetter != nil {
		dead, err := deadletter.Open(*k.DeadLetter, deadletter.Logger(logger))
		if err != nil {
			return nil, nil, fmt.Errorf("open --dead-letter: %w", err)
		}
		opts = append(opts, tweetstream.WithDeadLetter(dead.Keep))
		closeAll = dead.Close
	}
	plugs, closeSinks, err := openSinks(ctx, targets, logger)
	if err != nil {
		return nil, nil, errors.Join(err, closeAll())
	}
	closeKept := closeAll
	return append(opts, plugs...), func() error { return errors.Join(closeSinks(), closeKept()) }, nil
}
