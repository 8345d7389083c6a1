package httpsource_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/internal/memnet"
	"github.com/tweetstream-go/tweetstream/sources/httpsource"
)

// serve serves h in memory, and returns a client that reaches it under any name.
func serve(t testing.TB, h http.Handler) (*memnet.Listener, *http.Client) {
	t.Helper()
	l := memnet.Listen()
	var conns, serving sync.WaitGroup
	server := &http.Server{Handler: h, ConnState: func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			conns.Add(1)
		case http.StateClosed, http.StateHijacked:
			conns.Done()
		}
	}}
	serving.Go(func() { _ = server.Serve(l) })
	transport := &http.Transport{DialContext: l.Dial}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
		serving.Wait()
		conns.Wait()
	})
	return l, &http.Client{Transport: transport}
}

// receiver is a Source at work, served in memory.
type receiver struct {
	*httpsource.Source
	*memnet.Listener
	t      testing.TB
	client *http.Client
	cancel context.CancelFunc
	err    chan error

	full   chan struct{} // holds a token while the log takes nothing
	mu     sync.Mutex
	ended  bool // Stream has returned
	tweets []*tweetstream.Tweet
	signed bool // it has a state
	from   []byte
	states [][]byte
}

// start serves a Source and streams from it.
func start(t testing.TB, opts ...httpsource.Option) *receiver {
	t.Helper()
	src, err := httpsource.New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{Source: src, t: t, full: make(chan struct{}, 1)}
	r.Listener, r.client = serve(t, src)
	r.stream()
	return r
}

func (r *receiver) stream() {
	ctx, cancel := context.WithCancel(r.t.Context())
	r.cancel, r.err = cancel, make(chan error, 1)
	go func() {
		err := r.Stream(ctx, r.from, r.emit)
		r.mu.Lock()
		r.ended = true
		r.mu.Unlock()
		r.err <- err
	}()
	r.ended = false
	synctest.Wait()
}

func (r *receiver) emit(ctx context.Context, tweets []*tweetstream.Tweet, state []byte) error {
	select {
	case r.full <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-r.full }()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		r.t.Error("emit was called after Stream had returned")
	}
	if state != nil {
		r.states = append(r.states, slices.Clone(state))
	}
	r.tweets = append(r.tweets, tweets...)
	return nil
}

func (r *receiver) stop() {
	r.t.Helper()
	r.cancel()
	if err := <-r.err; err != nil {
		r.t.Errorf("Stream() = %v, want nil", err)
	}
	if len(r.states) > 0 && !r.signed {
		r.t.Errorf("%d states were stored", len(r.states))
	}
}

func (r *receiver) got() []*tweetstream.Tweet {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.tweets)
}

func (r *receiver) ids() (ids []string) {
	for _, t := range r.got() {
		ids = append(ids, t.ID)
	}
	return ids
}

const (
	one   = "application/json"
	batch = "application/x-ndjson"
)

// answer is what a request was answered.
type answer struct {
	status  int
	header  http.Header
	text    string // of "error"
	lines   map[int]string
	indexes []int
}

// post posts a body; changes are made to the request before it is sent.
func (r *receiver) post(kind, body string, changes ...func(*http.Request)) answer {
	r.t.Helper()
	req, err := http.NewRequest(http.MethodPost, "http://127.0.0.1:8080/tweets", strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", kind)
	for _, change := range changes {
		change(req)
	}
	return r.do(req)
}

func (r *receiver) do(req *http.Request) answer {
	r.t.Helper()
	resp, err := r.client.Do(req)
	if err != nil {
		r.t.Errorf("no answer: %v", err)
		return answer{}
	}
	defer resp.Body.Close()
	return read(r.t, resp)
}

// read reads an answer and sees to its form.
func read(t testing.TB, resp *http.Response) answer {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Errorf("read answer: %v", err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, lines: map[int]string{}}
	if a.status == http.StatusNoContent || a.status == http.StatusOK {
		if len(body) > 0 {
			t.Errorf("%d with a body: %q", a.status, body)
		}
		return a
	}
	var v struct {
		Error    string
		Messages []struct {
			Line  int
			Index *int
			Error string
		}
	}
	if err := json.Unmarshal(body, &v); err != nil || v.Error == "" || resp.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%d: body %q", a.status, body)
	}
	a.text = v.Error
	for _, m := range v.Messages {
		if m.Error == "" || (m.Line > 0) == (m.Index != nil) {
			t.Errorf("%d: body %q", a.status, body)
		}
		if m.Index != nil {
			a.indexes = append(a.indexes, *m.Index)
			continue
		}
		a.lines[m.Line] = m.Error
	}
	if (a.status == http.StatusServiceUnavailable || a.status == http.StatusTooManyRequests) != (resp.Header.Get("Retry-After") == "1") {
		t.Errorf("%d with Retry-After %q", a.status, resp.Header.Get("Retry-After"))
	}
	return a
}

// raw writes a request as it is, and returns the answer and how long it took. A
// nil answer means that the connection was closed without one.
func (r *receiver) raw(request io.Reader) (*answer, time.Duration) {
	r.t.Helper()
	conn, err := r.Dial(r.t.Context(), "", "")
	if err != nil {
		r.t.Fatal(err)
	}
	begin := time.Now()
	var writing sync.WaitGroup
	writing.Go(func() { _, _ = io.Copy(conn, request) })
	data, err := io.ReadAll(conn)
	took := time.Since(begin)
	if err != nil && !errors.Is(err, io.ErrClosedPipe) {
		r.t.Errorf("read: %v", err)
	}
	_ = conn.Close()
	writing.Wait()
	if len(data) == 0 {
		return nil, took
	}
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(data)), nil)
	if err != nil {
		r.t.Errorf("answer %q: %v", data, err)
		return nil, took
	}
	a := read(r.t, resp)
	return &a, took
}
