package xtest

import (
	"compress/gzip"
	"context"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

var streamParams = []string{
	"backfill_minutes", "start_time", "end_time", "expansions",
	"tweet.fields", "post.fields", "user.fields", "media.fields", "place.fields", "poll.fields",
}

// stream serves one connection to a stream until it ends.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, sample bool) {
	if resp, ok := checkParams(r.URL.Query(), streamParams); !ok {
		s.answer(w, r, resp)
		return
	}
	minutes, refused, ok := s.backfillMinutes(r)
	if !ok {
		s.answer(w, r, refused)
		return
	}
	if !sample && s.cfg.replay == nil && s.rules.empty() {
		s.answer(w, r, Problem(http.StatusConflict))
		return
	}
	ctl := http.NewResponseController(w)
	c := newConn(ctl, sample)
	c.since = s.now()
	c.client, _, _ = net.SplitHostPort(r.RemoteAddr)
	c.id = connID(s.ids.Add(1))
	if !s.hub.add(c, s.cfg.connections) {
		s.answer(w, r, TooManyConnections())
		return
	}
	s.connects.Add(1)
	s.header(w, r, http.StatusOK)
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	out := newStreamWriter(w, r, ctl)
	w.WriteHeader(http.StatusOK)
	err := ctl.Flush()
	s.source.Do(s.startPump)

	var abort bool
	if err == nil && minutes > 0 {
		if err = s.backfill(out, sample, minutes); err == nil {
			err = out.flush()
		}
	}
	if err == nil {
		if abort = s.write(out, r.Context(), c); !abort {
			err = out.close()
		}
	}
	s.hub.remove(c)
	s.dropped.Add(int64(c.finish()))
	if abort || err != nil {
		cut(r)
	}
}

// write sends what is queued, and keep-alives, until the connection ends. It
// reports whether the response must be cut instead of ended.
func (s *Server) write(w *streamWriter, ctx context.Context, c *conn) (abort bool) {
	timer := time.NewTimer(s.cfg.keepAlive)
	defer timer.Stop()
	for {
		chunks, n, silent, end := c.take()
		for _, b := range chunks {
			if err := w.trickle(ctx, b, c); err != nil {
				s.dropped.Add(int64(n))
				return true
			}
		}
		if n > 0 || len(chunks) > 0 {
			if w.flush() != nil {
				s.dropped.Add(int64(n))
				return true
			}
			s.sent.Add(int64(n))
			s.reads.add(s.now(), n)
			timer.Reset(s.cfg.keepAlive)
		}
		if end != nil {
			if len(end.message) > 0 {
				if _, err := w.Write(end.message); err != nil || w.flush() != nil {
					return true
				}
			}
			return end.abort || end.cut
		}
		if len(chunks) > 0 {
			continue // there may be more by now
		}
		if silent > 0 {
			timer.Reset(silent)
		}
		select {
		case <-c.wake:
		case <-ctx.Done():
			return true
		case <-s.done:
			return true
		case <-timer.C:
			if silent == 0 && !c.isMuted() {
				if _, err := w.Write([]byte("\r\n")); err != nil || w.flush() != nil {
					return true
				}
			}
			timer.Reset(s.cfg.keepAlive)
		}
	}
}

// streamWriter writes a stream, compressed if the client asked for that.
type streamWriter struct {
	http.ResponseWriter
	ctl *http.ResponseController
	z   *gzip.Writer // nil without compression
}

// newStreamWriter is called before the header is sent.
func newStreamWriter(w http.ResponseWriter, r *http.Request, ctl *http.ResponseController) *streamWriter {
	sw := &streamWriter{ResponseWriter: w, ctl: ctl}
	for accepted := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		if strings.TrimSpace(accepted) == "gzip" {
			w.Header().Set("Content-Encoding", "gzip")
			sw.z = gzip.NewWriter(w)
			break
		}
	}
	return sw
}

func (w *streamWriter) Write(p []byte) (int, error) {
	if w.z != nil {
		return w.z.Write(p)
	}
	return w.ResponseWriter.Write(p)
}

func (w *streamWriter) flush() error {
	if w.z != nil {
		if err := w.z.Flush(); err != nil {
			return err
		}
	}
	return w.ctl.Flush()
}

func (w *streamWriter) close() error {
	if w.z != nil {
		return w.z.Close()
	}
	return nil
}

// trickle writes p, as slowly as the connection is meant to be.
func (w *streamWriter) trickle(ctx context.Context, p []byte, c *conn) error {
	for len(p) > 0 {
		n := len(p)
		if slow := c.trickle(); slow > 0 {
			n = min(n, slow)
		}
		if _, err := w.Write(p[:n]); err != nil {
			return err
		}
		if p = p[n:]; len(p) == 0 {
			return nil
		}
		if err := w.flush(); err != nil {
			return err
		}
		if err := pause(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// pause waits for a second, or until there is no need to trickle.
func pause(ctx context.Context, c *conn) error {
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	for c.trickle() > 0 {
		select {
		case <-timer.C:
			return nil
		case <-c.wake: // the writer looks again at what woke it
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// checkParams refuses query parameters that the endpoint does not know, as X
// does.
func checkParams(q map[string][]string, known []string) (Response, bool) {
	for name, values := range q {
		if !slices.Contains(known, name) {
			return invalidRequest(name, strings.Join(values, ","),
				"The query parameter ["+name+"] is not one of ["+strings.Join(known, ",")+"]"), false
		}
	}
	return Response{}, true
}
