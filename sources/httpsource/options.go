package httpsource

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/tweetstream-go/tweetstream/internal/hosts"
	"github.com/tweetstream-go/tweetstream/internal/webhook"
)

// An Option configures a [Source].
type Option func(*config)

type config struct {
	hosts        []string
	hostsSet     bool
	authorize    func(*http.Request) error
	authorizeSet bool
	message      int
	batch        int
	requests     int
	rate         int
	rateSet      bool
	secrets      []string
	secretSet    bool
	keys         webhook.Keys
	xSecret      string
	xSet         bool
	x            *webhook.X
}

// Hosts adds to the names that requests may have in their Host header; the port
// is not looked at. "*" stands for any: for a server behind one that checks it.
// By default these are localhost and the addresses of the loopback interface.
func Hosts(names ...string) Option {
	return func(c *config) { c.hosts, c.hostsSet = append(c.hosts, names...), true }
}

// Authorize has f decide on each request, before its body is read: an error
// refuses it. Compare secrets in constant time, as crypto/subtle does. f is called
// by many goroutines at once; its error is not shown to anybody. By default all
// requests are let in.
func Authorize(f func(*http.Request) error) Option {
	return func(c *config) { c.authorize, c.authorizeSet = f, true }
}

// MaxMessage sets the limit for one message, in bytes. By default 4 MiB, as for
// the stream of X.
func MaxMessage(bytes int) Option {
	return func(c *config) { c.message = bytes }
}

// MaxBatch sets the limit for the body of a batch, in bytes. By default 32 MiB.
// More than 100,000 messages are refused in any case. The bodies under way may
// take eight times as much in memory.
func MaxBatch(bytes int) Option {
	return func(c *config) { c.batch = bytes }
}

// MaxRequests sets how many requests may be under way at once, of all senders
// together. By default 256.
func MaxRequests(n int) Option {
	return func(c *config) { c.requests = n }
}

// MaxRate sets how many requests a second are let in, of all senders together, as
// many at once among them; others are answered 429. What [Authorize] refuses, and
// what is not signed as it should be, takes nobody's place. By default there is no
// limit.
func MaxRate(n int) Option {
	return func(c *config) { c.rate, c.rateSet = n, true }
}

// Secret lets in only requests that are signed with one of these secrets, as
// Standard Webhooks has it: see https://www.standardwebhooks.com, and Secret of
// package sinks/httpsink for how they are written. The clocks of both ends may be
// five minutes apart. A body that is compressed is signed as it was before.
func Secret(secrets ...string) Option {
	return func(c *config) { c.secrets, c.secretSet = append(c.secrets, secrets...), true }
}

// XWebhook takes the webhooks of X for the app with this secret: its client secret
// of OAuth 2.0, or the consumer secret of an app that has none; the bearer token is
// neither. It answers X's challenges (GET with crc_token), and lets in what X has
// signed. X calls the name under which the server is known, which goes into
// [Hosts]. Together with [Secret], a request has one signature or the other.
func XWebhook(secret string) Option {
	return func(c *config) { c.xSecret, c.xSet = secret, true }
}

// validate returns an error that names each option that can't be used.
func (c *config) validate() error {
	var errs []error
	bad := func(option, format string, args ...any) {
		errs = append(errs, fmt.Errorf("httpsource: %s: %s", option, fmt.Sprintf(format, args...)))
	}
	if c.hostsSet && len(c.hosts) == 0 {
		bad("Hosts", "nothing given")
	}
	for _, name := range c.hosts {
		if !hosts.Valid(name) {
			bad("Hosts", "%.64q: want the name or the address of a host, without a port", name)
		}
	}
	if c.authorizeSet && c.authorize == nil {
		bad("Authorize", "the function is nil")
	}
	if c.message < 1 {
		bad("MaxMessage", "want 1 byte or more, got %d", c.message)
	}
	if c.batch < c.message {
		bad("MaxBatch", "%d bytes do not hold one message of the longest, which is %d", c.batch, c.message)
	}
	if c.requests < 1 {
		bad("MaxRequests", "want 1 or more, got %d", c.requests)
	}
	if c.rateSet && c.rate < 1 {
		bad("MaxRate", "want 1 or more, got %d", c.rate)
	}
	if c.secretSet {
		var err error
		if c.keys, err = webhook.Parse(c.secrets...); err != nil {
			bad("Secret", "%v", err)
		}
	}
	if secret := strings.TrimSpace(c.xSecret); secret != "" {
		x := webhook.NewX(secret)
		c.x = &x
	} else if c.xSet {
		bad("XWebhook", "the secret is empty")
	}
	c.secrets, c.xSecret = nil, ""
	return errors.Join(errs...)
}
