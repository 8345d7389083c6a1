package deadletter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/internal/logfile"
)

// maxLine is how long a torn line may be that is mended: far longer than any
// letter, for each must be taken.
const maxLine = 256 << 20

// File is a dead-letter file and its segments. It is made by [Open], and safe for
// concurrent use.
type File struct {
	config
	path string
	turn chan struct{} // holds a token while the fields below are in use

	log      *logfile.File
	begun    time.Time // when the first letter of log was kept; zero if there is none
	last     time.Time // when the last one was
	segments []logfile.Segment
	named    string // the segment whose letters were named in the log, to be deleted
	stuck    bool   // segments could not be renamed, read or deleted, and it was said
	warned   bool   // of 80 %
	closed   bool

	mu    sync.Mutex
	stats Stats
}

// Stats are figures of a [File] since Open.
type Stats struct {
	Kept    uint64 // letters
	Dropped uint64 // letters in segments that were deleted for their age or size
	Bytes   int64  // in the file and its segments, when Keep last returned
}

// An Option configures [Open].
type Option func(*config)

type config struct {
	maxBytes int64
	maxAge   time.Duration
	logger   *slog.Logger
}

// MaxBytes sets how large the file and its segments may become together, before
// the oldest segment is deleted. What one Keep brings is never deleted by the same
// Keep, however large. By default 1 GiB, at least 1 MiB.
func MaxBytes(n int64) Option { return func(c *config) { c.maxBytes = n } }

// MaxAge sets how old the letters of a segment may become, before it is deleted.
// By default 30 days.
func MaxAge(d time.Duration) Option { return func(c *config) { c.maxAge = d } }

// Logger sets where it is said that letters were dropped. By default nowhere, so
// that it should be given.
func Logger(l *slog.Logger) Option { return func(c *config) { c.logger = l } }

func (c *config) validate() error {
	var errs []error
	if c.maxBytes < 1<<20 {
		errs = append(errs, fmt.Errorf("deadletter: MaxBytes: at least 1 MiB is needed, got %d bytes", c.maxBytes))
	}
	if c.maxAge <= 0 {
		errs = append(errs, fmt.Errorf("deadletter: MaxAge: want more than 0, got %v", c.maxAge))
	}
	if c.logger == nil {
		errs = append(errs, errors.New("deadletter: Logger: nothing given"))
	}
	return errors.Join(errs...)
}

// Open opens the file at path, and makes it, and the folders it is in, where they
// are missing. It mends the last line. The caller closes the File, after the
// Streamer's Run has returned.
//
// A path that is no regular file, or that another process has open, is an error.
func Open(path string, opts ...Option) (*File, error) {
	f := &File{turn: make(chan struct{}, 1)}
	f.config = config{maxBytes: 1 << 30, maxAge: 30 * 24 * time.Hour, logger: slog.New(slog.DiscardHandler)}
	for _, opt := range opts {
		opt(&f.config)
	}
	if err := f.validate(); err != nil {
		return nil, err
	}
	if path == "" || os.IsPathSeparator(path[len(path)-1]) {
		return nil, fmt.Errorf("deadletter: open %q: this is not the name of a file", path)
	}
	var err error
	if f.path, err = filepath.Abs(path); err != nil { // Keep looks at it again, perhaps from another folder
		return nil, fmt.Errorf("deadletter: %w", err)
	}
	if f.log, err = logfile.Open(f.path, maxLine, f.opened); err != nil {
		return nil, fmt.Errorf("deadletter: %w", err)
	}
	f.tidy(time.Now(), 0)
	f.stats.Bytes = f.size()
	return f, nil
}

// opened sees when the letters in the file were kept.
func (f *File) opened(file *os.File, size int64) error {
	f.begun, f.last = time.Time{}, time.Time{}
	if size == 0 {
		return nil
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	f.begun, f.last = info.ModTime(), info.ModTime()
	first, err := firstLine(io.NewSectionReader(file, 0, size))
	if err != nil {
		return err
	}
	if l, err := Parse(first); err == nil && l.Last.Before(f.begun) && !l.Last.IsZero() {
		f.begun = l.Last
	}
	return nil
}

// Keep writes letters to the file and returns once they are synced. It is a
// [tweetstream.DeadLetter]; calls take turns. After an error none of the letters
// is there, and the same letters may be given again. Once ctx is done, no write
// begins. After Close the error is [fs.ErrClosed].
func (f *File) Keep(ctx context.Context, letters []tweetstream.Letter) error {
	var lines []byte
	for _, l := range letters {
		lines = appendLine(lines, l)
	}
	select {
	case f.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-f.turn }()
	if f.closed {
		return fmt.Errorf("deadletter: %w", &fs.PathError{Op: "write", Path: f.path, Err: fs.ErrClosed})
	}
	if err := ctx.Err(); err != nil || len(letters) == 0 {
		return err
	}
	if err := f.write(lines); err != nil {
		return fmt.Errorf("deadletter: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stats.Kept += uint64(len(letters))
	f.stats.Bytes = f.size()
	return nil
}

func (f *File) write(lines []byte) error {
	if err := f.log.Ready(); err != nil {
		return err
	}
	now := time.Now()
	f.tidy(now, int64(len(lines)))
	// It may have gone on in a new file, or have failed to.
	if err := f.log.Ready(); err != nil {
		return err
	}
	if err := f.log.Write(lines); err != nil {
		return err
	}
	if err := f.log.Commit(); err != nil {
		return err
	}
	if f.begun.IsZero() {
		f.begun = now
	}
	f.last = now
	f.warn()
	return nil
}

// Stats returns the figures at this moment. It may be called at any time.
func (f *File) Stats() Stats {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stats
}

// Close closes the file, after a Keep that is under way. Closing again does
// nothing.
func (f *File) Close() error {
	f.turn <- struct{}{}
	defer func() { <-f.turn }()
	if f.closed {
		return nil
	}
	f.closed = true
	if err := f.log.Close(); err != nil {
		return fmt.Errorf("deadletter: %w", err)
	}
	return nil
}
