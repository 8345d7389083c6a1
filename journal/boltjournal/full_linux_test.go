package boltjournal_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/journal/boltjournal"
)

func init() { children["fills"] = childFills }

const noMount = "no mount"

// A real disk that is full: a file system of 4 MiB in memory, mounted where only
// the child sees it.
func TestFullDisk(t *testing.T) {
	cmd := child(t, "fills", t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.Output()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.ENOSPC) || strings.HasPrefix(string(out), noMount) {
		t.Skipf("no file system can be mounted here: %v %s", err, out)
	}
	if err != nil || string(out) != "ok" {
		t.Fatalf("the child says %q, %v", out, err)
	}
}

func childFills(dir string) error {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		fmt.Print(noMount, err)
		return nil
	}
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 1<<20), 0o600); err != nil {
		return err
	}
	begin := func() (*boltjournal.Journal, tweetstream.JournalState, error) {
		j, err := boltjournal.Open(filepath.Join(dir, "journal"), boltjournal.FreeDisk(0), boltjournal.Chunks(100))
		if err != nil {
			return nil, tweetstream.JournalState{}, err
		}
		st, err := j.Start(ctx)
		return j, st, err
	}
	j, _, err := begin()
	if err != nil {
		return err
	}
	if err := j.Commit(ctx, map[string]uint64{"a": 0}); err != nil {
		return err
	}
	next := 0
	for {
		_, err := j.Append(ctx, posts(next+1, next+17, 2400), nil)
		if errors.Is(err, syscall.ENOSPC) {
			break
		}
		if err != nil {
			return err
		}
		next += 17
	}
	check := func(first int) error {
		buf := make([]tweetstream.Entry, 10)
		for at := first; at < next; {
			n, err := j.Read(ctx, uint64(at), buf)
			if err != nil || n == 0 {
				return fmt.Errorf("Read(%d) = %d, %w", at, n, err)
			}
			for _, e := range buf[:n] {
				if e.Pos != uint64(at) || !e.Tweet.Equal(post(at+1, 2400)) {
					return fmt.Errorf("at %d stands %s", at, e.Tweet.ID)
				}
				at++
			}
		}
		return nil
	}
	// It opens on a full disk too, and sinks make room.
	for range 2 {
		if err := check(0); err != nil {
			return err
		}
		if err := j.Commit(ctx, map[string]uint64{"a": 1}); err != nil {
			return fmt.Errorf("commit on a full disk: %w", err)
		}
		if err := j.Close(); err != nil {
			return err
		}
		var st tweetstream.JournalState
		if j, st, err = begin(); err != nil {
			return err
		}
		if st.Next != uint64(next) {
			return fmt.Errorf("next is %d, want %d", st.Next, next)
		}
	}
	if err := j.Commit(ctx, map[string]uint64{"a": uint64(next)}); err != nil {
		return err
	}
	for range 5 {
		if _, err := j.Append(ctx, posts(next+1, next+17, 2400), nil); err != nil {
			return fmt.Errorf("append where sinks have made room: %w", err)
		}
		next += 17
	}
	if err := check(int(j.Stats().First)); err != nil {
		return err
	}
	fmt.Print("ok")
	return j.Close()
}
