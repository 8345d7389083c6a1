package wshub

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"runtime"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/tweetstream-go/tweetstream"
)

const (
	// maxRaw is the longest message that is taken. X's lines are limited to
	// 4 MiB.
	maxRaw = 32 << 20

	// maxAhead is how far the log may get ahead of the workers: so little that
	// what they write is still in the processor's cache.
	maxAhead = 1 << 20

	// sendBuffer is how much the system may keep for a viewer. It would take
	// megabytes for one who reads nothing, unseen by MaxLag.
	sendBuffer = 256 << 10

	// doorRate is how many viewers are let in within a second, for each processor,
	// and doorBurst how many at once. Letting one in costs as much as hundreds of
	// messages: thousands who come back together must not take that from those who
	// are here. What it costs differs from machine to machine: while the workers
	// are late each waits for them, but no longer than doorPatience turns.
	doorRate     = 500
	doorBurst    = 100
	doorPatience = 4

	// maxWorkers is how many goroutines write to all viewers.
	maxWorkers = 16
)

// ErrClosed is what [Hub.Deliver] returns after [Hub.Close].
var ErrClosed = errors.New("wshub: the hub is closed")

var (
	errTooLong = errors.New("wshub: the message is longer than 32 MiB")
	errNotText = errors.New("wshub: the message is not UTF-8")
)

// A Hub hands Posts to viewers over WebSocket. It is a [tweetstream.Sink] and an
// [http.Handler]; both are safe for concurrent use. It is made by [New].
type Hub struct {
	config
	frames  *frameLog
	deflate deflater
	figures figures
	turn    chan struct{} // holds a token while a Deliver is under way
	moved   chan struct{} // holds a token when a worker has finished a round
	closing chan struct{} // closed by Close
	empty   chan struct{} // closed when the hub is closed and the last viewer has left
	done    chan struct{} // closed when no viewer is left for the workers

	asking chan struct{} // holds a token for each question to the history under way

	door chan struct{} // holds a token while one waits to be let in; the next two are its holder's
	due  time.Time     // when the next may come in, were none let in at once
	told int64         // the end of the log when the last one came in

	running sync.WaitGroup // every goroutine of the hub

	mu       sync.Mutex
	workers  []*worker
	viewers  map[*viewer]struct{}
	places   map[string]int // by address: viewers and requests that have a place
	entering int            // requests that have a place, and are no viewers yet
	entered  int            // viewers ever
	closed   bool
	forced   bool // Close waits no longer
}

// New returns a hub. It starts nothing before the first viewer comes.
func New(opts ...Option) (*Hub, error) {
	c, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	return &Hub{
		config:  c,
		frames:  newFrameLog(c.maxLag / 2),
		turn:    make(chan struct{}, 1),
		moved:   make(chan struct{}, 1),
		closing: make(chan struct{}),
		empty:   make(chan struct{}),
		done:    make(chan struct{}),
		asking:  make(chan struct{}, historyReaders),
		door:    make(chan struct{}, 1),
		viewers: map[*viewer]struct{}{},
		places:  map[string]int{},
	}, nil
}

// Defaults asks the Streamer for all tweets that are there, up to 1,000, without
// waiting for more.
func (h *Hub) Defaults() []tweetstream.SinkOption {
	return []tweetstream.SinkOption{tweetstream.Batch(1000, 0)}
}

// Deliver makes the tweets ready for the viewers, those who are here and those
// who come later. It never waits for a viewer. It waits only while the processor
// can't keep up with those viewers who take what they are given. A Post whose id
// the hub still has is delivered already.
//
// A Raw that is longer than 32 MiB or not UTF-8 is a [*tweetstream.TweetError]
// and [tweetstream.Permanent]: browsers would close the connection. When ctx is
// done, or the hub is closed, in the middle of a batch, the tweets that are left
// are named one by one. After Close the error is [ErrClosed].
func (h *Hub) Deliver(ctx context.Context, tweets []*tweetstream.Tweet) error {
	select {
	case h.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-h.turn }()
	if h.isClosed() {
		return ErrClosed
	}
	var failed []error
	fail := func(t *tweetstream.Tweet, err error) {
		failed = append(failed, &tweetstream.TweetError{ID: t.ID, Err: err})
	}
	ahead := 0
	for i, t := range tweets {
		if ahead == 0 {
			if err := h.room(ctx); err != nil {
				for _, t := range tweets[i:] {
					fail(t, err)
				}
				break
			}
		}
		if err := refusal(t); err != nil {
			fail(t, tweetstream.Permanent(err))
			continue
		}
		h.frames.append(t.ID, t.Raw, tagsOf(t.Rules))
		if ahead += len(t.Raw); ahead >= maxWrite {
			h.publish()
			ahead = 0
		}
	}
	h.publish()
	return errors.Join(failed...)
}

// refusal says why a browser would close the connection over a tweet.
func refusal(t *tweetstream.Tweet) error {
	switch {
	case len(t.Raw) > maxRaw:
		return errTooLong
	case !utf8.Valid(t.Raw):
		return errNotText
	}
	return nil
}

// Delete has the hub forget these Posts, for all who come or come back, and
// tells all viewers: {"deleted":["1"]} with the ids. It does not wait for them.
// After Close the error is [ErrClosed].
func (h *Hub) Delete(ctx context.Context, ids []string) error {
	select {
	case h.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-h.turn }()
	if h.isClosed() {
		return ErrClosed
	}
	if err := h.room(ctx); err != nil {
		return err
	}
	note, err := json.Marshal(map[string][]string{"deleted": ids})
	if err != nil {
		return err
	}
	h.frames.remove(ids)
	h.frames.notice(note)
	h.publish()
	return nil
}

// publish lets viewers see what was appended.
func (h *Hub) publish() {
	h.frames.publish()
	h.mu.Lock()
	workers := h.workers
	h.mu.Unlock()
	for _, w := range workers {
		signal(w.awake)
	}
}

// room waits until the workers are near the end of the log.
func (h *Hub) room(ctx context.Context) error {
	for {
		if h.frames.end.Load()-h.reached() <= min(maxAhead, h.maxLag/4) {
			return ctx.Err()
		}
		select {
		case <-h.moved:
		case <-h.closing:
			return ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// reached returns up to where the workers have brought the log.
func (h *Hub) reached() int64 {
	h.mu.Lock()
	workers := h.workers
	h.mu.Unlock()
	behind := int64(nowhere)
	for _, w := range workers {
		behind = min(behind, w.behind.Load())
	}
	return behind
}

func (h *Hub) isClosed() bool {
	select {
	case <-h.closing:
		return true
	default:
		return false
	}
}

// enter keeps a place for a viewer, if there is one, and for its first messages:
// whatever comes once it has read the answer to its handshake, it gets.
func (h *Hub) enter(addr string) (full string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed || len(h.viewers)+h.entering >= h.maxViewers:
		return "no room for another viewer"
	case h.places[addr] >= h.maxPerAddress && h.maxPerAddress > 0:
		return "no room for another viewer from this address"
	}
	h.entering++
	h.places[addr]++
	return ""
}

// knock waits until a viewer may come in, for whom enter has kept a place. It returns
// false if the viewer does not wait, or the hub is closed.
func (h *Hub) knock(ctx context.Context) bool {
	select {
	case h.door <- struct{}{}:
		defer func() { <-h.door }()
	case <-ctx.Done():
		return false
	}
	every := time.Second / time.Duration(doorRate*runtime.GOMAXPROCS(0))
	now := time.Now()
	if first := now.Add(-doorBurst * every); h.due.Before(first) {
		h.due = first
	}
	h.due = h.due.Add(every)
	if !h.pause(ctx, h.due.Sub(now)) {
		return false
	}
	for turn := 1; turn < doorPatience && h.reached() < h.told; turn++ {
		if !h.pause(ctx, every) {
			return false
		}
	}
	h.told = h.frames.end.Load()
	return true
}

// pause waits, and returns false if there is nothing left to wait for.
func (h *Hub) pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	case <-h.closing:
		return false
	}
}

// abandon gives back the place of a viewer who did not come.
func (h *Hub) abandon(addr string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.entering--
	h.vacate(addr)
}

// vacate gives back a place. The caller holds mu.
func (h *Hub) vacate(addr string) {
	if h.places[addr]--; h.places[addr] == 0 {
		delete(h.places, addr)
	}
	h.checkEmpty()
}

// newViewer makes a viewer out of a connection, for whom enter has kept a place.
func (h *Hub) newViewer(conn net.Conn, a admission) *viewer {
	v := &viewer{hub: h, conn: conn, socket: socketOf(conn), filter: a.filter, addr: a.addr, joined: h.frames.now(), cur: a.first, past: a.past, gap: a.gap}
	v.pos.Store(nowhere)
	if v.past == nil {
		v.pos.Store(v.cur.pos())
	} else {
		v.ctx, v.cancel = context.WithCancel(context.Background())
	}
	if v.socket == nil {
		v.more = make(chan struct{}, 1)
	}
	// The past is read by the goroutine that writes.
	v.busy = v.socket == nil || v.past != nil
	return v
}

// join lets a viewer in. early is what was read from it already. One that reads
// events has a goroutine of its caller's.
func (h *Hub) join(v *viewer, early []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.entering--
	h.start()
	v.worker = h.workers[h.entered%len(h.workers)]
	h.entered++
	if h.closed {
		v.bye, v.drain = v.goodbye(ws.StatusGoingAway, "going away"), true
	}
	if h.forced {
		v.drop()
	}
	h.viewers[v] = struct{}{}
	h.running.Add(1)
	if !v.events {
		go (&reader{v: v, in: early}).run()
		if v.busy {
			h.writer(v)
		}
	}
	v.worker.kick(v)
}

// writer starts a goroutine that writes to a viewer.
func (h *Hub) writer(v *viewer) {
	h.running.Add(1)
	go func() {
		defer h.running.Done()
		h.catchUp(v)
	}()
}

// start starts the workers, once. The caller holds mu.
func (h *Hub) start() {
	if h.workers != nil {
		return
	}
	for range min(runtime.GOMAXPROCS(0), maxWorkers) {
		w := newWorker(h)
		h.workers = append(h.workers, w)
		h.running.Add(1)
		go w.run()
	}
}

// leave forgets a viewer whose connection has ended. Its reader calls it, last.
func (h *Hub) leave(v *viewer) {
	v.mu.Lock()
	v.gone = true
	v.leaveLog()
	v.rest = nil
	v.mu.Unlock()
	_ = v.conn.Close()
	v.stop()
	if v.more != nil {
		signal(v.more)
	}
	v.worker.kick(v)
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.viewers, v)
	h.vacate(v.addr)
}

// checkEmpty tells Close when the last viewer has left. The caller holds mu.
func (h *Hub) checkEmpty() {
	if h.closed && len(h.viewers)+h.entering == 0 {
		select {
		case <-h.empty:
		default:
			close(h.empty)
		}
	}
}

// Close lets nobody in any more, sends each viewer what waits for it and then a
// close frame with code 1001, and waits until all have answered it, for some
// seconds at the most. When ctx is done before that, it closes their connections
// and returns ctx's error. When it returns, all goroutines of the hub have ended.
// Closing again waits for the same.
//
// [http.Server.Shutdown] does not wait for viewers: Close is for that.
func (h *Hub) Close(ctx context.Context) error {
	h.mu.Lock()
	if !h.closed {
		h.closed = true
		close(h.closing)
		h.checkEmpty()
	}
	h.mu.Unlock()

	// A Deliver that is under way ends now, so that no frame comes too late.
	h.turn <- struct{}{}
	<-h.turn
	h.mu.Lock()
	for v := range h.viewers {
		v.mu.Lock()
		if v.bye == nil {
			v.bye, v.drain = v.goodbye(ws.StatusGoingAway, "going away"), true
			v.stop()
			v.wake()
		}
		v.mu.Unlock()
	}
	h.mu.Unlock()

	var err error
	select {
	case <-h.empty:
	case <-ctx.Done():
		err = ctx.Err()
		h.mu.Lock()
		h.forced = true
		for v := range h.viewers {
			v.drop()
		}
		h.mu.Unlock()
		<-h.empty
	}
	h.mu.Lock()
	select {
	case <-h.done:
	default:
		close(h.done)
	}
	h.mu.Unlock()
	h.running.Wait()
	return err
}
