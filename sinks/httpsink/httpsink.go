package httpsink

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/tweetstream-go/tweetstream"
)

// A Sink posts Posts to one URL. It is a [tweetstream.Sink], made by [New], and
// safe for concurrent use: with [tweetstream.Parallel] each call has a connection
// of its own, or a stream of HTTP/2.
type Sink struct {
	*target
	client *http.Client
	own    *http.Transport // nil if the client brought its own
}

// New returns a Sink that posts to url, which begins with http:// or https://. It
// does no I/O.
func New(url string, opts ...Option) (*Sink, error) {
	var c config
	for _, opt := range opts {
		opt(&c)
	}
	t, err := newTarget(url, c.headers)
	if c.given && c.client == nil {
		err = errors.Join(err, errors.New("httpsink: Client: the client is nil"))
	}
	if err != nil {
		return nil, err
	}
	s := &Sink{target: t, client: &http.Client{}}
	if c.given {
		*s.client = *c.client
	}
	if s.client.Transport == nil {
		s.own = newTransport()
		s.client.Transport = s.own
	}
	s.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return s, nil
}

func newTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone() // with the environment's proxies, and HTTP/2
	t.DialContext = (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}).DialContext
	t.TLSHandshakeTimeout = 10 * time.Second
	t.ResponseHeaderTimeout = time.Minute
	t.MaxIdleConns, t.MaxIdleConnsPerHost = 0, 1_000 // as many as Parallel allows
	t.DisableCompression = true                      // what is read of an answer is short
	// A connection of HTTP/2 that died without a word would be used on and on.
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 10 * time.Second}
	return t
}

// Defaults asks the Streamer for one tweet at a time.
func (s *Sink) Defaults() []tweetstream.SinkOption {
	return []tweetstream.SinkOption{tweetstream.Batch(1, 0)}
}

// Deliver posts the tweets in one request. What its error means is told by the
// package comment; it holds no secret and nothing of the Posts.
//
// In a batch, line breaks within a Raw are taken out with the other white space
// between values. A Raw that is empty, or that has line breaks there and is not
// JSON, is a [*tweetstream.TweetError] and [tweetstream.Permanent]; the others
// are sent.
func (s *Sink) Deliver(ctx context.Context, tweets []*tweetstream.Tweet) error {
	b, refused := newBody(tweets)
	if len(b.parts) > 0 {
		if err := s.post(ctx, b); err != nil {
			return err
		}
	}
	return errors.Join(refused...)
}

// Close closes the connections that are not in use, after the Streamer's Run has
// returned. Those of a client with a Transport of its own are left open.
func (s *Sink) Close() error {
	if s.own != nil {
		s.own.CloseIdleConnections()
	}
	return nil
}

// String returns where the Posts go, without what may be secret.
func (s *Sink) String() string { return s.shown }

// post sends one request.
func (s *Sink) post(ctx context.Context, b *body) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, nil)
	if err != nil {
		return s.failure(err, b)
	}
	for name, values := range s.header {
		req.Header[name] = values
	}
	req.Header["Content-Type"] = []string{b.kind}
	req.ContentLength, req.GetBody = b.size, b.open
	req.Body, _ = b.open()
	resp, err := s.client.Do(req)
	if err != nil {
		if s.own != nil && errors.Is(err, context.DeadlineExceeded) {
			// The connection may have died without a word, and then those that
			// are idle have too: each of them would cost as long.
			s.own.CloseIdleConnections()
		}
		return s.failure(err, b)
	}
	defer resp.Body.Close()
	if resp.Body == http.NoBody {
		return s.judge(resp, nil, b)
	}
	// Who answers slowly, or without an end, has said what matters already.
	timer := time.AfterFunc(answerTime, cancel)
	defer timer.Stop()
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return s.judge(resp, answer, b)
}

// How much of an answer is read, and for how long.
const (
	maxAnswer  = 64 << 10
	answerTime = time.Second
)

// body is what a request carries. It shares the memory of the tweets.
type body struct {
	kind  string
	parts [][]byte
	size  int64
}

// newBody returns the body for tweets, and the errors of those that are not in
// it.
func newBody(tweets []*tweetstream.Tweet) (b *body, refused []error) {
	if len(tweets) == 1 && len(tweets[0].Raw) > 0 {
		raw := tweets[0].Raw
		return &body{"application/json", [][]byte{raw}, int64(len(raw))}, nil
	}
	b = &body{kind: "application/x-ndjson", parts: make([][]byte, 0, 2*len(tweets))}
	for _, t := range tweets {
		line, err := oneLine(t.Raw)
		if err != nil {
			refused = append(refused, &tweetstream.TweetError{ID: t.ID, Err: tweetstream.Permanent(err)})
			continue
		}
		b.parts = append(b.parts, line, lineBreak)
		b.size += int64(len(line) + len(lineBreak))
	}
	return b, refused
}

var lineBreak = []byte{'\n'}

// open returns a reader of the body, each time a new one.
func (b *body) open() (io.ReadCloser, error) {
	if len(b.parts) == 1 {
		// net/http knows this one: it goes out in one write with the headers.
		return io.NopCloser(bytes.NewReader(b.parts[0])), nil
	}
	parts := append(make(net.Buffers, 0, len(b.parts)), b.parts...)
	return io.NopCloser(&parts), nil
}

var (
	errEmpty  = errors.New("httpsink: the message is empty")
	errBroken = errors.New("httpsink: the message has line breaks and is not JSON")
)

func oneLine(raw []byte) ([]byte, error) {
	if len(raw) == 0 {
		return nil, errEmpty
	}
	if bytes.IndexByte(raw, '\n') < 0 && bytes.IndexByte(raw, '\r') < 0 {
		return raw, nil
	}
	var line bytes.Buffer
	if json.Compact(&line, raw) != nil {
		return nil, errBroken // json's own error would quote the message
	}
	return line.Bytes(), nil
}
