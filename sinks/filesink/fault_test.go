package filesink_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinks/filesink"
)

// disk is a file on a disk that breaks. Its fields are set between calls.
type disk struct {
	filesink.File
	room     atomic.Int64 // bytes that it takes; 0: all
	sync     error
	truncate error
	syncs    int
}

func (d *disk) WriteAt(p []byte, off int64) (int, error) {
	room := d.room.Load()
	if room == 0 || off+int64(len(p)) <= room {
		return d.File.WriteAt(p, off)
	}
	n, err := d.File.WriteAt(p[:max(0, room-off)], off)
	return n, errors.Join(err, syscall.ENOSPC)
}

func (d *disk) Sync() error {
	d.syncs++
	if d.sync != nil {
		return d.sync
	}
	return d.File.Sync()
}

func (d *disk) Truncate(size int64) error {
	if d.truncate != nil {
		return d.truncate
	}
	return d.File.Truncate(size)
}

func onDisk(t *testing.T) (s *filesink.Sink, path string, d *disk) {
	path = filepath.Join(t.TempDir(), "posts.ndjson")
	s = open(t, path)
	d = &disk{}
	filesink.Wrap(s, func(f filesink.File) filesink.File { d.File = f; return d })
	return s, path, d
}

// At whatever byte the disk is full, the file holds whole lines afterwards, and
// the same batch passes once there is room.
func TestFullAtEveryByte(t *testing.T) {
	before, batch := posts(1, 2), posts(3, 5)
	size := int64(len(lines(before...)))
	for room := size; room < size+int64(len(lines(batch...))); room++ {
		s, path, d := onDisk(t)
		deliver(t, s, before...)
		d.room.Store(room)
		for range 2 {
			wantOutage(t, s.Deliver(t.Context(), batch), syscall.ENOSPC)
			wantFile(t, path, lines(before...))
		}
		d.room.Store(0)
		deliver(t, s, batch...)
		wantFile(t, path, lines(posts(1, 5)...))
	}
}

func wantOutage(t *testing.T, err, cause error) {
	t.Helper()
	if !errors.Is(err, cause) {
		t.Errorf("Deliver() = %v, want %v", err, cause)
	}
	if te, ok := errors.AsType[*tweetstream.TweetError](err); ok {
		t.Errorf("Deliver() = %v, which puts it down to Post %s", err, te.ID)
	}
}

func TestSyncFails(t *testing.T) {
	s, path, d := onDisk(t)
	deliver(t, s, posts(1, 2)...)
	d.sync = syscall.EIO
	wantOutage(t, s.Deliver(t.Context(), posts(3, 5)), syscall.EIO)
	wantFile(t, path, lines(posts(1, 2)...)) // to be written again, not only synced
	d.sync = nil
	deliver(t, s, posts(3, 5)...)
	wantFile(t, path, lines(posts(1, 5)...))
}

// Nothing is written behind a torn line.
func TestTruncateFails(t *testing.T) {
	s, path, d := onDisk(t)
	deliver(t, s, posts(1, 2)...)
	whole := int64(len(lines(posts(1, 2)...)))
	d.room.Store(whole + 100)
	d.truncate = syscall.EIO
	wantOutage(t, s.Deliver(t.Context(), posts(3, 5)), syscall.ENOSPC)
	torn := lines(posts(1, 5)...)[:whole+100]
	wantFile(t, path, torn)
	d.room.Store(0)
	wantOutage(t, s.Deliver(t.Context(), posts(3, 5)), syscall.EIO)
	wantFile(t, path, torn)
	d.truncate = nil
	deliver(t, s, posts(3, 3)...)
	wantFile(t, path, lines(posts(1, 3)...))

	d.room.Store(whole + 200)
	d.truncate = syscall.EIO
	wantOutage(t, s.Deliver(t.Context(), posts(4, 5)), syscall.ENOSPC)
	d.truncate = nil
	closeSink(t, s) // mends what it can
	wantFile(t, path, lines(posts(1, 3)...))
}

// A large batch goes out in several writes. If a later one fails, the earlier are
// undone too, and it is synced once.
func TestLargeBatch(t *testing.T) {
	s, path, d := onDisk(t)
	var batch []*tweetstream.Tweet
	for id := range 100 {
		batch = append(batch, post(1+id, 50_000))
	}
	want := lines(batch...)
	d.room.Store(int64(len(want)) - 10)
	wantOutage(t, s.Deliver(t.Context(), batch), syscall.ENOSPC)
	wantFile(t, path, "")
	d.room.Store(0)
	d.syncs = 0
	deliver(t, s, batch...)
	wantFile(t, path, want)
	if d.syncs != 1 {
		t.Errorf("%d syncs for a batch, want 1", d.syncs)
	}
	deliver(t, s, batch...)
	if d.syncs != 1 {
		t.Errorf("%d syncs, want none for repeats", d.syncs-1)
	}
}

// A context that ends between two writes undoes the first.
func TestContextEndsWithin(t *testing.T) {
	s, path, d := onDisk(t)
	ctx, cancel := context.WithCancel(t.Context())
	filesink.Wrap(s, func(filesink.File) filesink.File { return &cancelling{d, cancel} })
	batch := []*tweetstream.Tweet{post(1, 1<<20), post(2, 1<<20), post(3, 1<<20)}
	if err := s.Deliver(ctx, batch); !errors.Is(err, context.Canceled) {
		t.Errorf("Deliver() = %v, want %v", err, context.Canceled)
	}
	wantFile(t, path, "")
	deliver(t, s, batch...)
	wantFile(t, path, lines(batch...))
}

type cancelling struct {
	*disk
	cancel func()
}

func (c *cancelling) WriteAt(p []byte, off int64) (int, error) {
	c.cancel()
	return c.disk.WriteAt(p, off)
}

// While a write hangs, other calls give up with their contexts.
func TestHangingDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, path, d := onDisk(t)
		h := &hanging{disk: d, free: make(chan struct{})}
		filesink.Wrap(s, func(filesink.File) filesink.File { return h })
		first := make(chan error, 1)
		go func() { first <- s.Deliver(t.Context(), posts(1, 2)) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Deliver(ctx, posts(3, 4)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Deliver() beside one that hangs = %v, want %v", err, context.DeadlineExceeded)
		}
		closed := make(chan error, 1)
		go func() { closed <- s.Close() }()
		synctest.Wait()
		close(h.free)
		if err := errors.Join(<-first, <-closed); err != nil {
			t.Error(err)
		}
		wantFile(t, path, lines(posts(1, 2)...))
	})
}

type hanging struct {
	*disk
	free chan struct{}
}

func (h *hanging) WriteAt(p []byte, off int64) (int, error) {
	<-h.free
	return h.disk.WriteAt(p, off)
}

// On a disk with room for some of the Posts only, none goes to the dead letter,
// for however long it lasts.
func TestStreamerWaitsOutFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, path, d := onDisk(t)
		d.room.Store(3_000) // the long ones don't fit
		ts := []*tweetstream.Tweet{post(1, 40), post(2, 9_000), post(3, 40), post(4, 9_000), post(5, 40)}
		defer time.AfterFunc(10*time.Minute, func() { d.room.Store(0) }).Stop()
		var dead []string
		run(t, s, ts, func(_ context.Context, letters []tweetstream.Letter) error {
			for _, l := range letters {
				dead = append(dead, l.Tweet.ID+": "+l.Error)
			}
			return nil
		})
		if len(dead) > 0 {
			t.Errorf("dead letters: %s", strings.Join(dead, "; "))
		}
		wantFile(t, path, lines(ts...))
	})
}
