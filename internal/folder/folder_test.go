package folder_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/tweetstream-go/tweetstream/internal/folder"
)

func TestMake(t *testing.T) {
	dir := t.TempDir()
	deep := filepath.Join(dir, "a", "b", "c")
	for range 2 { // again is no error
		if err := folder.Make(deep); err != nil {
			t.Fatal(err)
		}
	}
	for _, made := range []string{deep, filepath.Join(dir, "a")} {
		info, err := os.Stat(made)
		if err != nil || !info.IsDir() || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v, want a folder of this user alone", made, info, err)
		}
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := folder.Make(filepath.Join(file, "below")); err == nil {
		t.Error("Make() below a file = nil, want an error")
	}
}

func TestSync(t *testing.T) {
	dir := t.TempDir()
	for _, of := range []string{dir, filepath.Join(dir, "none")} {
		if err := folder.Sync(of); err != nil {
			t.Errorf("Sync(%s) = %v", of, err)
		}
	}
}

func TestUnsupported(t *testing.T) {
	for err, want := range map[error]bool{
		errors.ErrUnsupported: true, fmt.Errorf("sync: %w", syscall.EINVAL): true, syscall.EIO: false, syscall.ENOSPC: false, fs.ErrPermission: false,
	} {
		if got := folder.Unsupported(err); got != want {
			t.Errorf("Unsupported(%v) = %v", err, got)
		}
	}
}
