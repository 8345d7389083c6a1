// Package logfile keeps files of whole lines that last: what filesink and the
// dead letter share. A [File] is opened, locked and mended; what is written to it
// is there when [File.Commit] has returned, or not at all.
package logfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/tweetstream-go/tweetstream/internal/folder"
)

// A File is a file of whole lines. All that it holds up to size is synced; what
// is behind is cut off before anything else is written. It is not safe for
// concurrent use.
type File struct {
	path    string
	maxLine int
	read    func(f *os.File, size int64) error

	disk Disk // nil where it could not be opened again
	size int64
	end  int64 // of what was written and is not committed yet
	torn bool  // there may be something behind size
}

// Disk is what a File needs of an *os.File. Tests put another between.
type Disk interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Stat() (fs.FileInfo, error)
	Truncate(size int64) error
	Sync() error
}

// Open opens or makes the file at path, which must be absolute, and mends its
// last line, of at most maxLine bytes. Folders are made too. read is called with
// what the file holds, now and each time that another file is found at path; if
// it fails, so does the open.
func Open(path string, maxLine int, read func(f *os.File, size int64) error) (*File, error) {
	if err := folder.Make(filepath.Dir(path)); err != nil {
		return nil, err
	}
	f := &File{path: path, maxLine: maxLine, read: read}
	if err := f.open(); err != nil {
		return nil, err
	}
	return f, nil
}

// Path returns the path given to Open.
func (f *File) Path() string { return f.path }

// Size returns how many bytes are committed.
func (f *File) Size() int64 { return f.size }

// Wrap puts a Disk between f and its file, for tests.
func (f *File) Wrap(wrap func(Disk) Disk) { f.disk = wrap(f.disk) }

// Ready brings the file to its last whole line, and sees whether somebody has
// moved or changed it meanwhile. It comes before the writes.
func (f *File) Ready() error {
	if f.disk == nil {
		return f.open()
	}
	if err := f.Undo(); err != nil {
		return err
	}
	opened, err := f.disk.Stat()
	if err != nil {
		return err
	}
	// Where the path can't be looked up for another reason than that it is
	// gone, the open file still takes lines.
	named, err := os.Lstat(f.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(named, opened) {
		return f.reopen()
	}
	if opened.Size() != f.size {
		return f.follow(opened.Size())
	}
	return nil
}

// Write writes whole lines behind what was written before. If it fails, all that
// is not committed is undone.
func (f *File) Write(lines []byte) error {
	f.torn = true
	if _, err := f.disk.WriteAt(lines, f.end); err != nil {
		_ = f.Undo() // Ready tries again
		return err
	}
	f.end += int64(len(lines))
	return nil
}

// Commit returns once all that was written is synced. If it fails, all of it is
// undone: the kernel may take the pages for written, and the next sync would
// succeed without them. Only writing them again helps.
func (f *File) Commit() error {
	if f.end == f.size {
		return nil
	}
	if err := f.disk.Sync(); err != nil {
		_ = f.Undo() // Ready tries again
		return err
	}
	f.size, f.torn = f.end, false
	return nil
}

// Undo cuts off what is not committed. If that fails, Ready does it again, and
// returns the error if it fails for good.
func (f *File) Undo() error {
	f.end = f.size
	if !f.torn {
		return nil
	}
	if err := f.disk.Truncate(f.size); err != nil {
		return err
	}
	f.torn = false
	return nil
}

// Rename gives the file, all of which must be committed, another name, where
// there must be none yet, and goes on in a new one at the old path.
func (f *File) Rename(to string) error {
	if runtime.GOOS == "windows" { // which renames no file that is open
		_ = f.disk.Close()
		f.disk = nil
	}
	if err := os.Rename(f.path, to); err != nil {
		return err
	}
	if err := folder.Sync(filepath.Dir(f.path)); err != nil {
		return err
	}
	return f.reopen()
}

// reopen leaves the file behind for the one at path. Folders are not made anew:
// where they are gone, so may be the disk.
func (f *File) reopen() error {
	left := f.disk
	if err := f.open(); err != nil {
		return err
	}
	if left != nil {
		_ = left.Close() // all that it holds is synced
	}
	return nil
}

// follow goes on at the end of a file that somebody else has emptied or written
// to.
func (f *File) follow(size int64) error {
	if size > 0 {
		var last [1]byte
		if _, err := f.disk.ReadAt(last[:], size-1); err != nil {
			return err
		}
		if last[0] != '\n' {
			if _, err := f.disk.WriteAt([]byte{'\n'}, size); err != nil {
				return err
			}
			size++
		}
	}
	f.size, f.end = size, size
	return nil
}

// Close closes the file. What is not committed is cut off.
func (f *File) Close() error {
	if f.disk == nil {
		return nil
	}
	return errors.Join(f.Undo(), f.disk.Close())
}
