package deadletter

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"time"

	"github.com/tweetstream-go/tweetstream/internal/logfile"
)

// parts is how many segments MaxBytes and MaxAge are made of.
const parts = 16

// tidy makes room for more bytes: it renames a file that is large or old, and
// deletes the oldest segments. Where that fails, it says so and lets letters be
// kept all the same: they are worth more than order.
func (f *File) tidy(now time.Time, more int64) {
	large := f.log.Size()+more > f.maxBytes/parts
	old := !f.begun.IsZero() && now.Sub(f.begun) > f.maxAge/parts
	rotate := f.log.Size() > 0 && (large || old)
	if !rotate && f.segments != nil && f.size()+more <= f.maxBytes && !f.outdated(now) {
		return
	}
	// Segments may have been moved or deleted by others meanwhile.
	segments, err := logfile.Segments(f.path)
	if err != nil {
		f.failed("the segments of the dead letter can't be listed", err)
		return
	}
	f.segments = append([]logfile.Segment{}, segments...)
	if rotate {
		if err := f.rotate(); err != nil {
			f.failed("the dead letter can't be rotated: the same file grows on", err)
		}
	}
	for len(f.segments) > 0 && (f.outdated(now) || f.size()+more > f.maxBytes) {
		if err := f.drop(f.segments[0], now); err != nil {
			f.failed("the oldest segment of the dead letter can't be deleted: it stays", err)
			return
		}
		f.segments = f.segments[1:]
	}
	f.stuck = false
}

// outdated reports whether all letters of the oldest segment are too old.
func (f *File) outdated(now time.Time) bool {
	return len(f.segments) > 0 && now.Sub(f.segments[0].Time) > f.maxAge
}

// size returns how large all files are.
func (f *File) size() int64 {
	size := f.log.Size()
	for _, s := range f.segments {
		size += s.Size
	}
	return size
}

// failed says what has failed, once until all is well again.
func (f *File) failed(what string, err error) {
	if !f.stuck {
		f.logger.Error(what, "file", f.path, "error", err.Error())
	}
	f.stuck = true
}

// rotate makes a segment of the file, and begins a new one.
func (f *File) rotate() error {
	s := logfile.Segment{Size: f.log.Size(), Time: f.last}
	// Names never go back, whatever the clock does: there is no segment yet that
	// has this one.
	if n := len(f.segments); n > 0 && s.Time.Sub(f.segments[n-1].Time) < time.Millisecond {
		s.Time = f.segments[n-1].Time.Add(time.Millisecond)
	}
	s.Path = logfile.SegmentName(f.path, s.Time)
	if err := f.log.Rename(s.Path); err != nil {
		f.segments = nil // to be listed again: it may be renamed all the same
		return err
	}
	f.segments = append(f.segments, s)
	return nil
}

// drop deletes a segment, after its letters are named in the log.
func (f *File) drop(s logfile.Segment, now time.Time) error {
	count, first, last, err := count(s.Path)
	if os.IsNotExist(err) {
		return nil // somebody else has taken it
	}
	if err != nil {
		return err
	}
	if s.Path != f.named {
		why := "the dead letter is full"
		if now.Sub(s.Time) > f.maxAge {
			why = "too old"
		}
		f.logger.Error("letters dropped", "reason", why, "count", count, "first", first, "last", last, "file", s.Path)
		f.named = s.Path
	}
	if err := os.Remove(s.Path); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stats.Dropped += count
	return nil
}

// count returns how many letters a segment has, and the ids of the first and the
// last.
func count(path string) (n uint64, first, last string, err error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, "", "", err
	}
	defer file.Close()
	r := bufio.NewReaderSize(file, 64<<10)
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch err {
		case nil:
			n++
			if l, err := Parse(line); err == nil {
				if first == "" {
					first = l.Tweet.ID
				}
				last = l.Tweet.ID
			}
			line = line[:0]
		case bufio.ErrBufferFull:
		case io.EOF:
			return n, first, last, nil
		default:
			return 0, "", "", err
		}
	}
}

// firstLine returns the first line, nil if there is no whole one.
func firstLine(r io.Reader) ([]byte, error) {
	line, err := bufio.NewReaderSize(r, 64<<10).ReadBytes('\n')
	if err == io.EOF {
		return nil, nil
	}
	return bytes.TrimSuffix(line, []byte("\n")), err
}

// warn says once that there is little room left.
func (f *File) warn() {
	size := f.size()
	if !f.warned && size > f.maxBytes/10*8 {
		f.warned = true
		f.logger.Warn("the dead letter is 80 % full: its oldest letters will be dropped", "file", f.path, "bytes", size, "limit", f.maxBytes)
	}
}
