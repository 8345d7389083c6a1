package httpsink_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/internal/memnet"
	"github.com/tweetstream-go/tweetstream/sinks/httpsink"
)

// request is one that a receiver has read.
type request struct {
	header http.Header
	path   string
	body   string
}

// receiver takes what a sink posts, in memory.
type receiver struct {
	*memnet.Listener
	handler http.Handler // may be replaced before the first request
	server  *http.Server
	client  *http.Client

	mu       sync.Mutex
	requests []request
}

// receive starts a receiver. answer is told how many requests came before.
func receive(t testing.TB, answer func(w http.ResponseWriter, r *http.Request, n int)) *receiver {
	t.Helper()
	rec := &receiver{Listener: memnet.Listen()}
	rec.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		rec.mu.Lock()
		n := len(rec.requests)
		rec.requests = append(rec.requests, request{r.Header.Clone(), r.URL.Path, string(body)})
		rec.mu.Unlock()
		if answer != nil {
			answer(w, r, n)
		}
	})
	var conns, serving sync.WaitGroup
	rec.server = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { rec.handler.ServeHTTP(w, r) }),
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				conns.Add(1)
			case http.StateClosed, http.StateHijacked:
				conns.Done()
			}
		},
	}
	transport := &http.Transport{DialContext: rec.Dial, ResponseHeaderTimeout: httpsink.NewTransport().ResponseHeaderTimeout}
	rec.client = &http.Client{Transport: transport}
	serving.Go(func() { _ = rec.server.Serve(rec.Listener) })
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = rec.server.Close()
		serving.Wait()
		conns.Wait()
	})
	return rec
}

// sink returns a sink that posts to the receiver.
func (rec *receiver) sink(t testing.TB, opts ...httpsink.Option) *httpsink.Sink {
	t.Helper()
	return sink(t, "http://127.0.0.1/tweets", append(opts, httpsink.Client(rec.client))...)
}

func sink(t testing.TB, url string, opts ...httpsink.Option) *httpsink.Sink {
	t.Helper()
	s, err := httpsink.New(url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func (rec *receiver) got() []request {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return slices.Clone(rec.requests)
}

func parse(raw string) *tweetstream.Tweet {
	t, err := tweetstream.ParseTweet([]byte(raw))
	if err != nil {
		panic(err)
	}
	return t
}

// source is a Source that emits its tweets and ends.
type source []*tweetstream.Tweet

func (s source) Stream(ctx context.Context, _ []byte, emit tweetstream.Emit) error {
	return emit(ctx, s, nil)
}

func (s source) CanWait() bool { return true }
