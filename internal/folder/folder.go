// Package folder makes folders, and the names of files in them, so that they last
// through a loss of power.
package folder

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// Make makes the folder and those it is in, where they are missing, for this user
// alone.
func Make(folder string) error {
	_, err := os.Stat(folder)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(folder)
	if parent == folder {
		return err
	}
	if err := Make(parent); err != nil {
		return err
	}
	if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return Sync(parent)
}

// Sync makes the names in a folder last, where a system and its file system know
// how to.
func Sync(folder string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(folder)
	if err != nil {
		return nil // one may write into a folder that one can't read
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !Unsupported(err) {
		return err
	}
	return nil
}

// Unsupported reports whether a file system doesn't know what it was asked for.
func Unsupported(err error) bool {
	return errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL)
}
