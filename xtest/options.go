package xtest

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"time"

	"github.com/tweetstream-go/tweetstream/internal/rulelang"
)

// An Option sets up a [Server].
type Option func(*config)

type config struct {
	tokens      []string
	inMemory    bool
	tls         bool
	rate        float64
	limit       int
	seed        uint64
	topics      []string
	replay      io.Reader
	replayPath  string
	keepAlive   time.Duration
	connections int
	ruleDelay   time.Duration
	sample      float64
	rules       []rule
	noBackfill  bool
	enforce     bool
	history     int
	script      string
	faults      []fault
}

// Token makes the server accept these bearer tokens only; any other is answered
// 401. By default any token that is not empty is accepted.
func Token(tokens ...string) Option {
	return func(c *config) { c.tokens = append(c.tokens, tokens...) }
}

// InMemory makes [NewServer] open no socket: the server is reached through
// [Server.Client] only, as a testing/synctest bubble needs. URL then names port
// 0 of the loopback address, where no other client arrives.
func InMemory() Option {
	return func(c *config) { c.inMemory = true }
}

// Rule gives the server a rule from the beginning, as if it had been added by a
// program before. Its tag may be empty. By default there are none.
func Rule(tag, value string) Option {
	return func(c *config) { c.rules = append(c.rules, rule{Tag: tag, Value: value}) }
}

// Rate makes n Posts a second, n up to tens of thousands, fractions allowed;
// with [Replay] it plays n lines a second. By default, or at 0, no Posts are
// made and a replay runs as fast as it is read. A server that lags behind skips
// what is more than a second late, so that it never sends an avalanche.
func Rate(n float64) Option {
	return func(c *config) { c.rate = n }
}

// Limit stops [Rate] after n Posts. Streams stay open. By default there is no
// limit.
func Limit(n int) Option {
	return func(c *config) { c.limit = n }
}

// Seed chooses the made-up Posts: two servers with the same seed, clock and
// rules make the same ones. By default 1.
func Seed(n uint64) Option {
	return func(c *config) { c.seed = n }
}

// Topics makes every Post that [Rate] makes contain one of the words, as a word
// or as a hashtag. By default the Posts are made to match the rules in effect,
// and while there are none they are about everyday things.
func Topics(words ...string) Option {
	return func(c *config) { c.topics = append(c.topics, words...) }
}

// Replay plays the lines of r to the streams, byte for byte, each followed by
// "\r\n". It begins with the first stream connection, plays once, pauses while
// no stream is connected, and waits for slow readers; lines on their way when a
// connection ends are gone, as with X. At the end the streams stay open. Rules
// are not looked at (the streams also open without any), no Posts are made by
// [Rate], and recent search does not find the lines. Close does not close r, but
// it waits for a Read under way.
func Replay(r io.Reader) Option {
	return func(c *config) { c.replay, c.replayPath = r, "" }
}

// ReplayFile is [Replay] of a file, which the server opens at once and closes at
// the end.
func ReplayFile(path string) Option {
	return func(c *config) { c.replay, c.replayPath = nil, path }
}

// History lets recent search and backfill find the newest n Posts. By default
// they find 100,000, or less if these are more than 128 MiB; with History only
// their number counts. A Post takes 3 to 8 kB.
func History(n int) Option {
	return func(c *config) { c.history = n }
}

// KeepAlive sets how long a stream is silent before the server sends "\r\n". By
// default 20 s, as on X.
func KeepAlive(d time.Duration) Option {
	return func(c *config) { c.keepAlive = d }
}

// Connections allows n connections at once on each stream. By default 1, as on
// X's self-serve plans; the next one is answered 429 TooManyConnections.
func Connections(n int) Option {
	return func(c *config) { c.connections = n }
}

// RuleDelay lets a change of the rules take effect on the streams after d, as on
// X, where it takes some 20 s. The list shows it at once. By default 0.
func RuleDelay(d time.Duration) Option {
	return func(c *config) { c.ruleDelay = d }
}

// SampleFraction sets the part of all Posts that the sampled stream shows,
// between 0 and 1. By default 1, all of them.
func SampleFraction(f float64) Option {
	return func(c *config) { c.sample = f }
}

// newConfig applies the options and checks them, once, in this place.
func newConfig(opts []Option) (config, error) {
	c := config{seed: 1, history: -1, keepAlive: 20 * time.Second, connections: 1, sample: 1}
	for _, o := range opts {
		o(&c)
	}
	var errs []error
	bad := func(option, want string, got any) {
		errs = append(errs, fmt.Errorf("xtest: %s: %s, not %v", option, want, got))
	}
	for _, t := range c.tokens {
		if t == "" {
			bad("Token", "want a token", "an empty one")
		}
	}
	if c.rate < 0 || math.IsNaN(c.rate) || c.rate > 1e6 {
		bad("Rate", "want 0 to 1e6 Posts a second", c.rate)
	}
	if c.limit < 0 {
		bad("Limit", "want 0 or more Posts", c.limit)
	}
	if c.history < -1 {
		bad("History", "want 0 or more Posts", c.history)
	}
	if c.keepAlive <= 0 {
		bad("KeepAlive", "want a time above 0", c.keepAlive)
	}
	if c.connections < 1 {
		bad("Connections", "want 1 or more", c.connections)
	}
	if c.ruleDelay < 0 {
		bad("RuleDelay", "want 0 or more", c.ruleDelay)
	}
	if c.sample < 0 || c.sample > 1 || math.IsNaN(c.sample) {
		bad("SampleFraction", "want 0 to 1", c.sample)
	}
	for _, r := range c.rules {
		if _, err := rulelang.Parse(strings.TrimSpace(r.Value)); err != nil {
			bad("Rule", "want a rule that X takes", fmt.Sprintf("%.64q (%v)", r.Value, err))
		}
	}
	for _, w := range c.topics {
		if w == "" {
			bad("Topics", "want words", "an empty one")
		}
	}
	var err error
	if c.faults, err = parseFaults(c.script); err == nil {
		err = c.checkTLS(c.faults)
	}
	if err != nil {
		errs = append(errs, fmt.Errorf("xtest: Faults: %w", err))
	}
	if len(errs) == 0 && c.replayPath != "" {
		f, err := os.Open(c.replayPath)
		if err != nil {
			return c, fmt.Errorf("xtest: ReplayFile: %w", err)
		}
		if info, err := f.Stat(); err != nil || info.IsDir() {
			_ = f.Close()
			return c, fmt.Errorf("xtest: ReplayFile: %s is no file to read", c.replayPath)
		}
		c.replay = f
	}
	return c, errors.Join(errs...)
}
