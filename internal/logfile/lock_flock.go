//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package logfile

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// noFollow makes the open of a symbolic link fail.
const noFollow = syscall.O_NOFOLLOW

// lock locks f until it is closed, or the process ends in whatever way.
func lock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil || unsupported(err):
			return nil
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EWOULDBLOCK):
			return refuse(f.Name(), "it is in use: somebody writes to it already, perhaps another process")
		default:
			return &fs.PathError{Op: "lock", Path: f.Name(), Err: err}
		}
	}
}

// unsupported reports whether a file system doesn't know what it was asked for.
func unsupported(err error) bool {
	return errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL)
}
