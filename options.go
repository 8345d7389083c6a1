package tweetstream

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"
)

// An Option configures a [Streamer]. [New] checks all of them.
type Option func(*config)

type config struct {
	sinks      []sinkConfig
	transforms []Transform
	journal    Journal
	checkpoint string
	deadLetter DeadLetter
	logger     *slog.Logger
	buffer     int
	dedup      int
	drain      time.Duration

	set map[string]bool // the options that were given
}

// WithSink plugs in a sink. At least one is needed. The name stands in logs,
// figures and dead letters, and is the name of the sink's cursor in a journal:
// letters, digits and hyphens, as in "postgres" or "archive-2".
func WithSink(name string, sink Sink, opts ...SinkOption) Option {
	return func(c *config) {
		s := sinkConfig{
			name:       name,
			sink:       sink,
			max:        1,
			timeout:    15 * time.Second,
			retryFirst: 500 * time.Millisecond,
			retryMax:   30 * time.Second,
			workers:    1,
			from:       Newest,
			set:        map[string]bool{},
		}
		if d, ok := sink.(interface{ Defaults() []SinkOption }); ok {
			s.apply(d.Defaults())
		}
		s.apply(opts)
		c.sinks = append(c.sinks, s)
	}
}

func (s *sinkConfig) apply(opts []SinkOption) {
	for _, opt := range opts {
		if opt == nil {
			s.set["nil"] = true
			continue
		}
		opt(s)
	}
}

// WithTransform passes every tweet through fs, in this order, before it goes
// into the log. Given again, it adds to the transforms.
func WithTransform(fs ...Transform) Option {
	return func(c *config) { c.transforms = append(c.transforms, fs...) }
}

// WithJournal keeps the log on disk, as package journal/boltjournal does: nothing
// in it is lost by a crash, and a sink can be gone for as long as the disk can
// hold. By default the log is in memory only.
func WithJournal(j Journal) Option {
	return func(c *config) { c.journal = j; c.set["WithJournal"] = true }
}

// WithCheckpoint keeps the source's state in a file, so that the next run of
// the program goes on where this one ended. The file is written at most once a
// second, behind the slowest sink: a restart asks again for what a sink did not
// have yet. By default a restart begins at now. A journal keeps the state by
// itself, so that the two exclude each other.
func WithCheckpoint(path string) Option {
	return func(c *config) { c.checkpoint = path; c.set["WithCheckpoint"] = true }
}

// WithDeadLetter hands tweets that a sink will not get to d: the file of package
// deadletter, or any function. By default they are named in the log: the first
// id, the last id and how many.
func WithDeadLetter(d DeadLetter) Option {
	return func(c *config) { c.deadLetter = d; c.set["WithDeadLetter"] = true }
}

// WithLogger sets the logger. By default the Streamer is silent. No token and
// no Post's text is ever logged.
func WithLogger(l *slog.Logger) Option {
	return func(c *config) { c.logger = l; c.set["WithLogger"] = true }
}

// WithBuffer sets how many bytes of tweets the log keeps in memory for sinks that
// have not read them yet: their messages, and 256 bytes for each. By default
// 64 MiB, at least 1 MiB.
func WithBuffer(bytes int) Option {
	return func(c *config) { c.buffer = bytes }
}

// WithDedup sets how many of the newest ids are remembered at the least, so as
// to drop repeats; 0 lets repeats pass. By default 1,000,000, which take some
// 40 MB once that many have come.
func WithDedup(ids int) Option {
	return func(c *config) { c.dedup = ids }
}

// WithDrain sets how long sinks may go on when the Streamer is stopped. By
// default 10 s.
func WithDrain(d time.Duration) Option {
	return func(c *config) { c.drain = d }
}

// A SinkOption configures how tweets are handed to one sink.
type SinkOption func(*sinkConfig)

type sinkConfig struct {
	name        string
	sink        Sink
	max         int
	wait        time.Duration
	timeout     time.Duration
	retryFirst  time.Duration
	retryMax    time.Duration
	giveUpAfter time.Duration
	whenFull    Overflow
	workers     int
	through     []Transform
	from        Position
	live        int

	set map[string]bool // the options that were given
}

// Batch hands over up to max tweets in one Deliver. A batch that is not full
// goes out when its first tweet has waited for wait; with no wait it is what is
// there. By default 1 tweet and no wait.
func Batch(max int, wait time.Duration) SinkOption {
	return func(s *sinkConfig) { s.max, s.wait = max, wait }
}

// Timeout ends the context of a Deliver after d. By default 15 s.
func Timeout(d time.Duration) SinkOption {
	return func(s *sinkConfig) { s.timeout = d }
}

// Retry sets the wait after a failed Deliver: first, then doubling up to max,
// each of them jittered by half. By default 500 ms and 30 s.
func Retry(first, max time.Duration) SinkOption {
	return func(s *sinkConfig) { s.retryFirst, s.retryMax = first, max }
}

// GiveUp sends a tweet to the dead letter when it has failed for that long. By
// default a tweet is tried for ever.
func GiveUp(after time.Duration) SinkOption {
	return func(s *sinkConfig) { s.giveUpAfter = after; s.set["GiveUp"] = true }
}

// WhenFull sets what happens when the buffer is full of tweets that this sink
// has not read. By default [DropOldest], or [Block] when the source can wait.
// With a journal neither is needed: the disk holds them.
func WhenFull(o Overflow) SinkOption {
	return func(s *sinkConfig) { s.whenFull = o; s.set["WhenFull"] = true }
}

// Overflow is a choice for [WhenFull].
type Overflow int

const (
	DropOldest Overflow = iota + 1 // the sink misses its oldest tweets: counted, and named in the dead letter
	Block                          // the source waits; no sink gets new tweets meanwhile
)

// Parallel lets up to n batches be delivered at the same time. The sink must be
// safe for concurrent use, and the order is lost: a tombstone too may come before
// its Post. By default 1.
func Parallel(n int) SinkOption {
	return func(s *sinkConfig) { s.workers = n }
}

// Through passes each tweet through fs on its way to this sink alone. Given
// again, it adds to the transforms.
func Through(fs ...Transform) SinkOption {
	return func(s *sinkConfig) { s.through = append(s.through, fs...) }
}

// From sets where a sink begins whose name the journal does not know: at the
// Newest, which is the default, or at the Oldest tweet that is kept. A known
// name goes on where it was. Without a journal every sink begins with the run.
func From(p Position) SinkOption {
	return func(s *sinkConfig) { s.from = p }
}

// Live stores no cursor for this sink: at each start it begins with the newest
// n tweets of the journal. It is for sinks that show, not keep. Without a
// journal it changes nothing.
func Live(n int) SinkOption {
	return func(s *sinkConfig) { s.live = n; s.set["Live"] = true }
}

var sinkName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)

// validate returns an error that names each option that can't be used.
func (c *config) validate() error {
	var errs []error
	bad := func(option, format string, args ...any) {
		errs = append(errs, fmt.Errorf("tweetstream: %s: %s", option, fmt.Sprintf(format, args...)))
	}
	if len(c.sinks) == 0 {
		bad("WithSink", "at least one sink is needed")
	}
	for _, f := range c.transforms {
		if f == nil {
			bad("WithTransform", nilTransform)
		}
	}
	for _, o := range []struct {
		name    string
		missing bool
	}{
		{"WithJournal", c.journal == nil},
		{"WithCheckpoint", c.checkpoint == ""},
		{"WithDeadLetter", c.deadLetter == nil},
		{"WithLogger", c.logger == nil},
	} {
		if o.missing && c.set[o.name] {
			bad(o.name, "nothing given")
		}
	}
	if c.journal != nil && c.checkpoint != "" {
		bad("WithCheckpoint", "a journal keeps the state by itself")
	}
	if c.buffer < 1<<20 {
		bad("WithBuffer", "at least 1 MiB is needed, got %d bytes", c.buffer)
	}
	if c.dedup < 0 {
		bad("WithDedup", "%d is negative", c.dedup)
	}
	if c.drain < 0 {
		bad("WithDrain", "%v is negative", c.drain)
	}
	names := map[string]bool{}
	for i := range c.sinks {
		s := &c.sinks[i]
		if !sinkName.MatchString(s.name) {
			bad("WithSink", "name %.64q: want a lower-case letter, then letters, digits and hyphens, 63 at most", s.name)
		} else if names[s.name] {
			bad("WithSink", "name %q is given twice", s.name)
		}
		names[s.name] = true
		s.validate(func(option, format string, args ...any) {
			bad(fmt.Sprintf("sink %.64q: %s", s.name, option), format, args...)
		})
	}
	return errors.Join(errs...)
}

func (s *sinkConfig) validate(bad func(option, format string, args ...any)) {
	const maxBatch, maxParallel = 100_000, 1_000
	if f, ok := s.sink.(SinkFunc); s.sink == nil || ok && f == nil {
		bad("WithSink", "the sink is nil")
	}
	if s.set["nil"] {
		bad("WithSink", "an option is nil")
	}
	if s.max < 1 || s.max > maxBatch {
		bad("Batch", "want 1 to %d tweets, got %d", maxBatch, s.max)
	}
	if s.wait < 0 {
		bad("Batch", "wait %v is negative", s.wait)
	}
	if s.timeout <= 0 {
		bad("Timeout", "want more than 0, got %v", s.timeout)
	}
	if s.retryFirst <= 0 || s.retryMax < s.retryFirst {
		bad("Retry", "want 0 < first <= max, got %v and %v", s.retryFirst, s.retryMax)
	}
	if s.set["GiveUp"] && s.giveUpAfter <= 0 {
		bad("GiveUp", "want more than 0, got %v", s.giveUpAfter)
	}
	if s.set["WhenFull"] && s.whenFull != DropOldest && s.whenFull != Block {
		bad("WhenFull", "want DropOldest or Block")
	}
	if s.workers < 1 || s.workers > maxParallel {
		bad("Parallel", "want 1 to %d, got %d", maxParallel, s.workers)
	}
	for _, f := range s.through {
		if f == nil {
			bad("Through", nilTransform)
		}
	}
	if s.from != Oldest && s.from != Newest {
		bad("From", "want Oldest or Newest")
	}
	if s.live < 0 {
		bad("Live", "%d is negative", s.live)
	}
}
