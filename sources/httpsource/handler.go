package httpsource

import (
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/tweetstream-go/tweetstream/internal/webhook"
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
	Line  int    `json:"line,omitempty"`  // counted from 1
	Index *int   `json:"index,omitempty"` // in an array, counted from 0
	Error string `json:"error"`
}

func refuse(status int, reason, format string, args ...any) *refusal {
	return &refusal{status: status, reason: reason, Error: fmt.Sprintf(format, args...)}
}

// taken is a request that is answered 2xx.
type taken struct {
	posts, repaired uint64
	replayed        bool
	byX             bool
}

// ServeHTTP takes the Posts of one request. It is safe for concurrent use, at any
// time.
func (s *Source) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.x != nil && r.Method == http.MethodGet {
		s.challenge(w, r)
		return
	}
	t, refused := s.take(w, r)
	s.mu.Lock()
	s.stats.Requests++
	if refused == nil {
		s.stats.Posts += t.posts
		s.stats.Repaired += t.repaired
		if t.replayed {
			s.stats.Replayed++
		}
	}
	s.mu.Unlock()
	switch {
	case refused != nil:
		s.answer(w, refused)
	case t.byX:
		w.WriteHeader(http.StatusOK) // which is what X asks for
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// answer counts and writes a refusal.
func (s *Source) answer(w http.ResponseWriter, refused *refusal) {
	s.mu.Lock()
	if s.stats.Refused == nil {
		s.stats.Refused = map[string]uint64{}
	}
	s.stats.Refused[refused.reason]++
	s.mu.Unlock()
	h := w.Header()
	switch refused.status {
	case http.StatusMethodNotAllowed:
		h.Set("Allow", http.MethodPost)
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", "Bearer") // RFC 9110 wants one
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		h.Set("Retry-After", "1")
	case http.StatusUnsupportedMediaType:
		h.Set("Accept-Encoding", "gzip") // RFC 9110, 15.5.16
	case http.StatusRequestTimeout, http.StatusRequestEntityTooLarge:
		h.Set("Connection", "close") // what is left of the body is not read
	}
	writeJSON(w, refused.status, refused)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // who has gone needs no answer
}

// challenge answers a GET, which from X has a crc_token.
func (s *Source) challenge(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.stats.Requests++
	s.mu.Unlock()
	if !s.served.Has(r.Host) {
		s.answer(w, foreign())
		return
	}
	token, err := s.x.Challenge(r.URL.Query().Get("crc_token"))
	if err != nil {
		s.answer(w, refuse(http.StatusBadRequest, "challenge", "%v", err))
		return
	}
	s.mu.Lock()
	s.stats.Challenges++
	s.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]string{"response_token": token})
}

func foreign() *refusal {
	return refuse(http.StatusMisdirectedRequest, "host", "this Host is not served here: the option Hosts lists those that are")
}

// take brings what a request holds into the log.
func (s *Source) take(w http.ResponseWriter, r *http.Request) (t taken, _ *refusal) {
	// Before anything else, for the server reads on in a body that is refused.
	limit := bodyTime
	if s.x != nil && webhook.HasX(r.Header) {
		limit = bodyTimeX
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(limit)) // not every server can
	f, refused := s.admit(r)
	if refused != nil {
		return t, refused
	}
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	default:
		return t, refuse(http.StatusServiceUnavailable, "busy", "%d requests are under way", s.requests)
	}
	var b body
	defer func() { s.memory.Add(-b.held) }()
	if refused := s.read(&b, w, r, f); refused != nil {
		return t, refused
	}

	t.byX = f.signed == byX
	mac, refused := s.verify(f.signed, r, b.data)
	if refused != nil {
		s.rates.back()
		return t, refused
	}
	if f.signed != unsigned && s.seen.has(mac) {
		t.replayed = true
		return t, nil
	}
	ts, repaired, refused := s.parse(&b, f)
	if refused != nil {
		return t, refused
	}
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	// The error is not told: whatever it is, the sender tries again.
	switch err := s.emit(ctx, ts); {
	case err != nil && !s.running():
		return t, s.stopped()
	case err != nil:
		return t, refuse(http.StatusServiceUnavailable, "held", "the log takes nothing at the moment")
	}
	if f.signed != unsigned {
		s.seen.add(mac)
	}
	t.posts, t.repaired = uint64(len(ts)), repaired
	return t, nil
}

func (s *Source) stopped() *refusal {
	return refuse(http.StatusServiceUnavailable, "stopped", "the stream does not run")
}

// form is what the headers of a request say of its body.
type form struct {
	lines  bool // NDJSON
	zipped bool
	signed scheme
}

// admit decides on a request by all but its body.
func (s *Source) admit(r *http.Request) (f form, refused *refusal) {
	if !s.served.Has(r.Host) {
		return f, foreign()
	}
	if r.Method != http.MethodPost {
		return f, refuse(http.StatusMethodNotAllowed, "method", "want POST")
	}
	if s.origins.Check(r) != nil {
		return f, refuse(http.StatusForbidden, "origin", "requests of pages of other sites are refused")
	}
	if s.authorize != nil && s.authorize(r) != nil {
		return f, refuse(http.StatusUnauthorized, "authorization", "not authorized")
	}
	if f.signed, refused = s.scheme(r); refused != nil {
		return f, refused
	}
	switch kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type")); {
	case err != nil || len(r.Header["Content-Type"]) > 1 || kind != "application/json" && kind != "application/x-ndjson":
		return f, refuse(http.StatusUnsupportedMediaType, "type", "want application/json, a message or an array of them, or application/x-ndjson, one message a line")
	case params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8"):
		return f, refuse(http.StatusUnsupportedMediaType, "type", "want UTF-8")
	default:
		f.lines = kind == "application/x-ndjson"
	}
	codings := strings.Join(r.Header.Values("Content-Encoding"), ",")
	for coding := range strings.SplitSeq(codings, ",") {
		switch coding = strings.ToLower(strings.TrimSpace(coding)); {
		case coding == "" || coding == "identity":
		case coding == "gzip" && !f.zipped:
			f.zipped = true
		default:
			return f, refuse(http.StatusUnsupportedMediaType, "encoding", "want a body that is not compressed, or once, with gzip")
		}
	}
	if !s.running() {
		return f, s.stopped() // the body need not be read
	}
	if !s.rates.take(time.Now()) {
		return f, refuse(http.StatusTooManyRequests, "rate", "want %d requests a second at most", s.rate)
	}
	return f, nil
}
