//go:build !(darwin || dragonfly || freebsd || linux)

package boltjournal

import (
	"errors"
	"os"
)

const noFollow = 0

// unsupported reports whether a file system doesn't know what it was asked for.
func unsupported(err error) bool { return errors.Is(err, errors.ErrUnsupported) }

// freeDisk does not know: see FreeDisk.
func freeDisk(string) (bytes uint64, known bool) { return 0, false }

// release closes a file that may be closed.
func release(f *os.File) { _ = f.Close() }
