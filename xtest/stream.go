package xtest

import (
	"context"
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
	if v := r.URL.Query().Get("backfill_minutes"); v != "" && (len(v) != 1 || v < "0" || v > "5") {
		s.answer(w, r, invalidRequest("backfill_minutes", v, "The `backfill_minutes` query parameter value ["+v+"] is not between 0 and 5"))
		return
	}
	if !sample && s.cfg.replay == nil && s.rules.empty() {
		s.answer(w, r, Problem(http.StatusConflict))
		return
	}
	ctl := http.NewResponseController(w)
	c := newConn(ctl, sample)
	if !s.hub.add(c, s.cfg.connections) {
		s.answer(w, r, TooManyConnections())
		return
	}
	s.connects.Add(1)
	s.header(w, r, http.StatusOK)
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(http.StatusOK)
	err := ctl.Flush()
	s.source.Do(s.startPump)

	var abort bool
	if err == nil {
		abort = s.write(w, r.Context(), c)
	}
	s.hub.remove(c)
	s.dropped.Add(int64(c.finish()))
	if abort || err != nil {
		cut(r)
	}
}

// write sends what is queued, and keep-alives, until the connection ends. It
// reports whether the response must be cut instead of ended.
func (s *Server) write(w http.ResponseWriter, ctx context.Context, c *conn) (abort bool) {
	timer := time.NewTimer(s.cfg.keepAlive)
	defer timer.Stop()
	for {
		chunks, n, silent, end := c.take()
		for _, b := range chunks {
			if _, err := w.Write(b); err != nil {
				s.dropped.Add(int64(n))
				return true
			}
		}
		if n > 0 || len(chunks) > 0 {
			if c.ctl.Flush() != nil {
				s.dropped.Add(int64(n))
				return true
			}
			s.sent.Add(int64(n))
			timer.Reset(s.cfg.keepAlive)
		}
		if end != nil {
			if len(end.message) > 0 {
				if _, err := w.Write(end.message); err != nil || c.ctl.Flush() != nil {
					return true
				}
			}
			return end.abort
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
			if silent == 0 {
				if _, err := w.Write([]byte("\r\n")); err != nil || c.ctl.Flush() != nil {
					return true
				}
			}
			timer.Reset(s.cfg.keepAlive)
		}
	}
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
