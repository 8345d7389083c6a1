//go:build linux || darwin

package main

import "syscall"

// freeBytes returns how much this user may still write to the disk of a folder.
func freeBytes(dir string) (n uint64, known bool) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, false
	}
	return st.Bavail * uint64(st.Bsize), true
}
