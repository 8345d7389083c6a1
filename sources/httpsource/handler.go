package httpsource

import (
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"time"
)

// A refusal is an answer other than 204.
type refusal struct {
	status int
	reason string // in Stats

	Error    string       `json:"error"`
	Messages []badMessage `json:"messages,omitempty"`
}

// badMessage is a message of a batch that can't be taken.
type badMessage struct {
	Line  int    `json:"line"` // counted from 1
	Error string `json:"error"`
}

func refuse(status int, reason, format string, args ...any) *refusal {
	return &refusal{status: status, reason: reason, Error: fmt.Sprintf(format, args...)}
}

// ServeHTTP takes the Posts of one request. It is safe for concurrent use, at any
// time.
func (s *Source) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	posts, repaired, refused := s.take(w, r)
	s.mu.Lock()
	s.stats.Requests++
	if refused == nil {
		s.stats.Posts += uint64(posts)
		s.stats.Repaired += uint64(repaired)
	} else {
		if s.stats.Refused == nil {
			s.stats.Refused = map[string]uint64{}
		}
		s.stats.Refused[refused.reason]++
	}
	s.mu.Unlock()

	h := w.Header()
	if refused == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	switch refused.status {
	case http.StatusMethodNotAllowed:
		h.Set("Allow", http.MethodPost)
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", "Bearer") // RFC 9110 wants one
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", "1")
	case http.StatusRequestTimeout, http.StatusRequestEntityTooLarge:
		h.Set("Connection", "close") // what is left of the body is not read
	}
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(refused.status)
	_ = json.NewEncoder(w).Encode(refused) // who has gone needs no answer
}

// take brings what a request holds into the log.
func (s *Source) take(w http.ResponseWriter, r *http.Request) (posts, repaired int, _ *refusal) {
	// Before anything else, for the server reads on in a body that is refused.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(bodyTime)) // not every server can
	batch, refused := s.admit(r)
	if refused != nil {
		return 0, 0, refused
	}
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	default:
		return 0, 0, refuse(http.StatusServiceUnavailable, "busy", "%d requests are under way", s.requests)
	}
	var b body
	defer func() { s.memory.Add(-b.held) }()
	if refused := s.read(&b, w, r, batch); refused != nil {
		return 0, 0, refused
	}
	// An old deadline would end the wait for the log.
	_ = control.SetReadDeadline(time.Time{})

	ts, repaired, refused := s.parse(b.data, batch)
	if refused != nil {
		return 0, 0, refused
	}
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	// The error is not told: whatever it is, the sender tries again.
	switch err := s.emit(ctx, ts); {
	case err != nil && !s.running():
		return 0, 0, s.stopped()
	case err != nil:
		return 0, 0, refuse(http.StatusServiceUnavailable, "held", "the log takes nothing at the moment")
	}
	return len(ts), repaired, nil
}

func (s *Source) stopped() *refusal {
	return refuse(http.StatusServiceUnavailable, "stopped", "the stream does not run")
}

// admit decides on a request by all but its body. batch says what the body is.
func (s *Source) admit(r *http.Request) (batch bool, _ *refusal) {
	if !s.served.Has(r.Host) {
		return false, refuse(http.StatusMisdirectedRequest, "host", "this Host is not served here: the option Hosts lists those that are")
	}
	if r.Method != http.MethodPost {
		return false, refuse(http.StatusMethodNotAllowed, "method", "want POST")
	}
	if s.origins.Check(r) != nil {
		return false, refuse(http.StatusForbidden, "origin", "requests of pages of other sites are refused")
	}
	if s.authorize != nil && s.authorize(r) != nil {
		return false, refuse(http.StatusUnauthorized, "authorization", "not authorized")
	}
	switch kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type")); {
	case err != nil || kind != "application/json" && kind != "application/x-ndjson":
		return false, refuse(http.StatusUnsupportedMediaType, "type", "want application/json, one message, or application/x-ndjson, one message a line")
	case params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8"):
		return false, refuse(http.StatusUnsupportedMediaType, "type", "want UTF-8")
	default:
		batch = kind == "application/x-ndjson"
	}
	for _, coding := range r.Header.Values("Content-Encoding") {
		if !strings.EqualFold(coding, "identity") && coding != "" {
			return false, refuse(http.StatusUnsupportedMediaType, "encoding", "want a body that is not compressed")
		}
	}
	if !s.running() {
		return false, s.stopped() // the body need not be read
	}
	return batch, nil
}
