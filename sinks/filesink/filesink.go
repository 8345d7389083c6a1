package filesink

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/tweetstream-go/tweetstream"
)

const (
	// maxLine is the longest message that is taken, so that a line can always
	// be held in memory. X's lines are limited to 4 MiB.
	maxLine = 32 << 20

	// writeSize is about how much goes out in one write. A batch can be as
	// large as the Streamer's buffer, and need not be held in memory twice.
	writeSize = 1 << 20
)

// A Sink writes Posts to a file or to standard output. It is a
// [tweetstream.Sink], safe for concurrent use; calls of Deliver take turns.
type Sink struct {
	out    output
	closed atomic.Bool
	turn   chan struct{} // holds a token while out is in use
}

// output is where lines go.
type output interface {
	deliver(ctx context.Context, tweets []*tweetstream.Tweet) error
	name() string
}

// An Option configures [Open]. There is none yet: the type keeps the place of
// those for rotation.
type Option func(*config)

type config struct{}

// Open opens the file at path for writing at its end, and makes it, and the
// folders it is in, where they are missing. It mends the last line and reads the
// ids of the last lines, which takes a moment however long the file is. The
// caller closes the Sink, after the Streamer's Run has returned.
//
// A path that is no regular file, or that another process has open, is an error.
func Open(path string, opts ...Option) (*Sink, error) {
	var c config
	for _, opt := range opts {
		opt(&c)
	}
	if path == "" || os.IsPathSeparator(path[len(path)-1]) {
		return nil, fmt.Errorf("filesink: open %q: this is not the name of a file", path)
	}
	path, err := filepath.Abs(path) // Deliver looks at it again, perhaps from another folder
	if err != nil {
		return nil, fmt.Errorf("filesink: %w", err)
	}
	a, err := openArchive(path)
	if err != nil {
		return nil, fmt.Errorf("filesink: %w", err)
	}
	return newSink(a), nil
}

// Stdout returns a Sink that writes to [os.Stdout], without syncing it.
//
// A Deliver waits for as long as the reader of a pipe takes nothing, beyond the
// end of its context too. When the reader has gone, SIGPIPE ends the program, as
// it ends others in a pipeline, unless the program handles it.
func Stdout() *Sink { return newSink(&stream{file: os.Stdout}) }

func newSink(out output) *Sink { return &Sink{out: out, turn: make(chan struct{}, 1)} }

// Defaults asks the Streamer for all tweets that are there, up to 10,000, without
// waiting for more: each Deliver costs a sync, for one tweet as for thousands.
func (s *Sink) Defaults() []tweetstream.SinkOption {
	return []tweetstream.SinkOption{tweetstream.Batch(10_000, 0)}
}

// Deliver writes each tweet's Raw and a line break. To a file it writes those
// whose ids are new, and returns once they are synced.
//
// Where Raw has line breaks in it, they are taken out with the other white space
// between values. A Raw that is empty, that is longer than 32 MiB, or that has
// line breaks and is not JSON is a [*tweetstream.TweetError] and
// [tweetstream.Permanent]; the other tweets are delivered. Any other error asks
// for the whole batch again, and holds nothing of the Posts.
//
// Once ctx is done no further write begins. After Close the error is
// [fs.ErrClosed].
func (s *Sink) Deliver(ctx context.Context, tweets []*tweetstream.Tweet) error {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.turn }()
	if s.closed.Load() {
		return fmt.Errorf("filesink: %w", &fs.PathError{Op: "write", Path: s.out.name(), Err: fs.ErrClosed})
	}
	return s.out.deliver(ctx, tweets)
}

// Close closes the file, after a Deliver that is under way. Standard output stays
// open, and is not waited for. Closing again does nothing.
func (s *Sink) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	a, ok := s.out.(*archive)
	if !ok {
		return nil
	}
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	if err := a.close(); err != nil {
		return fmt.Errorf("filesink: %w", err)
	}
	return nil
}

var (
	errEmpty   = errors.New("filesink: the message is empty")
	errTooLong = fmt.Errorf("filesink: the message is longer than %d MiB", maxLine>>20)
	errBroken  = errors.New("filesink: the message has line breaks and is not JSON")
)

// appendLine appends raw to dst as one line.
func appendLine(dst, raw []byte) ([]byte, error) {
	switch {
	case len(raw) == 0:
		return dst, errEmpty
	case len(raw) > maxLine:
		return dst, errTooLong
	case bytes.IndexByte(raw, '\n') >= 0 || bytes.IndexByte(raw, '\r') >= 0:
		var line bytes.Buffer
		if json.Compact(&line, raw) != nil {
			return dst, errBroken // json's own error would quote the message
		}
		raw = line.Bytes()
	}
	return append(append(dst, raw...), '\n'), nil
}

// refusal is the error for a tweet that will never make a line.
func refusal(t *tweetstream.Tweet, err error) error {
	return &tweetstream.TweetError{ID: t.ID, Err: tweetstream.Permanent(err)}
}
