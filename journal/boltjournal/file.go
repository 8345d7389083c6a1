package boltjournal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
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
	path    string
	db      *bbolt.DB
	inner   *os.File
	unsound map[string]error // see survey; only while salvaging
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

// How a file is opened.
type access int

const (
	write     access = iota
	readOnly         // it is not changed
	salvaging        // nor are its free pages known, and what is not sound is passed by
)

// openFile opens and locks the file at path, hardly waiting. It writes nothing,
// unless it makes the file. What bbolt could not read without an end, or without
// ending the process, is looked for before.
func openFile(path string, how access) (*file, error) {
	if err := checkFile(path, how != write); err != nil {
		return nil, err
	}
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		return openBolt(path, how, 1)
	}
	f, err := openBolt(path, salvaging, 1)
	if err != nil {
		return nil, err
	}
	s, err := look(f.inner)
	if err != nil {
		f.close()
		return nil, damaged(path, err.Error())
	}
	f.unsound = s.unsound
	if how == salvaging {
		return f, nil
	}
	f.close()
	for _, err := range s.unsound {
		return nil, damaged(path, err.Error())
	}
	// Another process may be looking too.
	return openBolt(path, how, 250*time.Millisecond)
}

func openBolt(path string, how access, wait time.Duration) (_ *file, err error) {
	f := &file{path: path}
	opts := &bbolt.Options{
		Timeout:         wait, // 1 ns is one try
		FreelistType:    bbolt.FreelistMapType,
		NoFreelistSync:  true, // else opening may write; see writing.begin
		PreLoadFreelist: how != salvaging,
		ReadOnly:        how != write,
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			var err error
			f.inner, err = os.OpenFile(name, flag|noFollow, mode)
			return f.inner, err
		},
	}
	if how == write && runtime.GOOS != "windows" && strconv.IntSize == 64 {
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

func (f *file) freePages() int {
	st := f.db.Stats()
	return st.FreePageN + st.PendingPageN
}

// used returns how many bytes of the file are in use.
func (f *file) used() (n int64, err error) {
	err = f.view(func(tx *bbolt.Tx) error {
		n = tx.Size() - int64(f.freePages())*int64(f.db.Info().PageSize)
		return nil
	})
	return n, err
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
