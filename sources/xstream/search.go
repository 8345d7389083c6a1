package xstream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tweetstream-go/tweetstream"
)

const (
	recentPath   = "/2/tweets/search/recent"
	pageTimeout  = time.Minute
	maxPage      = 32 << 20
	smallestPage = 10
	largestPage  = 100
	// longestQuery is what search takes; rules may be twice as long.
	longestQuery = 512
	// searchDays is how far search goes back.
	searchDays = 7 * 24 * time.Hour
)

// epoch is where the time in X's ids begins, in milliseconds.
const epoch = 1288834974657

// firstID returns the lowest id that a Post of the time t can have.
func firstID(t time.Time) uint64 { return uint64(max(t.UnixMilli()-epoch, 0)) << 22 }

// idTime returns when the Post with this id was made; zero if the id does not
// tell: since November 2010 its upper bits do, before that ids were counted up, to
// some 30 billion.
func idTime(id string) time.Time {
	n, err := strconv.ParseUint(id, 10, 63)
	if err != nil || n < 1<<42 {
		return time.Time{}
	}
	return time.UnixMilli(int64(n>>22) + epoch)
}

// query is one question to recent search.
type question struct {
	rule         tweetstream.Rule
	since, until uint64 // ids: this one and later, before this one
	next         string // the page, empty for the first
	most         int    // Posts on a page
}

// page is a page of Posts, the newest first, as X sent it.
type page struct {
	posts    []json.RawMessage
	includes includes
	errors   includes // about what could not be included
	next     string
}

// A cutError is the end of an answer before its end: X has sent, and billed,
// Posts that did not come to be seen.
type cutError struct{ err error }

func (e *cutError) Error() string { return "read the answer: " + e.err.Error() }
func (e *cutError) Unwrap() error { return e.err }

var errPage = errors.New("the answer is not X's")

// search asks for one page.
func (s *Source) search(ctx context.Context, q question) (*page, http.Header, error) {
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	u := s.base.JoinPath(recentPath)
	params := url.Values{
		"query":       {q.rule.Value},
		"since_id":    {strconv.FormatUint(max(q.since, 1)-1, 10)},
		"until_id":    {strconv.FormatUint(q.until, 10)},
		"max_results": {strconv.Itoa(q.most)},
	}
	if q.next != "" {
		params.Set("next_token", q.next)
	}
	u.RawQuery = strings.TrimPrefix(s.query+"&"+params.Encode(), "&")
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, nil, withoutURL(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxPage+1))
	switch {
	case resp.StatusCode != http.StatusOK:
		return nil, resp.Header, s.refusal(resp.StatusCode, resp.Header, body[:min(len(body), 64<<10)])
	case err != nil:
		return nil, resp.Header, &cutError{err}
	case len(body) > maxPage:
		return nil, resp.Header, &cutError{fmt.Errorf("it is longer than %d MiB", maxPage>>20)}
	}
	p, err := parsePage(body)
	switch {
	case err == nil:
		return p, resp.Header, nil
	case !isHTML(resp.Header) && !json.Valid(body):
		return nil, resp.Header, &cutError{err}
	}
	// The whole of an answer with status 200 that has no Posts: nothing is billed.
	return nil, resp.Header, s.refusal(resp.StatusCode, resp.Header, body[:min(len(body), 64<<10)])
}

// parsePage reads a page. Nothing of a Post is looked at but what tells its
// includes from those of others.
func parsePage(body []byte) (*page, error) {
	if bytes.IndexByte(body, '\n') >= 0 {
		var line bytes.Buffer
		if json.Compact(&line, body) != nil {
			return nil, errPage // json's own error would quote it
		}
		body = line.Bytes()
	}
	var answer struct {
		Data     json.RawMessage            `json:"data"`
		Includes map[string]json.RawMessage `json:"includes"`
		Errors   json.RawMessage            `json:"errors"`
		Meta     *struct {
			Next string `json:"next_token"`
		} `json:"meta"`
	}
	var shape *json.UnmarshalTypeError
	if err := json.Unmarshal(body, &answer); err != nil && !errors.As(err, &shape) {
		return nil, errPage
	}
	p := &page{includes: includes{}}
	switch {
	case answer.Meta != nil:
		p.next = answer.Meta.Next
	case len(answer.Data) == 0:
		return nil, errPage // an error with status 200 is no page without Posts
	}
	if len(answer.Data) > 0 && json.Unmarshal(answer.Data, &p.posts) != nil {
		return nil, errPage
	}
	for kind, raw := range answer.Includes {
		p.includes.add(kind, raw)
	}
	p.errors = includes{}
	p.errors.add("errors", answer.Errors)
	return p, nil
}

// compose makes the message of a Post as the stream would have sent it.
func (p *page) compose(post json.RawMessage, rules []tweetstream.Rule) []byte {
	b := append([]byte(`{"data":`), post...)
	if own := p.includes.of(post); len(own) > 0 {
		b = append(append(b, `,"includes":`...), own...)
	}
	if own := p.errors.of(post); len(own) > 0 {
		b = append(append(b, ','), own[1:len(own)-1]...)
	}
	b = append(b, `,"matching_rules":[`...)
	for i, r := range rules {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(b, `{"id":`...), quote(r.ID)...)
		if r.Tag != "" {
			b = append(append(b, `,"tag":`...), quote(r.Tag)...)
		}
		b = append(b, '}')
	}
	return append(b, `]}`...)
}

// quote returns s as JSON, in which "<" and "&" stand as they are.
func quote(s string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always can be
	return bytes.TrimSpace(b.Bytes())
}
