package sinktest

import (
	"context"
	"testing"
	"time"

	"github.com/tweetstream-go/tweetstream"
)

// A Subject is a sink to be tested, with what the suite may do at its other end:
// the file, the table or the server that it writes to. All but Sink may be left
// out. The functions are called between calls of Deliver, from other goroutines
// than the test's, so that they return errors and do not call t.Fatal; only
// Break, Hang and Mend come during a call too.
type Subject struct {
	Sink tweetstream.Sink

	// Stored returns what the other end holds, without what was deleted, in the
	// order in which it came or, where none is kept, by id. Each has its ID or its
	// Raw, or both. Give a Raw only if the sink keeps messages byte for byte: it
	// is compared. Where the other end lags behind Deliver, Stored waits for it.
	Stored func() ([]*tweetstream.Tweet, error)

	// Once says that the other end goes by the id: a Post that comes again is
	// there once. By default it may be there more often.
	Once bool

	// Parallel says that the sink may be plugged in with [tweetstream.Parallel].
	Parallel bool

	// Break lets every call fail from now on: a server is down, a disk full. Hang
	// lets every call wait instead, as a server does that does not answer. Mend
	// ends either. Neither Break nor Hang is of use without Mend.
	Break, Hang, Mend func()
}

// Run tests a sink, in subtests of t. newSink is called for each of them, and
// gives a sink whose other end is empty. What is to be closed afterwards, it
// hands to t.Cleanup.
//
// It takes some seconds and some ten MB of memory. Deliver is called as a
// Streamer does: with a context that ends after 15 s, and with up to 1,000 tweets
// at a time whatever the sink's Defaults say, for options of
// [tweetstream.WithSink] win over them.
func Run(t *testing.T, newSink func(t *testing.T) Subject) {
	t.Helper()
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			p := newProbe(t.Context(), newSink(t))
			p.run(c)
			if p.skipped != "" {
				t.Skip(p.skipped)
			}
			for _, f := range p.failures {
				t.Error(f)
			}
		})
	}
}

// check is one subtest.
type check struct {
	name string
	run  func(p *probe)
}

var checks = []check{
	{"defaults", defaults},
	{"delivers all", deliversAll},
	{"keeps no slice", keepsNoSlice},
	{"changes no tweet", changesNoTweet},
	{"again", again},
	{"context done", contextDone},
	{"context ends a hang", contextEndsAHang},
	{"outage", outage},
	{"names", names},
	{"silent errors", silentErrors},
	{"hostile Posts", hostilePosts},
	{"deletes", deletes},
	{"parallel", parallel},
	{"a run", aRun},
	{"a run that stops", aRunThatStops},
}

// defaults asks New.
func defaults(p *probe) {
	p.newStreamer(source(func(context.Context, tweetstream.Emit) error { return nil }))
}

// newStreamer plugs the sink in.
func (p *probe) newStreamer(src source, opts ...tweetstream.Option) (s *tweetstream.Streamer) {
	err := guard(func() (err error) {
		s, err = tweetstream.New(src, append(opts, tweetstream.WithSink("subject", p.Sink, tweetstream.Retry(10*time.Millisecond, 200*time.Millisecond)))...)
		return err
	})
	if err != nil {
		p.fatal(ruleDefaults, "Give only what WithSink takes, no option that is nil, and no typed nil for a sink.", "tweetstream.New refuses the sink: %v.", err)
	}
	return s
}

// source is a Source that is a function.
type source func(ctx context.Context, emit tweetstream.Emit) error

func (s source) Stream(ctx context.Context, _ []byte, emit tweetstream.Emit) error {
	return s(ctx, emit)
}
