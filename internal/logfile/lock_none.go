//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package logfile

import (
	"errors"
	"os"
)

const noFollow = 0

// lock locks nothing: Windows has no such lock here.
func lock(*os.File) error { return nil }

// unsupported reports whether a file system doesn't know what it was asked for.
func unsupported(err error) bool { return errors.Is(err, errors.ErrUnsupported) }
