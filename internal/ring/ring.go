// Package ring holds a log in memory that several readers follow, each at its
// own position. What all readers have passed is forgotten; what no reader has
// passed is kept up to a limit in bytes.
package ring

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"
)

// ErrBehind says that the reader's next item is not kept any more.
var ErrBehind = errors.New("ring: reader is behind the oldest item kept")

// Ring is the log. Its positions count the items from the first ever appended.
type Ring[T any] struct {
	limit int
	size  func(T) int

	mu      sync.Mutex
	slots   []slot[T] // a power of two long; position p is at p modulo the length
	first   uint64    // the oldest item kept
	next    uint64    // behind the newest
	total   int64     // bytes ever appended
	readers []*Reader[T]
	ended   bool
	moved   chan struct{} // holds a token when a blocking reader has gone on
}

type slot[T any] struct {
	item   T
	before int64 // bytes appended before this item
}

// New returns a ring that begins at position next and keeps up to limit bytes,
// by size, for readers that have not read them; one item is kept in any case.
func New[T any](next uint64, limit int, size func(T) int) *Ring[T] {
	return &Ring[T]{
		limit: limit,
		size:  size,
		slots: make([]slot[T], 64),
		first: next,
		next:  next,
		moved: make(chan struct{}, 1),
	}
}

// Policy says what happens to a reader whose items push the ring over its limit.
type Policy int

const (
	Lose   Policy = iota // it loses the oldest; each is handed to lost
	Behind               // it falls behind, and reads elsewhere what it missed
	Block                // nothing of it is dropped; Room tells to wait
)

// Reader reads a ring from its own position on. One goroutine at a time may
// call Next; all other methods may be called at any time.
type Reader[T any] struct {
	ring   *Ring[T]
	policy Policy
	lost   func(T)
	pos    uint64
	ready  chan struct{} // holds a token when Next should look again
}

// Reader adds a reader at position from, before the first Append. With Lose,
// lost is called for each item that the reader loses, in order, inside of
// Append: it must not block nor use the ring.
func (r *Ring[T]) Reader(from uint64, policy Policy, lost func(T)) *Reader[T] {
	rd := &Reader[T]{ring: r, policy: policy, lost: lost, pos: from, ready: make(chan struct{}, 1)}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.readers = append(r.readers, rd)
	return rd
}

// Next returns the position behind the newest item.
func (r *Ring[T]) Next() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.next
}

// Full reports whether a blocking reader keeps the ring full.
func (r *Ring[T]) Full() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	oldest := r.next
	for _, rd := range r.readers {
		if rd.policy == Block {
			oldest = min(oldest, rd.pos)
		}
	}
	return r.waiting(oldest) >= int64(r.limit)
}

// Room waits until the ring is not full.
func (r *Ring[T]) Room(ctx context.Context) error {
	for r.Full() {
		select {
		case <-r.moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Append adds items, and drops the oldest ones while the ring is over its limit.
// It returns the position behind the last. It never waits.
func (r *Ring[T]) Append(items []T) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, item := range items {
		if r.next-r.first == uint64(len(r.slots)) {
			r.forget()
			if r.next-r.first == uint64(len(r.slots)) {
				r.grow()
			}
		}
		*r.at(r.next) = slot[T]{item, r.total}
		r.total += int64(r.size(item))
		r.next++
	}
	r.shrink()
	if len(items) > 0 {
		for _, rd := range r.readers {
			rd.wake()
		}
	}
	return r.next
}

// End says that nothing will be appended any more: readers get io.EOF behind
// the last item.
func (r *Ring[T]) End() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	for _, rd := range r.readers {
		rd.wake()
	}
}

func (r *Ring[T]) at(pos uint64) *slot[T] { return &r.slots[pos&uint64(len(r.slots)-1)] }

// waiting returns the bytes from pos on, as far as they are kept.
func (r *Ring[T]) waiting(pos uint64) int64 {
	pos = max(pos, r.first)
	if pos >= r.next {
		return 0
	}
	return r.total - r.at(pos).before
}

func (r *Ring[T]) grow() {
	slots := make([]slot[T], 2*len(r.slots))
	for pos := r.first; pos < r.next; pos++ {
		slots[pos&uint64(len(slots)-1)] = *r.at(pos)
	}
	r.slots = slots
}

// forget drops the items that all readers have passed.
func (r *Ring[T]) forget() {
	oldest := r.next
	for _, rd := range r.readers {
		oldest = min(oldest, rd.pos)
	}
	for ; r.first < oldest; r.first++ {
		*r.at(r.first) = slot[T]{}
	}
}

// shrink drops the oldest items while the ring is over its limit, but for those
// of blocking readers.
func (r *Ring[T]) shrink() {
	for r.next-r.first > 1 && r.waiting(r.first) > int64(r.limit) {
		r.forget()
		if r.next-r.first <= 1 || r.waiting(r.first) <= int64(r.limit) {
			return
		}
		for _, rd := range r.readers {
			if rd.policy == Block && rd.pos <= r.first {
				return
			}
		}
		for _, rd := range r.readers {
			if rd.policy == Lose && rd.pos <= r.first {
				rd.lost(r.at(r.first).item)
				rd.pos = r.first + 1
			}
		}
		*r.at(r.first) = slot[T]{}
		r.first++
	}
}

func (rd *Reader[T]) wake() {
	select {
	case rd.ready <- struct{}{}:
	default:
	}
}

// Next copies the next items to dst and goes past them; it returns how many,
// and the position of the first. It waits for at least one, until stop yields
// (then it returns 0 and no error) or ctx is done. Behind the last item of a
// ring that has ended it returns io.EOF, and ErrBehind where Seek is needed.
func (rd *Reader[T]) Next(ctx context.Context, dst []T, stop <-chan time.Time) (n int, pos uint64, err error) {
	for {
		if n, pos, err = rd.take(dst); n > 0 || err != nil {
			return n, pos, err
		}
		select {
		case <-rd.ready:
		case <-stop:
			return 0, pos, nil
		case <-ctx.Done():
			return 0, pos, ctx.Err()
		}
	}
}

func (rd *Reader[T]) take(dst []T) (n int, pos uint64, err error) {
	r := rd.ring
	r.mu.Lock()
	defer r.mu.Unlock()
	pos = rd.pos
	if pos < r.first {
		return 0, pos, ErrBehind
	}
	for n < len(dst) && rd.pos < r.next {
		dst[n] = r.at(rd.pos).item
		n++
		rd.pos++
	}
	if n == 0 && r.ended {
		return 0, pos, io.EOF
	}
	if pos == r.first {
		r.forget()
	}
	if n > 0 && rd.policy == Block {
		select {
		case r.moved <- struct{}{}:
		default:
		}
	}
	return n, pos, nil
}

// Seek moves the reader.
func (rd *Reader[T]) Seek(pos uint64) {
	rd.ring.mu.Lock()
	defer rd.ring.mu.Unlock()
	rd.pos = pos
	rd.wake()
}

// SeekOldest moves the reader to the oldest item kept, unless it is past it, and
// returns its position.
func (rd *Reader[T]) SeekOldest() uint64 {
	rd.ring.mu.Lock()
	defer rd.ring.mu.Unlock()
	rd.pos = max(rd.pos, rd.ring.first)
	return rd.pos
}

// Waiting returns how many items the reader has not read yet, how many of these
// the ring keeps, their bytes, and the oldest of them.
func (rd *Reader[T]) Waiting() (n, kept uint64, bytes int64, oldest T) {
	r := rd.ring
	r.mu.Lock()
	defer r.mu.Unlock()
	if rd.pos >= r.next {
		return 0, 0, 0, oldest
	}
	first := max(rd.pos, r.first)
	return r.next - rd.pos, r.next - first, r.waiting(rd.pos), r.at(first).item
}
