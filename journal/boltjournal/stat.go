package boltjournal

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/tweetstream-go/tweetstream"
)

// Stats are figures of a journal. They hold no Post's text.
type Stats struct {
	First, Next         uint64    // positions of the oldest entry and behind the newest
	Entries, Tombstones uint64    // of the entries, so many are tombstones
	Oldest, Newest      time.Time // when entries were received, to the second; zero without entries
	Used, Limit, File   int64     // bytes in use, that may be, and of the file; Limit is 0 from Stat
	Damaged             uint64    // entries known not to be whole
	Cursors             []Cursor  // by name
}

// Cursor is how far a sink is.
type Cursor struct {
	Sink    string
	Pos     uint64    // the next position to read
	Waiting uint64    // entries from there on
	Seen    time.Time // when a program has used the name, to about an hour
}

func newStats(s *state) Stats {
	st := Stats{First: s.first(), Next: s.next}
	for i, c := range s.chunks {
		oldest, newest := time.Unix(c.oldest, 0).UTC(), time.Unix(c.newest, 0).UTC()
		if i == 0 || oldest.Before(st.Oldest) {
			st.Oldest = oldest
		}
		if i == 0 || newest.After(st.Newest) {
			st.Newest = newest
		}
		st.Entries += c.count
		st.Tombstones += c.tombstones
	}
	for name, c := range s.cursors {
		st.Cursors = append(st.Cursors, Cursor{name, c.pos, s.next - min(s.next, max(c.pos, s.first())), time.Unix(c.seen, 0).UTC()})
	}
	slices.SortFunc(st.Cursors, func(a, b Cursor) int { return strings.Compare(a.Sink, b.Sink) })
	return st
}

// Stat returns figures of the journal in the folder dir, and changes nothing. It
// is quick. While a program has the journal, it returns [ErrInUse]: that program
// has [Journal.Stats].
func Stat(ctx context.Context, dir string) (Stats, error) { return stat(ctx, dir, false) }

// Check is Stat that also reads every entry, to count those that are damaged.
func Check(ctx context.Context, dir string) (Stats, error) { return stat(ctx, dir, true) }

func stat(ctx context.Context, dir string, check bool) (Stats, error) {
	f, s, err := openOffline(dir, readOnly, nil)
	if err != nil {
		return Stats{}, err
	}
	defer f.close()
	st := newStats(s)
	if st.Used, err = f.used(); err != nil {
		return Stats{}, err
	}
	if info, err := f.inner.Stat(); err == nil {
		st.File = info.Size()
	}
	if !check {
		return st, ctx.Err()
	}
	var all spans
	err = f.entries(ctx, s, func([]tweetstream.Entry) error { return nil }, func(lost span) { all.add(lost) })
	st.Damaged = all.count()
	return st, err
}

// openOffline opens the file in a folder that no program uses. A nil bad stops at
// the first part that is damaged.
func openOffline(dir string, how access, bad func(what string) error) (*file, *state, error) {
	path, err := filePath(dir)
	if err != nil {
		return nil, nil, err
	}
	if err := checkFile(path, true); err != nil {
		return nil, nil, err
	}
	if info, err := os.Stat(path); err == nil && info.Size() == 0 {
		return nil, nil, damaged(path, "it is empty")
	}
	f, err := openFile(path, how)
	if err != nil {
		return nil, nil, err
	}
	if bad == nil {
		bad = func(what string) error { return damaged(path, what) }
	}
	s, err := f.load(bad)
	if err == nil && s == nil {
		s = &state{}
	}
	if err != nil {
		f.close()
		return nil, nil, err
	}
	return f, s, nil
}

// entries reads all entries, in pieces that are contiguous each.
func (f *file) entries(ctx context.Context, s *state, piece func([]tweetstream.Entry) error, lost func(span)) error {
	buf := make([]tweetstream.Entry, 4096)
	for at := s.first(); at < s.next; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, gone, err := f.read(s, at, s.next, buf)
		if err != nil {
			return err
		}
		if gone.from < gone.to {
			lost(gone)
		}
		if n == 0 {
			return nil
		}
		if err := piece(buf[:n]); err != nil {
			return err
		}
		at = buf[n-1].Pos + 1
		clear(buf[:n])
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
