package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/deadletter"
	"github.com/tweetstream-go/tweetstream/journal/boltjournal"
)

// keeps are the flags for what outlives a run, besides the sinks.
type keeps struct {
	Journal    *string `placeholder:"DIR" help:"Keep the Posts in a journal in this folder until all sinks have them, through crashes and outages. It keeps how far the stream was read, too."`
	Checkpoint *string `placeholder:"FILE" help:"Keep in this file how far the stream was read, to go on there after a restart."`
	DeadLetter *string `placeholder:"FILE" help:"Keep the Posts that a sink will not get in this file, with the reason. \"streamer replay\" hands them to sinks again."`
}

// check finds what can't be, before anything is opened.
func (k *keeps) check(targets []target, s *settings) error {
	if k.Journal != nil && *k.Journal == "" {
		return misuse("%s: want the name of a folder", s.Given("journal"))
	}
	if k.Journal != nil && k.Checkpoint != nil {
		return misuse("want %s or %s, not both: a journal keeps how far the stream was read by itself", s.Given("journal"), s.Given("checkpoint"))
	}
	files := map[string]*string{"checkpoint": k.Checkpoint, "dead-letter": k.DeadLetter}
	for _, flag := range []string{"checkpoint", "dead-letter"} {
		path := files[flag]
		if path == nil {
			continue
		}
		if *path == "" || os.IsPathSeparator((*path)[len(*path)-1]) {
			return misuse("%s: want the name of a file", s.Given(flag))
		}
		for _, t := range targets {
			if t.scheme == "file" && sameFile(t.place, *path) {
				return misuse("%s and the sink %s are the same file", s.Given(flag), t.name)
			}
		}
	}
	if k.Checkpoint != nil && k.DeadLetter != nil && sameFile(*k.Checkpoint, *k.DeadLetter) {
		return misuse("%s and %s are the same file", s.Given("checkpoint"), s.Given("dead-letter"))
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

// opened is what a run has open.
type opened struct {
	opts    []tweetstream.Option
	journal *boltjournal.Journal // nil if there is none
	closers []func() error       // to be called in the opposite order
}

// close closes all of it, after Run.
func (o *opened) close() error {
	var errs []error
	for _, c := range slices.Backward(o.closers) {
		errs = append(errs, c())
	}
	return errors.Join(errs...)
}

// open opens the targets and what is kept besides. After an error nothing is open.
func open(ctx context.Context, targets []target, k keeps, logger *slog.Logger) (o *opened, err error) {
	o = &opened{opts: []tweetstream.Option{tweetstream.WithLogger(logger)}}
	defer func() {
		if err != nil {
			err = errors.Join(err, o.close())
		}
	}()
	if k.Checkpoint != nil {
		o.opts = append(o.opts, tweetstream.WithCheckpoint(*k.Checkpoint))
	}
	if k.Journal != nil {
		if o.journal, err = boltjournal.Open(*k.Journal, boltjournal.Logger(logger)); err != nil {
			return o, fmt.Errorf("open --journal: %w", err)
		}
		o.opts = append(o.opts, tweetstream.WithJournal(o.journal))
		o.closers = append(o.closers, o.journal.Close)
	}
	if k.DeadLetter != nil {
		dead, err := deadletter.Open(*k.DeadLetter, deadletter.Logger(logger))
		if err != nil {
			return o, fmt.Errorf("open --dead-letter: %w", err)
		}
		o.opts = append(o.opts, tweetstream.WithDeadLetter(dead.Keep))
		o.closers = append(o.closers, dead.Close)
	}
	plugs, closeSinks, err := openSinks(ctx, targets, logger)
	if err != nil {
		return o, err
	}
	o.opts = append(o.opts, plugs...)
	o.closers = append(o.closers, closeSinks)
	return o, nil
}
