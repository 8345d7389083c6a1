package boltjournal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.etcd.io/bbolt"
)

// The file has these buckets:
//
//	meta     format, head (the next position and the chunk at the end), state
//	cursors  by the sink's name
//	chunks   the other chunks, by their first position
//	log      a bucket for each chunk, with blocks by their first position
//	ids      likewise with records of the index, which last longer than the log
var (
	metaName    = []byte("meta")
	cursorsName = []byte("cursors")
	chunksName  = []byte("chunks")
	logName     = []byte("log")
	idsName     = []byte("ids")

	formatKey = []byte("format")
	headKey   = []byte("head")
	stateKey  = []byte("state")
	format    = []byte("tweetstream journal 1")
)

// chunk is a part of the log that is dropped as a whole.
type chunk struct {
	first, count   uint64
	bytes          uint64
	tombstones     uint64
	oldest, newest int64 // Received, in seconds since 1970
	stored         int64 // when the last was appended, likewise
}

// cursor is how far a sink is.
type cursor struct {
	pos  uint64
	seen int64 // when a program has used the name, in seconds since 1970
}

// state is what is known of a file without reading tweets. It is never changed
// once it is in use: each transaction makes its own.
type state struct {
	next    uint64
	chunks  []chunk // oldest first; tweets are appended to the last
	indexed []uint64
	cursors map[string]cursor
	source  []byte // the source's state, nil if there is none
}

func (s *state) clone() *state {
	return &state{s.next, slices.Clone(s.chunks), slices.Clone(s.indexed), maps.Clone(s.cursors), s.source}
}

// first is the position of the oldest entry.
func (s *state) first() uint64 {
	if len(s.chunks) == 0 {
		return s.next
	}
	return s.chunks[0].first
}

func key(pos uint64) []byte { return binary.BigEndian.AppendUint64(nil, pos) }

// position reads a key; one of another length has been damaged.
func position(k []byte) (uint64, bool) {
	if len(k) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(k), true
}

// The checksums of small values are over the name they stand under, by way of
// where they stand: see checksum.
const (
	atHead = 1<<63 + iota
	atState
	atCursor
	atChunk
)

func (c *chunk) append(b []byte) []byte {
	for _, x := range []uint64{c.first, c.count, c.bytes, c.tombstones} {
		b = binary.AppendUvarint(b, x)
	}
	for _, x := range []int64{c.oldest, c.newest, c.stored} {
		b = binary.AppendVarint(b, x)
	}
	return b
}

func (c *chunk) parse(b []byte) (ok bool) {
	for _, p := range []*uint64{&c.first, &c.count, &c.bytes, &c.tombstones} {
		x, n := binary.Uvarint(b)
		if n <= 0 {
			return false
		}
		*p, b = x, b[n:]
	}
	for _, p := range []*int64{&c.oldest, &c.newest, &c.stored} {
		x, n := binary.Varint(b)
		if n <= 0 {
			return false
		}
		*p, b = x, b[n:]
	}
	return len(b) == 0
}

func (c *cursor) append(name string) []byte {
	b := binary.AppendVarint(binary.AppendUvarint(nil, c.pos), c.seen)
	sum := checksum(atCursor, append(b[:len(b):len(b)], name...))
	return binary.LittleEndian.AppendUint32(b, sum)
}

func (c *cursor) parse(name string, v []byte) (ok bool) {
	n := len(v) - checksumSize
	if n < 0 || binary.LittleEndian.Uint32(v[n:]) != checksum(atCursor, append(v[:n:n], name...)) {
		return false
	}
	var k, l int
	c.pos, k = binary.Uvarint(v)
	if k > 0 {
		c.seen, l = binary.Varint(v[k:])
	}
	return k > 0 && l > 0
}

// cursorKey leaves room for a sink without a name.
func cursorKey(name string) []byte { return append([]byte{'/'}, name...) }

// load reads the state; a nil one stands for a file that was just made. What is
// damaged is handed to bad, which may return an error to stop at.
func (f *file) load(bad func(what string) error) (s *state, err error) {
	err = f.view(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(metaName)
		for _, name := range [][]byte{metaName, cursorsName, chunksName, logName, idsName} {
			if err := f.unsound[string(name)]; err != nil {
				return damaged(f.path, err.Error())
			}
		}
		if meta == nil {
			if k, _ := tx.Cursor().First(); k == nil {
				return nil
			}
			return fmt.Errorf("boltjournal: %s is another program's file", f.path)
		}
		if got := meta.Get(formatKey); !bytes.Equal(got, format) {
			if bytes.HasPrefix(got, format[:len(format)-1]) {
				return fmt.Errorf("boltjournal: %s was written by a later version (%.40q), this program reads %q", f.path, got, format)
			}
			return fmt.Errorf("boltjournal: %s is another program's file", f.path)
		}
		cursors, chunks, log, ids := tx.Bucket(cursorsName), tx.Bucket(chunksName), tx.Bucket(logName), tx.Bucket(idsName)
		if cursors == nil || chunks == nil || log == nil || ids == nil {
			return damaged(f.path, "a part of it is missing")
		}
		s = &state{cursors: map[string]cursor{}}
		var last chunk
		head, ok := whole(atHead, meta.Get(headKey))
		if ok {
			var n int
			s.next, n = binary.Uvarint(head)
			ok = n > 0 && last.parse(head[max(n, 0):])
		}
		lacking := !ok
		if lacking {
			if err := bad("its head"); err != nil {
				return err
			}
			s.next, last = 0, chunk{}
		}
		if v := meta.Get(stateKey); v != nil {
			if v, ok := whole(atState, v); ok {
				s.source = append([]byte{}, v...)
			} else if err := bad("the state of the source"); err != nil {
				return err
			}
		}
		for k, v := range each(cursors) {
			var c cursor
			name := string(k[min(len(k), 1):])
			if !c.parse(name, v) {
				if err := bad(fmt.Sprintf("the cursor of %.60q", name)); err != nil {
					return err
				}
				c = cursor{0, time.Now().Unix()} // the oldest, so that nothing is passed by
			}
			s.cursors[name] = c
		}
		for k, v := range each(chunks) {
			var c chunk
			first, ok := position(k)
			if v, whole := whole(atChunk+first, v); !ok || !whole || !c.parse(v) || c.first != first {
				if err := bad("a chunk's summary"); err != nil {
					return err
				}
				lacking = true
				continue
			}
			s.chunks = append(s.chunks, c)
		}
		if last.count > 0 {
			s.chunks = append(s.chunks, last)
		}
		for k := range each(ids) {
			if first, ok := position(k); ok {
				s.indexed = append(s.indexed, first)
			}
		}
		if lacking {
			f.rebuild(s, log, ids)
		}
		return nil
	})
	return s, err
}

// rebuild finds the chunks where they stand, for Salvage, and from them, the index
// and the cursors what the next position must be at least.
func (f *file) rebuild(s *state, log, ids *bbolt.Bucket) {
	known := map[uint64]chunk{}
	for _, c := range s.chunks {
		known[c.first] = c
	}
	s.chunks = nil
	for k := range each(log) {
		first, ok := position(k)
		if !ok {
			continue
		}
		c, ok := known[first]
		if !ok {
			c = chunk{first: first, stored: time.Now().Unix()}
		}
		s.chunks = append(s.chunks, c)
		if b := f.part(log, logName, k); b != nil {
			k, v := b.Cursor().Last()
			if pos, ok := position(k); ok {
				block, _ := parseBlock(pos, v)
				s.next = max(s.next, pos+uint64(max(block.left, 1)))
			}
		}
	}
	for _, first := range s.indexed {
		if b := f.part(ids, idsName, key(first)); b != nil {
			k, v := b.Cursor().Last()
			if pos, ok := position(k); ok {
				all, _ := appendIndexed(nil, pos, v)
				s.next = max(s.next, pos+uint64(len(all)))
			}
		}
	}
	for _, c := range s.cursors {
		s.next = max(s.next, c.pos)
	}
}

// part returns a bucket in another; nil if it is not there, or not to be touched.
func (f *file) part(in *bbolt.Bucket, name, k []byte) *bbolt.Bucket {
	if f.unsound[string(name)+"/"+string(k)] != nil {
		return nil
	}
	return in.Bucket(k)
}

// each yields what a bucket holds; the value of a bucket in it is nil.
func each(b *bbolt.Bucket) func(yield func(k, v []byte) bool) {
	return func(yield func(k, v []byte) bool) {
		c := b.Cursor()
		for k, v := c.First(); k != nil && yield(k, v); k, v = c.Next() {
		}
	}
}
