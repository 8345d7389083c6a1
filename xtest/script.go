package xtest

import (
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"
)

// script holds the answers that Fail has planned, for each path.
type script struct {
	mu    sync.Mutex
	plans map[string][]plan
}

type plan struct {
	left int // below 0: for ever
	resp Response
}

// Fail answers the next n requests to path, such as "/2/tweets/search/stream",
// with resp instead of the usual answer, and with n below 0 all of them. Calls
// for one path queue up: first the first's n, then the second's. With n = 0 what
// was planned for the path is forgotten. A request without a valid token is
// answered 401 before that and does not count.
func (s *Server) Fail(path string, n int, resp Response) {
	s.script.mu.Lock()
	defer s.script.mu.Unlock()
	if n == 0 {
		delete(s.script.plans, path)
		return
	}
	if resp.Status == 0 {
		resp.Status = http.StatusOK
	}
	if s.script.plans == nil {
		s.script.plans = map[string][]plan{}
	}
	s.script.plans[path] = append(s.script.plans[path], plan{n, resp})
}

func (sc *script) next(path string) (Response, bool) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	plans := sc.plans[path]
	if len(plans) == 0 {
		return Response{}, false
	}
	p := &plans[0]
	if p.left > 0 {
		p.left--
	}
	resp := p.resp
	if p.left == 0 {
		sc.plans[path] = plans[1:]
	}
	return resp, true
}

// An End is a way in which [Server.Disconnect] ends streams.
type End int

const (
	// Clean sends what is queued and ends the response as HTTP wants it.
	Clean End = iota
	// Operational is Clean with X's UpstreamOperationalDisconnect as the last message.
	Operational
	// Reset drops what is queued and cuts the connection: over TCP with a RST.
	Reset
)

// Disconnect ends the streams that are connected. It does not wait for them, but
// they no longer count as connected: a new one is let in at once.
func (s *Server) Disconnect(how End) {
	e := ending{}
	switch how {
	case Operational:
		e.message = disconnect("UpstreamOperationalDisconnect",
			"This stream has been disconnected upstream for operational reasons.")
	case Reset:
		e.abort = true
	}
	s.end(e)
}

// end ends the streams that are connected.
func (s *Server) end(e ending) {
	for _, c := range s.hub.detach(func(*conn) bool { return true }) {
		s.dropped.Add(int64(c.end(e)))
	}
}

// mute keeps the streams that are connected without keep-alives for d, or until
// they end when d is 0.
func (s *Server) mute(d time.Duration) {
	for _, c := range s.hub.connected() {
		c.mute(until(d))
	}
}

func until(d time.Duration) time.Time {
	if d <= 0 {
		return time.Now().AddDate(100, 0, 0)
	}
	return time.Now().Add(d)
}

// Stall makes the streams that are connected fall silent for d, keep-alives too,
// or until they end when d is 0. Messages queue up meanwhile, and when the queue
// is full they are dropped and counted. Streams opened later do not stall.
func (s *Server) Stall(d time.Duration) {
	for _, c := range s.hub.connected() {
		c.stall(until(d))
	}
}

// connKey is the context key of the net.Conn that a request came by.
type connKey struct{}

// cut ends the response in the middle. It does not return.
func cut(r *http.Request) {
	c, _ := r.Context().Value(connKey{}).(net.Conn)
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn()
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	panic(http.ErrAbortHandler)
}
