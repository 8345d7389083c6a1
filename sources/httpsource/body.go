package httpsource

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"os"
	"time"
	"unicode/utf8"

	"github.com/tweetstream-go/tweetstream"
)

const (
	// bodyTime is how long a body may take to come.
	bodyTime = 30 * time.Second

	// bodyTimeX is how long it may take from X, which wants its answer within
	// ten seconds: with patience, it has it within eight.
	bodyTimeX = 3 * time.Second

	// bodies is how many of the longest bodies all of them may be at once.
	bodies = 8

	// maxMessages is the limit of a batch; the Streamer makes none that is
	// longer.
	maxMessages = 100_000

	// maxListed is how many bad messages an answer lists.
	maxListed = 100
)

// body is that of one request, as far as it was read.
type body struct {
	data  []byte
	held  int64 // bytes of the Source's memory
	array bool  // it is JSON and begins with [
}

// read reads the body of a request, within the limits.
func (s *Source) read(b *body, w http.ResponseWriter, r *http.Request, f form) *refusal {
	// How much JSON may be read is known when it has begun.
	limit, begun := s.message, f.lines
	if f.lines {
		limit = s.batch
	}
	tooLarge := func() *refusal {
		return refuse(http.StatusRequestEntityTooLarge, "size", "want a body of %d bytes at most", limit)
	}
	if r.ContentLength > int64(s.batch) {
		limit = s.batch
		return tooLarge()
	}
	var src io.Reader = http.MaxBytesReader(w, r.Body, int64(s.batch))
	// Memory is taken as the bytes come: who announces a long body has not sent
	// it yet.
	next := 64 << 10
	if !f.zipped && 0 < r.ContentLength && r.ContentLength < 1<<20 {
		next = int(r.ContentLength) + 1 // with one to see the end by
	}
	var err error
	if f.zipped {
		src, err = gzip.NewReader(src)
	}
	for {
		if err == nil {
			if len(b.data) == cap(b.data) && !s.grow(b, min(max(next, 2*cap(b.data)), limit+1)) {
				return refuse(http.StatusServiceUnavailable, "busy", "the requests under way hold too much")
			}
			var n int
			n, err = src.Read(b.data[len(b.data):cap(b.data)])
			b.data = b.data[:len(b.data)+n]
			if first := bytes.TrimLeft(b.data, space); !begun && len(first) > 0 {
				begun = true
				if b.array = first[0] == '['; b.array {
					limit = s.batch
				} else if !f.zipped && r.ContentLength > int64(limit) {
					return tooLarge()
				}
			}
		}
		var large *http.MaxBytesError
		var corrupt flate.CorruptInputError
		switch {
		case len(b.data) > limit:
			return tooLarge() // a little that unpacks to much
		case f.zipped && (errors.As(err, &corrupt) || errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum)):
			return refuse(http.StatusUnsupportedMediaType, "encoding", "the body is not gzip, or damaged")
		case err == io.EOF:
			return nil
		case errors.As(err, &large):
			return tooLarge()
		case errors.Is(err, os.ErrDeadlineExceeded):
			return refuse(http.StatusRequestTimeout, "body", "the body did not come in time")
		case err != nil:
			// Not 400: that would say that the Post is bad.
			return refuse(http.StatusRequestTimeout, "body", "the body did not come as a whole")
		}
	}
}

// space is what JSON takes for white space.
const space = " \t\r\n"

// grow makes room in a body. It reports false if all of them together hold too
// much.
func (s *Source) grow(b *body, size int) bool {
	// The old memory counts until the request ends, which is no loss: all of it
	// together is less than the last.
	b.held += int64(size)
	if s.memory.Add(int64(size)) > bodies*int64(s.batch) {
		return false
	}
	b.data = append(make([]byte, 0, size), b.data...)
	return true
}

var (
	errNoJSON  = errors.New("not a JSON object, or bytes behind it")
	errNoArray = errors.New("not a JSON array from here on, or bytes behind it")
	errTooLong = errors.New("over the limit for a message")
)

// parse makes tweets of a body. They share no memory with it, so that one tweet
// that is kept does not keep a whole body.
func (s *Source) parse(b *body, f form) (tweets []*tweetstream.Tweet, repaired uint64, _ *refusal) {
	received := time.Now()
	take := func(raw []byte) error {
		t, err := s.parseMessage(raw)
		if err != nil {
			return err
		}
		t.Received = received
		tweets = append(tweets, t)
		if !utf8.Valid(raw) {
			repaired++
		}
		return nil
	}
	var messages iter.Seq2[badMessage, []byte]
	switch {
	case f.lines:
		messages = lines(b.data)
	case b.array:
		messages = elements(b.data)
	default:
		if err := take(b.data); err != nil {
			return nil, 0, refuse(http.StatusBadRequest, "message", "%v", err)
		}
		return tweets, repaired, nil
	}
	var (
		listed  []badMessage
		bad     int
		tooLong bool
	)
	for m, raw := range messages {
		if len(tweets)+bad == maxMessages {
			return nil, 0, refuse(http.StatusRequestEntityTooLarge, "size", "want %d messages at most", maxMessages)
		}
		if m.Error == "" {
			err := take(raw)
			if err == nil {
				continue
			}
			m.Error = err.Error()
			tooLong = tooLong || err == errTooLong
		}
		bad++
		if len(listed) < maxListed {
			listed = append(listed, m)
		}
	}
	status, reason := http.StatusBadRequest, "message"
	switch {
	case bad == 0 && len(tweets) == 0:
		return nil, 0, refuse(status, reason, "the body holds no message")
	case bad == 0:
		return tweets, repaired, nil
	case tooLong:
		status, reason = http.StatusRequestEntityTooLarge, "size"
	}
	refused := refuse(status, reason, "none of the messages is stored, for %d can't be", bad)
	refused.Messages = listed
	return nil, 0, refused
}

func (s *Source) parseMessage(raw []byte) (*tweetstream.Tweet, error) {
	if len(raw) > s.message {
		return nil, errTooLong
	}
	// ParseTweet takes much on trust of X, which a sender is not given.
	if !json.Valid(raw) {
		return nil, errNoJSON
	}
	t, err := tweetstream.ParseTweet(bytes.Clone(bytes.TrimSpace(raw)))
	if err != nil {
		return nil, fmt.Errorf("no Post: %w", err)
	}
	return t, nil
}

// lines yields the lines that hold anything, and which they are.
func lines(data []byte) iter.Seq2[badMessage, []byte] {
	return func(yield func(badMessage, []byte) bool) {
		number := 0
		for line := range bytes.Lines(data) {
			number++
			if line = bytes.TrimSpace(line); len(line) > 0 && !yield(badMessage{Line: number}, line) {
				return
			}
		}
	}
}

// elements yields the elements of an array, and which they are. Where it turns out
// to be none, it yields an error and ends.
func elements(data []byte) iter.Seq2[badMessage, []byte] {
	return func(yield func(badMessage, []byte) bool) {
		d := json.NewDecoder(bytes.NewReader(data))
		_, err := d.Token() // [
		n := 0
		for ; err == nil && d.More(); n++ {
			var raw json.RawMessage
			if err = d.Decode(&raw); err != nil {
				break
			}
			if !yield(badMessage{Index: new(n)}, raw) {
				return
			}
		}
		if err == nil {
			_, err = d.Token() // ]
		}
		if err == nil {
			if _, err = d.Token(); err == io.EOF {
				return
			}
		}
		yield(badMessage{Index: new(n), Error: errNoArray.Error()}, nil)
	}
}
