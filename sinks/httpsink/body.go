package httpsink

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net"
	"strings"
	"sync"

	"github.com/tweetstream-go/tweetstream"
)

// body is what a request carries. It shares the memory of the tweets.
type body struct {
	id     string // the same whenever the same tweets are sent
	kind   string
	tweets []*tweetstream.Tweet // that are in it
	parts  [][]byte
	size   int64
}

// encoder is what [Encode] has set.
type encoder struct {
	kind   string
	encode func([]*tweetstream.Tweet) ([]byte, error)
}

// encode returns the body for tweets, and the errors of those that are not in it.
// If it has no size there is nothing to send.
func (s *Sink) encode(tweets []*tweetstream.Tweet) (b *body, refused []error, err error) {
	if s.encoder == nil {
		b, refused = newBody(tweets)
		return b, refused, nil
	}
	// The slice is the Streamer's, and f is not ours.
	data, err := s.encoder.encode(append([]*tweetstream.Tweet(nil), tweets...))
	if err != nil {
		return nil, nil, err
	}
	return &body{requestID(tweets), s.encoder.kind, tweets, [][]byte{data}, int64(len(data))}, nil, nil
}

// newBody returns tweets as they came.
func newBody(tweets []*tweetstream.Tweet) (b *body, refused []error) {
	if len(tweets) == 1 && len(tweets[0].Raw) > 0 {
		raw := tweets[0].Raw
		return &body{requestID(tweets), "application/json", tweets, [][]byte{raw}, int64(len(raw))}, nil
	}
	b = &body{kind: "application/x-ndjson", tweets: tweets, parts: make([][]byte, 0, 2*len(tweets))}
	for i, t := range tweets {
		line, err := oneLine(t.Raw)
		if err != nil {
			if len(refused) == 0 {
				b.tweets = append([]*tweetstream.Tweet(nil), tweets[:i]...)
			}
			refused = append(refused, &tweetstream.TweetError{ID: t.ID, Err: tweetstream.Permanent(err)})
			continue
		}
		if len(refused) > 0 {
			b.tweets = append(b.tweets, t)
		}
		b.parts = append(b.parts, line, lineBreak)
		b.size += int64(len(line) + len(lineBreak))
	}
	b.id = requestID(b.tweets)
	return b, refused
}

var lineBreak = []byte{'\n'}

// longestID is the length of the longest Post id that is sent as it is.
const longestID = 64

// requestID returns the Post's own id, or one of all ids of a batch.
func requestID(tweets []*tweetstream.Tweet) string {
	if len(tweets) == 1 && len(tweets[0].ID) <= longestID && !strings.ContainsFunc(tweets[0].ID, odd) {
		return tweets[0].ID
	}
	h := sha256.New()
	for _, t := range tweets {
		_, _ = io.WriteString(h, t.ID+"\n")
	}
	return "batch-" + hex.EncodeToString(h.Sum(nil)[:16])
}

// odd reports whether r may not stand in an id that is signed.
func odd(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_')
}

// open returns a reader of the body, each time a new one.
func (b *body) open() (io.ReadCloser, error) {
	if len(b.parts) == 1 {
		// net/http knows this one: it goes out in one write with the headers.
		return io.NopCloser(bytes.NewReader(b.parts[0])), nil
	}
	parts := append(make(net.Buffers, 0, len(b.parts)), b.parts...)
	return io.NopCloser(&parts), nil
}

// gzipFrom is the size from which on it is worth while.
const gzipFrom = 1 << 10

var zippers = sync.Pool{New: func() any {
	z, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // a level that there is
	return z
}}

// compress returns the body in gzip.
func (b *body) compress() *body {
	var out bytes.Buffer
	z := zippers.Get().(*gzip.Writer)
	defer zippers.Put(z)
	z.Reset(&out)
	for _, part := range b.parts {
		_, _ = z.Write(part) // into memory
	}
	_ = z.Close()
	return &body{parts: [][]byte{out.Bytes()}, size: int64(out.Len())}
}

// quoted returns what an answer may quote.
func (b *body) quoted() [][]byte {
	all := append([][]byte(nil), b.parts...)
	for _, t := range b.tweets {
		all = append(all, t.Raw)
	}
	return all
}

var (
	errEmpty  = errors.New("httpsink: the message is empty")
	errBroken = errors.New("httpsink: the message has line breaks and is not JSON")
)

func oneLine(raw []byte) ([]byte, error) {
	if len(raw) == 0 {
		return nil, errEmpty
	}
	if bytes.IndexByte(raw, '\n') < 0 && bytes.IndexByte(raw, '\r') < 0 {
		return raw, nil
	}
	var line bytes.Buffer
	if json.Compact(&line, raw) != nil {
		return nil, errBroken // json's own error would quote the message
	}
	return line.Bytes(), nil
}

// array is the encoder of [Array]. A Raw that is no JSON would spoil those of the
// whole batch.
func array(tweets []*tweetstream.Tweet) ([]byte, error) {
	var refused []error
	size := 2
	for _, t := range tweets {
		if !json.Valid(t.Raw) {
			refused = append(refused, &tweetstream.TweetError{ID: t.ID, Err: tweetstream.Permanent(errNoJSON)})
		}
		size += len(t.Raw) + 1
	}
	if len(refused) == len(tweets) {
		return nil, errors.Join(refused...)
	}
	if len(refused) > 0 {
		return nil, tweetstream.Permanent(errNoJSON) // the batch is split
	}
	data := append(make([]byte, 0, size), '[')
	for i, t := range tweets {
		if i > 0 {
			data = append(data, ',')
		}
		data = append(data, t.Raw...)
	}
	return append(data, ']'), nil
}

var errNoJSON = errors.New("httpsink: the message is not JSON")
