package httpsink

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"time"

	"github.com/tweetstream-go/tweetstream"
)

// report is an answer that speaks of single messages of a batch, as package
// httpsource answers, and others may.
type report struct {
	Messages []struct {
		Line   int    `json:"line"`   // counted from 1
		Index  *int   `json:"index"`  // or counted from 0
		ID     string `json:"id"`     // or the Post's id
		Status int    `json:"status"` // 0: it is refused
		Error  string `json:"error"`
	} `json:"messages"`
}

// soon is when a batch comes again that is smaller now, or of another form.
const soon = 10 * time.Millisecond

// said is what a report says of a message.
type said struct {
	text      string
	delivered bool
	refused   bool // else it may come again
}

// read returns what a report says, by the place in the batch; nil if this is none
// or speaks of messages that were not sent.
func (s *Sink) read(resp *http.Response, answer []byte, b *body) map[int]said {
	if kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil
	}
	var r report
	if json.Unmarshal(answer, &r) != nil || r.Messages == nil {
		return nil
	}
	places := make(map[string]int, len(b.tweets))
	for i, t := range b.tweets {
		places[t.ID] = i
	}
	of := make(map[int]said, len(r.Messages))
	texts := map[string]string{} // cleaned: they tend to be the same
	for _, m := range r.Messages {
		i := m.Line - 1
		if m.Index != nil {
			i = *m.Index
		}
		if m.ID != "" {
			var ok bool
			if i, ok = places[m.ID]; !ok {
				return nil
			}
		}
		if i < 0 || i >= len(b.tweets) {
			return nil
		}
		text, ok := texts[m.Error]
		if !ok && len(texts) < 16 {
			text = cut(s.clean(m.Error, b))
			texts[m.Error] = text
		}
		status := m.Status
		of[i] = said{text, 200 <= status && status <= 299, status == 0 || postsFault(status)}
	}
	return of
}

// tweetError is what is said of a message as an error.
func (s *Sink) tweetError(t *tweetstream.Tweet, resp *http.Response, m said) error {
	var err error = &problem{resp.StatusCode, fmt.Sprintf("httpsink: POST %s: %d %s: of this message: %q", s.shown, resp.StatusCode, http.StatusText(resp.StatusCode), m.text)}
	if m.refused {
		err = tweetstream.Permanent(err)
	}
	return &tweetstream.TweetError{ID: t.ID, Err: err}
}

// report reads an answer of 207: what it does not speak of is delivered. One that
// can't be read says nothing, and all comes again.
func (s *Sink) report(resp *http.Response, answer []byte, b *body) error {
	of := s.read(resp, answer, b)
	if of == nil {
		return s.problem(resp, "which of the messages were refused can't be read", answer, b)
	}
	var errs []error
	for i, t := range b.tweets {
		if m, ok := of[i]; ok && !m.delivered {
			errs = append(errs, s.tweetError(t, resp, m))
		}
	}
	return errors.Join(errs...)
}

var errOthers = errors.New("httpsink: the receiver has refused other messages of the batch, and stored none of it")

// named reads the answer to a batch that was refused as a whole: those that are
// named are refused, and all others come again without them. It is nil if none is.
func (s *Sink) named(resp *http.Response, answer []byte, b *body) error {
	if len(b.tweets) < 2 {
		return nil
	}
	of := s.read(resp, answer, b)
	refused := 0
	errs := make([]error, 0, len(b.tweets))
	for i, t := range b.tweets {
		if m, ok := of[i]; ok && m.refused && !m.delivered {
			errs = append(errs, s.tweetError(t, resp, m))
			refused++
			continue
		}
		errs = append(errs, &tweetstream.TweetError{ID: t.ID, Err: tweetstream.RetryAfter(errOthers, soon)})
	}
	if refused == 0 {
		return nil
	}
	return errors.Join(errs...)
}
