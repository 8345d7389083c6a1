package boltjournal

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/tweetstream-go/tweetstream"
)

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
