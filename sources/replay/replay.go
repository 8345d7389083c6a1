package replay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"sync"

	"github.com/tweetstream-go/tweetstream"
)

// Source is a [tweetstream.Source] that reads files. It is made by [Open].
type Source struct {
	config

	mu    sync.Mutex
	stats Stats
}

// Stats are figures of a [Source].
type Stats struct {
	File      string // that is read, or was read last
	Line      int    // that was read last
	Tweets    uint64 // handed over, tombstones too
	Others    uint64 // lines passed by because of [Sink]
	Malformed uint64 // lines left out because they can't be read
	Oversized uint64 // lines left out because they are too long
	Ended     bool   // all was read to the end
}

// An Option configures [Open].
type Option func(*config)

type config struct {
	paths  []string
	logger *slog.Logger
	pace   float64
	paced  bool
	sink   string
	one    bool // sink is given
}

// Also reads these files after the one given to Open.
func Also(paths ...string) Option {
	return func(c *config) { c.paths = append(c.paths, paths...) }
}

// Sink replays only the letters of the sink with this name, and those of no sink
// (a global transform has failed), which it did not get either. Messages that are
// no letters are passed by.
func Sink(name string) Option {
	return func(c *config) { c.sink, c.one = name, true }
}

// Pace replays at the pace at which the Posts came, times factor: with 10, an hour
// takes six minutes. What counts is when a letter's tweet was received, or else
// when the Post was made (data.created_at). A Post that is older than those before
// it, or of no known time, does not wait. By default nothing does.
func Pace(factor float64) Option {
	return func(c *config) { c.pace, c.paced = factor, true }
}

// Logger sets the logger. By default the Source is silent. No Post's text is ever
// logged.
func Logger(l *slog.Logger) Option {
	return func(c *config) { c.logger = l }
}

// Open returns a Source that reads the file at path, or standard input for "-".
// It finds out whether the files can be read, and keeps none of them open.
func Open(path string, opts ...Option) (*Source, error) {
	c := config{paths: []string{path}, logger: slog.New(slog.DiscardHandler)}
	for _, opt := range opts {
		opt(&c)
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	for _, p := range c.paths {
		if err := readable(p); err != nil {
			return nil, fmt.Errorf("replay: %w", err)
		}
	}
	return &Source{config: c}, nil
}

func (c *config) validate() error {
	var errs []error
	if c.logger == nil {
		errs = append(errs, errors.New("replay: Logger: nothing given"))
	}
	if c.paced && !(c.pace > 0 && !math.IsInf(c.pace, 0)) {
		errs = append(errs, fmt.Errorf("replay: Pace: want more than 0, got %v", c.pace))
	}
	if c.one && c.sink == "" {
		errs = append(errs, errors.New("replay: Sink: the name is empty"))
	}
	for _, p := range c.paths {
		if p == "" {
			errs = append(errs, errors.New("replay: a path is empty"))
		}
		if p == stdin && len(c.paths) > 1 {
			errs = append(errs, errors.New("replay: standard input (-) stands alone"))
			break
		}
	}
	return errors.Join(errs...)
}

// CanWait tells the Streamer that sinks may hold this source back.
func (s *Source) CanWait() bool { return true }

// Stats returns the figures at this moment. It may be called at any time.
func (s *Source) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// count changes the figures.
func (s *Source) count(change func(*Stats)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.stats)
}

// Stream reads the files, and returns nil at the end of the last one or when ctx
// is done. It is called by the Streamer.
func (s *Source) Stream(ctx context.Context, from []byte, emit tweetstream.Emit) error {
	at, err := decodeState(from)
	if err != nil {
		return err
	}
	r := &run{Source: s, emit: emit, pace: pacer{factor: s.pace, logger: s.logger}}
	begin, err := s.find(at)
	if err != nil {
		return fmt.Errorf("replay: %w", err)
	}
	if at != nil && begin.file == nil {
		s.logger.Warn("the stored state is that of another file: the replay begins at the beginning", "file", s.paths[0])
	}
	for i, path := range s.paths {
		if i < begin.path {
			continue
		}
		err := r.path(ctx, path, begin)
		begin = beginning{}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("replay: %w", err)
		}
	}
	s.count(func(st *Stats) { st.Ended = true })
	return nil
}

// readable finds out whether the file, or its segments, can be read.
func readable(path string) error {
	if path == stdin {
		return nil
	}
	info, err := os.Stat(path)
	switch {
	case os.IsNotExist(err):
		if segments, err := segmentsAfter(path, beginning{}); err == nil && len(segments) > 0 {
			return nil
		}
		return err
	case err != nil:
		return err
	case info.IsDir():
		return errFolder(path)
	case !info.Mode().IsRegular():
		return nil // to open a pipe may take from it
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return f.Close()
}
