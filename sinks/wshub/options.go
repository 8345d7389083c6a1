package wshub

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/tweetstream-go/tweetstream/internal/hosts"
)

// An Option configures a [Hub]. [New] checks all of them.
type Option func(*config)

type config struct {
	newest        int
	history       History
	maxLag        int64
	maxAge        time.Duration
	skipSlow      bool
	maxViewers    int
	maxPerAddress int // 0: no limit
	ping          time.Duration
	compress      bool
	hosts         []string
	served        hosts.List
	origins       []string
	authorize     func(*http.Request) error
	logger        *slog.Logger

	set map[string]bool // the options that were given
}

// Newest sets with how many messages a new viewer begins: the newest, oldest
// first, then what comes live, without a hole and none twice. A viewer with a
// filter gets those of them that it asked for. There are fewer when they would
// take more than half the bytes of [MaxLag], which is what a hub keeps, and one
// may ask for another number with ?replay=. By default 50; 0 is none.
func Newest(n int) Option { return func(c *config) { c.newest = n } }

// Resume sets where viewers who come back find the Posts that the hub does not
// keep itself any more, or, after a restart, not yet: a sink of package sqlsink,
// or [JournalHistory]. By default there is nothing: they go on with what the hub
// has, and are told of the gap.
func Resume(h History) Option {
	return func(c *config) { c.history, c.set["Resume"] = h, true }
}

// MaxLag sets how far a viewer may fall behind: bytes of the log that wait for
// it, whether or not its filter lets them through, and the age of the message
// that it is at. A viewer beyond either is cut off with close code 1013. The
// bytes are memory, but once for all viewers. By default 16 MiB and 30 s, at
// least 64 KiB.
func MaxLag(bytes int64, age time.Duration) Option {
	return func(c *config) { c.maxLag, c.maxAge = bytes, age }
}

// SkipSlow lets a viewer who is beyond [MaxLag] go on at the newest message
// instead of cutting it off. It is told of the gap. One that takes nothing at all
// for 10 seconds is cut off nevertheless.
func SkipSlow() Option { return func(c *config) { c.skipSlow = true } }

// MaxViewers sets how many viewers there may be at a time. Others are answered
// with 503. By default 10,000.
func MaxViewers(n int) Option { return func(c *config) { c.maxViewers = n } }

// MaxPerAddress sets how many viewers there may be at a time from one address, of
// which IPv6 has one for each network of 64 bits. Others are answered with 503.
// It is the address of [http.Request].RemoteAddr: behind a proxy, put the one in
// there that the proxy names. By default there is no limit.
func MaxPerAddress(n int) Option {
	return func(c *config) { c.maxPerAddress, c.set["MaxPerAddress"] = n, true }
}

// Ping sets after what silence a viewer is sent a ping. If nothing comes from it
// for as long again, it is cut off. By default 30 s.
func Ping(every time.Duration) Option { return func(c *config) { c.ping = every } }

// Compress lets viewers who offer it have their messages compressed
// (permessage-deflate, RFC 7692), each message by itself, once for all of them.
// A Post becomes some third of its length; what comes out of a [History] stays as
// it is. By default nothing is compressed: on a fast network that is cheaper.
func Compress() Option { return func(c *config) { c.compress = true } }

// Hosts adds to the names that requests may have in their Host header: names or
// addresses without a port. Others are answered with 421, because a page anywhere
// can point a name of its own at the hub's address (DNS rebinding). By default
// these are localhost and the addresses of the loopback interface. "*" stands for
// any, behind a proxy that checks.
func Hosts(names ...string) Option {
	return func(c *config) { c.hosts = append(c.hosts, names...); c.set["Hosts"] = true }
}

// Origins adds origins whose pages may read the feed, written as in
// "https://example.com". By default only pages of the hub's own host may, and
// programs that are no browser: these send no Origin. "*" stands for any.
func Origins(origins ...string) Option {
	return func(c *config) { c.origins, c.set["Origins"] = append(c.origins, origins...), true }
}

// Authorize calls f for each request that has passed the other checks, possibly
// many at a time. If it returns an error, the answer is 403; the error itself is
// told to nobody. By default everybody may look on.
func Authorize(f func(*http.Request) error) Option {
	return func(c *config) { c.authorize = f; c.set["Authorize"] = true }
}

// Logger sets the logger. By default the hub is silent. No viewer's address, no
// Post and nothing that a viewer sent is ever logged.
func Logger(l *slog.Logger) Option {
	return func(c *config) { c.logger = l; c.set["Logger"] = true }
}

func newConfig(opts []Option) (config, error) {
	c := config{
		newest:     50,
		maxLag:     16 << 20,
		maxAge:     30 * time.Second,
		maxViewers: 10_000,
		ping:       30 * time.Second,
		set:        map[string]bool{},
	}
	for _, opt := range opts {
		opt(&c)
	}
	if err := c.validate(); err != nil {
		return config{}, err
	}
	if c.logger == nil {
		c.logger = slog.New(slog.DiscardHandler)
	}
	c.served = hosts.New(c.hosts...)
	return c, nil
}

func (c *config) validate() error {
	var errs []error
	bad := func(option, format string, args ...any) {
		errs = append(errs, fmt.Errorf("wshub: %s: %s", option, fmt.Sprintf(format, args...)))
	}
	if c.newest < 0 {
		bad("Newest", "%d is negative", c.newest)
	}
	if c.maxLag < 64<<10 {
		bad("MaxLag", "at least 64 KiB are needed, got %d bytes", c.maxLag)
	}
	if c.maxAge <= 0 {
		bad("MaxLag", "want an age of more than 0, got %v", c.maxAge)
	}
	if c.maxViewers < 1 {
		bad("MaxViewers", "want at least 1, got %d", c.maxViewers)
	}
	if c.set["MaxPerAddress"] && c.maxPerAddress < 1 {
		bad("MaxPerAddress", "want at least 1, got %d", c.maxPerAddress)
	}
	if c.set["Resume"] && c.history == nil {
		bad("Resume", "nothing given")
	}
	if c.ping <= 0 {
		bad("Ping", "want more than 0, got %v", c.ping)
	}
	if c.set["Hosts"] && len(c.hosts) == 0 {
		bad("Hosts", "nothing given")
	}
	for _, name := range c.hosts {
		if !hosts.Valid(name) {
			bad("Hosts", "%.64q is no name or address without a port", name)
		}
	}
	if c.set["Origins"] && len(c.origins) == 0 {
		bad("Origins", "nothing given")
	}
	for _, o := range c.origins {
		u, err := url.Parse(o)
		if o != "*" && (err != nil || u.Scheme == "" || u.Host == "" || o != u.Scheme+"://"+u.Host) {
			bad("Origins", "%.64q is not written as in \"https://example.com\"", o)
		}
	}
	if c.set["Authorize"] && c.authorize == nil {
		bad("Authorize", "nothing given")
	}
	if c.set["Logger"] && c.logger == nil {
		bad("Logger", "nothing given")
	}
	return errors.Join(errs...)
}
