package boltjournal

import (
	"bytes"
	"context"
	"errors"

	"go.etcd.io/bbolt"

	"github.com/tweetstream-go/tweetstream"
)

// readBytes is about how much one Read returns at the most, unless a single entry
// is larger: a batch may be 100,000 tweets.
const readBytes = 8 << 20

// Read implements [tweetstream.Journal]. Beyond that: what it returns is in one
// piece, and about 8 MiB at the most. Entries that are damaged it leaves out,
// counts, and logs; so that its caller notices, they are left out at the
// beginning of a Read only. An error means that nothing whole was found from
// there on, and holds [ErrDamaged].
func (j *Journal) Read(ctx context.Context, from uint64, dst []tweetstream.Entry) (int, error) {
	if err := j.ready(); err != nil {
		return 0, err
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	j.opened.RLock()
	defer j.opened.RUnlock()
	if j.file == nil {
		return 0, ErrClosed
	}
	return j.readOpen(from, dst)
}

// readOpen is Read once the file is held open.
func (j *Journal) readOpen(from uint64, dst []tweetstream.Entry) (int, error) {
	if len(dst) == 0 {
		return 0, nil
	}
	s := j.current.Load()
	n, lost, err := j.file.read(s, from, j.durable.Load(), dst)
	if lost.from < lost.to {
		j.report(lost)
	}
	return n, err
}

// report counts and logs damaged entries, once.
func (j *Journal) report(lost span) {
	j.mu.Lock()
	fresh := j.spans.add(lost)
	j.mu.Unlock()
	if fresh == 0 {
		return
	}
	args := []any{"journal", j.path, "from", lost.from, "to", lost.to - 1, "count", lost.to - lost.from}
	if first := j.file.idAt(lost.from); first != "" {
		args = append(args, "first", first)
	}
	if last := j.file.idAt(lost.to - 1); last != "" {
		args = append(args, "last", last)
	}
	j.logger.Error("the journal is damaged: entries are left out", args...)
}

// read reads entries in one piece, from the first whole one at from or behind it
// on, and before end. It returns what is missing before that.
func (f *file) read(s *state, from, end uint64, dst []tweetstream.Entry) (n int, lost span, err error) {
	from = max(from, s.first())
	if from >= end {
		return 0, span{}, nil
	}
	r := reading{end: end, dst: dst}
	for at := from; at < end; at++ {
		r.n, r.bytes, r.inside = 0, 0, false
		err = f.view(func(tx *bbolt.Tx) error { return r.run(f, tx, at) })
		if r.n > 0 {
			err = nil // what was read is whole
		}
		if err == nil {
			break
		}
		// A page is damaged. If it is one within a chunk, another position may
		// be reached by way of another page.
		if !errors.Is(err, ErrDamaged) || !r.inside {
			return 0, span{}, err
		}
		r.bad = true
	}
	switch {
	case r.n > 0 && r.bad:
		lost = span{from, dst[0].Pos}
	case r.n == 0 && r.bad:
		lost = span{from, end}
	}
	return r.n, lost, nil
}

// reading is one Read.
type reading struct {
	end    uint64
	dst    []tweetstream.Entry
	n      int
	bytes  int
	bad    bool // something was damaged
	inside bool // the pages of a chunk are being read
}

func (r *reading) run(f *file, tx *bbolt.Tx, from uint64) error {
	log := tx.Bucket(logName)
	if log == nil {
		return ErrDamaged
	}
	chunks := log.Cursor()
	for first, _ := seek(chunks, from); first != nil; first, _ = chunks.Next() {
		r.inside = true
		b := f.part(log, logName, first)
		if b == nil {
			r.bad, r.inside = true, false
			continue
		}
		c := b.Cursor()
		for k, v := seek(c, from); k != nil; k, v = c.Next() {
			if done := r.block(k, v, from); done {
				return nil
			}
		}
		r.inside = false
	}
	return nil
}

// seek moves a cursor to the last key that is not behind pos, or else to the
// first.
func seek(c *bbolt.Cursor, pos uint64) (k, v []byte) {
	want := key(pos)
	if k, v = c.Seek(want); k == nil {
		return c.Last()
	}
	if !bytes.Equal(k, want) {
		if k, v = c.Prev(); k == nil {
			return c.First()
		}
	}
	return k, v
}

// block reads the entries of a block that are not before from; done is true when
// no more are to be read.
func (r *reading) block(k, v []byte, from uint64) (done bool) {
	pos, ok := position(k)
	b, whole := parseBlock(pos, v)
	if !ok || !whole {
		r.bad = true
		return r.n > 0
	}
	for b.left > 0 {
		pos, data := b.next()
		if pos < from {
			continue
		}
		if pos >= r.end || r.n == len(r.dst) || r.bytes >= readBytes {
			return true
		}
		if r.n > 0 && pos != r.dst[r.n-1].Pos+1 {
			return true
		}
		t, err := decode(pos, data)
		if err != nil {
			r.bad = true
			if r.n > 0 {
				return true
			}
			continue
		}
		r.dst[r.n] = tweetstream.Entry{Pos: pos, Tweet: t}
		r.n++
		r.bytes += len(data)
	}
	return r.n == len(r.dst) || r.bytes >= readBytes
}

// decode returns the tweet of an entry and its checksum.
func decode(pos uint64, data []byte) (*tweetstream.Tweet, error) {
	data, ok := whole(pos, data)
	if !ok {
		return nil, errEntry
	}
	return decodeEntry(data)
}

// idAt returns the id at a position, as the index has it; empty if it does not.
func (f *file) idAt(pos uint64) (id string) {
	_ = f.view(func(tx *bbolt.Tx) error {
		ids := tx.Bucket(idsName)
		chunk, _ := seek(ids.Cursor(), pos)
		if chunk == nil {
			return nil
		}
		b := ids.Bucket(chunk)
		if b == nil {
			return nil
		}
		k, v := seek(b.Cursor(), pos)
		first, ok := position(k)
		if !ok {
			return nil
		}
		all, _ := appendIndexed(nil, first, v)
		for _, x := range all {
			if x.pos == pos {
				id = x.id
			}
		}
		return nil
	})
	return id
}
