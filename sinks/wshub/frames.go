package wshub

import (
	"slices"
	"sort"
	"sync"
	"sync/atomic"
	"time"
	"unique"

	"github.com/gobwas/ws"
)

// chunkSize is how many bytes of frames are kept in one piece of memory: what goes
// out in one write, and little enough that what a slow viewer holds is freed soon
// after it has left.
const chunkSize = 256 << 10

// frameLog is the log of ready frames that all viewers share. A frame is
// written down once; a viewer is a cursor. Nothing in the log knows its readers:
// chunks are a linked list, and the garbage collector frees those that neither a
// cursor nor the log itself can reach any more.
//
// The newest frames are the ring: they are kept for viewers who come, or come
// back, and an id is in it once.
type frameLog struct {
	keep int64 // bytes of the ring
	born time.Time

	end atomic.Int64 // bytes ever published

	mu     sync.Mutex
	head   *chunk
	data   []byte           // of head, with what is not published yet
	index  []frame          // of head, with what is not published yet
	total  int64            // bytes ever appended
	oldest cursor           // of the ring
	ids    map[string]place // of the ring
	graves []grave          // in their order
}

// chunk is a run of frames. The bytes of a view never change once it is
// published; that of a deleted message is another view.
type chunk struct {
	base  int64 // bytes of the log before it
	first int64 // frames of the log before it
	state atomic.Pointer[view]
	sieve
	deflated
}

// view is as much of a chunk as was published at one moment. Later views are
// longer, and share its memory if nothing was deleted.
type view struct {
	data  []byte
	index []frame
	next  *chunk // set in the last view: nothing will be added
}

// frame is what the log knows about one message.
type frame struct {
	end    int           // where it ends in the chunk; it begins where the one before ends
	pos    int64         // bytes of the log up to its end, deleted ones too
	at     time.Duration // when it came, after the log was made
	id     string        // of the Post
	tags   []tag
	notice bool // it is the hub's own, and for all
}

// place is where the ring has an id: a frame, or nothing but the knowledge that
// the Post is gone.
type place struct {
	chunk *chunk
	frame int
	gone  bool
}

// grave is the id of a deleted Post that was not in the ring. It is known until
// the frame that says so leaves the ring.
type grave struct {
	number int64 // of that frame
	id     string
}

// A tag is the tag of a rule. Two of them are compared as pointers are.
type tag = unique.Handle[string]

func newFrameLog(keep int64) *frameLog {
	l := &frameLog{keep: keep, born: time.Now(), ids: map[string]place{}}
	l.head = newChunk(0, 0)
	l.data = make([]byte, 0, chunkSize)
	l.oldest = cursor{chunk: l.head}
	return l
}

func newChunk(base, first int64) *chunk {
	c := &chunk{base: base, first: first}
	c.state.Store(&view{})
	return c
}

// append adds raw as one text frame, unless the ring has its id. Viewers see it
// after publish.
func (l *frameLog) append(id string, raw []byte, tags []tag) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if id != "" {
		if _, again := l.ids[id]; again {
			return
		}
	}
	l.add(frame{id: id, tags: tags}, raw)
	if id != "" {
		l.ids[id] = place{chunk: l.head, frame: len(l.index) - 1}
	}
}

// notice adds a message of the hub's own.
func (l *frameLog) notice(raw []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.add(frame{notice: true}, raw)
}

// add completes f, whose message is raw. The caller holds mu.
func (l *frameLog) add(f frame, raw []byte) {
	// Frames to a client are whole, without a mask and without extensions: RFC
	// 6455, section 5.2.
	h := ws.Header{Fin: true, OpCode: ws.OpText, Length: int64(len(raw))}
	size := ws.HeaderSize(h) + len(raw)
	if len(l.data)+size > cap(l.data) {
		next := newChunk(l.total, l.head.first+int64(len(l.index)))
		l.head.state.Store(&view{l.data, l.index, next})
		l.head, l.index = next, nil
		l.data = make([]byte, 0, max(size, chunkSize))
	}
	l.data = append(appendHeader(l.data, h), raw...)
	l.total += int64(size)
	f.end, f.pos, f.at = len(l.data), l.total, time.Since(l.born)
	l.index = append(l.index, f)
}

// publish lets viewers see what was appended.
func (l *frameLog) publish() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.head.state.Store(&view{l.data, l.index, nil})
	l.end.Store(l.total)
	for l.total-l.oldest.pos() > l.keep {
		v := l.oldest.settle()
		if v == nil {
			return
		}
		delete(l.ids, v.index[l.oldest.frame].id)
		l.oldest.frame++
		for len(l.graves) > 0 && l.graves[0].number < l.oldest.number() {
			delete(l.ids, l.graves[0].id)
			l.graves = l.graves[1:]
		}
	}
}

// remove takes the Posts with these ids out of the ring, all at once. The next
// frame is the one that says so. Nothing may be appended and not published.
func (l *frameLog) remove(ids []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	gone := map[*chunk][]int{}
	for _, id := range ids {
		switch p, known := l.ids[id]; {
		case !known:
			l.ids[id] = place{gone: true}
			l.graves = append(l.graves, grave{l.head.first + int64(len(l.index)), id})
		case !p.gone:
			gone[p.chunk] = append(gone[p.chunk], p.frame)
			p.gone = true
			l.ids[id] = p
		}
	}
	for c, frames := range gone {
		slices.Sort(frames)
		v := c.without(frames)
		if c == l.head {
			l.data, l.index = v.data, v.index
		}
		c.state.Store(v)
		c.forget(frames)
	}
}

// without returns the chunk's view with some frames empty, in new memory.
func (c *chunk) without(frames []int) *view {
	old := c.state.Load()
	v := &view{data: make([]byte, 0, cap(old.data)), index: slices.Clone(old.index), next: old.next}
	for i := range v.index {
		if _, gone := slices.BinarySearch(frames, i); !gone {
			v.data = append(v.data, old.bytes(i, i+1)...)
		}
		v.index[i].end = len(v.data)
	}
	return v
}

// newest returns where a viewer begins who is to get n messages, or as many as
// there are.
func (l *frameLog) newest(n int) cursor {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.oldest
	from := l.head.first + int64(len(l.head.state.Load().index)) - int64(n)
	for c.number() < from {
		v := c.settle()
		if v == nil {
			break
		}
		c.frame = int(min(from-c.chunk.first, int64(len(v.index))))
	}
	return c
}

// find returns the place of a published Post in the ring, which may be empty by
// now. gone says that it was deleted; there may be no place then.
func (l *frameLog) find(id string) (at cursor, ok, gone bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.ids[id]
	ok = p.chunk != nil && p.frame < len(p.chunk.state.Load().index)
	return cursor{chunk: p.chunk, frame: p.frame}, ok, p.gone
}

// whole reports whether nothing has left the ring yet.
func (l *frameLog) whole() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.oldest.number() == 0
}

// count returns how many frames were published.
func (l *frameLog) count() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head.first + int64(len(l.head.state.Load().index))
}

// now returns this moment as frames have it.
func (l *frameLog) now() time.Duration { return time.Since(l.born) }

// begin returns where frame i begins.
func (v *view) begin(i int) int {
	if i == 0 {
		return 0
	}
	return v.index[i-1].end
}

// bytes returns the frames from i up to j.
func (v *view) bytes(i, j int) []byte {
	end := v.begin(j)
	return v.data[v.begin(i):end:end]
}

// payload returns the message of frame i, empty if it was deleted.
func (v *view) payload(i int) []byte {
	b := v.bytes(i, i+1)
	return b[min(len(b), headerSize(len(b))):]
}

// A cursor is a reader's place in the log. The zero cursor is behind everything.
type cursor struct {
	chunk *chunk
	frame int // frames of chunk before it
}

// pos returns how many bytes of the log are before it.
func (c *cursor) pos() int64 {
	if c.frame == 0 {
		return c.chunk.base
	}
	return c.chunk.state.Load().index[c.frame-1].pos
}

// number returns how many frames of the log are before it.
func (c *cursor) number() int64 { return c.chunk.first + int64(c.frame) }

// last returns the id of the newest Post before it in its chunk, if there is one.
func (c *cursor) last() string {
	v := c.chunk.state.Load()
	for i := c.frame - 1; i >= 0; i-- {
		if v.index[i].id != "" {
			return v.index[i].id
		}
	}
	return ""
}

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
	view   *view         // frames from first on
	first  int
}

// take goes past the next frames that f lets through (nil: all), as many as
// stand next to each other and have no more than limit bytes, but at least one.
// It returns them, compressed by d unless that is nil, or nothing at the end.
// What f does not let through is gone past as well, and so are deleted messages.
func (c *cursor) take(limit int, f *filter, d *deflater) piece {
	for {
		v := c.settle()
		if v == nil {
			return piece{}
		}
		i, n := c.frame, len(v.index)
		if f != nil {
			i, n = c.chunk.run(f, v, i)
		}
		if d != nil {
			v = d.view(c.chunk, v)
		}
		begin := v.begin(i)
		if i < n && v.index[n-1].end-begin > limit {
			n = i + max(1, sort.Search(n-i, func(k int) bool { return v.index[i+k].end-begin > limit }))
		}
		c.frame = n
		if bytes := v.bytes(i, n); len(bytes) > 0 {
			return piece{bytes: bytes, frames: n - i, at: v.index[i].at, view: v, first: i}
		}
	}
}

// gather is like take, but copies frames that stand apart into buf, as many as
// there is room for.
func (c *cursor) gather(buf []byte, f *filter, d *deflater) piece {
	p := c.take(cap(buf), f, d)
	for p.frames > 0 {
		ahead := *c
		more := ahead.take(cap(buf)-len(p.bytes), f, d)
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

// textFrame returns a message as a frame.
func textFrame(message []byte) []byte {
	h := ws.Header{Fin: true, OpCode: ws.OpText, Length: int64(len(message))}
	return append(appendHeader(make([]byte, 0, ws.HeaderSize(h)+len(message)), h), message...)
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

// headerSize returns the size of the header of a frame of so many bytes.
func headerSize(frame int) int {
	switch {
	case frame < 2+126:
		return 2
	case frame < 4+1<<16:
		return 4
	default:
		return 10
	}
}
