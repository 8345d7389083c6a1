package filesink

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/internal/dedupe"
	"github.com/tweetstream-go/tweetstream/internal/ndjson"
)

// How far back ids are remembered. The two are alike at X's 2.4 kB a Post.
const (
	rememberedLines = 100_000
	rememberedBytes = 256 << 20
)

// openArchive opens the file at path, and makes its folders.
func openArchive(path string) (*archive, error) {
	if err := makeFolders(filepath.Dir(path)); err != nil {
		return nil, err
	}
	a := &archive{path: path, seen: dedupe.New(rememberedLines), batch: map[post]bool{}}
	if err := a.open(); err != nil {
		return nil, err
	}
	return a, nil
}

// open opens the file, mends its last line and remembers the ids in it. Where it
// fails, a is left as it was.
func (a *archive) open() (err error) {
	f, err := openRegular(a.path)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
		}
	}()
	if err := lock(f); err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	// Between the open and the lock it may have been moved away by a process
	// that has ended since.
	if named, err := os.Lstat(a.path); err != nil || !os.SameFile(named, info) {
		return refuse(a.path, "it was replaced meanwhile")
	}
	size, err := mend(f, info.Size())
	if err != nil {
		return err
	}
	// A process that was killed may have left lines that it had not synced yet.
	// Once their ids are remembered, nobody writes them again.
	if err := f.Sync(); err != nil {
		return err
	}
	if err := remember(a.seen, f, size); err != nil {
		return err
	}
	// A new file lasts once its folder does. It is done for an old one too: a
	// crash may have come between the two.
	if err := syncFolder(filepath.Dir(a.path)); err != nil {
		return err
	}
	a.file, a.size, a.torn = f, size, false
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
func mend(f *os.File, size int64) (int64, error) {
	begin, err := lastLine(f, size)
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
	case line[0] == '{' || line[0] == 0: // zeros: see the package comment
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
func lastLine(f *os.File, size int64) (int64, error) {
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

// remember adds the ids of the last lines to seen.
func remember(seen *dedupe.Window, f *os.File, size int64) error {
	begin := max(0, size-rememberedBytes)
	var src io.Reader = io.NewSectionReader(f, begin, size-begin)
	if begin > 0 {
		// It begins within a line. With an x before it, what is there of that
		// line can't be taken for a message.
		src = io.MultiReader(strings.NewReader("x"), src)
	}
	lines := ndjson.NewReader(src, maxLine)
	for {
		batch, err := lines.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		for _, line := range batch {
			if bytes.IndexByte(line, 0) >= 0 {
				continue // never synced: see the package comment
			}
			if t, err := tweetstream.ParseTweet(line); err == nil {
				seen.Add(t.ID, false)
			}
		}
	}
}

// makeFolders makes the folder and those it is in, where they are missing, so
// that they last.
func makeFolders(folder string) error {
	_, err := os.Stat(folder)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(folder)
	if parent == folder {
		return err
	}
	if err := makeFolders(parent); err != nil {
		return err
	}
	if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncFolder(parent)
}

// syncFolder makes the names in a folder last, where a system and its file system
// know how to.
func syncFolder(folder string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(folder)
	if err != nil {
		return nil // one may write into a folder that one can't read
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !unsupported(err) {
		return err
	}
	return nil
}
