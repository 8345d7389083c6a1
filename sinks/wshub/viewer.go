package wshub

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gobwas/ws"
)

const (
	// maxWrite is how much goes out in one write: enough that the bytes cost more
	// than the call and than waking who reads them, and little enough that the
	// others' turn comes soon. Where calls are slow a quarter of it made a delivery
	// cost half as much again, and more of it no less.
	maxWrite = 256 << 10

	// maxCopied is how much of that is copied together for a viewer with a filter:
	// a slow one keeps it for itself.
	maxCopied = 64 << 10

	// writeTimeout is how long a viewer may take nothing at all.
	writeTimeout = 10 * time.Second

	// closeWait is how long a viewer may take to read the close frame and to
	// answer it.
	closeWait = 5 * time.Second
)

// nowhere is the position of a viewer that waits for nothing.
const nowhere = math.MaxInt64

// viewer is one connection. Its reader lives as long as it does, see [reader].
// Writing to it is the business of a worker or, while its socket is full, of a
// goroutine of its own; see [worker]. Whoever writes takes a piece, writes it to
// its end, and takes the next, so that frames of control never come in the
// middle of others.
type viewer struct {
	hub     *Hub
	conn    net.Conn
	socket  syscall.RawConn // nil: conn can't be written to without waiting
	events  bool            // it reads server-sent events, not WebSocket
	worker  *worker
	slot    int    // its place in the worker's rounds, from 1 on; the worker's own
	addr    string // for MaxPerAddress
	joined  time.Duration
	deflate *deflater          // nil: it gets frames as they are
	more    chan struct{}      // without a socket: holds a token when there may be something to write
	ctx     context.Context    // of what the hub waits for on its behalf
	cancel  context.CancelFunc // when it is gone, or the hub is closing

	pos atomic.Int64 // of cur

	mu       sync.Mutex
	filter   *filter
	past     *past  // it reads this before it goes on at cur
	cur      cursor // behind what was taken
	gap      *gap   // that it is to be told of
	note     []byte // a message for it alone, ready
	rest     []byte // what is left of the piece under way
	frames   int    // messages in the piece under way
	at       time.Duration
	busy     bool // a goroutine of its own writes
	ping     bool // a ping is to be sent
	pong     []byte
	bye      []byte    // the close frame that is to be sent
	drain    bool      // but not before all messages
	byeTaken bool      // nothing is taken after it
	byeSent  bool      //
	answered bool      // the viewer has sent its close frame
	deadline time.Time // when the connection ends whatever happens; zero before the end
	gone     bool
}

// take makes sure that there is a piece under way, and reports whether there is.
// Frames that stand apart in the log are copied into buf, so that they can go out
// in one write; copied says so. Where buf is nil they go one by one. The caller
// holds mu.
func (v *viewer) take(buf []byte) (taken, copied bool) {
	if len(v.rest) > 0 {
		return true, false
	}
	if v.byeTaken {
		return false, false
	}
	if v.bye == nil || v.drain && v.past == nil {
		if v.control() {
			return true, false
		}
		if v.past != nil {
			return false, false
		}
		var p piece
		if v.filter != nil && buf != nil {
			p = v.cur.gather(buf, v.filter, v.deflate)
		} else {
			p = v.cur.take(maxWrite, v.filter, v.deflate)
		}
		v.pos.Store(v.cur.pos())
		if p.frames > 0 {
			v.rest, v.frames, v.at = p.bytes, p.frames, max(p.at, v.joined)
			if v.events {
				v.rest = p.events()
			}
			return true, p.copied
		}
		if v.bye == nil {
			return false, false
		}
	}
	v.leaveLog()
	v.rest, v.frames, v.byeTaken = v.bye, 0, true
	v.expire()
	return true, false
}

// control takes what is for this viewer alone. Only its newest ping is answered,
// as RFC 6455, section 5.5.3 allows.
func (v *viewer) control() bool {
	switch {
	case v.pong != nil:
		v.rest, v.pong = v.pong, nil
	case v.ping && v.events:
		v.rest, v.ping = eventPing, false
	case v.ping:
		v.rest, v.ping = ws.CompiledPing, false
	case v.gap != nil:
		v.rest, v.gap = v.message(v.gap.message()), nil
	case v.note != nil:
		v.rest, v.note = v.note, nil
	default:
		return false
	}
	v.frames, v.at = 0, v.hub.frames.now()
	return true
}

// wrote goes past n bytes of the piece under way. It reports whether the
// connection is to be closed. The caller holds mu.
func (v *viewer) wrote(n int) (over bool) {
	v.hub.figures.bytes.Add(uint64(n))
	if v.gone {
		return false
	}
	if v.rest = v.rest[n:]; len(v.rest) > 0 {
		return false
	}
	v.rest = nil
	v.hub.figures.delivered.Add(uint64(v.frames))
	if !v.byeTaken || v.byeSent {
		return false
	}
	v.byeSent = true
	if c, ok := v.conn.(*net.TCPConn); ok {
		_ = c.CloseWrite() // for a viewer that answers no close frame, but sees the end
	}
	// Both sides have said it: RFC 6455, section 7.1.1 has the server close first.
	return v.answered
}

// end has the viewer get what is under way, then bye, and nothing else. It
// reports whether this was not settled before. The caller holds mu.
func (v *viewer) end(bye []byte) bool {
	if v.gone || v.bye != nil && !v.drain {
		return false
	}
	v.bye, v.drain = bye, false
	v.ping, v.pong, v.gap, v.note = false, nil, nil, nil
	v.leaveLog()
	v.expire()
	v.wake()
	return true
}

// cutOff ends the viewer for a fault of its own. The caller holds mu.
func (v *viewer) cutOff(code ws.StatusCode, text string, why Reason) {
	if !v.end(v.goodbye(code, text)) {
		return
	}
	v.hub.figures.cut(why)
	v.hub.logger.Debug("viewer cut off", "reason", string(why))
}

// slow deals with a viewer that is behind: it is cut off or, as [SkipSlow] has
// it, goes on at the end of the log. The caller holds mu.
func (v *viewer) slow() {
	if !v.hub.skipSlow {
		v.stuck()
		return
	}
	if v.bye != nil || v.past != nil {
		return
	}
	end := v.hub.frames.newest(0)
	v.missed(gap{After: v.cur.last(), Reason: gapSlow, Missed: end.number() - v.cur.number()})
	v.cur, v.at = end, v.hub.frames.now()
	v.pos.Store(v.cur.pos())
	v.hub.figures.skipped.Add(1)
}

// stuck cuts off a viewer that is too slow for anything else. The caller holds mu.
func (v *viewer) stuck() { v.cutOff(statusTryAgainLater, "too slow", Slow) }

// missed has the viewer told of a gap, or of a longer one than it is to be told
// of already. The caller holds mu.
func (v *viewer) missed(g gap) {
	if v.gap != nil {
		g.After, g.Missed = v.gap.After, g.Missed+v.gap.Missed
	}
	v.gap = &g
}

// message returns a message in the form that the viewer reads.
func (v *viewer) message(raw []byte) []byte {
	if v.events {
		return appendEvent(nil, "", raw)
	}
	return textFrame(raw)
}

// answer tells the viewer which filter is in force, between what the one before
// has let through and what this one lets through, and what was wrong with what
// it asked for. The caller holds mu.
func (v *viewer) answer(wrong error) {
	said := struct {
		Filter string `json:"filter"`
		Error  string `json:"error,omitempty"`
	}{}
	if v.filter != nil {
		said.Filter = v.filter.key.Value()
	}
	if wrong != nil {
		said.Error = wrong.Error()
	}
	note, _ := json.Marshal(said) // it has nothing that can't be marshalled
	v.note = v.message(note)      // only the newest: a viewer that reads nothing shall not pile them up
	v.wake()
}

// stop ends what the hub waits for on the viewer's behalf.
func (v *viewer) stop() {
	if v.cancel != nil {
		v.cancel()
	}
}

// leaveLog frees the log of the viewer. What is under way stays.
func (v *viewer) leaveLog() {
	v.cur, v.past = cursor{}, nil
	v.stop()
	v.pos.Store(nowhere)
}

// expire starts the time that the end may take.
func (v *viewer) expire() {
	if v.deadline.IsZero() {
		v.deadline = time.Now().Add(closeWait)
		_ = v.conn.SetDeadline(v.deadline)
	}
}

// wake has whoever writes to the viewer look at it. The caller holds mu.
func (v *viewer) wake() {
	switch {
	case v.socket == nil:
		signal(v.more)
	case !v.busy:
		v.worker.kick(v)
	}
}

// broken gives up a viewer whose connection has failed; its reader will see it
// too. The caller holds mu, and closes the connection after that.
func (v *viewer) broken() {
	v.leaveLog()
	v.rest, v.byeTaken = nil, true
	if v.bye == nil || v.drain {
		v.bye, v.drain = ws.CompiledClose, false
	}
}

// drop closes the connection without a word.
func (v *viewer) drop() {
	switch c := v.conn.(type) {
	case *eventConn:
		c.abort()
	case interface{ NetConn() net.Conn }:
		_ = c.NetConn().Close() // TLS would wait for room to say goodbye
	default:
		_ = c.Close()
	}
}

// statusTryAgainLater is registered with IANA for servers under load.
const statusTryAgainLater ws.StatusCode = 1013

// goodbye returns the last that a viewer gets.
func (v *viewer) goodbye(code ws.StatusCode, text string) []byte {
	if v.events {
		return closeEvent(code, text)
	}
	return closeFrame(code, text)
}

// closeFrame returns a close frame: RFC 6455, section 5.5.1.
func closeFrame(code ws.StatusCode, text string) []byte {
	h := ws.Header{OpCode: ws.OpClose, Length: int64(2 + len(text))}
	frame := binary.BigEndian.AppendUint16(appendHeader(nil, h), uint16(code))
	return append(frame, text...)
}

// pongFrame returns the answer to a ping.
func pongFrame(payload []byte) []byte {
	return append(appendHeader(nil, ws.Header{OpCode: ws.OpPong, Length: int64(len(payload))}), payload...)
}

// signal puts a token into c unless there is one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
