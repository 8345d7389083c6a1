package xstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/g8rswimmer/go-twitter/v2"

	"github.com/tweetstream-go/tweetstream"
)

// DefaultBaseURL is where X's API is.
const DefaultBaseURL = "https://api.x.com"

const (
	lineLimit = 4 << 20
	// X sends a keep-alive every 20 s. With 20 s one in three would come too
	// late.
	stall = 21 * time.Second
)

// Source reads the stream of one app. It is made by [New], and is safe for
// concurrent use; Stream may run once at a time, for X allows one connection.
type Source struct {
	token  TokenSource
	base   *url.URL
	client *http.Client
	api    *twitter.Client
	logger *slog.Logger
	prune  string
	sample bool
	query  string

	back       time.Duration // for recovery
	posts      int           // likewise
	backfill   time.Duration
	noBackfill atomic.Bool // X has refused it
	budget     budget

	takeOver bool
	stopHeld bool
	gzip     bool
	attempts attempts

	secret, former atomic.Value // the token and the one before it, strings, to be taken out of texts
	saidOpen       atomic.Bool  // that others can read the token
	saidToken      atomic.Bool  // that the token can't be had

	syncing sync.Mutex // held while the rules at X are brought in line

	mu       sync.Mutex
	declared []tweetstream.Rule
	rules    map[string]tweetstream.Rule // at X, by id
	stats    Stats
	tags     map[string]*TagStats

	unsearched  map[string]string // rules that search does not take, and why, by value
	saidReposts bool
}

// New returns a source that takes its token from token. It does no I/O.
func New(token TokenSource, opts ...Option) (*Source, error) {
	c := config{
		base:   DefaultBaseURL,
		logger: slog.New(slog.DiscardHandler),
		fields: map[string][]string{},

		back:     15 * time.Minute,
		posts:    1000,
		cycleDay: 1,
		price:    0.005,
	}
	for param, names := range fields {
		c.fields[param] = names
	}
	for _, opt := range opts {
		opt(&c)
	}
	errs := c.problem
	bad := func(option, format string, args ...any) {
		errs = append(errs, fmt.Errorf("xstream: %s: %s", option, fmt.Sprintf(format, args...)))
	}
	if token == nil {
		bad("New", "the token source is nil")
	}
	base, err := checkBase(c.base)
	if err != nil {
		bad("BaseURL", "%v", err)
	}
	if c.logger == nil {
		bad("Logger", "the logger is nil")
	}
	if c.client != nil && c.client.Timeout != 0 {
		bad("HTTPClient", "its Timeout of %v would end the stream", c.client.Timeout)
	}
	if c.prune != nil && *c.prune == "" {
		bad("Prune", "the prefix is empty: it would delete every rule that is not declared, of other programs too")
	}
	if c.sample && (len(c.rules) > 0 || c.prune != nil) {
		bad("Sample", "the sampled stream knows no rules")
	}
	seen := map[string]bool{}
	for i, r := range c.rules {
		switch {
		case strings.TrimSpace(r.Value) == "":
			bad("Rules", "rule %d (tag %.64q) has no value", i+1, r.Tag)
		case seen[r.Value]:
			bad("Rules", "rule %d (tag %.64q) has the value of another rule", i+1, r.Tag)
		}
		seen[r.Value] = true
	}
	c.checkMoney(bad)
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	s := &Source{
		token:      token,
		base:       base,
		logger:     c.logger,
		declared:   c.rules,
		sample:     c.sample,
		query:      query(c.fields),
		back:       c.back,
		posts:      c.posts,
		backfill:   c.backfill,
		budget:     budget{price: c.price, cycleDay: c.cycleDay},
		tags:       map[string]*TagStats{},
		unsearched: map[string]string{},
		takeOver:   c.takeOver,
		stopHeld:   c.stopHeld,
		gzip:       c.gzip,
	}
	switch {
	case c.budget != nil:
		s.budget.limit = *c.budget
	case isX(base):
		s.budget.limit = DefaultBudget
	}
	if c.prune != nil {
		s.prune = *c.prune
	}
	s.client = s.newClient(c.client)
	s.api = s.newAPI()
	return s, nil
}

// Stream reads the stream until ctx is done, through as many connections as it
// takes. It returns an error for what only people can mend. It is the Streamer
// that calls it; the state it emits is the time up to which it heard X.
func (s *Source) Stream(ctx context.Context, from []byte, emit tweetstream.Emit) error {
	p, err := s.newPosition(from, emit)
	if err != nil {
		return err
	}
	ctx, end := p.start(ctx)
	defer end()
	policy := newReconnect()
	synced := s.sample
	without := 0 // how often X had no rules, though they were declared
	said := ""   // the last trouble that was logged
	stood := false
	for ctx.Err() == nil {
		if !synced {
			err = s.SyncRules(ctx)
			synced = err == nil
		}
		if err := p.afford(ctx); err != nil {
			return err
		}
		if ctx.Err() != nil {
			break
		}
		if synced {
			c := &connection{Source: s, pos: p}
			err = c.run(ctx)
			if c.healthy {
				policy.healthy()
				said, without = "", 0
			}
			stood = stood || c.brought || c.healthy
		}
		if ctx.Err() != nil {
			break
		}
		if errors.Is(err, errSpent) {
			continue
		}
		if noRules(err) && len(s.wanted()) > 0 && without < 5 {
			// Somebody has deleted them. That they are there again takes X some
			// 20 s to notice.
			synced = false
			without++
		} else if isFatal(err) && !(stood && isForeign(err)) {
			return err
		}
		if s.stopHeld && held(err) != "" {
			return err
		}
		if isInvalidRules(err) {
			synced = s.sample
		}
		said = s.rest(ctx, policy, err, said)
	}
	return p.failed(ctx)
}

// noRules reports whether X refused the stream because it has no rules.
func noRules(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == http.StatusConflict
}

// isForeign reports whether the answer is not X's own: a page of a proxy, or of
// what guards X. Where a stream has stood it is no wrong setting, but passes.
func isForeign(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.foreign
}

func isInvalidRules(err error) bool {
	var told *disconnectError
	return errors.As(err, &told) && told.kind == "InvalidRules"
}

func isFatal(err error) bool {
	var (
		answer *Error
		token  *tokenError
		rule   *RuleError
		ours   *emitError
	)
	return errors.As(err, &answer) && answer.fatal() || errors.As(err, &token) || errors.As(err, &rule) || errors.As(err, &ours)
}
