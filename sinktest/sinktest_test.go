package sinktest_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinktest"
)

func TestGood(t *testing.T) {
	sinktest.Run(t, func(*testing.T) sinktest.Subject {
		g := &good{}
		return g.subject(g)
	})
}

func TestPicky(t *testing.T) {
	sinktest.Run(t, func(*testing.T) sinktest.Subject {
		p := &picky{}
		return p.subject(p)
	})
}

// wholly refuses a whole batch for good where one Post is at fault, as a server
// does that answers 400.
type wholly struct{ store }

func (w *wholly) Deliver(ctx context.Context, tweets []*tweetstream.Tweet) error {
	if err := w.enter(ctx); err != nil {
		return err
	}
	for _, t := range tweets {
		if len(t.Raw) > 10_000 {
			return tweetstream.Permanent(errors.New("too long"))
		}
	}
	for _, t := range tweets {
		w.put(t)
	}
	return nil
}

func TestBatchRefusedForGood(t *testing.T) {
	sinktest.Run(t, func(*testing.T) sinktest.Subject {
		w := &wholly{}
		return w.subject(w)
	})
}

func TestSinkFunc(t *testing.T) {
	sinktest.Run(t, func(*testing.T) sinktest.Subject {
		var s store
		return s.subject(tweetstream.SinkFunc(func(ctx context.Context, t *tweetstream.Tweet) error {
			if err := s.enter(ctx); err != nil {
				return err
			}
			s.put(t)
			return nil
		}))
	})
}

// With nothing but the sink, what can't be seen is skipped and said.
func TestNothingButTheSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failures, skipped := sinktest.Try(t.Context(), func() sinktest.Subject { return sinktest.Subject{Sink: &picky{}} })
		for name, f := range failures {
			t.Errorf("%s: %s", name, f)
		}
		for name, want := range map[string]string{
			"delivers all":        "Stored",
			"keeps no slice":      "Stored",
			"again":               "Stored",
			"context ends a hang": "Hang",
			"outage":              "Break",
			"deletes":             "Deleter",
			"parallel":            "Parallel",
		} {
			if !strings.Contains(skipped[name], want) {
				t.Errorf("%s: skipped: %q, want a word of %s", name, skipped[name], want)
			}
			delete(skipped, name)
		}
		if len(skipped) > 0 {
			t.Errorf("skipped too: %v", skipped)
		}
	})
}

// The sink of the example.
func TestFolder(t *testing.T) {
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		t.Skip("names of files that differ in case alone are one name there, as are two ids for this sink")
	}
	sinktest.Run(t, func(t *testing.T) sinktest.Subject {
		f := folder(t.TempDir())
		return sinktest.Subject{Sink: f, Stored: f.stored, Once: true, Parallel: true}
	})
}
