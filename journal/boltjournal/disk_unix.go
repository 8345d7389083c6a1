//go:build darwin || dragonfly || freebsd || linux

package boltjournal

import (
	"errors"
	"syscall"
)

// noFollow makes the open of a symbolic link fail.
const noFollow = syscall.O_NOFOLLOW

// unsupported reports whether a file system doesn't know what it was asked for.
func unsupported(err error) bool {
	return errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL)
}

// freeDisk returns how many bytes this process could still write to the disk that
// dir is on.
func freeDisk(dir string) (bytes uint64, known bool) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, false
	}
	// The types differ between systems; what is available may be negative.
	return uint64(max(int64(st.Bavail), 0)) * uint64(st.Bsize), true
}
