package filesink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/internal/dedupe"
)

// retryAfter is the wait after an error of the disk. It is asked for, rather than
// left to the Streamer, so that no Post is taken for a poison: on a disk that is
// full the short ones may still pass, and the long ones are not at fault.
const retryAfter = time.Second

// archive is a file of whole lines. All that it holds up to size is synced; what
// is behind is cut off before anything else is written.
type archive struct {
	path string
	file file
	size int64
	torn bool // there may be something behind size

	seen  *dedupe.Window
	batch map[post]bool // of the Deliver at hand
	buf   []byte
}

// file is what an archive needs of an *os.File.
type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Stat() (fs.FileInfo, error)
	Truncate(size int64) error
	Sync() error
}

// post is what a Post is known by.
type post struct {
	id      string
	deleted bool
}

func (a *archive) name() string { return a.path }

func (a *archive) deliver(ctx context.Context, tweets []*tweetstream.Tweet) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := a.ready(); err != nil {
		return outage(err)
	}
	defer func() {
		clear(a.batch)
		a.buf = reuse(a.buf)
	}()
	end := a.size
	var refused []error
	for _, t := range tweets {
		p := post{t.ID, t.Deleted}
		if a.batch[p] || a.seen.Has(p.id, p.deleted) {
			continue
		}
		var err error
		if a.buf, err = appendLine(a.buf, t.Raw); err != nil {
			refused = append(refused, refusal(t, err))
			continue
		}
		a.batch[p] = true
		if len(a.buf) >= writeSize {
			if end, err = a.flush(ctx, end); err != nil {
				return err
			}
		}
	}
	end, err := a.flush(ctx, end)
	if err != nil {
		return err
	}
	if end > a.size {
		// When a sync fails, the kernel may take the pages for written, and
		// the next sync would succeed without them: only writing them again
		// helps.
		if err := a.file.Sync(); err != nil {
			a.undo()
			return outage(err)
		}
		a.size, a.torn = end, false
	}
	for p := range a.batch {
		a.seen.Add(p.id, p.deleted)
	}
	return errors.Join(refused...)
}

// flush writes the lines gathered so far at end, and returns the new end. If it
// fails, the whole batch is undone.
func (a *archive) flush(ctx context.Context, end int64) (int64, error) {
	if len(a.buf) == 0 {
		return end, nil
	}
	if err := ctx.Err(); err != nil {
		a.undo()
		return 0, err
	}
	a.torn = true
	if _, err := a.file.WriteAt(a.buf, end); err != nil {
		a.undo()
		return 0, outage(err)
	}
	end += int64(len(a.buf))
	a.buf = a.buf[:0]
	return end, nil
}

// undo cuts off what is behind size. If that fails, ready does it again, and
// returns the error if it fails for good.
func (a *archive) undo() error {
	if !a.torn {
		return nil
	}
	if err := a.file.Truncate(a.size); err != nil {
		return err
	}
	a.torn = false
	return nil
}

// ready brings the file to its last whole line, and sees whether somebody has
// moved or changed it meanwhile.
func (a *archive) ready() error {
	if err := a.undo(); err != nil {
		return err
	}
	opened, err := a.file.Stat()
	if err != nil {
		return err
	}
	// Where the path can't be looked up for another reason than that it is
	// gone, the open file still takes lines.
	named, err := os.Lstat(a.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(named, opened) {
		return a.reopen()
	}
	if opened.Size() != a.size {
		return a.follow(opened.Size())
	}
	return nil
}

// reopen leaves the file behind for the one at path. Folders are not made anew:
// where they are gone, so may be the disk.
func (a *archive) reopen() error {
	left := a.file
	if err := a.open(); err != nil {
		return err
	}
	_ = left.Close() // all that it holds is synced
	return nil
}

// follow goes on at the end of a file that somebody else has emptied or written
// to.
func (a *archive) follow(size int64) error {
	if size > 0 {
		var last [1]byte
		if _, err := a.file.ReadAt(last[:], size-1); err != nil {
			return err
		}
		if last[0] != '\n' {
			if _, err := a.file.WriteAt([]byte{'\n'}, size); err != nil {
				return err
			}
			size++
		}
	}
	a.size = size
	return nil
}

func (a *archive) close() error {
	return errors.Join(a.undo(), a.file.Close())
}

// outage is the error for what is wrong with the file.
func outage(err error) error {
	return tweetstream.RetryAfter(fmt.Errorf("filesink: %w", err), retryAfter)
}
