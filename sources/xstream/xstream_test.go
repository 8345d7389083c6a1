package xstream_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sources/xstream"
	"github.com/tweetstream-go/tweetstream/xtest"
)

const (
	streamPath = "/2/tweets/search/stream"
	rulesPath  = streamPath + "/rules"
)

// stream is a Source at work in the bubble of a test.
type stream struct {
	*xstream.Source
	t      *testing.T
	cancel context.CancelFunc
	err    chan error

	full   chan struct{} // holds a token while the log takes nothing
	mu     sync.Mutex
	idOnly bool // nothing else of the tweets is kept
	seen   map[string]bool
	tweets []*tweetstream.Tweet
	state  []byte
	log    bytes.Buffer
}

func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(p)
}

func (s *stream) emit(_ context.Context, tweets []*tweetstream.Tweet, state []byte) error {
	s.full <- struct{}{}
	defer func() { <-s.full }()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range tweets {
		// Repeats are dropped, as the Streamer does.
		if s.seen[t.ID] {
			continue
		}
		if s.idOnly {
			t = &tweetstream.Tweet{ID: strings.Clone(t.ID)}
		}
		if s.seen == nil {
			s.seen = map[string]bool{}
		}
		s.seen[t.ID] = true
		s.tweets = append(s.tweets, t)
	}
	if state != nil {
		s.state = bytes.Clone(state)
	}
	return nil
}

// heard returns up to when all is in the log, as the state says.
func (s *stream) heard() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	var st struct{ Heard time.Time }
	if s.state != nil {
		if err := json.Unmarshal(s.state, &st); err != nil {
			s.t.Error(err)
		}
	}
	return st.Heard
}

// stored returns the state that the log holds.
func (s *stream) stored() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.state)
}

func (s *stream) got() (ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tweets {
		ids = append(ids, t.ID)
	}
	return ids
}

func (s *stream) logged() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// start streams from the server of client.
func start(t *testing.T, from []byte, token xstream.TokenSource, opts ...xstream.Option) *stream {
	t.Helper()
	s := &stream{t: t, err: make(chan error, 1), full: make(chan struct{}, 1), state: from}
	opts = append(opts, xstream.Logger(slog.New(slog.NewTextHandler(s, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	src, err := xstream.New(token, opts...)
	if err != nil {
		t.Fatal(err)
	}
	s.Source = src
	ctx, cancel := context.WithCancel(t.Context())
	s.cancel = cancel
	go func() { s.err <- src.Stream(ctx, from, s.emit) }()
	synctest.Wait()
	return s
}

func (s *stream) stop() {
	s.t.Helper()
	s.cancel()
	if err := <-s.err; err != nil {
		s.t.Errorf("Stream() = %v, want nil", err)
	}
}

// server starts a simulated X in memory.
func server(t *testing.T, opts ...xtest.Option) (*xtest.Server, []xstream.Option) {
	t.Helper()
	x := xtest.NewServer(append(opts, xtest.InMemory())...)
	return x, []xstream.Option{xstream.BaseURL(x.URL), xstream.HTTPClient(x.Client())}
}

var coop = xstream.Rules(tweetstream.Rule{Tag: "coop", Value: "coop OR #coop"})

func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestPostsComeAsSentWithTheirRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		s := start(t, nil, xstream.Token("secret"), append(opts, coop)...)
		x.Post(xtest.Post{Text: "all about the coop"})
		x.Post(xtest.Post{Text: "something else"})
		raw := `{"data":{"id":"17","text":"a \"quote\"   and\ttab"},"matching_rules":[{"id":"1"}]}`
		x.Send([]byte(raw))
		after(time.Minute)
		s.stop()
		if diff := cmp.Diff(append(x.IDs(), "17"), s.got()); diff != "" {
			t.Fatalf("-want +got:\n%s", diff)
		}
		if got := string(s.tweets[1].Raw); got != raw {
			t.Errorf("Raw = %s\nwant  %s", got, raw)
		}
		rule := s.tweets[0].Rules[0]
		if rule.ID == "" || rule.Tag != "coop" || rule.Value != "coop OR #coop" {
			t.Errorf("rule of the Post: %+v, want its tag and value", rule)
		}
		if st := s.Stats(); st.Posts != 2 || st.Connects != 1 || st.Stalls != 0 {
			t.Errorf("Stats: %+v", st)
		}
	})
}

func TestSampledStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t, xtest.Rate(10), xtest.Limit(50))
		defer x.Close()
		s := start(t, nil, xstream.Token("secret"), append(opts, xstream.Sample())...)
		after(time.Minute)
		s.stop()
		if got := len(s.got()); got != 50 || len(s.tweets[0].Rules) != 0 {
			t.Errorf("%d Posts, want 50 without rules", got)
		}
	})
}

// What a connection brings is taken whatever way it ends, and the next one
// comes when X's policy says.
func TestReconnects(t *testing.T) {
	fail := func(resp xtest.Response, n int) func(*xtest.Server) {
		return func(x *xtest.Server) {
			x.Fail(streamPath, n, resp)
			x.Disconnect(xtest.Clean)
		}
	}
	limited := xtest.Problem(http.StatusTooManyRequests)
	for name, c := range map[string]struct {
		fault   func(*xtest.Server)
		atLeast time.Duration // until the stream is there again
		atMost  time.Duration
		says    string
	}{
		"clean end":   {fault: func(x *xtest.Server) { x.Disconnect(xtest.Clean) }, says: "connection closed by X"},
		"reset":       {fault: func(x *xtest.Server) { x.Disconnect(xtest.Reset) }, says: "read stream"},
		"operational": {fault: func(x *xtest.Server) { x.Disconnect(xtest.Operational) }, says: "UpstreamOperationalDisconnect"},
		"stall":       {fault: func(x *xtest.Server) { x.Stall(0) }, atLeast: 20 * time.Second, atMost: 22 * time.Second, says: "not a byte"},
		"503":         {fault: fail(xtest.Problem(503), 1), atLeast: 4 * time.Second, atMost: 6 * time.Second, says: "X answers 503"},
		"503 thrice":  {fault: fail(xtest.Problem(503), 3), atLeast: 31 * time.Second, atMost: 39 * time.Second, says: "X answers 503"},
		"402":         {fault: fail(xtest.Problem(402), 1), atLeast: 5 * time.Minute, atMost: 6 * time.Minute, says: "buy credits"},
		"too many":    {fault: fail(xtest.TooManyConnections(), 2), atLeast: 160 * time.Second, atMost: 200 * time.Second, says: "another connection"},
		"429 without a reset": {fault: func(x *xtest.Server) {
			r := limited
			r.Header = http.Header{"X-Rate-Limit-Reset": {"soon"}}
			fail(r, 1)(x)
		}, atLeast: 54 * time.Second, atMost: 66 * time.Second, says: "X answers 429"},
		"429 by another clock": {fault: func(x *xtest.Server) {
			r := limited
			r.Header = http.Header{"Date": {"Fri, 01 Jan 2077 00:00:00 GMT"}, "X-Rate-Limit-Reset": {fmt.Sprint(time.Date(2077, 1, 1, 0, 2, 0, 0, time.UTC).Unix())}}
			fail(r, 1)(x)
		}, atLeast: 2 * time.Minute, atMost: 2*time.Minute + 2*time.Second},
		"429 until next year": {fault: func(x *xtest.Server) {
			r := limited
			r.Header = http.Header{"X-Rate-Limit-Reset": {"99999999999"}}
			fail(r, 1)(x)
		}, atLeast: 15 * time.Minute, atMost: 17 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x, opts := server(t)
				defer x.Close()
				s := start(t, nil, xstream.Token("secret"), append(opts, coop)...)
				x.Post(xtest.Post{Text: "coop one"})
				after(time.Minute) // long enough to have proved healthy
				c.fault(x)
				begin := time.Now()
				connects := s.Stats().Connects
				for s.Stats().Connects == connects && time.Since(begin) < time.Hour {
					after(100 * time.Millisecond)
				}
				if took := time.Since(begin); took < c.atLeast || took > max(c.atMost, time.Second) {
					t.Errorf("connected again after %v, want %v to %v", took, c.atLeast, c.atMost)
				}
				x.Post(xtest.Post{Text: "coop two"})
				after(time.Second)
				s.stop()
				if diff := cmp.Diff(x.IDs(), s.got()); diff != "" {
					t.Errorf("Posts (-want +got):\n%s", diff)
				}
				if !strings.Contains(s.logged(), c.says) {
					t.Errorf("the log does not say %q:\n%s", c.says, s.logged())
				}
				if c.atLeast > 0 && !strings.Contains(s.logged(), "a gap") {
					t.Errorf("the log names no gap:\n%s", s.logged())
				}
			})
		})
	}
}

// A server that ends each connection at once must not be stormed.
func TestUnhealthyConnectionsAreNoStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		s := start(t, nil, xstream.Token("secret"), append(opts, coop)...)
		begin := time.Now()
		for time.Since(begin) < 15*time.Minute {
			x.Disconnect(xtest.Clean)
			after(10 * time.Millisecond)
		}
		s.stop()
		if n := s.Stats().Connects; n > 45 {
			t.Errorf("%d connections in 15 minutes", n)
		}
	})
}

func TestRefusals(t *testing.T) {
	const token = "canary-token-canary"
	file := filepath.Join(t.TempDir(), "bearer.txt")
	if err := os.WriteFile(file, []byte("Bearer "+token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XSTREAM_TEST_TOKEN", token)
	echo := xtest.Response{Status: 401, Body: `{"title":"Unauthorized","detail":"Authorization: Bearer ` + token + ` is wrong ` + token + `"}`}
	for name, c := range map[string]struct {
		token  xstream.TokenSource
		resp   xtest.Response
		path   string
		status int
		says   []string
	}{
		"401":            {xstream.TokenFile(file), xtest.Problem(401), streamPath, 401, []string{"401", "bearer.txt", "developer console"}},
		"401 for rules":  {xstream.TokenEnv("XSTREAM_TEST_TOKEN"), xtest.Problem(401), rulesPath, 401, []string{"401", "XSTREAM_TEST_TOKEN"}},
		"401 that tells": {xstream.Token(token), echo, streamPath, 401, []string{"401", "the token given"}},
		"401 of ours":    {func(context.Context) (string, error) { return token, nil }, echo, rulesPath, 401, []string{"401", "the token source"}},
		"403":            {xstream.Token(token), xtest.Problem(403), streamPath, 403, []string{"403", "plan"}},
		"409":            {xstream.Token(token), xtest.Problem(409), streamPath, 409, []string{"409", "declare"}},
		"302":            {xstream.Token(token), xtest.Response{Status: 302, Header: http.Header{"Location": {"http://127.0.0.1:1/"}}}, streamPath, 302, []string{"302", "redirects"}},
		"404 of a proxy": {xstream.Token(token), xtest.Response{Status: 404, Body: "<html>\n<h1>Not here</h1> " + token}, streamPath, 404, []string{"404", "base URL", "<html>"}},
		"token cut":      {xstream.Token(token), xtest.Response{Status: 403, Body: strings.Repeat("x", 70) + token}, streamPath, 403, []string{"403"}},
		"400":            {xstream.Token(token), xtest.Response{Status: 400, Body: `{"errors":[{"message":"The field [x] is not one of"}],"title":"Invalid Request"}`}, streamPath, 400, []string{"400", "The field [x]"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x, opts := server(t)
				defer x.Close()
				x.Fail(c.path, -1, c.resp)
				s := start(t, nil, c.token, append(opts, coop)...)
				var err error
				select {
				case err = <-s.err:
				case <-time.After(time.Hour):
					t.Fatal("Stream goes on")
				}
				var refused *xstream.Error
				if !errors.As(err, &refused) || refused.Status != c.status {
					t.Fatalf("Stream() = %v, want an *Error with status %d", err, c.status)
				}
				for _, want := range c.says {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("the error does not say %q: %v", want, err)
					}
				}
				if strings.Contains(err.Error()+s.logged(), token[:6]) {
					t.Errorf("the token is shown: %v\n%s", err, s.logged())
				}
			})
		})
	}
}

func TestTokens(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, c := range map[string]struct {
		token xstream.TokenSource
		want  string
		says  []string
	}{
		"file":        {xstream.TokenFile(file("a", "  canary\r\n")), "canary", nil},
		"with Bearer": {xstream.TokenFile(file("b", "Bearer canary\n")), "canary", nil},
		"empty":       {xstream.TokenFile(file("c", "\n")), "", []string{"/c", "no token"}},
		"two lines":   {xstream.TokenFile(file("d", "canary\ncanary\n")), "", []string{"/d", "more than one line"}},
		"control":     {xstream.Token("can\x01ary"), "", []string{"the token given", "characters"}},
		"no file":     {xstream.TokenFile(filepath.Join(dir, "none")), "", []string{"/none", "no such file"}},
		"no variable": {xstream.TokenEnv("XSTREAM_NO_SUCH"), "", []string{"XSTREAM_NO_SUCH", "not set"}},
		"a folder":    {xstream.TokenFile(dir), "", []string{dir}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.token(t.Context())
			if got != c.want || (err == nil) != (c.says == nil) {
				t.Fatalf("token %q, error %v", got, err)
			}
			for _, want := range c.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q: %v", want, err)
				}
			}
			if err != nil && strings.Contains(err.Error(), "canary") {
				t.Errorf("the error shows the token: %v", err)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		s := start(t, nil, xstream.TokenEnv("XSTREAM_NO_SUCH"), append(opts, coop)...)
		select {
		case err := <-s.err:
			if err == nil || !strings.Contains(err.Error(), "no token: environment variable XSTREAM_NO_SUCH is not set") {
				t.Errorf("Stream() without a token = %v", err)
			}
		case <-time.After(time.Hour):
			t.Error("Stream goes on without a token")
		}
	})
}

// writing answers the stream with what write writes, and each further one with
// nothing until its end.
func writing(write func(w *io.PipeWriter)) *http.Client {
	first := true
	return &http.Client{Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
		r, w := io.Pipe()
		context.AfterFunc(req.Context(), func() { w.CloseWithError(context.Cause(req.Context())) })
		if first {
			first = false
			go write(w)
		}
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: r, Request: req}, nil
	})}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestWhatIsNoPost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := writing(func(w *io.PipeWriter) {
			fmt.Fprint(w, "\r\n")
			fmt.Fprint(w, `{"data":{"id":"1"}}`+"\r\n"+`{"data":{"id":"2"`) // cut in mid-line
			time.Sleep(time.Second)
			fmt.Fprint(w, `}}`+"\r\n")
			fmt.Fprint(w, "garbage canary\r\n{\"data\":{\"text\":\"canary\"}}\r\n[]\r\n\"canary\"\r\n")
			fmt.Fprint(w, `{"errors":[{"title":"operational-disconnect","disconnect_type":"UpstreamOperationalDisconnect","detail":"bye"}]}`+"\r\n")
			fmt.Fprint(w, `{"data":{"id":"3","text":"`+"\xff\xfe"+`"}}`+"\r\n")
			big := bytes.Repeat([]byte("x"), 1<<20)
			for range 12 {
				w.Write(big)
			}
			fmt.Fprint(w, "\r\n")
			fmt.Fprint(w, `{"data":{"id":"4"},"errors":[{"title":"Not Found Error"}]}`+"\n")
			fmt.Fprint(w, `{"data":{"id":"5"}}`) // whole, but for its line break
			w.Close()
		})
		s := start(t, nil, xstream.Token("secret"), xstream.HTTPClient(client), xstream.Sample())
		after(10 * time.Second)
		s.stop()
		if diff := cmp.Diff([]string{"1", "2", "3", "4", "5"}, s.got()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if st := s.Stats(); st.Malformed != 4 || st.Oversized != 1 || st.Repaired != 1 || st.Posts != 5 {
			t.Errorf("Stats: %+v", st)
		}
		if strings.Contains(s.logged(), "canary") {
			t.Errorf("the log shows a message:\n%s", s.logged())
		}
	})
}

// The state says up to when all is in the log: a line that has come in part may
// have been sent before.
func TestStateIsALowWaterMark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := writing(func(w *io.PipeWriter) {
			fmt.Fprint(w, "\r\n")
			time.Sleep(10 * time.Second)
			fmt.Fprint(w, `{"data":{"id":"1"`)
			time.Sleep(10 * time.Second)
			fmt.Fprint(w, `}}`+"\r\n"+`{"da`)
			time.Sleep(10 * time.Second)
			fmt.Fprint(w, `ta":{"id":"2"}}`+"\r\n")
		})
		begin := time.Now()
		s := start(t, nil, xstream.Token("secret"), xstream.HTTPClient(client), xstream.Sample())
		for _, want := range []time.Duration{0, 0, 0, 30 * time.Second} {
			if got := s.heard(); !got.Equal(begin.Add(want)) {
				t.Errorf("after %v: heard %v, want %v", time.Since(begin), got, begin.Add(want))
			}
			after(10 * time.Second)
		}
		s.stop()
	})
}

// While the log held the stream back, more has come to this machine than was read.
func TestStateIsNotAheadOfWhatWaitsToBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		s := start(t, nil, xstream.Token("secret"), append(opts, coop)...)
		after(time.Minute)
		s.full <- struct{}{}
		for range 20 {
			x.Post(xtest.Post{Text: "coop"})
			after(time.Second)
		}
		before := s.heard()
		held := len(s.got())
		<-s.full
		s.full <- struct{}{} // one more read at the most
		if n := len(s.got()); n < 20 && n > held+1 && !s.heard().Equal(before) {
			t.Errorf("with %d of 20 Posts in the log the state has gone from %v to %v", n, before, s.heard())
		}
		<-s.full
		after(time.Minute)
		s.stop()
		if len(s.got()) != 20 || s.heard().Equal(before) {
			t.Errorf("%d of 20 Posts, state %s", len(s.got()), s.state)
		}
	})
}

func TestRestartNamesItsGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		opts = append(opts, coop)
		s := start(t, nil, xstream.Token("secret"), opts...)
		x.Post(xtest.Post{Text: "coop"})
		after(time.Minute)
		s.stop()
		if strings.Contains(s.logged(), "a gap") {
			t.Errorf("the first run has a gap:\n%s", s.logged())
		}
		after(time.Hour)
		s = start(t, s.state, xstream.Token("secret"), opts...)
		if !strings.Contains(s.logged(), "a gap") || !strings.Contains(s.logged(), "length=1h0m") {
			t.Errorf("the restart does not name its gap of an hour:\n%s", s.logged())
		}
		s.stop()
		s = start(t, []byte("another source's"), xstream.Token("secret"), opts...)
		if err := <-s.err; err == nil || !strings.Contains(err.Error(), "another source") {
			t.Errorf("Stream() from a state of another source = %v", err)
		}
	})
}

func TestStreamIsHeldWithoutAStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		s := start(t, nil, xstream.Token("secret"), append(opts, coop)...)
		s.full <- struct{}{} // the log takes nothing for a minute
		x.Post(xtest.Post{Text: "coop"})
		after(time.Minute)
		<-s.full
		after(time.Second)
		if st := s.Stats(); st.Stalls != 0 || st.Disconnects != 0 || st.Posts != 1 {
			t.Errorf("Stats: %+v", st)
		}
		s.stop()
	})
}

func TestNewNamesEveryBadOption(t *testing.T) {
	_, err := xstream.New(nil,
		xstream.BaseURL("http://example.com"),
		xstream.HTTPClient(&http.Client{Timeout: time.Second}),
		xstream.Logger(nil),
		xstream.Prune(""),
		xstream.Fields("tweet.feelds", "id"),
		xstream.Rules(tweetstream.Rule{Tag: "a"}, tweetstream.Rule{Value: "x"}, tweetstream.Rule{Value: "x"}),
		xstream.Sample(),
	)
	if err == nil {
		t.Fatal("New() took it all")
	}
	for _, want := range []string{"token source", "BaseURL", "https", "HTTPClient", "Logger", "Prune", "tweet.feelds", "rule 1", "rule 3", "Sample"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %s: %v", want, err)
		}
	}
	for _, base := range []string{"", "x", "ftp://x", "https://user:canary@x", "https://x/?q=canary", "http://10.0.0.1", "http://localhost.example.com"} {
		if _, err := xstream.New(xstream.Token("t"), xstream.BaseURL(base)); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("New() with base %q = %v", base, err)
		}
	}
	for _, base := range []string{"https://api.x.com", "https://proxy.example.com/x/", "http://127.0.0.1:8089", "http://localhost:1", "http://[::1]:1"} {
		if _, err := xstream.New(xstream.Token("t"), xstream.BaseURL(base)); err != nil {
			t.Errorf("New() with base %q = %v", base, err)
		}
	}
}
