package httpsource

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/internal/hosts"
)

// Source is a [tweetstream.Source] and an [http.Handler]. It is made by [New];
// mount it where you like. It starts no server and no goroutine.
type Source struct {
	config
	served  hosts.List
	origins http.CrossOriginProtection
	slots   chan struct{} // holds a token for each request under way
	memory  atomic.Int64  // of their bodies
	rates   bucket
	seen    seen

	mu     sync.Mutex
	stream *stream // nil while Stream does not run
	stats  Stats
}

// stream is a call of Stream.
type stream struct {
	emit  func(ctx context.Context, tweets []*tweetstream.Tweet) error
	calls sync.WaitGroup // of emit; added to under the mutex of the Source
}

// patience is how long a request waits for the log.
const patience = 5 * time.Second

var (
	errRunning    = errors.New("httpsource: Stream is running already")
	errNotRunning = errors.New("httpsource: Stream does not run")
)

// New returns a Source. It does no I/O.
func New(opts ...Option) (*Source, error) {
	c := config{
		message:  4 << 20,
		batch:    32 << 20,
		requests: 256,
	}
	for _, opt := range opts {
		opt(&c)
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	return &Source{config: c, served: hosts.New(c.hosts...), slots: make(chan struct{}, c.requests), rates: bucket{rate: c.rate}}, nil
}

// CanWait tells the Streamer that sinks may hold this source back: requests wait
// for 5 s, and are then answered 503.
func (s *Source) CanWait() bool { return true }

// Stream takes requests until ctx is done; before and after that they are
// answered 503. It returns when none is under way any more that may emit: those
// that wait for the log are answered 503, whether or not it comes to hold what
// they brought. With [Secret] or [XWebhook] its state is which of the newest
// requests were taken, 16,384 of them: none of these is taken twice. Without, it
// stores no state, and from is not looked at. While it runs, a second call is an
// error; afterwards it may be called again.
func (s *Source) Stream(ctx context.Context, from []byte, emit tweetstream.Emit) error {
	st := &stream{emit: func(request context.Context, tweets []*tweetstream.Tweet) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(request, cancel)()
		return emit(ctx, tweets, nil)
	}}
	s.mu.Lock()
	if s.stream != nil {
		s.mu.Unlock()
		return errRunning
	}
	s.seen.load(from)
	s.stream = st
	s.mu.Unlock()

	s.remember(ctx, emit)
	s.mu.Lock()
	s.stream = nil
	s.mu.Unlock()
	st.calls.Wait()
	return nil
}

// remember stores the state until ctx is done.
func (s *Source) remember(ctx context.Context, emit tweetstream.Emit) {
	if s.keys.Len() == 0 && s.x == nil {
		<-ctx.Done()
		return
	}
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if state := s.seen.state(); state != nil && emit(ctx, nil, state) != nil {
			s.seen.again()
		}
	}
}

// emit hands tweets to the log.
func (s *Source) emit(ctx context.Context, tweets []*tweetstream.Tweet) error {
	s.mu.Lock()
	st := s.stream
	if st == nil {
		s.mu.Unlock()
		return errNotRunning
	}
	st.calls.Add(1)
	s.mu.Unlock()
	defer st.calls.Done()
	return st.emit(ctx, tweets)
}

func (s *Source) running() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stream != nil
}

// Stats are figures of a [Source] since it was made.
type Stats struct {
	Requests   uint64 // requests answered
	Posts      uint64 // messages that the log has taken, repeats among them
	Repaired   uint64 // of these, with bytes that were no UTF-8
	Replayed   uint64 // requests that were taken before, signature and all
	Challenges uint64 // of X, answered

	// Refused counts the requests that were answered otherwise than 2xx, by
	// reason: authorization, body (408), busy, challenge, encoding, held, host,
	// message (400), method, origin, rate, signature, size, stopped (Stream does
	// not run), type.
	Refused map[string]uint64
}

// Stats returns the figures at this moment.
func (s *Source) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Refused = maps.Clone(st.Refused)
	return st
}
