//go:build unix

package filesink_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tweetstream-go/tweetstream/sinks/filesink"
)

func init() { children["limited"] = childLimited }

// A real file that takes no more: the kernel writes what fits, and fails.
func TestFileSizeLimit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "posts.ndjson")
	if out, err := child(t, "limited", path).Output(); err != nil || string(out) != "ok" {
		t.Fatalf("the child says %q, %v", out, err)
	}
	wantFile(t, path, lines(posts(1, 300)...))
}

// childLimited fills the file at path to its limit, and goes on without.
func childLimited(path string) error {
	signal.Ignore(syscall.SIGXFSZ)
	s, err := filesink.Open(path)
	if err != nil {
		return err
	}
	if err := s.Deliver(context.Background(), posts(1, 10)); err != nil {
		return err
	}
	whole := lines(posts(1, 10)...)
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		return err
	}
	limit := old
	limit.Cur = 20_000
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	for range 3 {
		if err := s.Deliver(context.Background(), posts(8, 300)); !errors.Is(err, syscall.EFBIG) || !strings.Contains(err.Error(), path) {
			return fmt.Errorf("Deliver() beyond the limit = %v, want %v with the path", err, syscall.EFBIG)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != whole {
			return fmt.Errorf("after the failure the file has %d bytes, want %d: %v", len(got), len(whole), err)
		}
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		return err
	}
	if err := s.Deliver(context.Background(), posts(8, 300)); err != nil {
		return err
	}
	fmt.Print("ok")
	return s.Close()
}

// Another process that has the file open is noticed, and forgotten once it is
// killed.
func TestSecondProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "posts.ndjson")
	cmd := child(t, "writes", "1 "+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil { // it has written a batch
		t.Fatal(err)
	}
	_, err = filesink.Open(path)
	if err == nil || !strings.Contains(err.Error(), "in use") || !strings.Contains(err.Error(), path) {
		t.Errorf("Open() of a file in use = %v, want an error", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()               // killed
	closeSink(t, open(t, path))  // free again
	s := open(t, path)           // after Close too
	_, err = filesink.Open(path) // and within a process
	if err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("Open() of a file that this process has open = %v, want an error", err)
	}
	deliver(t, s, post(1_000_000, 40))
}

func TestPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip(err)
	}
	if _, err := filesink.Open(path); err == nil || !strings.Contains(err.Error(), "pipe") {
		t.Errorf("Open() of a pipe = %v, want an error", err)
	}
}
