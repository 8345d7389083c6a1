package deadletter_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/deadletter"
)

// disk is a file on a disk that breaks. Its fields are set between calls.
type disk struct {
	deadletter.Disk
	room     atomic.Int64 // bytes that it takes; 0: all
	sync     error
	truncate error
	syncs    int
	hang     chan struct{}
}

func (d *disk) WriteAt(p []byte, off int64) (int, error) {
	if d.hang != nil {
		<-d.hang
	}
	room := d.room.Load()
	if room == 0 || off+int64(len(p)) <= room {
		return d.Disk.WriteAt(p, off)
	}
	n, err := d.Disk.WriteAt(p[:max(0, room-off)], off)
	return n, errors.Join(err, syscall.ENOSPC)
}

func (d *disk) Sync() error {
	d.syncs++
	if d.sync != nil {
		return d.sync
	}
	return d.Disk.Sync()
}

func (d *disk) Truncate(size int64) error {
	if d.truncate != nil {
		return d.truncate
	}
	return d.Disk.Truncate(size)
}

func onDisk(t *testing.T) (f *deadletter.File, path string, d *disk) {
	path = filepath.Join(t.TempDir(), "dead.ndjson")
	f = open(t, path)
	d = &disk{}
	deadletter.Wrap(f, func(inner deadletter.Disk) deadletter.Disk { d.Disk = inner; return d })
	return f, path, d
}

// At whatever byte the disk is full, the letters of the call are not there, and
// stand there once when there is room.
func TestFullAtEveryByte(t *testing.T) {
	f, path, _ := onDisk(t)
	keep(t, f, letters(1, 2)...)
	before, _ := os.ReadFile(path)
	keep(t, f, letters(3, 4)...)
	after, _ := os.ReadFile(path)
	for room := len(before); room < len(after); room++ {
		f, path, d := onDisk(t)
		keep(t, f, letters(1, 2)...)
		d.room.Store(int64(room))
		for range 2 {
			if err := f.Keep(t.Context(), letters(3, 4)); !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("Keep() = %v, want %v", err, syscall.ENOSPC)
			}
			wantIDs(t, path, 1, 2)
		}
		d.room.Store(0)
		keep(t, f, letters(3, 4)...)
		wantIDs(t, path, 1, 4)
		f.Close()
	}
}

// What a failed sync leaves is unknown: it is taken away and written anew.
func TestSyncFails(t *testing.T) {
	f, path, d := onDisk(t)
	keep(t, f, letters(1, 2)...)
	if d.syncs != 1 {
		t.Errorf("%d syncs for a call, want 1", d.syncs)
	}
	d.sync = syscall.EIO
	if err := f.Keep(t.Context(), letters(3, 4)); !errors.Is(err, syscall.EIO) {
		t.Errorf("Keep() = %v, want %v", err, syscall.EIO)
	}
	wantIDs(t, path, 1, 2)
	d.sync = nil
	keep(t, f, letters(3, 4)...)
	wantIDs(t, path, 1, 4)
	if n := f.Stats().Kept; n != 4 {
		t.Errorf("Stats().Kept = %d, want 4", n)
	}
}

// Nothing is written behind what could not be taken away.
func TestTruncateFails(t *testing.T) {
	f, path, d := onDisk(t)
	keep(t, f, letters(1, 2)...)
	d.sync, d.truncate = syscall.EIO, syscall.EROFS
	if err := f.Keep(t.Context(), letters(3, 4)); !errors.Is(err, syscall.EIO) {
		t.Errorf("Keep() = %v, want %v", err, syscall.EIO)
	}
	d.sync = nil
	if err := f.Keep(t.Context(), letters(3, 4)); !errors.Is(err, syscall.EROFS) {
		t.Errorf("Keep() = %v, want %v", err, syscall.EROFS)
	}
	d.truncate = nil
	keep(t, f, letters(3, 4)...)
	wantIDs(t, path, 1, 4)
}

// While a write hangs, other calls give up with their contexts.
func TestHangingDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, path, d := onDisk(t)
		d.hang = make(chan struct{})
		first := make(chan error, 1)
		go func() { first <- f.Keep(t.Context(), letters(1, 2)) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := f.Keep(ctx, letters(3, 4)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Keep() beside one that hangs = %v, want %v", err, context.DeadlineExceeded)
		}
		f.Stats() // does not wait
		close(d.hang)
		if err := <-first; err != nil {
			t.Error(err)
		}
		wantIDs(t, path, 1, 2)
	})
}

// A Streamer whose dead letter is on a full disk waits, and writes each letter
// once.
func TestStreamerWaitsOutFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, path, d := onDisk(t)
		d.room.Store(1)
		var tweets []*tweetstream.Tweet
		for _, l := range letters(1, 5) {
			tweets = append(tweets, l.Tweet)
		}
		src := source(tweets)
		refuses := tweetstream.SinkFunc(func(context.Context, *tweetstream.Tweet) error { return tweetstream.Permanent(errors.New("no")) })
		s, err := tweetstream.New(src, tweetstream.WithSink("pg", refuses, tweetstream.Batch(2, 0)), tweetstream.WithDeadLetter(f.Keep))
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- s.Run(t.Context()) }()
		time.Sleep(time.Minute)
		synctest.Wait()
		d.room.Store(0)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		wantIDs(t, path, 1, 5)
	})
}

// source emits tweets and ends.
type source []*tweetstream.Tweet

func (s source) Stream(ctx context.Context, _ []byte, emit tweetstream.Emit) error {
	return emit(ctx, s, nil)
}

func (source) CanWait() bool { return true }
