//go:build !(darwin || dragonfly || freebsd || linux)

package boltjournal

import "os"

const noFollow = 0

// freeDisk does not know: see FreeDisk.
func freeDisk(string) (bytes uint64, known bool) { return 0, false }

// release closes a file that may be closed.
func release(f *os.File) { _ = f.Close() }
