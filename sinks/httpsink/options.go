package httpsink

import (
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/internal/webhook"
)

// An Option configures a [Sink].
type Option func(*config)

type config struct {
	headers    [][2]string
	client     *http.Client
	secrets    []string
	encoder    *encoder
	gzip       bool
	rate       int
	per        time.Duration
	every      time.Duration
	classify   func(*http.Response, []byte, error) error
	publicOnly bool
	logger     *slog.Logger

	set map[string]bool // the options that were given
}

// Header adds a header to every request, such as Authorization. Its value is
// taken for a secret. Given again with the same name, it adds another value. The
// headers that describe the body or the connection, Host and Idempotency-Key
// can't be set.
func Header(name, value string) Option {
	return func(c *config) { c.headers = append(c.headers, [2]string{name, value}) }
}

// Client sets the client. Its redirect policy is not used, and if it has no
// Transport, the Sink uses its own. By default a client that honours the proxy
// settings of the environment, speaks HTTP/2 where TLS does, keeps connections
// open, and gives up a dial or a TLS handshake after 10 s, an answer that has not
// begun after a minute, and one whose headers are longer than 256 KiB.
func Client(client *http.Client) Option {
	return func(c *config) { c.client, c.set["Client"] = client, true }
}

// Secret signs each request as Standard Webhooks has it: HMAC-SHA256 over
// webhook-id, webhook-timestamp, which is that of the try, and the body as it is
// before it is compressed. A secret is base64 of 24 to 64 bytes, with or without
// whsec_ before it; a text may hold several, with white space between them: what
// os.ReadFile and os.Getenv return can be given as it is. With several, to change
// them without an interruption, there is a signature of each. By default nothing
// is signed.
func Secret(secrets ...string) Option {
	return func(c *config) { c.secrets = append(c.secrets, secrets...); c.set["Secret"] = true }
}

// Encode has f make the body of each request, for a receiver that wants another
// one than the message of X: contentType says what it is. f is called with the
// tweets of one Deliver, by as many goroutines as there are of them. It does not
// keep the slice. An empty body sends nothing, and the tweets count as delivered;
// an error is returned by Deliver as it is, so that [tweetstream.Permanent] and
// [tweetstream.TweetError] mean what they mean there.
func Encode(contentType string, f func(tweets []*tweetstream.Tweet) ([]byte, error)) Option {
	return func(c *config) { c.encoder = &encoder{contentType, f} }
}

// Array makes the body of each request, also that of a single Post, one JSON array
// of the messages, for a receiver that knows no NDJSON. It is an [Encode].
func Array() Option { return Encode("application/json", array) }

// Gzip compresses bodies of 1 KiB and more. A receiver that answers 415 to one
// gets no more of them.
func Gzip() Option { return func(c *config) { c.gzip = true } }

// MaxRate spreads requests evenly, so that there are at most n of them in any time
// of this length; chat services want that. Deliver waits for its turn, which counts
// in its [tweetstream.Timeout]. By default there is no limit.
func MaxRate(n int, per time.Duration) Option {
	return func(c *config) { c.rate, c.per, c.set["MaxRate"] = n, per, true }
}

// Classify has f say what an answer means: what it returns is what Deliver
// returns. answer is the beginning of the body, 64 KiB at most, for the one of resp
// has been read. err is what the sink itself makes of it, nil if it takes the
// Posts for delivered; its text shows neither secrets nor Posts. f is not called
// when there is no answer.
func Classify(f func(resp *http.Response, answer []byte, err error) error) Option {
	return func(c *config) { c.classify = f; c.set["Classify"] = true }
}

// PublicOnly refuses to connect to this machine, to private networks and to all
// else that is not a public address, such as where clouds keep the credentials of
// a machine: for URLs that others may give. What counts is the address that a
// connection goes to. Proxies of the environment are not used, and [Client] can't
// bring a Transport.
func PublicOnly() Option { return func(c *config) { c.publicOnly = true } }

// Logger sets the logger. It is told when a receiver refuses one Post after the
// other, so that the URL, and not the Posts, must be at fault. By default the sink
// is silent; the Streamer logs each failure by itself.
func Logger(l *slog.Logger) Option {
	return func(c *config) { c.logger, c.set["Logger"] = l, true }
}

// validate returns the keys, and an error that names each option that can't be
// used.
func (c *config) validate() (keys webhook.Keys, err error) {
	var errs []error
	bad := func(option, format string, args ...any) {
		errs = append(errs, fmt.Errorf("httpsink: %s: %s", option, fmt.Sprintf(format, args...)))
	}
	if c.set["Client"] && c.client == nil {
		bad("Client", "the client is nil")
	}
	if c.publicOnly && c.client != nil && c.client.Transport != nil {
		bad("PublicOnly", "the client has a Transport of its own")
	}
	if c.set["Secret"] {
		if keys, err = webhook.Parse(c.secrets...); err != nil {
			bad("Secret", "%v", err)
		}
	}
	if c.encoder != nil {
		if _, _, err := mime.ParseMediaType(c.encoder.kind); err != nil {
			bad("Encode", "%.64q is no Content-Type", c.encoder.kind)
		}
		if c.encoder.encode == nil {
			bad("Encode", "the function is nil")
		}
	}
	if c.set["MaxRate"] {
		if c.rate < 1 || c.per <= 0 {
			bad("MaxRate", "want 1 or more, and a time of more than 0, got %d and %v", c.rate, c.per)
		} else {
			c.every = c.per / time.Duration(c.rate)
		}
	}
	if c.set["Classify"] && c.classify == nil {
		bad("Classify", "the function is nil")
	}
	if c.set["Logger"] && c.logger == nil {
		bad("Logger", "the logger is nil")
	}
	if c.logger == nil {
		c.logger = slog.New(slog.DiscardHandler)
	}
	return keys, errors.Join(errs...)
}
