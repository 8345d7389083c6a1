package xtest

import (
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// NoBackfill refuses backfill_minutes, as X does on plans without it. By default
// it brings what was sent in that time.
func NoBackfill() Option {
	return func(c *config) { c.noBackfill = true }
}

// backfillMinutes reads the parameter of a request for a stream.
func (s *Server) backfillMinutes(r *http.Request) (minutes int, refused Response, ok bool) {
	v := r.URL.Query().Get("backfill_minutes")
	if v == "" || v == "0" {
		return 0, Response{}, true
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 || n > 5 {
		return 0, invalidRequest("backfill_minutes", v, "The `backfill_minutes` query parameter value ["+v+"] is not between 0 and 5"), false
	}
	switch s.backfillRefused.Load() {
	case http.StatusBadRequest:
		return 0, invalidRequest("backfill_minutes", v, "The `backfill_minutes` query parameter is not available to your client"), false
	case http.StatusForbidden:
		return 0, Problem(http.StatusForbidden), false
	}
	return n, Response{}, true
}

// backfill writes the Posts of the last minutes, in the manner of X: what the
// client has had already comes again, some of it twice, and not in order.
func (s *Server) backfill(w io.Writer, sample bool, minutes int) error {
	since := s.now().Add(-time.Duration(minutes) * time.Minute)
	rules := s.rules.inEffect(s.now())
	var missed [][]byte
	s.history.newest(func(e *entry) bool {
		if e.at.Before(since) {
			return false
		}
		if line := e.line(sample, rules); line != nil {
			missed = append(missed, line)
		}
		return true
	})
	slices.Reverse(missed)
	for i := 0; i+1 < len(missed); i += 2 {
		missed[i], missed[i+1] = missed[i+1], missed[i]
	}
	for i, line := range missed {
		n := 1
		if i%7 == 0 {
			line, n = append(line, line...), 2
		}
		if _, err := w.Write(line); err != nil {
			return err
		}
		s.sent.Add(int64(n))
		s.reads.add(s.now(), n)
	}
	return nil
}

// line is the Post as a stream sends it, nil if no rule matches.
func (e *entry) line(sample bool, rules []*rule) []byte {
	b := append([]byte(`{"data":`), e.data...)
	if len(e.includes) > 0 {
		b = append(append(b, `,"includes":`...), e.includes...)
	}
	if len(e.fault) > 0 {
		b = append(append(append(b, `,"errors":[`...), e.fault...), ']')
	}
	if !sample {
		n := len(b)
		if b = appendRules(b, rules, e.seen()); len(b) == n {
			return nil
		}
	}
	return append(b, "}\r\n"...)
}
