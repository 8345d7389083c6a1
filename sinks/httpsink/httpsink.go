package httpsink

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/internal/webhook"
)

// A Sink posts Posts to one URL. It is a [tweetstream.Sink], made by [New], and
// safe for concurrent use: with [tweetstream.Parallel] each call has a connection
// of its own, or a stream of HTTP/2.
type Sink struct {
	*target
	client *http.Client
	own    *http.Transport // nil if the client brought its own

	keys     webhook.Keys
	encoder  *encoder // nil: as the Posts came
	gzip     bool
	plain    atomic.Bool // the receiver takes nothing that is compressed
	classify func(*http.Response, []byte, error) error
	pace     pace
	throttle throttle
	refusals refusals
}

// New returns a Sink that posts to url, which begins with http:// or https://. It
// does no I/O.
func New(url string, opts ...Option) (*Sink, error) {
	c := config{set: map[string]bool{}}
	for _, opt := range opts {
		opt(&c)
	}
	t, err := newTarget(url, c.headers)
	keys, invalid := c.validate()
	if err = errors.Join(err, invalid); err != nil {
		return nil, err
	}
	if c.publicOnly && notPublicName(t.host) {
		return nil, errors.New("httpsink: PublicOnly: the URL is of this machine or a private network")
	}
	s := &Sink{
		target:   t,
		client:   &http.Client{},
		keys:     keys,
		encoder:  c.encoder,
		gzip:     c.gzip,
		classify: c.classify,
		pace:     pace{every: c.every},
		refusals: refusals{logger: c.logger, shown: t.shown},
	}
	if c.client != nil {
		*s.client = *c.client
	}
	if s.client.Transport == nil {
		s.own = newTransport()
		if c.publicOnly {
			s.own.Proxy = nil // what a proxy reaches can't be seen from here
			s.own.DialContext = publicDialer().DialContext
		}
		s.client.Transport = s.own
	}
	s.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return s, nil
}

func newTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone() // with the environment's proxies, and HTTP/2
	t.DialContext = dialer().DialContext
	t.TLSHandshakeTimeout = 10 * time.Second
	t.ResponseHeaderTimeout = time.Minute
	t.MaxIdleConns, t.MaxIdleConnsPerHost = 0, 1_000 // as many as Parallel allows
	t.DisableCompression = true                      // what is read of an answer is short
	t.MaxResponseHeaderBytes = 256 << 10
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
	b, refused, err := s.encode(tweets)
	if err != nil {
		return err
	}
	if b.size > 0 {
		if err = s.pace.wait(ctx); err == nil {
			err = s.post(ctx, b)
		}
		s.refusals.note(len(tweets), err)
	}
	if len(refused) > 0 {
		// Joined with what concerns the whole batch, they wait with it.
		return errors.Join(append(refused, err)...)
	}
	return err
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
	// With the key, the client may send a request again by itself if a connection
	// that was kept open turns out to be dead.
	req.Header["Content-Type"], req.Header["Idempotency-Key"] = []string{b.kind}, []string{b.id}
	if s.keys.Len() > 0 {
		s.keys.Sign(req.Header, b.id, time.Now(), b.parts...)
	}
	sent := b
	if s.gzip && b.size >= gzipFrom && !s.plain.Load() {
		sent = b.compress()
		req.Header["Content-Encoding"] = []string{"gzip"}
	}
	req.ContentLength, req.GetBody = sent.size, sent.open
	req.Body, _ = sent.open()
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
	var answer []byte
	// The body of 101 is the connection, and no context ends its Read.
	if resp.Body != http.NoBody && resp.StatusCode != http.StatusSwitchingProtocols {
		// Who answers slowly, or without an end, has said what matters already.
		timer := time.AfterFunc(answerTime, cancel)
		defer timer.Stop()
		limit := int64(maxAnswer)
		if resp.StatusCode == http.StatusMultiStatus {
			limit = maxReport
		}
		answer, _ = io.ReadAll(io.LimitReader(resp.Body, limit))
	}
	if sent != b && resp.StatusCode == http.StatusUnsupportedMediaType {
		s.plain.Store(true)
		return tweetstream.RetryAfter(s.problem(resp, "the receiver takes nothing that is compressed, and gets no more of it", answer, b), soon)
	}
	err = s.judge(resp, answer, b)
	if s.classify != nil {
		err = s.classify(resp, answer, err)
	}
	return err
}

// How much of an answer is read, and for how long. One that speaks of each message
// is the only one of which the end matters.
const (
	maxAnswer  = 64 << 10
	maxReport  = 1 << 20
	answerTime = time.Second
)
