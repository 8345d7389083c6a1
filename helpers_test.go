package tweetstream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tweetstream-go/tweetstream"
)

// post returns a message as the stream sends it.
func post(id int, text string) *tweetstream.Tweet {
	return raw(fmt.Sprintf(`{"data":{"id":"%d","text":%q},"matching_rules":[{"id":"7","tag":"test"}]}`, id, text))
}

func raw(message string) *tweetstream.Tweet {
	t, err := tweetstream.ParseTweet([]byte(message))
	if err != nil {
		panic(err)
	}
	return t
}

func posts(from, to int) (ts []*tweetstream.Tweet) {
	for id := from; id <= to; id++ {
		ts = append(ts, post(id, "post number "+strconv.Itoa(id)))
	}
	return ts
}

func tombstone(id string) *tweetstream.Tweet {
	return &tweetstream.Tweet{ID: id, Raw: []byte(`{}`), Deleted: true}
}

// source is a Source made of a function.
type source func(ctx context.Context, from []byte, emit tweetstream.Emit) error

func (s source) Stream(ctx context.Context, from []byte, emit tweetstream.Emit) error {
	return s(ctx, from, emit)
}

// emitting returns a source that emits tweets in one go and waits for its end.
func emitting(tweets ...*tweetstream.Tweet) source {
	return func(ctx context.Context, _ []byte, emit tweetstream.Emit) error {
		if err := emit(ctx, tweets, nil); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	}
}

// ending is a source that emits tweets in one go and ends.
func ending(tweets ...*tweetstream.Tweet) source {
	return func(ctx context.Context, _ []byte, emit tweetstream.Emit) error {
		return emit(ctx, tweets, nil)
	}
}

// recorder is a Sink that notes the ids it got.
type recorder struct {
	mu    sync.Mutex
	ids   []string
	calls int
	fail  func(ctx context.Context, call int, tweets []*tweetstream.Tweet) error // before it notes them
}

func (r *recorder) Deliver(ctx context.Context, tweets []*tweetstream.Tweet) error {
	r.mu.Lock()
	r.calls++
	call := r.calls
	r.mu.Unlock()
	var err error
	if r.fail != nil {
		err = r.fail(ctx, call, tweets)
	}
	if err != nil && tweetstreamWhole(err) {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range tweets {
		if !names(err, t.ID) {
			r.ids = append(r.ids, t.ID)
		}
	}
	return err
}

// tweetstreamWhole reports whether err is about the whole batch.
func tweetstreamWhole(err error) bool {
	var te *tweetstream.TweetError
	return !errors.As(err, &te)
}

func names(err error, id string) bool {
	if err == nil {
		return false
	}
	if te, ok := err.(*tweetstream.TweetError); ok {
		return te.ID == id
	}
	if j, ok := err.(interface{ Unwrap() []error }); ok {
		return slices.ContainsFunc(j.Unwrap(), func(err error) bool { return names(err, id) })
	}
	return names(errors.Unwrap(err), id)
}

func (r *recorder) got() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.ids)
}

func ids(from, to int) (s []string) {
	for id := from; id <= to; id++ {
		s = append(s, strconv.Itoa(id))
	}
	return s
}

// graveyard is a DeadLetter that notes its letters.
type graveyard struct {
	mu      sync.Mutex
	letters []tweetstream.Letter
}

func (g *graveyard) bury(_ context.Context, letters []tweetstream.Letter) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.letters = append(g.letters, letters...)
	return nil
}

// ids returns the ids of the letters of a sink with this reason.
func (g *graveyard) ids(sink string, reason tweetstream.Reason) (s []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, l := range g.letters {
		if l.Sink == sink && l.Reason == reason {
			s = append(s, l.Tweet.ID)
		}
	}
	return s
}

// run is a Streamer at work in the bubble of a test.
type run struct {
	*tweetstream.Streamer
	t      *testing.T
	cancel context.CancelFunc
	err    chan error
}

func start(t *testing.T, src tweetstream.Source, opts ...tweetstream.Option) *run {
	t.Helper()
	s, err := tweetstream.New(src, opts...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r := &run{s, t, cancel, make(chan error, 1)}
	go func() { r.err <- s.Run(ctx) }()
	synctest.Wait()
	return r
}

// stop ends the run and wants no error.
func (r *run) stop() {
	r.t.Helper()
	r.cancel()
	r.wait()
}

func (r *run) wait() {
	r.t.Helper()
	if err := <-r.err; err != nil {
		r.t.Errorf("Run() = %v, want nil", err)
	}
}

func (r *run) sink(name string) tweetstream.SinkStats {
	r.t.Helper()
	for _, s := range r.Stats().Sinks {
		if s.Name == name {
			return s
		}
	}
	r.t.Fatalf("no sink %q in Stats", name)
	return tweetstream.SinkStats{}
}

// after lets d pass.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// lines is a logger that keeps what it is told.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *lines) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
