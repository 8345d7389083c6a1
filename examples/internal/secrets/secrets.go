// Package secrets reads what the examples keep secret.
package secrets

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"runtime"
	"strings"
)

// A File is a file that holds secrets.
type File struct {
	Text string // as it stands there
	path string
	mode fs.FileMode
}

// maxSize is more than anybody keeps secret.
const maxSize = 64 << 10

// errSecret is said of a name that seems to be a secret: such a one is not shown.
var errSecret = errors.New("want the name of a file that holds the secret, not the secret")

// Read reads a file. Its errors name the file, but nothing that is in it.
func Read(path string) (*File, error) {
	if strings.HasPrefix(path, "whsec_") {
		return nil, errSecret
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxSize {
		return nil, fmt.Errorf("%s: more than %d bytes can't be a secret", path, maxSize)
	}
	return &File{string(data), path, info.Mode().Perm()}, nil
}

// Warn tells the logger if other users of this machine can read the file. The nil
// File is none.
func (f *File) Warn(logger *slog.Logger) {
	if f != nil && f.mode&0o077 != 0 && runtime.GOOS != "windows" {
		logger.Warn("other users of this machine can read the secret: run chmod 600 on its file", "file", f.path, "mode", f.mode.String())
	}
}
