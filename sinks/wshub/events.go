package wshub

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gobwas/ws"
)

const (
	// maxEventWrite is how much of an answer goes out in one write, which must
	// be over within writeTimeout: package net/http does not say how far a
	// write has come.
	maxEventWrite = 16 << 10

	// eventRetry is after how many milliseconds a browser comes back.
	eventRetry = 2000
)

// eventPing keeps a connection busy. It is a comment.
var eventPing = []byte(":\n\n")

// Events returns a handler that answers with server-sent events, for clients
// that have no WebSocket. They are the messages that [Hub.ServeHTTP] sends, of
// the same log, by the same options, limits and parameters; the id of an event
// is the Post's, so that a browser which comes back goes on where it was. Before
// the hub ends an answer it sends an event of type "close", whose data has the
// code and the reason that a WebSocket would be closed with.
//
// The handler returns when the viewer has left. Each viewer takes a goroutine.
func (h *Hub) Events() http.Handler { return http.HandlerFunc(h.serveEvents) }

func (h *Hub) serveEvents(w http.ResponseWriter, r *http.Request) {
	a, ok := h.admit(w, r, nil)
	if !ok {
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	head := w.Header()
	head.Set("Content-Type", "text/event-stream")
	head.Set("Cache-Control", "no-store")
	head.Set("X-Accel-Buffering", "no") // nginx would keep events until it has many
	if origin := r.Header.Get("Origin"); origin != "" {
		// It was checked. Package net/http leaves it to handlers to say so.
		head.Set("Access-Control-Allow-Origin", origin)
		head.Add("Vary", "Origin")
	}
	w.WriteHeader(http.StatusOK)
	v := h.newViewer(&eventConn{w: w, out: http.NewResponseController(w), cancel: cancel}, a)
	v.events = true
	v.answered = true // nobody answers here
	v.note = fmt.Appendf(nil, "retry: %d\n\n", eventRetry)
	h.join(v, nil)
	unwatch := context.AfterFunc(ctx, func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.gone = true
		v.stop()
		signal(v.more)
	})
	defer unwatch()
	h.catchUp(v)
	h.leave(v)
	h.running.Done()
}

// eventConn is the answer to a request, as a viewer writes to it.
type eventConn struct {
	net.Conn // none: what is not here is not called
	w        http.ResponseWriter
	out      *http.ResponseController
	cancel   context.CancelFunc
}

func (c *eventConn) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	if err == nil {
		err = c.out.Flush()
	}
	return n, err
}

// Deadlines that can't be set are those of the server.

func (c *eventConn) SetWriteDeadline(t time.Time) error { return c.out.SetWriteDeadline(t) }
func (c *eventConn) SetDeadline(t time.Time) error      { return c.out.SetWriteDeadline(t) }

// Close has the handler end the answer.
func (c *eventConn) Close() error {
	c.cancel()
	return nil
}

// abort is Close that does not leave a write under way the time to end.
func (c *eventConn) abort() {
	c.cancel()
	_ = c.out.SetWriteDeadline(time.Now())
}

// events returns the frames of a piece as events.
func (p *piece) events() []byte {
	out := make([]byte, 0, len(p.bytes)+p.frames*48)
	for i := p.first; i < p.first+p.frames; i++ {
		if raw := p.view.payload(i); len(raw) > 0 {
			out = appendEvent(out, p.view.index[i].id, raw)
		}
	}
	return out
}

// appendEvent appends a message as an event.
func appendEvent(dst []byte, id string, raw []byte) []byte {
	if id != "" && !strings.ContainsAny(id, "\r\n\x00") {
		dst = append(append(append(dst, "id: "...), id...), '\n')
	}
	for {
		i := bytes.IndexAny(raw, "\r\n")
		if i < 0 {
			break
		}
		dst = append(append(append(dst, "data: "...), raw[:i]...), '\n')
		if raw[i] == '\r' && i+1 < len(raw) && raw[i+1] == '\n' {
			i++
		}
		raw = raw[i+1:]
	}
	return append(append(append(dst, "data: "...), raw...), "\n\n"...)
}

// closeEvent is what a viewer of events gets in place of a close frame.
func closeEvent(code ws.StatusCode, text string) []byte {
	return fmt.Appendf(nil, "event: close\ndata: {\"code\":%d,\"reason\":%q}\n\n", code, text)
}
