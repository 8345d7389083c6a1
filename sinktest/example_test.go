package sinktest_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinktest"
)

// folder is a sink of a program's own: a file for each Post, named by its id.
type folder string

func (f folder) Deliver(ctx context.Context, tweets []*tweetstream.Tweet) error {
	for _, t := range tweets {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(string(f), t.ID), t.Raw, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// stored reads the files back.
func (f folder) stored() (all []*tweetstream.Tweet, err error) {
	files, err := os.ReadDir(string(f)) // by name, which is by id
	for _, file := range files {
		raw, err := os.ReadFile(filepath.Join(string(f), file.Name()))
		if err != nil {
			return nil, err
		}
		all = append(all, &tweetstream.Tweet{ID: file.Name(), Raw: raw})
	}
	return all, err
}

// In a test of one's own, t is the test's.
func ExampleRun() {
	testFolder := func(t *testing.T) {
		sinktest.Run(t, func(t *testing.T) sinktest.Subject {
			f := folder(t.TempDir())
			return sinktest.Subject{Sink: f, Stored: f.stored, Once: true, Parallel: true}
		})
	}
	_ = testFolder
}
