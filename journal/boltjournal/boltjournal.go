package boltjournal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/internal/folder"
)

// ErrClosed is returned by the methods of a [Journal] after Close.
var ErrClosed = errors.New("boltjournal: the journal is closed")

var (
	errNotStarted   = errors.New("boltjournal: the journal was not started")
	errStartedTwice = errors.New("boltjournal: Start was called before: a Journal starts once")
)

// A Journal is a [tweetstream.Journal] in a file. It is made by [Open], and may
// be used by several goroutines at once.
type Journal struct {
	config
	path string

	closing chan struct{} // closed by Close
	turn    chan struct{} // holds a token while the fields of the writer are in use
	writer

	durable atomic.Uint64         // the next position; what is behind it may not last
	current atomic.Pointer[state] // as the last commit has left it

	mu      sync.Mutex
	started bool
	closed  bool
	queue   []*request
	spans   spans // positions known to be damaged
	used    int64
	size    int64

	opened sync.RWMutex // held for reading while file is read
	file   *file        // nil before Start, and after Close
}

// Open returns the journal in the folder dir, for [tweetstream.WithJournal]. It
// checks the options and the folder, and makes that where it is missing (0700);
// the file in it is made, or opened and locked, by Start. The caller closes the
// Journal, after the Streamer's Run has returned.
func Open(dir string, opts ...Option) (*Journal, error) {
	c := defaults()
	for _, opt := range opts {
		if opt == nil {
			return nil, errors.New("boltjournal: an option is nil")
		}
		opt(&c)
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	path, err := filePath(dir)
	if err != nil {
		return nil, err
	}
	if err := folder.Make(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("boltjournal: %w", err)
	}
	if err := checkFile(path, false); err != nil {
		return nil, err
	}
	return &Journal{config: c, path: path, closing: make(chan struct{}), turn: make(chan struct{}, 1)}, nil
}

// filePath returns the path of the file in a folder, which may be missing.
func filePath(dir string) (string, error) {
	if dir == "" {
		return "", errors.New("boltjournal: the name of the folder is empty")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("boltjournal: %w", err)
	}
	info, err := os.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return "", fmt.Errorf("boltjournal: %w", err)
	case info.Mode()&fs.ModeSymlink != 0:
		return "", fmt.Errorf("boltjournal: open %s: it is a symbolic link, which is refused", dir)
	case !info.IsDir():
		return "", fmt.Errorf("boltjournal: open %s: it is not a folder", dir)
	}
	return filepath.Join(dir, fileName), nil
}

// pollLock is how often a standby tries to take over.
const pollLock = 200 * time.Millisecond

// Start opens the file, makes it where it is missing, and returns what it holds.
// While another process, or another Journal, has it, Start waits, until ctx is
// done, for [LockTimeout] or until Close.
func (j *Journal) Start(ctx context.Context) (tweetstream.JournalState, error) {
	var none tweetstream.JournalState
	j.mu.Lock()
	started := j.started
	j.started = true
	j.mu.Unlock()
	if started {
		return none, errStartedTwice
	}
	select {
	case j.turn <- struct{}{}:
		defer func() { <-j.turn }()
	case <-ctx.Done():
		return none, ctx.Err()
	}
	f, err := j.lock(ctx)
	if err != nil {
		return none, err
	}
	s, err := j.open(f)
	if err != nil {
		f.close()
		return none, err
	}
	j.opened.Lock()
	j.file = f
	j.opened.Unlock()
	j.publish(s)

	st := tweetstream.JournalState{Next: s.next, State: s.source, Cursors: map[string]uint64{}}
	for name, c := range s.cursors {
		st.Cursors[name] = c.pos
	}
	st.Newest = func(yield func(string, bool) bool) {
		begin := s.next - min(s.next, j.ids)
		for x := range j.indexed(s, func(first, end uint64) bool { return end > begin }) {
			if x.pos >= begin && !yield(x.id, x.deleted) {
				return
			}
		}
	}
	st.Deleted = func(yield func(string) bool) {
		buried := map[uint64]bool{}
		for _, c := range s.chunks {
			buried[c.first] = c.tombstones > 0
		}
		for x := range j.indexed(s, func(first, _ uint64) bool { return buried[first] }) {
			if x.deleted && !yield(x.id) {
				return
			}
		}
	}
	return st, nil
}

// lock opens the file, and waits for its lock.
func (j *Journal) lock(ctx context.Context) (*file, error) {
	var timeout <-chan time.Time
	if j.lockTimeout > 0 {
		timer := time.NewTimer(j.lockTimeout)
		defer timer.Stop()
		timeout = timer.C
	}
	poll := time.NewTicker(pollLock)
	defer poll.Stop()
	for said := false; ; {
		select {
		case <-j.closing:
			return nil, ErrClosed
		default:
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		f, err := openFile(j.path, write)
		if !errors.Is(err, ErrInUse) {
			if err == nil && said {
				j.logger.Info("the journal is free: this process takes over", "journal", j.path)
			}
			return f, err
		}
		if !said {
			said = true
			j.logger.Info("the journal is in use: this process waits in standby", "journal", j.path)
		}
		select {
		case <-poll.C:
		case <-timeout:
			return nil, fmt.Errorf("%w after %v: %s", ErrInUse, j.lockTimeout, j.path)
		case <-j.closing:
			return nil, ErrClosed
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// open reads the state of a file that was locked.
func (j *Journal) open(f *file) (*state, error) {
	dir := filepath.Dir(j.path)
	if err := os.Remove(filepath.Join(dir, compactName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("boltjournal: %w", err)
	}
	s, err := f.load(func(what string) error { return damaged(j.path, what) })
	if err != nil || s != nil {
		return s, err
	}
	s = &state{cursors: map[string]cursor{}}
	err = guard(j.path, func() error {
		w, err := f.begin(&j.config, s, nil)
		if err != nil {
			return err
		}
		defer w.rollback()
		if err := w.create(); err != nil {
			return err
		}
		return w.commit()
	})
	if err == nil {
		err = folder.Sync(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("boltjournal: make %s: %w", j.path, err)
	}
	return s, nil
}

// indexed yields the ids in those parts of the index that want picks by their
// first position and the one behind. Nothing of the file is held meanwhile.
func (j *Journal) indexed(s *state, want func(first, end uint64) bool) iter.Seq[indexed] {
	return func(yield func(indexed) bool) {
		var ids []indexed
		for i, first := range s.indexed {
			end := s.next
			if i+1 < len(s.indexed) {
				end = s.indexed[i+1]
			}
			if !want(first, end) {
				continue
			}
			ids = j.indexOf(ids[:0], first, end)
			for _, x := range ids {
				if !yield(x) {
					return
				}
			}
		}
	}
}

// indexOf appends the ids of a part of the index. Those of a record that is
// damaged are taken from the entries, as far as they are there.
func (j *Journal) indexOf(dst []indexed, first, end uint64) []indexed {
	j.opened.RLock()
	defer j.opened.RUnlock()
	if j.file == nil {
		return dst
	}
	at := first
	err := j.file.view(func(tx *bbolt.Tx) error {
		b := tx.Bucket(idsName).Bucket(key(first))
		if b == nil {
			return nil // dropped meanwhile
		}
		for k, v := range each(b) {
			pos, ok := position(k)
			if !ok {
				continue
			}
			n := len(dst)
			if dst, ok = appendIndexed(dst, pos, v); ok && pos == at {
				at = dst[len(dst)-1].pos + 1
			} else {
				dst = dst[:n]
				break // the rest comes from the entries
			}
		}
		return nil
	})
	if at >= end && err == nil {
		return dst
	}
	j.logger.Error("the index of the journal is damaged: its ids are read from the entries", "journal", j.path, "from", at, "to", end)
	buf := make([]tweetstream.Entry, 256)
	for at < end {
		n, err := j.readOpen(at, buf)
		if err != nil || n == 0 {
			break
		}
		for _, e := range buf[:n] {
			if e.Pos < end {
				dst = append(dst, indexed{e.Pos, e.Tweet.ID, e.Tweet.Deleted})
			}
		}
		at = buf[n-1].Pos + 1
	}
	return dst
}

// publish makes a state that is on disk the one to go on from. The caller has the
// turn.
func (j *Journal) publish(s *state) {
	used, _ := j.file.used()
	var size int64
	if info, err := j.file.inner.Stat(); err == nil {
		size = info.Size()
	}
	j.current.Store(s)
	j.durable.Store(s.next)
	j.mu.Lock()
	j.used, j.size = used, size
	j.mu.Unlock()
	j.watch(used)
}

// Close closes the file, after what is under way, and so lets go of the lock. A
// Start that waits returns [ErrClosed], as every later call of a method does. To
// close again does nothing.
func (j *Journal) Close() error {
	j.mu.Lock()
	closed := j.closed
	j.closed = true
	j.mu.Unlock()
	if closed {
		return nil
	}
	close(j.closing)
	j.turn <- struct{}{}
	defer func() { <-j.turn }()
	j.opened.Lock()
	defer j.opened.Unlock()
	if j.file != nil {
		j.file.close()
		j.file = nil
	}
	return nil
}

// ready returns why the journal can't be used; nil if it can.
func (j *Journal) ready() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.closed:
		return ErrClosed
	case j.current.Load() == nil:
		return errNotStarted
	}
	return nil
}

// Stats returns figures of the journal at this moment; they are zero before Start
// and those of the last commit after Close.
func (j *Journal) Stats() Stats {
	s := j.current.Load()
	if s == nil {
		return Stats{}
	}
	st := newStats(s)
	j.mu.Lock()
	defer j.mu.Unlock()
	st.Used, st.File, st.Limit, st.Damaged = j.used, j.size, j.limit, j.spans.count()
	return st
}

var _ tweetstream.Journal = (*Journal)(nil)
