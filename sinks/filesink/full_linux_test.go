package filesink_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinks/filesink"
)

func init() { children["fills"] = childFills }

const noMount = "no mount"

// A real disk that is full: a file system of 256 KiB in memory, mounted where
// only the child sees it.
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
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		fmt.Print(noMount, err)
		return nil
	}
	path := filepath.Join(dir, "posts.ndjson")
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 150<<10), 0o600); err != nil {
		return err
	}
	s, err := filesink.Open(path)
	if err != nil {
		return err
	}
	var full []*tweetstream.Tweet
	next := 1
	for full == nil {
		batch := []*tweetstream.Tweet{post(next, 3_000), post(next+1, 9_000), post(next+2, 20_000)}
		switch err := s.Deliver(context.Background(), batch); {
		case err == nil:
			next += 3
		case errors.Is(err, syscall.ENOSPC) && strings.Contains(err.Error(), path):
			full = batch
		default:
			return err
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if n := bytes.Count(got, []byte("\n")); n != next-1 || !bytes.HasSuffix(got, []byte("\n")) {
		return fmt.Errorf("%d lines when the disk is full, want %d", n, next-1)
	}
	// It opens on a full disk too.
	if err := s.Close(); err != nil {
		return err
	}
	if s, err = filesink.Open(path); err != nil {
		return err
	}
	if err := s.Deliver(context.Background(), full); !errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("Deliver() to a full disk = %v, want %v", err, syscall.ENOSPC)
	}
	if err := os.Remove(ballast); err != nil {
		return err
	}
	if err := s.Deliver(context.Background(), full); err != nil {
		return err
	}
	after, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if string(after) != string(got)+lines(full...) {
		return errors.New("the batch that failed is not there once")
	}
	fmt.Print("ok")
	return s.Close()
}
