// Package spine_test runs the whole way of a Post on real sockets and files.
package spine_test

import (
	"bufio"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinks/filesink"
	"github.com/tweetstream-go/tweetstream/sources/xstream"
	"github.com/tweetstream-go/tweetstream/xtest"
)

const (
	posts     = 20_000
	perSecond = 2_000
)

// ids is a sink that notes the order in which Posts come, and how late.
type ids struct {
	got    []string
	latest time.Duration
	have   atomic.Int64
}

func (s *ids) Deliver(_ context.Context, tweets []*tweetstream.Tweet) error {
	for _, t := range tweets {
		s.got = append(s.got, t.ID)
		s.latest = max(s.latest, time.Since(t.Received))
	}
	s.have.Store(int64(len(s.got)))
	return nil
}

// 20,000 Posts at 2,000 a second, from a simulated X over TCP into a file and two
// other sinks: each once and in order, whatever else is plugged in.
func TestEachPostOnceAndInOrder(t *testing.T) {
	x := xtest.NewServer(xtest.Rate(perSecond), xtest.Limit(posts))
	defer x.Close()
	src, err := xstream.New(xstream.Token("any"), xstream.BaseURL(x.URL), xstream.Rules(tweetstream.Rule{Tag: "coop", Value: "coop OR #coop"}))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "posts.ndjson")
	file, err := filesink.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var one, many ids
	var failures atomic.Int64
	sleeps := tweetstream.SinkFunc(func(ctx context.Context, _ *tweetstream.Tweet) error {
		<-ctx.Done()
		return ctx.Err()
	})
	fails := tweetstream.SinkFunc(func(context.Context, *tweetstream.Tweet) error {
		failures.Add(1)
		return errors.New("down")
	})
	panics := tweetstream.SinkFunc(func(context.Context, *tweetstream.Tweet) error {
		failures.Add(1)
		panic("down")
	})
	s, err := tweetstream.New(src,
		tweetstream.WithSink("file", file),
		tweetstream.WithSink("one", &one),
		tweetstream.WithSink("many", &many, tweetstream.Batch(500, 100*time.Millisecond)),
		tweetstream.WithSink("sleeps", sleeps, tweetstream.Timeout(time.Second)),
		tweetstream.WithSink("fails", fails, tweetstream.Retry(time.Millisecond, 10*time.Millisecond)),
		tweetstream.WithSink("panics", panics, tweetstream.Retry(time.Millisecond, 10*time.Millisecond)),
		tweetstream.WithDrain(0),
	)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	go func() {
		// The end: all that X had for us has come to the good sinks.
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			want := int64(len(x.IDs()))
			done := x.Stats().Made == posts && one.have.Load() == want && many.have.Load() == want && s.Stats().Sinks[0].Delivered == uint64(want)
			if done || ctx.Err() != nil {
				cancel()
				return
			}
		}
	}()
	begin := time.Now()
	if err := s.Run(ctx); err != nil {
		t.Fatal(err)
	}
	took := time.Since(begin)
	want := x.IDs()
	if len(want) < posts*8/10 {
		t.Fatalf("only %d of %d Posts matched the rule", len(want), posts)
	}
	for name, got := range map[string][]string{"one": one.got, "many": many.got, "file": lines(t, path)} {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("sink %s has %d of %d Posts, or not in order", name, len(got), len(want))
		}
	}
	st := s.Stats()
	for _, sink := range st.Sinks[3:] {
		if lost := sink.Lost[tweetstream.ShutDown]; lost != uint64(len(want)) || sink.Delivered != 0 {
			t.Errorf("sink %s: %d delivered and %d named as lost, want all of %d named", sink.Name, sink.Delivered, lost, len(want))
		}
	}
	if failures.Load() < 100 {
		t.Errorf("the troubled sinks were tried %d times only", failures.Load())
	}
	t.Logf("%d Posts in %v; the latest was %v old when it came to a sink of one at a time", len(want), took.Round(time.Millisecond), one.latest)
}

// lines returns the ids in a file of NDJSON.
func lines(t *testing.T, path string) (got []string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 8<<20)
	for sc.Scan() {
		tw, err := tweetstream.ParseTweet(sc.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, tw.ID)
	}
	return got
}
