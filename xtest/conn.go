package xtest

import (
	"math"
	"net/http"
	"sync"
	"time"
)

const (
	queueLimit  = 32 << 20        // bytes that wait for a stream
	replayAhead = 1 << 20         // bytes that a replay queues ahead of its reader
	handWait    = 5 * time.Second // for room, by Post and Send
	slowGrace   = 5 * time.Second // for a slow reader to take its last message
	noLimit     = time.Duration(math.MaxInt64)
)

// conn is one connected stream: a bounded queue between those who send and the
// request's goroutine, which writes.
type conn struct {
	sample bool
	ctl    *http.ResponseController
	wake   chan struct{} // holds one: something changed

	id     string
	since  time.Time // by the server's clock
	client string    // its address

	mu       sync.Mutex
	queue    [][]byte // chunks of whole messages, shared between connections
	bytes    int
	messages int
	room     chan struct{} // closed and replaced when the queue was taken
	silent   time.Time     // stalled until then
	muted    time.Time     // without keep-alives until then
	slowness int           // bytes a second; 0: as fast as can be
	ended    *ending
	finished bool // the request's goroutine no longer writes
}

// ending says how a connection is to end.
type ending struct {
	message []byte // the last one
	drop    bool   // what is queued is not sent
	abort   bool   // the response is cut instead of ended; implies drop
	cut     bool   // it is cut behind the last message
}

func newConn(ctl *http.ResponseController, sample bool) *conn {
	return &conn{sample: sample, ctl: ctl, wake: make(chan struct{}, 1), room: make(chan struct{})}
}

// put queues a chunk of n messages. Without room it waits for at most the given
// time; a reader too slow for that is told so and ended. It returns the number
// of messages dropped.
func (c *conn) put(chunk []byte, n, limit int, wait time.Duration, done <-chan struct{}) (dropped int) {
	var timeout <-chan time.Time
	for {
		c.mu.Lock()
		switch {
		case c.ended != nil || c.finished:
			c.mu.Unlock()
			return n
		case c.bytes == 0 || c.bytes+len(chunk) <= limit:
			c.queue = append(c.queue, chunk)
			c.bytes += len(chunk)
			c.messages += n
			c.mu.Unlock()
			c.signal()
			return 0
		case wait == 0 && time.Now().Before(c.silent):
			c.mu.Unlock()
			return n
		case wait == 0:
			c.mu.Unlock()
			return n + c.slow()
		}
		room := c.room
		c.mu.Unlock()
		if timeout == nil && wait < noLimit {
			t := time.NewTimer(wait)
			defer t.Stop()
			timeout = t.C
		}
		select {
		case <-room:
		case <-timeout:
			wait = 0
		case <-done:
			return n
		}
	}
}

// slow ends the connection of a slow reader and returns how many messages were
// dropped. The write under way and the last message have a little time left.
func (c *conn) slow() int {
	return c.end(ending{
		message: disconnect("SlowReader", "This stream has been disconnected because the client reads too slowly."),
		drop:    true,
	})
}

func (c *conn) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// take empties the queue for the writer. While the connection is stalled there
// is nothing to take, and silent says for how long.
func (c *conn) take() (chunks [][]byte, messages int, silent time.Duration, end *ending) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended == nil {
		if silent = time.Until(c.silent); silent > 0 {
			return nil, 0, silent, nil
		}
	}
	chunks, messages = c.queue, c.messages
	c.clear()
	return chunks, messages, 0, c.ended
}

// clear forgets the queue and wakes those who wait for room.
func (c *conn) clear() {
	c.queue, c.bytes, c.messages = nil, 0, 0
	close(c.room)
	c.room = make(chan struct{})
}

// end makes the writer end the connection, in the way first asked for, except
// that it can still be cut. It returns the number of messages
// dropped from the queue.
func (c *conn) end(e ending) (dropped int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.finished || c.ended != nil && !e.abort {
		return 0
	}
	c.ended = &e
	if e.abort || e.drop {
		dropped = c.messages
		c.clear()
		grace := slowGrace
		if e.abort {
			grace = 0
		}
		c.ctl.SetWriteDeadline(time.Now().Add(grace)) // for the write under way
	}
	c.signal()
	return dropped
}

func (c *conn) stall(until time.Time) {
	c.mu.Lock()
	c.silent = until
	c.mu.Unlock()
	c.signal()
}

func (c *conn) mute(until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.muted = until
}

func (c *conn) isMuted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Before(c.muted)
}

// slacken lets what is written trickle; 0 ends that.
func (c *conn) slacken(bytes int) {
	c.mu.Lock()
	c.slowness = bytes
	c.mu.Unlock()
	c.signal()
}

// trickle returns how many bytes are written a second; 0 is no limit, which there
// is none of any more when the connection is to end.
func (c *conn) trickle() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended != nil {
		return 0
	}
	return c.slowness
}

// finish says that the writer has gone, and returns how many messages it left.
func (c *conn) finish() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.finished = true
	if c.ended != nil {
		c.ctl.SetWriteDeadline(time.Time{}) // the connection may serve other requests
	}
	n := c.messages
	c.clear()
	return n
}
