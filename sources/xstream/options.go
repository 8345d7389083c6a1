package xstream

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/tweetstream-go/tweetstream"
)

// An Option configures a [Source].
type Option func(*config)

type config struct {
	rules   []tweetstream.Rule
	prune   *string
	base    string
	client  *http.Client
	logger  *slog.Logger
	sample  bool
	fields  map[string][]string
	problem []error

	back     time.Duration
	posts    int
	backfill time.Duration
	budget   *Reads
	cycleDay int
	price    float64

	takeOver, stopHeld, gzip bool
}

// Rules declares rules of the filtered stream, by Value and Tag: those that X
// does not have are added at the start of each stream. Given again, it adds to
// the rules. By default no rule is declared, and the stream brings what the
// rules bring that are there.
func Rules(rules ...tweetstream.Rule) Option {
	return func(c *config) { c.rules = append(c.rules, rules...) }
}

// Prune deletes, at the start, those rules that nobody declared and whose tag
// begins with tagPrefix, which must not be empty. By default no rule is ever
// deleted.
func Prune(tagPrefix string) Option {
	return func(c *config) { c.prune = &tagPrefix }
}

// Sample reads the sampled stream, 1 % of all Posts, instead of the filtered
// one. It knows no rules.
func Sample() Option {
	return func(c *config) { c.sample = true }
}

// Fields sets what X sends along with a Post: param is tweet.fields, expansions,
// user.fields, media.fields, place.fields or poll.fields, and names are X's own;
// without names the parameter is left out. By default all are asked for that the
// sinks of this project show or store.
func Fields(param string, names ...string) Option {
	return func(c *config) {
		if _, known := fields[param]; !known {
			c.problem = append(c.problem, fmt.Errorf("xstream: Fields: no such parameter %.64q", param))
		}
		c.fields[param] = names
	}
}

// BaseURL sets where the API is: a simulator, or a proxy. By default
// [DefaultBaseURL]. It must be https, or http on the loopback interface.
func BaseURL(base string) Option {
	return func(c *config) { c.base = base }
}

// HTTPClient sets the client. Its redirect policy is not used, and it must have
// no Timeout, which would end the stream. By default a client with time-outs of
// its own that honours the proxy settings of the environment.
func HTTPClient(client *http.Client) Option {
	return func(c *config) { c.client = client }
}

// Logger sets the logger. By default the source is silent.
func Logger(l *slog.Logger) Option {
	return func(c *config) { c.logger = l }
}
