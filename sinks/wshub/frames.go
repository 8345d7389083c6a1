package wshub

import (
	"sort"
	"sync"
	"sync/atomic"
	"time"
	"unique"

	"github.com/gobwas/ws"
)

// chunkSize is how many bytes of frames are kept in one piece of memory: some
// writes' worth, so that a viewer seldom gets less because its chunk ends, and
// little enough that what a slow viewer holds is freed soon after it has left.
const chunkSize = 256 << 10

// frameLog is the log of ready frames that all viewers share. A frame is
// written down once; a viewer is a cursor. Nothing in the log knows its readers:
// chunks are a linked list, and the garbage collector frees those that neither a
// cursor nor the log itself can reach any more.
type frameLog struct {
	newest      int   // messages that a new viewer begins with, at the most
	newestBytes int64 // bytes of these, at the most
	born        time.Time

	end atomic.Int64 // bytes ever published

	mu    sync.Mutex
	head  *chunk
	data  []byte  // of head, with what is not published yet
	index []frame // of head, with what is not published yet
	start cursor  // where a new viewer begins
	kept  int     // frames from start on
}

// chunk is a run of frames. Its bytes never change once they are published.
type chunk struct {
	base  int64 // bytes of the log before it
	state atomic.Pointer[view]
}

// view is as much of a chunk as was published at one moment. Later views share
// its memory and are longer.
type view struct {
	data  []byte
	index []frame
	next  *chunk // set in the last view: nothing will be added
}

// frame is what the log knows about one message.
type frame struct {
	end  int           // where it ends in the chunk; it begins where the one before ends
	at   time.Duration // when it came, after the log was made
	tags []tag
}

// A tag is the tag of a rule. Two of them are compared as pointers are.
type tag = unique.Handle[string]

func newFrameLog(newest int, newestBytes int64) *frameLog {
	l := &frameLog{newest: newest, newestBytes: newestBytes, born: time.Now()}
	l.head = newChunk(0)
	l.data = make([]byte, 0, chunkSize)
	l.start = cursor{chunk: l.head}
	return l
}

func newChunk(base int64) *chunk {
	c := &chunk{base: base}
	c.state.Store(&view{})
	return c
}

// append adds raw as one text frame. Viewers see it after publish.
func (l *frameLog) append(raw []byte, tags []tag) {
	l.mu.Lock()
	defer l.mu.Unlock()
	// Frames to a client are whole, without a mask and without extensions: RFC
	// 6455, section 5.2.
	h := ws.Header{Fin: true, OpCode: ws.OpText, Length: int64(len(raw))}
	size := ws.HeaderSize(h) + len(raw)
	if len(l.data)+size > cap(l.data) {
		next := newChunk(l.head.base + int64(len(l.data)))
		l.head.state.Store(&view{l.data, l.index, next})
		l.head, l.index = next, nil
		l.data = make([]byte, 0, max(size, chunkSize))
	}
	l.data = append(appendHeader(l.data, h), raw...)
	l.index = append(l.index, frame{len(l.data), time.Since(l.born), tags})
	l.kept++
}

// publish lets viewers see what was appended.
func (l *frameLog) publish() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.head.state.Store(&view{l.data, l.index, nil})
	end := l.head.base + int64(len(l.data))
	l.end.Store(end)
	for l.kept > 0 && (l.kept > l.newest || end-l.start.pos() > l.newestBytes) {
		l.start.take(0, nil)
		l.kept--
	}
}

// join returns where a new viewer begins.
func (l *frameLog) join() cursor {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.start
}

// now returns this moment as frames have it.
func (l *frameLog) now() time.Duration { return time.Since(l.born) }

// A cursor is a reader's place in the log. The zero cursor is behind everything.
type cursor struct {
	chunk *chunk
	off   int // bytes of chunk before it
	frame int // frames of chunk before it
}

func (c *cursor) pos() int64 { return c.chunk.base + int64(c.off) }

// settle moves a cursor that stands at the end of a full chunk on to the next
// one. It returns nil when there is nothing to read.
func (c *cursor) settle() *view {
	for c.chunk != nil {
		v := c.chunk.state.Load()
		if c.frame < len(v.index) {
			return v
		}
		if v.next == nil {
			return nil
		}
		*c = cursor{chunk: v.next}
	}
	return nil
}

// piece is a number of whole frames that follow each other.
type piece struct {
	bytes  []byte
	frames int
	at     time.Duration // when the first of them came
	copied bool          // bytes is the buffer of gather, not the log
}

// take goes past the next frames that f lets through (nil: all), as many as
// stand next to each other and have no more than limit bytes, but at least one.
// It returns them, or nothing at the end. What f does not let through is gone
// past as well.
func (c *cursor) take(limit int, f *filter) (p piece) {
	for {
		v := c.settle()
		if v == nil {
			return piece{}
		}
		if f != nil {
			c.skip(v, f)
			if c.frame == len(v.index) {
				continue
			}
		}
		i, off := c.frame, c.off
		n := len(v.index) - i
		if f != nil {
			n = f.prefix(v.index[i:])
		}
		if v.index[i+n-1].end-off > limit {
			n = max(1, sort.Search(n, func(k int) bool { return v.index[i+k].end-off > limit }))
		}
		c.frame, c.off = i+n, v.index[i+n-1].end
		return piece{bytes: v.data[off:c.off:c.off], frames: n, at: v.index[i].at}
	}
}

// skip goes past frames of v that f does not let through.
func (c *cursor) skip(v *view, f *filter) {
	for c.frame < len(v.index) && !f.match(v.index[c.frame].tags) {
		c.off = v.index[c.frame].end
		c.frame++
	}
}

// gather is like take, but copies frames that stand apart into buf, as many as
// there is room for.
func (c *cursor) gather(buf []byte, f *filter) piece {
	p := c.take(cap(buf), f)
	for p.frames > 0 {
		ahead := *c
		more := ahead.take(cap(buf)-len(p.bytes), f)
		if len(p.bytes)+len(more.bytes) > cap(buf) {
			break
		}
		*c = ahead
		if more.frames == 0 {
			break
		}
		if !p.copied {
			p.bytes, p.copied = append(buf[:0], p.bytes...), true
		}
		p.bytes = append(p.bytes, more.bytes...)
		p.frames += more.frames
	}
	return p
}

// appendHeader appends the header of a frame without a mask: RFC 6455, section
// 5.2.
func appendHeader(dst []byte, h ws.Header) []byte {
	dst = append(dst, 0x80|byte(h.OpCode))
	n := uint64(h.Length)
	switch {
	case n < 126:
		return append(dst, byte(n))
	case n < 1<<16:
		return append(dst, 126, byte(n>>8), byte(n))
	default:
		return append(dst, 127, byte(n>>56), byte(n>>48), byte(n>>40), byte(n>>32), byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
}
