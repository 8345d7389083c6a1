package xtest

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"
)

// hub knows the connected streams.
type hub struct {
	mu      sync.Mutex
	conns   []*conn       // that count
	leaving []*conn       // that were told to end
	changed chan struct{} // closed and replaced when a stream was connected
	closed  bool
}

func (h *hub) init() { h.changed = make(chan struct{}) }

// add lets a connection in unless there are already limit of its kind.
func (h *hub) add(c *conn, limit int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, o := range h.conns {
		if o.sample == c.sample {
			n++
		}
	}
	if n >= limit || h.closed {
		return false
	}
	h.conns = append(h.conns, c)
	close(h.changed)
	h.changed = make(chan struct{})
	return true
}

func (h *hub) remove(c *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	is := func(o *conn) bool { return o == c }
	h.conns = slices.DeleteFunc(h.conns, is)
	h.leaving = slices.DeleteFunc(h.leaving, is)
}

func (h *hub) connected() []*conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.conns)
}

// detach returns the connections that are meant, which are to end and count no
// more.
func (h *hub) detach(meant func(*conn) bool) (detached []*conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conns = slices.DeleteFunc(h.conns, func(c *conn) bool {
		if meant(c) {
			detached = append(detached, c)
			return true
		}
		return false
	})
	h.leaving = append(h.leaving, detached...)
	return detached
}

func (h *hub) live() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.conns)
}

// idle reports whether no connection is left, not even one that is ending.
func (h *hub) idle() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.conns)+len(h.leaving) == 0
}

// close ends all connections, also those whose reader does not read.
func (h *hub) close() {
	h.mu.Lock()
	h.closed = true
	all := slices.Concat(h.conns, h.leaving)
	h.mu.Unlock()
	for _, c := range all {
		c.end(ending{abort: true})
	}
}

// wait returns once a stream is connected.
func (h *hub) wait(ctx context.Context, done <-chan struct{}) error {
	for {
		h.mu.Lock()
		n, changed := len(h.conns), h.changed
		h.mu.Unlock()
		if n > 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-done:
			return http.ErrServerClosed
		}
	}
}

// WaitConnected returns nil once a stream is connected, at once if one is. What
// is sent from then on reaches it. Otherwise it returns ctx's error, or
// http.ErrServerClosed.
func (s *Server) WaitConnected(ctx context.Context) error {
	return s.hub.wait(ctx, s.done)
}

// Send writes raw to all connected streams, as it is but for the "\r\n" that is
// put after it; rules are not looked at. It returns once raw is queued: a stream
// whose queue is full is waited for up to 5 s and then ended as a slow reader.
// Without a stream nothing is sent. If raw is a Post, recent search finds it.
func (s *Server) Send(raw []byte) {
	line := append(slices.Clip(slices.Clone(raw)), "\r\n"...)
	s.making.Lock()
	defer s.making.Unlock()
	if e, ok := parseEntry(raw); ok {
		s.history.add(e)
	}
	s.deliver(func() { s.queue(line, 1, line, 1, queueLimit, handWait) })
}

// queue hands one chunk of messages to the filtered streams and one to the
// sampled streams.
func (s *Server) queue(filtered []byte, nf int, sampled []byte, ns int, limit int, wait time.Duration) {
	for _, c := range s.hub.connected() {
		chunk, n := filtered, nf
		if c.sample {
			chunk, n = sampled, ns
		}
		if n > 0 {
			s.dropped.Add(int64(c.put(chunk, n, limit, wait, s.done)))
		}
	}
}
