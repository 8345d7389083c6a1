// Package ndjson splits streams into lines.
package ndjson

import (
	"bytes"
	"errors"
	"io"
)

// ErrNoProgress is returned by Next when the source gives neither bytes nor an
// error, again and again.
var ErrNoProgress = errors.New("ndjson: many reads without data or error")

// Reader splits what it reads into lines. Lines of any length up to the limit
// are taken; a longer one is skipped to its end and counted.
type Reader struct {
	src   io.Reader
	limit int

	buf     []byte
	n       int // bytes in buf, none of them a line break
	skipped int // bytes of the line that is being skipped; 0 if none is
	lines   [][]byte
	numbers []int // of the lines
	ended   int   // lines that were ended by a break
	idle    int

	// Oversized counts the lines that were longer than the limit; Longest is
	// the length of the longest of them.
	Oversized, Longest int

	// TooLong is called for each of them, if it is not nil.
	TooLong func(number, length int)
}

const maxIdle = 100

// A read is as long as minBuffer, and up to fullBuffer while there is more than
// that to be read. What comes in one read goes to the log together, in one commit of
// a journal: to a file, a viewer and a journal 54,000 Posts a second go at 20 s of CPU
// a million, and with 64 KiB 30,000 at 33.
const minBuffer, fullBuffer = 64 << 10, 256 << 10

// NewReader returns a Reader of lines of up to limit bytes.
func NewReader(src io.Reader, limit int) *Reader {
	return &Reader{src: src, limit: limit, buf: make([]byte, minBuffer)}
}

// Next reads once, and returns the lines that are whole then, without their
// breaks ("\n" or "\r\n") and without those that are empty. There may be none: a
// keep-alive, or the part of a line. The lines share memory that is theirs for
// good; the slice that holds them is used again by the next call.
//
// Lines are returned with a nil error; the source's error comes with the next
// call.
func (r *Reader) Next() ([][]byte, error) {
	if r.n == len(r.buf) {
		r.buf = append(r.buf, make([]byte, len(r.buf))...)
	}
	read, err := r.src.Read(r.buf[r.n:])
	if read == 0 && err != nil {
		// The last line, where it was not ended.
		if length := r.skipped + len(bytes.TrimSuffix(r.buf[:r.n], []byte("\r"))); length > r.limit {
			r.oversized(r.ended+1, length)
			r.skipped, r.n = 0, 0
		}
		return nil, err
	}
	if read == 0 {
		if r.idle++; r.idle == maxIdle {
			return nil, ErrNoProgress
		}
		return nil, nil
	}
	r.idle = 0
	r.lines, r.numbers = r.lines[:0], r.numbers[:0]
	end := r.n + read
	last := bytes.LastIndexByte(r.buf[r.n:end], '\n')
	if last < 0 {
		r.n = end
		if r.skipped > 0 || r.n > r.limit+1 { // with a '\r'
			r.skipped += r.n
			r.n = 0
		}
		return nil, nil
	}
	last += r.n
	r.split(r.buf[:last+1])
	rest := r.buf[last+1 : end]
	size := len(r.buf)
	switch {
	case end == size && size < fullBuffer:
		size *= 2
	case end < size/4:
		size = max(size/2, minBuffer)
	}
	size = min(size, fullBuffer) // after a long line
	if size != len(r.buf) && len(rest) < size {
		r.buf = append(make([]byte, 0, size), rest...)[:size]
		r.n = len(rest)
	} else {
		r.n = copy(r.buf, rest)
	}
	return r.lines, nil
}

// split takes a copy of what is in block, which ends in a line break: one copy
// of just this size, so that a line that is kept keeps little else.
func (r *Reader) split(block []byte) {
	if r.skipped > 0 {
		i := bytes.IndexByte(block, '\n')
		r.ended++
		r.oversized(r.ended, r.skipped+i)
		r.skipped = 0
		block = block[i+1:]
	}
	block = bytes.Clone(block)
	for len(block) > 0 {
		i := bytes.IndexByte(block, '\n')
		line := block[:i:i]
		block = block[i+1:]
		r.ended++
		if i > 0 && line[i-1] == '\r' {
			line = line[: i-1 : i-1]
		}
		switch {
		case len(line) > r.limit:
			r.oversized(r.ended, len(line))
		case len(line) > 0:
			r.lines = append(r.lines, line)
			r.numbers = append(r.numbers, r.ended)
		}
	}
}

func (r *Reader) oversized(number, length int) {
	r.Oversized++
	r.Longest = max(r.Longest, length)
	if r.TooLong != nil {
		r.TooLong(number, length)
	}
}

// Number returns the number of a line that Next returned last, by its place
// among them. The first line of the source is 1; empty lines count too.
func (r *Reader) Number(i int) int { return r.numbers[i] }

// Ended returns how many lines were read to their ends.
func (r *Reader) Ended() int { return r.ended }

// Partial reports whether a part of the next line was read.
func (r *Reader) Partial() bool { return r.n > 0 || r.skipped > 0 }

// Rest returns what was read behind the last line break: after the end of the
// source, a line that was not ended. It is nil if there is none, or if it is
// longer than the limit.
func (r *Reader) Rest() []byte {
	rest := bytes.TrimSuffix(r.buf[:r.n], []byte("\r"))
	if r.skipped > 0 || len(rest) == 0 || len(rest) > r.limit {
		return nil
	}
	return bytes.Clone(rest)
}
