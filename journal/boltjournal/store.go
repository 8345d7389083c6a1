package boltjournal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/tweetstream-go/tweetstream"
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

// headPart is the part without which nothing can be read.
const headPart = "its head"

// load reads the state; a nil one stands for a file that was just made. What is
// damaged is handed to bad, which may return an error to stop at.
func (f *file) load(bad func(what string) error) (s *state, err error) {
	err = f.view(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(metaName)
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
		if !ok {
			return bad(headPart)
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
			if name := string(k[1:]); c.parse(name, v) {
				s.cursors[name] = c
			} else if err := bad(fmt.Sprintf("the cursor of %.60q", name)); err != nil {
				return err
			}
		}
		for k, v := range each(chunks) {
			var c chunk
			first, ok := position(k)
			if v, whole := whole(atChunk+first, v); !ok || !whole || !c.parse(v) || c.first != first {
				if err := bad("a chunk's summary"); err != nil {
					return err
				}
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
		return nil
	})
	return s, err
}

// each yields what a bucket holds; the value of a bucket in it is nil.
func each(b *bbolt.Bucket) func(yield func(k, v []byte) bool) {
	return func(yield func(k, v []byte) bool) {
		c := b.Cursor()
		for k, v := c.First(); k != nil && yield(k, v); k, v = c.Next() {
		}
	}
}

// writing is a transaction in the making: the state that will be, and the memory
// of values, which bbolt refers to until it is committed.
type writing struct {
	*config
	tx    *bbolt.Tx
	state *state
	arena []byte
	now   int64
}

// begin begins a transaction. A list of few free pages is stored with each
// commit, so that opening need not walk through all pages; a long list would cost
// more than the tweets, and then little is left to walk through.
func (f *file) begin(c *config, s *state, arena []byte) (*writing, error) {
	f.db.NoFreelistSync = f.freePages() > c.syncedPages
	tx, err := f.db.Begin(true)
	if err != nil {
		return nil, err
	}
	return &writing{config: c, tx: tx, state: s.clone(), arena: arena[:0], now: time.Now().Unix()}, nil
}

func (f *file) freePages() int {
	st := f.db.Stats()
	return st.FreePageN + st.PendingPageN
}

// used returns how many bytes of the file are in use.
func (f *file) used() (n int64, err error) {
	err = f.view(func(tx *bbolt.Tx) error {
		n = tx.Size() - int64(f.freePages())*int64(f.db.Info().PageSize)
		return nil
	})
	return n, err
}

// create makes the buckets of a new file.
func (w *writing) create() error {
	for _, name := range [][]byte{metaName, cursorsName, chunksName, logName, idsName} {
		if _, err := w.tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	return w.tx.Bucket(metaName).Put(formatKey, format)
}

// put appends tweets to the log and the index.
func (w *writing) put(tweets []*tweetstream.Tweet) error {
	log, ids := w.tx.Bucket(logName), w.tx.Bucket(idsName)
	for len(tweets) > 0 {
		if n := len(w.state.chunks); n == 0 || w.state.chunks[n-1].count >= w.chunkCount || w.state.chunks[n-1].bytes >= w.chunkBytes {
			if err := w.rotate(); err != nil {
				return err
			}
		}
		c := &w.state.chunks[len(w.state.chunks)-1]
		blocks, err := log.CreateBucketIfNotExists(key(c.first))
		if err != nil {
			return err
		}
		blocks.FillPercent = 1
		first, all := w.state.next, tweets
		for len(tweets) > 0 && c.count < w.chunkCount && c.bytes < w.chunkBytes {
			n, size := 0, 0
			for n < len(tweets) && c.count < w.chunkCount && (n == 0 || size < blockSize) {
				t := tweets[n]
				size += entryLen(t) + checksumSize
				received := t.Received.Unix()
				if c.count == 0 {
					c.oldest, c.newest = received, received
				}
				c.oldest, c.newest = min(c.oldest, received), max(c.newest, received)
				if t.Deleted {
					c.tombstones++
				}
				c.count++
				n++
			}
			begin := len(w.arena)
			w.arena = appendBlock(w.arena, w.state.next, tweets[:n])
			value := w.arena[begin:len(w.arena):len(w.arena)]
			if err := blocks.Put(key(w.state.next), value); err != nil {
				return err
			}
			c.bytes += uint64(len(value))
			w.state.next += uint64(n)
			tweets = tweets[n:]
		}
		c.stored = w.now
		records, err := ids.CreateBucketIfNotExists(key(c.first))
		if err != nil {
			return err
		}
		records.FillPercent = 1
		begin := len(w.arena)
		w.arena = appendIndex(w.arena, first, all[:len(all)-len(tweets)])
		if err := records.Put(key(first), w.arena[begin:len(w.arena):len(w.arena)]); err != nil {
			return err
		}
	}
	return nil
}

// rotate begins a new chunk at the end.
func (w *writing) rotate() error {
	s := w.state
	if n := len(s.chunks); n > 0 {
		if err := w.putChunk(&s.chunks[n-1]); err != nil {
			return err
		}
	}
	s.chunks = append(s.chunks, chunk{first: s.next})
	s.indexed = append(s.indexed, s.next)
	return nil
}

// putChunk stores the summary of a chunk that is not the last.
func (w *writing) putChunk(c *chunk) error {
	begin := len(w.arena)
	w.arena = c.append(w.arena)
	w.arena = appendChecksum(w.arena, begin, atChunk+c.first)
	return w.tx.Bucket(chunksName).Put(key(c.first), w.arena[begin:len(w.arena):len(w.arena)])
}

// drop drops the oldest chunk, which must not be the last.
func (w *writing) drop() error {
	k := key(w.state.chunks[0].first)
	if err := w.tx.Bucket(logName).DeleteBucket(k); err != nil {
		return err
	}
	w.state.chunks = w.state.chunks[1:]
	return w.tx.Bucket(chunksName).Delete(k)
}

// dropIDs drops the index of what is gone, but for the newest ids.
func (w *writing) dropIDs() error {
	s := w.state
	for len(s.indexed) > 1 && s.indexed[1] <= s.first() && s.next-s.indexed[1] >= w.ids {
		if err := w.tx.Bucket(idsName).DeleteBucket(key(s.indexed[0])); err != nil {
			return err
		}
		s.indexed = s.indexed[1:]
	}
	return nil
}

func (w *writing) putCursor(name string, c cursor) error {
	w.state.cursors[name] = c
	return w.tx.Bucket(cursorsName).Put(cursorKey(name), c.append(name))
}

func (w *writing) forget(name string) error {
	delete(w.state.cursors, name)
	return w.tx.Bucket(cursorsName).Delete(cursorKey(name))
}

func (w *writing) putState(source []byte) error {
	w.state.source = append([]byte{}, source...)
	begin := len(w.arena)
	w.arena = append(w.arena, source...)
	w.arena = appendChecksum(w.arena, begin, atState)
	return w.tx.Bucket(metaName).Put(stateKey, w.arena[begin:len(w.arena):len(w.arena)])
}

// commit commits the transaction. Whether it failed or not, the transaction is
// over.
func (w *writing) commit() error {
	var last chunk
	if n := len(w.state.chunks); n > 0 {
		last = w.state.chunks[n-1]
	}
	begin := len(w.arena)
	w.arena = last.append(binary.AppendUvarint(w.arena, w.state.next))
	w.arena = appendChecksum(w.arena, begin, atHead)
	if err := w.tx.Bucket(metaName).Put(headKey, w.arena[begin:len(w.arena):len(w.arena)]); err != nil {
		return err
	}
	if err := w.tx.Commit(); err != nil || w.failed == nil {
		return err
	}
	return w.failed()
}

// rollback gives the transaction up, if it is not over.
func (w *writing) rollback() {
	if w.tx.DB() != nil {
		_ = w.tx.Rollback()
	}
}

// repair makes the file what w.state says, after a commit of which it is not
// known what has reached the disk.
func (w *writing) repair() error {
	s := w.state
	log, ids, chunks := w.tx.Bucket(logName), w.tx.Bucket(idsName), w.tx.Bucket(chunksName)
	if s.source != nil {
		if err := w.putState(s.source); err != nil {
			return err
		}
	} else if err := w.tx.Bucket(metaName).Delete(stateKey); err != nil {
		return err
	}
	cut := func(parent *bbolt.Bucket) (kept map[uint64]bool, err error) {
		kept = map[uint64]bool{}
		var gone [][]byte
		var last []byte
		for k := range each(parent) {
			if first, ok := position(k); ok && first >= s.next {
				gone = append(gone, bytes.Clone(k))
			} else if ok {
				kept[first] = true
				last = bytes.Clone(k)
			}
		}
		for _, k := range gone {
			if err := parent.DeleteBucket(k); err != nil {
				return nil, err
			}
		}
		if last == nil {
			return kept, nil
		}
		b := parent.Bucket(last)
		gone = gone[:0]
		c := b.Cursor()
		for k, _ := c.Seek(key(s.next)); k != nil; k, _ = c.Next() {
			gone = append(gone, bytes.Clone(k))
		}
		for _, k := range gone {
			if err := b.Delete(k); err != nil {
				return nil, err
			}
		}
		return kept, nil
	}
	kept, err := cut(log)
	if err != nil {
		return err
	}
	s.chunks = slices.DeleteFunc(s.chunks, func(c chunk) bool { return !kept[c.first] })
	if kept, err = cut(ids); err != nil {
		return err
	}
	s.indexed = slices.DeleteFunc(s.indexed, func(first uint64) bool { return !kept[first] })
	var stale [][]byte
	for k := range each(chunks) {
		stale = append(stale, bytes.Clone(k))
	}
	for _, k := range stale {
		if err := chunks.Delete(k); err != nil {
			return err
		}
	}
	for i := range max(len(s.chunks)-1, 0) {
		if err := w.putChunk(&s.chunks[i]); err != nil {
			return err
		}
	}
	return nil
}
