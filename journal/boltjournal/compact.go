package boltjournal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/internal/folder"
)

// Compact copies the journal in the folder dir to a new file, which takes the
// place of the old one, and returns the size of both. While a program has the
// journal it returns [ErrInUse]; a program that starts meanwhile waits. Killed at
// any moment, it leaves either the old file or the new one. Where anything is
// damaged it leaves the old one, and says so: that is for [Salvage].
func Compact(ctx context.Context, dir string) (before, after int64, err error) {
	path, err := filePath(dir)
	if err != nil {
		return 0, 0, err
	}
	c := copying{ctx: ctx, path: path, lost: func(s span) error {
		return damaged(path, fmt.Sprintf("the entries %d to %d", s.from, s.to-1))
	}}
	err = c.run(dir, &before, &after)
	return before, after, err
}

// Salvaged is what [Salvage] has found.
type Salvaged struct {
	Entries       uint64      // that are whole, and in the new file
	Lost          uint64      // that are not
	Ranges        [][2]uint64 // their positions, each range without its end
	Parts         []string    // other parts that were damaged
	Before, After int64       // sizes of the files
}

// Salvage copies all that is whole to a new file, which takes the place of the
// old one; that is kept in the folder as journal.db.damaged until it is removed
// by hand, and no other Salvage replaces it. A sink whose cursor is damaged, but
// whose name is legible, begins with the oldest entry: it may get some again, and
// is passed by none. Where the state of the source is damaged, the stream begins
// at now. What holds the chunks together (the first pages of the file, and those
// of its five buckets) can't be salvaged.
func Salvage(ctx context.Context, dir string) (Salvaged, error) {
	var out Salvaged
	path, err := filePath(dir)
	if err != nil {
		return out, err
	}
	if exists(filepath.Join(dir, damagedName)) {
		return out, fmt.Errorf("boltjournal: %s is there, of an earlier Salvage; move it away first", filepath.Join(dir, damagedName))
	}
	var all spans
	c := copying{ctx: ctx, path: path, keep: true}
	c.lost = func(s span) error { all.add(s); return nil }
	c.bad = func(what string) error {
		out.Parts = append(out.Parts, what)
		return nil
	}
	err = c.run(dir, &out.Before, &out.After)
	for _, s := range all {
		out.Ranges = append(out.Ranges, [2]uint64{s.from, s.to})
	}
	out.Entries, out.Lost = c.entries, all.count()
	return out, err
}

// copying is one Compact or Salvage.
type copying struct {
	ctx     context.Context
	path    string
	keep    bool // the old file
	lost    func(span) error
	bad     func(what string) error
	entries uint64
}

func (c *copying) run(dir string, before, after *int64) (err error) {
	how := write
	if c.keep {
		how = salvaging
	}
	src, s, err := openOffline(dir, how, c.bad)
	if err != nil {
		return err
	}
	defer src.close()
	dir = filepath.Dir(c.path)
	replaced := false
	if c.keep { // first, for it also keeps another Salvage out
		old := filepath.Join(dir, damagedName)
		if err := os.Link(c.path, old); err != nil {
			return fmt.Errorf("boltjournal: keep the old file: %w", err)
		}
		defer func() {
			if !replaced {
				_ = os.Remove(old)
			}
		}()
	}
	temp := filepath.Join(dir, compactName)
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("boltjournal: %w", err)
	}
	if *before, err = src.size(); err != nil {
		return err
	}
	used, err := src.used()
	if err != nil {
		return err
	}
	// Pages are fuller or emptier in the copy.
	if free, known := freeDisk(dir); known && free < uint64(used)+32<<20 {
		return fmt.Errorf("boltjournal: compact %s: %d bytes are free on the disk, and %d are needed", c.path, free, used+32<<20)
	}
	dst, err := openFile(temp, write)
	if err != nil {
		return err
	}
	defer func() {
		if dst != nil {
			dst.close()
		}
		if err != nil {
			_ = os.Remove(temp)
		}
	}()
	dst.db.NoSync, dst.db.AllocSize = true, 1<<20
	if err := c.copy(src, s, dst); err != nil {
		return err
	}
	if err := dst.db.Sync(); err != nil {
		return fmt.Errorf("boltjournal: sync %s: %w", temp, err)
	}
	if *after, err = dst.size(); err != nil {
		return err
	}
	dst.close()
	dst = nil
	if err := os.Rename(temp, c.path); err != nil {
		return fmt.Errorf("boltjournal: %w", err)
	}
	replaced = true
	return folder.Sync(dir)
}

func (f *file) size() (int64, error) {
	info, err := f.inner.Stat()
	if err != nil {
		return 0, fmt.Errorf("boltjournal: %w", err)
	}
	return info.Size(), nil
}

// copy copies what src holds to dst, which is empty.
func (c *copying) copy(src *file, s *state, dst *file) error {
	conf := defaults()
	conf.chunkBytes = 16 << 20
	to := &state{next: s.first(), cursors: map[string]cursor{}}
	in := func(fill func(w *writing) error) error {
		return guard(c.path, func() error {
			w, err := dst.begin(&conf, to, nil)
			if err != nil {
				return err
			}
			defer w.rollback()
			if err := fill(w); err != nil {
				return err
			}
			if err := w.commit(); err != nil {
				return err
			}
			to = w.state
			return nil
		})
	}
	err := in(func(w *writing) error {
		if err := w.create(); err != nil {
			return err
		}
		for name, at := range s.cursors {
			if err := w.putCursor(name, at); err != nil {
				return err
			}
		}
		if s.source != nil {
			if err := w.putState(s.source); err != nil {
				return err
			}
		}
		return c.copyIDs(src, s, w)
	})
	if err != nil {
		return err
	}
	var refused error
	var tweets []*tweetstream.Tweet
	stored := s.chunks
	err = src.entries(c.ctx, s, func(piece []tweetstream.Entry) error {
		if refused != nil {
			return refused
		}
		tweets = tweets[:0]
		for _, e := range piece {
			tweets = append(tweets, e.Tweet)
		}
		c.entries += uint64(len(piece))
		for len(stored) > 1 && stored[1].first <= piece[0].Pos {
			stored = stored[1:]
		}
		return in(func(w *writing) error {
			w.state.next = piece[0].Pos
			w.now = stored[0].stored
			return w.put(tweets)
		})
	}, func(lost span) { refused = errors.Join(refused, c.lost(lost)) })
	if err = errors.Join(refused, err); err != nil {
		return err
	}
	return in(func(w *writing) error { w.state.next = s.next; return nil })
}

// copyIDs copies the index of what was dropped.
func (c *copying) copyIDs(src *file, s *state, w *writing) error {
	return src.view(func(tx *bbolt.Tx) error {
		from := tx.Bucket(idsName)
		for _, first := range s.indexed {
			old := src.part(from, idsName, key(first))
			if old == nil || first >= s.first() {
				continue
			}
			b, err := w.tx.Bucket(idsName).CreateBucket(key(first))
			if err != nil {
				return err
			}
			b.FillPercent = 1
			for k, v := range each(old) {
				if err := b.Put(k, append([]byte{}, v...)); err != nil {
					return err
				}
			}
			w.state.indexed = append(w.state.indexed, first)
		}
		return nil
	})
}
