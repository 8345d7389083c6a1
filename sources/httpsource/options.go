package httpsource

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/tweetstream-go/tweetstream/internal/hosts"
)

// An Option configures a [Source].
type Option func(*config)

type config struct {
	hosts        []string
	authorize    func(*http.Request) error
	authorizeSet bool
	message      int
	batch        int
	requests     int
}

// Hosts adds to the names that requests may have in their Host header; the port
// is not looked at. "*" stands for any: for a server behind one that checks it.
// By default these are localhost and the addresses of the loopback interface.
func Hosts(names ...string) Option {
	return func(c *config) { c.hosts = append(c.hosts, names...) }
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

// MaxRequests sets how many requests may be under way at once. By default 256.
func MaxRequests(n int) Option {
	return func(c *config) { c.requests = n }
}

// validate returns an error that names each option that can't be used.
func (c *config) validate() error {
	var errs []error
	bad := func(option, format string, args ...any) {
		errs = append(errs, fmt.Errorf("httpsource: %s: %s", option, fmt.Sprintf(format, args...)))
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
	return errors.Join(errs...)
}
