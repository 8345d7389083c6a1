//go:build linux && !race

package wshub

import (
	"syscall"
	"unsafe"
)

// writeNow writes to a socket that never makes it wait. So the scheduler is not
// told of the call: it would give this processor to the next goroutine while a
// write takes its some ten microseconds, and where thousands of those who connect
// want to run, a worker would stand behind all of them after each write. The race
// detector sees what package syscall does, and not this.
func writeNow(fd uintptr, p []byte) (int, error) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
