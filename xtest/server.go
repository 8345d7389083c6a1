package xtest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tweetstream-go/tweetstream/internal/memnet"
)

// A Server is a simulated X API. Its methods may be called at any time from any
// goroutine.
type Server struct {
	// URL is the base of the API: scheme, host and port, without a slash at the
	// end. It is empty when the server came from [New].
	URL string

	cfg     config
	shift   time.Duration // from the machine's clock to the server's
	rules   ruleBook
	hub     hub
	history history
	script  script
	limits  rateLimits

	handshakes handshakes

	reads reads
	late  late

	searchLate      atomic.Int64 // nanoseconds until search finds a Post
	backfillRefused atomic.Int64 // the status that refuses it; 0 if nothing does
	begun           sync.Once    // starts the script of Faults

	making sync.Mutex // held while Posts are made and queued, so that ids go out in order
	maker  *maker

	http   *http.Server
	done   chan struct{} // closed by Close
	source sync.Once     // starts the pump

	mu       sync.Mutex
	closed   bool
	running  sync.WaitGroup // requests, listeners and the pump
	client   *http.Client
	requests []Request

	ids, made, matched, refused, connects, sent, dropped atomic.Int64
	replayed                                             atomic.Bool
}

// Stats are figures of a [Server], counted since it began.
type Stats struct {
	Connected int   // streams connected now
	Connects  int64 // streams opened
	Refused   int64 // streams asked for and answered with an error
	Made      int64 // made-up Posts
	Matched   int64 // made-up Posts that matched a rule
	Sent      int64 // messages written to streams; keep-alives do not count
	Dropped   int64 // messages meant for a stream that ended or stalled before they could be written
	Replayed  bool  // the replay has come to its end
}

// A Request is one request that the server answered.
type Request struct {
	Time   time.Time // by the server's clock
	Method string
	Path   string
	Query  url.Values
	Status int
}

// maxRequests bounds what Requests keeps.
const maxRequests = 10_000

// New returns a Server that does not listen: an http.Handler for a server of the
// caller's. It fails when an option is wrong or the file of [ReplayFile] can't
// be opened. Close it after use.
func New(opts ...Option) (*Server, error) {
	cfg, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, done: make(chan struct{})}
	if now := time.Now(); now.UnixMilli() < epoch {
		s.shift = bubbleStart.Sub(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))
	}
	s.maker = newMaker(cfg.seed)
	s.history.limit = cfg.history
	if err := s.firstRules(); err != nil {
		return nil, err
	}
	s.limits.enforce.Store(cfg.enforce)
	if cfg.noBackfill {
		s.backfillRefused.Store(http.StatusBadRequest)
	}
	s.hub.init()
	s.late.init()
	return s, nil
}

// NewServer returns a Server that listens on a port of the loopback interface,
// or only in memory with [InMemory]. Like httptest.NewServer it panics when it
// can't listen; also when an option is wrong. Close it after use.
func NewServer(opts ...Option) *Server {
	s, err := New(opts...)
	if err != nil {
		panic(err)
	}
	// No ReadTimeout: it would also end the streams.
	s.http = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c)
		},
	}
	if s.cfg.tls {
		s.http.TLSConfig = s.TLSConfig()
		s.http.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that fail, as they are meant to
	}
	memory, addr := memnet.Listen(), "127.0.0.1:0"
	if !s.cfg.inMemory {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			panic(fmt.Sprintf("xtest: listen: %v", err))
		}
		addr = l.Addr().String()
		s.listen(l)
	}
	s.listen(memory)
	s.client = memoryClient(memory, addr, s.cfg.tls)
	s.URL = "http://" + addr
	if s.cfg.tls {
		trusted := x509.NewCertPool()
		trusted.AppendCertsFromPEM(s.CertificatePEM())
		s.client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: trusted}
		s.URL = "https://" + addr
	}
	return s
}

func (s *Server) listen(l net.Listener) {
	if s.cfg.tls {
		s.running.Go(func() { s.http.ServeTLS(l, "", "") })
		return
	}
	s.running.Go(func() { s.http.Serve(l) })
}

// begin starts the script of Faults.
func (s *Server) begin() {
	s.begun.Do(func() { s.inject(s.cfg.faults) })
}

// Client returns a client whose requests to URL reach the server in memory,
// through net.Pipe, whether or not it also listens on a socket. It refuses other
// addresses. A Server from [New] has none: the result is nil.
func (s *Server) Client() *http.Client { return s.client }

// Close ends the streams and waits for all requests. Closing twice does nothing.
func (s *Server) Close() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	s.mu.Unlock()

	close(s.done)
	s.hub.close()
	if s.http != nil {
		s.http.Close()
		s.client.CloseIdleConnections()
	}
	if f, ok := s.cfg.replay.(io.Closer); ok && s.cfg.replayPath != "" {
		f.Close()
	}
	s.running.Wait()
}

// Stats returns the figures so far.
func (s *Server) Stats() Stats {
	return Stats{
		Connected: s.hub.live(),
		Connects:  s.connects.Load(),
		Refused:   s.refused.Load(),
		Made:      s.made.Load(),
		Matched:   s.matched.Load(),
		Sent:      s.sent.Load(),
		Dropped:   s.dropped.Load(),
		Replayed:  s.replayed.Load(),
	}
}

// Requests returns the requests that were answered, in that order; of more than
// 10,000 the newest. A stream counts when its headers were sent.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// now is the server's clock.
func (s *Server) now() time.Time { return time.Now().Add(s.shift).UTC() }

// enter counts a goroutine that Close waits for, unless the server is closed.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.running.Add(1)
	return true
}

const (
	rulesPath  = "/2/tweets/search/stream/rules"
	streamPath = "/2/tweets/search/stream"
	samplePath = "/2/tweets/sample/stream"
	recentPath = "/2/tweets/search/recent"
)

// ServeHTTP answers as X does. It is there for programs that listen by
// themselves; see [New].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.enter() {
		http.Error(w, "xtest: the server is closed", http.StatusServiceUnavailable)
		return
	}
	defer s.running.Done()
	if r.URL.Path == faultsPath {
		s.serveFaults(w, r)
		return
	}
	s.begin()
	if !s.authorized(r) {
		s.answer(w, r, Problem(http.StatusUnauthorized))
		return
	}
	path, endpoint := r.URL.Path, ""
	if rest, ok := strings.CutPrefix(path, connectionsPath+"/"); ok {
		path, endpoint = connectionsPath, rest
	}
	if resp, ok := s.script.next(path); ok {
		s.answer(w, r, resp)
		return
	}
	if s.limits.spent(r.Method, path, s.now()) {
		s.answer(w, r, Problem(http.StatusTooManyRequests))
		return
	}
	switch r.Method + " " + path {
	case "GET " + connectionsPath:
		s.answer(w, r, s.listConnections(r))
	case "DELETE " + connectionsPath:
		s.answer(w, r, s.closeConnections(endpoint))
	case "GET " + usagePath:
		s.answer(w, r, s.usage(r))
	case "GET " + rulesPath:
		s.answer(w, r, s.listRules(r))
	case "POST " + rulesPath:
		s.answer(w, r, s.changeRules(w, r))
	case "GET " + streamPath:
		s.stream(w, r, false)
	case "GET " + samplePath:
		s.stream(w, r, true)
	case "GET " + recentPath:
		s.answer(w, r, s.searchRecent(r))
	case "GET " + countsPath:
		s.answer(w, r, s.countRecent(r))
	default:
		s.answer(w, r, Problem(http.StatusNotFound))
	}
}

func (s *Server) authorized(r *http.Request) bool {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return false
	}
	return len(s.cfg.tokens) == 0 || slices.Contains(s.cfg.tokens, token)
}

// header sets what every answer carries, and notes the request.
func (s *Server) header(w http.ResponseWriter, r *http.Request, status int) {
	now := s.now()
	h := w.Header()
	h.Set("Date", now.Format(http.TimeFormat))
	s.limits.header(h, r.Method, r.URL.Path, now)
	if status != http.StatusOK && (r.URL.Path == streamPath || r.URL.Path == samplePath) {
		s.refused.Add(1)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.requests) >= maxRequests {
		s.requests = slices.Delete(s.requests, 0, maxRequests/10)
	}
	s.requests = append(s.requests, Request{now, r.Method, r.URL.Path, r.URL.Query(), status})
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request, resp Response) {
	s.header(w, r, resp.Status)
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	for k, v := range resp.Header {
		h[http.CanonicalHeaderKey(k)] = v
	}
	w.WriteHeader(resp.Status)
	io.WriteString(w, resp.Body)
}
