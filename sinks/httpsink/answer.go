package httpsink

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/internal/redact"
)

// A problem is an answer other than 2xx, and what is wrong with one of 207.
type problem struct {
	status int
	text   string
}

func (p *problem) Error() string { return p.text }

// problem makes an error of an answer; advice may be empty.
func (s *Sink) problem(resp *http.Response, advice string, answer []byte, b *body) *problem {
	var text strings.Builder
	fmt.Fprintf(&text, "httpsink: POST %s: %d %s", s.shown, resp.StatusCode, http.StatusText(resp.StatusCode))
	if advice != "" {
		text.WriteString(": " + advice)
	}
	if piece := s.clean(strings.TrimSpace(string(answer)), b); piece != "" {
		fmt.Fprintf(&text, ": %q", cut(piece))
	}
	return &problem{resp.StatusCode, text.String()}
}

// postsFault reports whether a status says that the Post is at fault.
func postsFault(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return true
	}
	return false
}

// judge says what an answer means for the tweets: the package comment has the
// list.
func (s *Sink) judge(resp *http.Response, answer []byte, b *body) error {
	status := resp.StatusCode
	if 200 <= status && status <= 299 {
		s.throttle.over()
		if status == http.StatusMultiStatus {
			return s.report(resp, answer, b)
		}
		return nil
	}
	var advice string
	switch {
	case 300 <= status && status <= 399:
		advice = "a redirect, which is not followed"
		if to, err := resp.Location(); err == nil && to.Host != "" {
			advice += ": give the URL itself: " + s.clean(show(to), b)
		}
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		advice = "the receiver does not let this sender in: see to the credentials, the secret and the clock"
	case status == http.StatusNotFound || status == http.StatusGone:
		advice = "nothing takes Posts at this URL (any more): see to the URL"
	}
	err := s.problem(resp, advice, answer, b)
	if after, ok := retryAfter(resp.Header, time.Now()); ok {
		return tweetstream.RetryAfter(err, after)
	}
	switch {
	case status == http.StatusTooManyRequests:
		return tweetstream.RetryAfter(err, s.throttle.more(time.Now()))
	case !postsFault(status):
		return err
	}
	if named := s.named(resp, answer, b); named != nil {
		return named
	}
	return tweetstream.Permanent(err)
}

// The limits of what a receiver may ask for. Of less than a second, a receiver
// that says 0 on and on would be asked on and on.
const (
	minRetryAfter = time.Second
	maxRetryAfter = 5 * time.Minute
)

// retryAfter reads Retry-After, which is a number of seconds or a date. A date is
// judged by the answer's own, for the receiver's clock may be wrong.
func retryAfter(h http.Header, now time.Time) (time.Duration, bool) {
	v := strings.TrimSpace(h.Get("Retry-After"))
	var d time.Duration
	// Of a number that is too large, ParseInt returns the largest.
	if n, err := strconv.ParseInt(v, 10, 64); n >= 0 && (err == nil || errors.Is(err, strconv.ErrRange)) {
		d = time.Duration(min(n, int64(maxRetryAfter/time.Second))) * time.Second
	} else {
		at, err := http.ParseTime(v)
		if err != nil {
			return 0, false
		}
		if date, err := http.ParseTime(h.Get("Date")); err == nil {
			now = date
		}
		d = at.Sub(now)
	}
	return min(max(d, minRetryAfter), maxRetryAfter), true
}

// A failure is that of a request without an answer. What it comes from may quote
// the Posts or a secret, and can therefore be compared with, but not taken out.
type failure struct {
	text string
	err  error
}

func (f *failure) Error() string        { return f.text }
func (f *failure) Is(target error) bool { return errors.Is(f.err, target) }

// failure makes an error of what the client says.
func (s *Sink) failure(err error, b *body) error {
	var e *url.Error
	if errors.As(err, &e) {
		err = e.Err // without the address, which has the query in it
	}
	// What the client quotes is what it was sent in place of an answer.
	text, _, quotes := strings.Cut(err.Error(), `"`)
	if quotes {
		text += "[…]"
	}
	return &failure{fmt.Sprintf("httpsink: POST %s: %s", s.shown, s.clean(text, b)), err}
}

// clean returns text that somebody else made as it may be shown.
func (s *Sink) clean(text string, b *body) string {
	if text == "" {
		return ""
	}
	posts := b.parts
	if s.encoder != nil {
		posts = b.quoted()
	}
	// Text first cuts a long text short; the second one takes care of what Posts
	// has unescaped.
	return redact.Text(redact.Posts(redact.Text(text, s.secrets...), posts...), s.secrets...)
}

// cut leaves room for the rest of an error.
func cut(s string) string {
	const length = 160
	if len(s) <= length {
		return s
	}
	n := length
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
