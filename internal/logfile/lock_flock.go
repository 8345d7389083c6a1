//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package logfile

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/tweetstream-go/tweetstream/internal/folder"
)

// noFollow makes the open of a symbolic link fail.
const noFollow = syscall.O_NOFOLLOW

// lock locks f until it is closed, or the process ends in whatever way.
func lock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil || folder.Unsupported(err):
			return nil
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EWOULDBLOCK):
			return refuse(f.Name(), "it is in use: somebody writes to it already, perhaps another process")
		default:
			return &fs.PathError{Op: "lock", Path: f.Name(), Err: err}
		}
	}
}
