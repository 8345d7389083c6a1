package logfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tweetstream-go/tweetstream/internal/folder"
)

// open opens the file, locks it, mends its last line and lets it be read. Where
// it fails, f is left as it was.
func (f *File) open() (err error) {
	disk, err := openRegular(f.path)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = disk.Close()
		}
	}()
	if err := lock(disk); err != nil {
		return err
	}
	info, err := disk.Stat()
	if err != nil {
		return err
	}
	// Between the open and the lock it may have been moved away by a process
	// that has ended since.
	if named, err := os.Lstat(f.path); err != nil || !os.SameFile(named, info) {
		return refuse(f.path, "it was replaced meanwhile")
	}
	size, err := mend(disk, info.Size(), int64(f.maxLine))
	if err != nil {
		return err
	}
	// A process that was killed may have left lines that it had not synced yet.
	// Once they are taken for written, nobody writes them again.
	if err := disk.Sync(); err != nil {
		return err
	}
	if err := f.read(disk, size); err != nil {
		return err
	}
	// A new file lasts once its folder does. It is done for an old one too: a
	// crash may have come between the two.
	if err := folder.Sync(filepath.Dir(f.path)); err != nil {
		return err
	}
	f.disk, f.size, f.end, f.torn = disk, size, size, false
	return nil
}

// openRegular opens or makes the file at path, which must be nothing but a file.
func openRegular(path string) (*os.File, error) {
	flags := os.O_RDWR | noFollow
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		flags |= os.O_CREATE | os.O_EXCL
	case err != nil:
		return nil, err
	case info.Mode()&fs.ModeSymlink != 0:
		return nil, refuse(path, "it is a symbolic link, which is refused")
	case info.IsDir():
		return nil, refuse(path, "it is a folder")
	case !info.Mode().IsRegular():
		return nil, refuse(path, "it is a device, pipe or socket, not a file")
	}
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, err
	}
	if info, err = f.Stat(); err == nil && !info.Mode().IsRegular() {
		err = refuse(path, "it is not a file any more")
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func refuse(path, why string) error {
	return &fs.PathError{Op: "open", Path: path, Err: errors.New(why)}
}

// mend makes the file end in a whole line, and returns its new size.
func mend(f *os.File, size, maxLine int64) (int64, error) {
	begin, err := lastLine(f, size, maxLine)
	if err != nil || begin == size {
		return size, err
	}
	if size-begin > maxLine {
		return 0, refuse(f.Name(), "its end is no line of messages: is this another program's file?")
	}
	line := make([]byte, size-begin)
	if _, err := f.ReadAt(line, begin); err != nil {
		return 0, err
	}
	switch {
	case line[0] == '{' && json.Valid(line):
		if _, err := f.WriteAt([]byte{'\n'}, size); err != nil {
			return 0, err
		}
		size++
	case line[0] == '{' || line[0] == 0: // zeros: after a loss of power, of what was not synced
		if err := f.Truncate(begin); err != nil {
			return 0, err
		}
		size = begin
	default:
		return 0, refuse(f.Name(), "its last line is not ended and is no message: is this another program's file?")
	}
	return size, nil
}

// lastLine returns where the line begins that is not ended, or size if there is
// none. It looks no further than a line can be long.
func lastLine(f *os.File, size, maxLine int64) (int64, error) {
	buf := make([]byte, 64<<10)
	for end := size; end > 0 && size-end <= maxLine; {
		part := buf[:min(end, int64(len(buf)))]
		end -= int64(len(part))
		if _, err := f.ReadAt(part, end); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(part, '\n'); i >= 0 {
			return end + int64(i) + 1, nil
		}
		if end == 0 {
			return 0, nil
		}
	}
	return max(0, size-maxLine-1), nil
}
