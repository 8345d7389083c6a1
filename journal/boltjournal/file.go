package boltjournal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

const (
	fileName    = "journal.db"
	compactName = "journal.db.compact" // being written by Compact or Salvage
	damagedName = "journal.db.damaged" // what Salvage has read
)

// ErrInUse is returned where another process, or another Journal, has the file.
var ErrInUse = errors.New("boltjournal: the journal is in use")

// ErrDamaged is in the chain of errors that come from a file which is not whole.
// [Salvage] makes a new file of what is.
var ErrDamaged = errors.New("the journal is damaged")

// damaged is the error about the file at path, and what to do about it.
func damaged(path, what string) error {
	return fmt.Errorf("boltjournal: %s: %w: %s; stop the program and salvage what is whole", path, ErrDamaged, what)
}

// file is the open file. It holds the lock.
type file struct {
	path  string
	db    *bbolt.DB
	inner *os.File
}

// guard calls f. A panic becomes an error: bbolt panics over pages that are
// damaged, and what a truncated file lacks is a fault of memory.
func guard(path string, f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			// Panics of bbolt tell of pages and keys, which are positions.
			err = damaged(path, fmt.Sprintf("%.120q", fmt.Sprint(p)))
		}
	}()
	return f()
}

// openFile opens and locks the file at path, without waiting. It writes nothing,
// unless it makes the file.
func openFile(path string, readOnly bool) (_ *file, err error) {
	f := &file{path: path}
	if err := checkFile(path, readOnly); err != nil {
		return nil, err
	}
	opts := &bbolt.Options{
		Timeout:         1, // ns: one try
		FreelistType:    bbolt.FreelistMapType,
		NoFreelistSync:  true, // else opening may write; see store.begin
		PreLoadFreelist: true,
		ReadOnly:        readOnly,
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			var err error
			f.inner, err = os.OpenFile(name, flag|noFollow, mode)
			return f.inner, err
		},
	}
	if !readOnly && runtime.GOOS != "windows" && strconv.IntSize == 64 {
		// Mapping anew waits for all readers; addresses cost nothing. On Windows
		// the file itself would get that size.
		opts.InitialMmapSize = 1 << 30
	}
	err = guard(path, func() (err error) {
		f.db, err = bbolt.Open(path, 0o600, opts)
		return err
	})
	if errors.Is(err, berrors.ErrTimeout) {
		return nil, ErrInUse
	}
	if err != nil {
		if f.inner != nil {
			release(f.inner) // a panic leaves it open, and locked
			if again, err := os.Open(path); err == nil {
				why := diagnose(again)
				_ = again.Close()
				if why != "" {
					return nil, damaged(path, why)
				}
			}
		}
		if errors.Is(err, ErrDamaged) || errors.Is(err, fs.ErrPermission) {
			return nil, err
		}
		return nil, fmt.Errorf("boltjournal: open %s: %w", path, err)
	}
	if why := diagnose(f.inner); why != "" {
		f.close()
		return nil, damaged(path, why)
	}
	// Between the open and the lock, Compact may have put another in its place.
	mine, err1 := f.inner.Stat()
	named, err2 := os.Lstat(path)
	if err1 != nil || err2 != nil || !os.SameFile(mine, named) {
		f.close()
		return nil, ErrInUse
	}
	return f, nil
}

// close lets go of the file, whatever state bbolt is in.
func (f *file) close() {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		_ = guard(f.path, f.db.Close)
	}()
	timer := time.NewTimer(5 * time.Second)
	defer timer.Stop()
	select {
	case <-closed:
	case <-timer.C: // bbolt waits for a lock of its own that a panic has left
	}
	release(f.inner) // if it is still open
}

func (f *file) view(g func(*bbolt.Tx) error) error {
	return guard(f.path, func() error { return f.db.View(g) })
}

// checkFile refuses what is no file; one that is not there is well.
func checkFile(path string, must bool) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !must:
		return nil
	case err != nil:
		return fmt.Errorf("boltjournal: %w", err)
	case info.Mode()&fs.ModeSymlink != 0:
		return fmt.Errorf("boltjournal: open %s: it is a symbolic link, which is refused", path)
	case !info.Mode().IsRegular():
		return fmt.Errorf("boltjournal: open %s: it is not a file", path)
	}
	return nil
}

// diagnose says in words what is wrong with the pages that a file of bbolt begins
// with; empty if nothing is.
func diagnose(f *os.File) string {
	info, err := f.Stat()
	if err != nil {
		return err.Error()
	}
	size := info.Size()
	head := make([]byte, min(size, 16<<20+1<<10))
	if size < int64(len(head)) || len(head) > 64<<10 {
		head = head[:min(len(head), 64<<10)] // page sizes up to that of any system
	}
	if _, err := f.ReadAt(head, 0); err != nil && err != io.EOF {
		return err.Error()
	}
	zero := true
	for _, c := range head {
		zero = zero && c == 0
	}
	if zero {
		return "the file begins with zeroes"
	}
	const magic, header = 0xED0CDAED, 16
	var found, old bool
	var pages, pageSize, newest uint64
	for at := 0; at+header+64 <= len(head); at = max(1<<10, at*2) {
		m := head[at+header:]
		if binary.NativeEndian.Uint32(m) != magic {
			continue
		}
		found = true
		old = old || binary.NativeEndian.Uint32(m[4:]) != 2
		sum := fnv.New64a()
		sum.Write(m[:56])
		if sum.Sum64() != binary.NativeEndian.Uint64(m[56:]) {
			continue
		}
		if txid := binary.NativeEndian.Uint64(m[48:]); txid >= newest {
			newest, pages, pageSize = txid, binary.NativeEndian.Uint64(m[40:]), uint64(binary.NativeEndian.Uint32(m[8:]))
		}
	}
	switch {
	case !found:
		return "the file is no journal"
	case pages == 0 && old:
		return "the file is of another version of bbolt"
	case pages == 0:
		return "neither of its two first pages is whole"
	case pages*pageSize > uint64(size):
		return fmt.Sprintf("the file is truncated: it has %d bytes of %d", size, pages*pageSize)
	}
	return ""
}

// makeFolder makes the folder and those it is in, where they are missing, so that
// they last.
func makeFolder(folder string) error {
	_, err := os.Stat(folder)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(folder)
	if parent == folder {
		return err
	}
	if err := makeFolder(parent); err != nil {
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
