//go:build darwin || dragonfly || freebsd || linux

package boltjournal

import (
	"os"
	"syscall"
)

// noFollow makes the open of a symbolic link fail.
const noFollow = syscall.O_NOFOLLOW

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

// release closes a file that may be closed. Memory that bbolt has mapped and not
// let go of keeps the file open for the system, and so its lock; hence the unlock.
func release(f *os.File) {
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
	_ = f.Close()
}
