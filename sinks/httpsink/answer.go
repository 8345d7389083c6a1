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

// judge says what an answer means for the tweets: the package comment has the
// list.
func (s *Sink) judge(resp *http.Response, answer []byte, b *body) error {
	status := resp.StatusCode
	if 200 <= status && status <= 299 {
		return nil
	}
	var text strings.Builder
	fmt.Fprintf(&text, "httpsink: POST %s: %d %s", s.shown, status, http.StatusText(status))
	if 300 <= status && status <= 399 {
		text.WriteString(": a redirect, which is not followed")
		if to, err := resp.Location(); err == nil && to.Host != "" {
			fmt.Fprintf(&text, ": give the URL itself: %s", s.clean(show(to), b))
		}
	}
	if piece := s.clean(strings.TrimSpace(string(answer)), b); piece != "" {
		fmt.Fprintf(&text, ": %q", cut(piece))
	}
	err := errors.New(text.String())
	if after, ok := retryAfter(resp.Header, time.Now()); ok {
		return tweetstream.RetryAfter(err, after)
	}
	switch status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return tweetstream.Permanent(err)
	}
	return err
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
	if n, err := strconv.ParseUint(v, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		d = time.Duration(min(n, uint64(maxRetryAfter/time.Second))) * time.Second
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
	// Text first cuts a long text short; the second one takes care of what Posts
	// has unescaped.
	return redact.Text(redact.Posts(redact.Text(text, s.secrets...), b.parts...), s.secrets...)
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
