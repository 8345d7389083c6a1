package boltjournal

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// An Option configures [Open].
type Option func(*config)

type config struct {
	limit       int64
	floor       int64
	age         time.Duration
	history     int64
	lockTimeout time.Duration
	logger      *slog.Logger

	chunkCount  uint64 // a chunk of that many tweets is full
	chunkBytes  uint64 // or of that many bytes
	ids         uint64 // how many ids are known at least
	syncedPages int    // up to so many free pages their list is stored with each commit
	free        func(dir string) (uint64, bool)
	failed      func() error // for tests: what a commit says after it is done
}

const (
	defaultLimit = 8 << 30
	defaultFloor = 512 << 20
	minLimit     = 1 << 20
)

func defaults() config {
	return config{
		limit:       defaultLimit,
		floor:       defaultFloor,
		logger:      slog.New(slog.DiscardHandler),
		chunkCount:  4096,
		ids:         1_000_000,
		syncedPages: 16 << 10,
		free:        freeDisk,
	}
}

// Limit sets how many bytes the journal may use. What counts is what is in use,
// with all that the file's structure adds: the file itself never shrinks, and may
// be larger after an outage. A journal that is full takes no tweets, so that the
// source is held, until the sinks have made room; it drops none.
//
// By default it is 8 GiB; it must be 1 MiB at least.
func Limit(bytes int64) Option { return func(c *config) { c.limit = bytes } }

// FreeDisk sets how many bytes must stay free on the disk. With fewer, the
// journal takes no tweets for which the file would have to grow. By default it is
// 512 MiB; 0 lets the journal fill the disk. Where a system doesn't say what is
// free, it has no effect.
func FreeDisk(bytes int64) Option { return func(c *config) { c.floor = bytes } }

// History keeps tweets that all sinks have passed: each for the time age after it
// was stored, and no more than so many bytes of them. An age of 0 is no limit of
// age, 0 bytes is none of size. Where the journal would be full, history makes
// room first.
//
// By default, what all sinks have passed is dropped. Where no sink has a cursor
// (because all are Live, for example), nothing has been passed: then History
// alone says what is kept, and without it all is.
func History(age time.Duration, bytes int64) Option {
	return func(c *config) {
		c.age, c.history = age, bytes
		if age == 0 && bytes == 0 {
			c.age = -1 // refused by validate
		}
	}
}

// LockTimeout sets how long Start waits while another process has the journal.
// By default it waits until its context is done.
func LockTimeout(d time.Duration) Option {
	return func(c *config) {
		c.lockTimeout = d
		if d == 0 {
			c.lockTimeout = -1 // refused by validate
		}
	}
}

// Logger sets where the journal says that it waits in standby, fills up, is
// damaged or has forgotten a cursor. By default it says nothing.
func Logger(l *slog.Logger) Option { return func(c *config) { c.logger = l } }

func (c *config) validate() error {
	var errs []error
	refuse := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("boltjournal: "+format, args...))
	}
	if c.limit < minLimit {
		refuse("Limit(%d): the least is %d", c.limit, minLimit)
	}
	if c.floor < 0 {
		refuse("FreeDisk(%d): it can't be negative", c.floor)
	}
	if c.age < 0 || c.history < 0 {
		refuse("History: an age or a size must be given, and neither be negative")
	}
	if c.lockTimeout < 0 {
		refuse("LockTimeout: it must be positive")
	}
	if c.logger == nil {
		refuse("Logger(nil)")
	}
	if c.chunkBytes == 0 {
		c.chunkBytes = uint64(min(16<<20, c.limit/16))
	}
	return errors.Join(errs...)
}
