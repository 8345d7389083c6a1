package xstream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/internal/ndjson"
)

// connection is one connection to the stream, from the request to its end.
type connection struct {
	*Source
	pos *position

	heard   time.Time // by X's clock: up to here all is emitted; zero if never
	healthy bool      // it stood for longer than a keep-alive takes

	tweets   []*tweetstream.Tweet
	accepted bool     // X answered 200
	alive    bool     // it has brought a byte
	brought  bool     // it has brought a Post
	problem  *problem // what X said last, no Post behind it

	malformed, strange leftOut // messages that are no Posts, and those of unknown kinds
}

// leftOut are messages that are logged now and then.
type leftOut struct {
	count int       // since said
	said  time.Time // when they were last logged
}

// next counts one, and returns how many are to be logged.
func (l *leftOut) next() (count int) {
	if l.count++; time.Since(l.said) < sayEvery {
		return 0
	}
	count, l.count, l.said = l.count, 0, time.Now()
	return count
}

// sayEvery is how often messages that are no Posts are logged.
const sayEvery = 10 * time.Second

// waited is how long a read takes that did not find data there at once.
const waited = time.Millisecond

// An emitError says that the log does not take tweets any more.
type emitError struct{ err error }

func (e *emitError) Error() string { return e.err.Error() }
func (e *emitError) Unwrap() error { return e.err }

// run opens the connection and reads it to its end, the reason for which it
// returns.
func (c *connection) run(parent context.Context) error {
	if err := c.attempts.wait(parent, c.logger); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	// One watch for all in which a connection can die without a word: the dial,
	// TLS, the headers, between lines and in one.
	watch := time.AfterFunc(stall, func() { cancel(errStall) })
	defer watch.Stop()

	err := c.open(ctx, watch)
	if err != nil && context.Cause(ctx) == errStall && !errors.As(err, new(*Error)) {
		c.client.CloseIdleConnections()
		err = errStall
	}
	c.ended(endOf(parent, err, c.accepted))
	return err
}

// ended counts the end of a connection, or of the attempt at one.
func (c *connection) ended(reason string) {
	c.count(func(st *Stats) {
		st.Connected = false
		if reason == "" {
			return
		}
		ends := maps.Clone(st.Ends) // others may be reading it
		if ends == nil {
			ends = map[string]uint64{}
		}
		ends[reason]++
		st.Ends = ends
		if c.accepted {
			st.Disconnects++
			if reason == endStall {
				st.Stalls++
			}
		}
	})
}

func (c *connection) open(ctx context.Context, watch *time.Timer) error {
	path := "/2/tweets/search/stream"
	if c.sample {
		path = "/2/tweets/sample/stream"
	}
	u := c.base.JoinPath(path)
	u.RawQuery = c.query
	minutes := c.pos.missed()
	if minutes > 0 {
		u.RawQuery = strings.TrimPrefix(fmt.Sprintf("%s&backfill_minutes=%d", c.query, minutes), "&")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Accept-Encoding", "identity") // else a client of the caller's might ask for gzip
	if c.gzip {
		req.Header.Set("Accept-Encoding", "gzip")
	}
	req.Close = true // no other stream on this connection, also over HTTP/2
	resp, err := c.client.Do(req)
	if err != nil {
		return fmt.Errorf("open stream: %w", withoutURL(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
		if minutes > 0 && c.backfillRefused(resp.StatusCode, body) {
			resp.Body.Close() // not only when the stream ends
			watch.Reset(stall)
			return c.open(ctx, watch)
		}
		return c.refusal(resp.StatusCode, resp.Header, body)
	}
	if err := isStream(resp.Header); err != nil {
		return err
	}
	watch.Reset(stall) // a header is a sign of life
	c.accepted = true
	c.setHeld("")
	c.opened(minutes)
	return c.readAll(ctx, c.decoded(resp), watch)
}

// decoded returns the stream without its compression.
func (c *connection) decoded(resp *http.Response) io.Reader {
	if strings.EqualFold(resp.Header.Get("Content-Encoding"), "gzip") {
		return newGzipReader(resp.Body)
	}
	return resp.Body
}

// backfillRefused reports whether X refuses a request for its backfill_minutes,
// which are not asked for again in this run.
func (c *connection) backfillRefused(status int, body []byte) bool {
	if status != http.StatusBadRequest && status != http.StatusForbidden || !bytes.Contains(body, []byte("backfill")) {
		return false
	}
	if !c.noBackfill.Swap(true) {
		c.logger.Warn("X refuses backfill_minutes, which not all plans have: recent search is asked for what is missed", "status", status)
	}
	return true
}

// opened says that the stream is there, and what was missed before. The stream
// brings the last minutes of it.
func (c *connection) opened(minutes int) {
	c.count(func(st *Stats) {
		st.Connected = true
		st.Connects++
	})
	c.logger.Info("connected to the stream", "sample", c.sample)
	c.heard = c.clock()
	c.pos.opened(c.heard, minutes)
}

// readAll takes lines to the log until the connection ends.
func (c *connection) readAll(ctx context.Context, body io.Reader, watch *time.Timer) error {
	begin := time.Now()
	lines := ndjson.NewReader(body, lineLimit)
	behind := func() bool { return false }
	if z, ok := body.(*gzipReader); ok {
		behind = z.behind
	}
	oversized := 0
	for {
		asked := time.Now()
		batch, err := lines.Next()
		// The log may make us wait: that is no stall.
		watch.Stop()
		if err != nil {
			return c.end(ctx, lines.Rest(), err)
		}
		c.alive = true
		c.healthy = time.Since(begin) > stall // and there is life in it
		c.measure(batch)
		if n := lines.Oversized - oversized; n > 0 {
			oversized = lines.Oversized
			c.count(func(st *Stats) { st.Oversized += uint64(n) })
			c.logger.Error("a message over the limit is skipped", "count", n, "limit", lineLimit, "longest", lines.Longest)
		}
		// All is heard up to now if the read had to wait for what it brought, and
		// brought whole lines: else there may be more on its way to us, which
		// was sent before.
		heard := c.heard
		if time.Since(asked) >= waited && !lines.Partial() && !behind() || heard.IsZero() {
			heard = maxTime(heard, c.clock()) // other answers move the clock a little
		}
		if err := c.take(ctx, batch, heard); err != nil {
			return err
		}
		watch.Reset(stall)
	}
}

// take emits the Posts among lines, which are what one read brought, and that
// all is heard up to then.
func (c *connection) take(ctx context.Context, lines [][]byte, heard time.Time) error {
	received := time.Now()
	c.tweets = c.tweets[:0]
	repaired := uint64(0)
	for _, line := range lines {
		t, err := tweetstream.ParseTweet(line)
		if err != nil {
			c.message(line, err)
			continue
		}
		t.Received = received
		c.brought, c.problem = true, nil // a trouble is over
		if &t.Raw[0] != &line[0] && !utf8.Valid(line) {
			repaired++
		}
		c.tweets = append(c.tweets, t)
	}
	c.count(func(st *Stats) {
		st.LastReceived = received
		st.Posts += uint64(len(c.tweets))
		st.Repaired += repaired
		for _, t := range c.tweets {
			c.complete(t)
		}
		c.lag(st)
	})
	err := c.pos.live(ctx, c.tweets, heard)
	clear(c.tweets)
	if err != nil {
		return err
	}
	c.heard = heard
	if why, _ := c.budget.spent(1); why != "" {
		return errSpent // closed, for X bills what it sends
	}
	return nil
}

// complete adds to a Post's rules what the source knows of them. It is called
// under the mutex.
func (s *Source) complete(t *tweetstream.Tweet) {
	for i := range t.Rules {
		if r, ok := s.rules[t.Rules[i].ID]; ok {
			t.Rules[i].Value = r.Value
			if t.Rules[i].Tag == "" {
				t.Rules[i].Tag = r.Tag
			}
		}
	}
}

// message takes a line that is no Post.
func (c *connection) message(line []byte, err error) {
	if p, ok := parseProblem(line); ok {
		c.problem = &p
		level := slog.LevelWarn
		if p.disconnects() {
			level = slog.LevelDebug // it is said with the end that follows
		}
		c.logger.Log(context.Background(), level, "a message of X", "title", c.clean(p.Title), "disconnect_type", c.clean(p.DisconnectType), "detail", c.clean(p.Detail))
		return
	}
	if names := c.unknown(line); names != "" {
		c.count(func(st *Stats) { st.Unknown++ })
		if n := c.strange.next(); n > 0 {
			c.logger.Warn("messages of a kind that is not known are left out", "count", n, "length", len(line), "members", names)
		}
		return
	}
	c.count(func(st *Stats) { st.Malformed++ })
	if n := c.malformed.next(); n > 0 {
		c.logger.Warn("messages that are no Posts are left out", "count", n, "length", len(line), "error", err)
	}
}

// noStream reports whether something came that is no message of X.
func (c *connection) noStream() bool { return !c.malformed.said.IsZero() || !c.strange.said.IsZero() }

// withoutURL takes off the address, which holds all the fields asked for.
func withoutURL(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// end is told why reading ended, and what was read of a last line.
func (c *connection) end(ctx context.Context, rest []byte, err error) error {
	if json.Valid(rest) {
		// The whole of a message came, only its line break did not.
		if err := c.take(ctx, [][]byte{rest}, c.heard); err != nil {
			return err
		}
	}
	switch {
	case c.problem != nil && ctx.Err() == nil:
		return c.told(*c.problem)
	case errors.Is(err, io.EOF) && !c.alive:
		return &noStreamError{"it ended before it brought a byte"}
	case errors.Is(err, io.EOF) && !c.brought && c.noStream():
		return &noStreamError{"it brought what is no message of X"}
	case errors.Is(err, io.EOF):
		return errEnd
	}
	return fmt.Errorf("read stream: %w", err)
}
