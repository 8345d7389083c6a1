package replay

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/tweetstream-go/tweetstream/internal/logfile"
	"github.com/tweetstream-go/tweetstream/internal/ndjson"
)

const (
	stdin = "-"

	maxMessage = 4 << 20 // as on the stream
	maxLine    = 8 << 20 // of a letter, whose message may stand in it as base64

	bufferSize = 64 << 10
	headSize   = 4 << 10 // by which a file is known, at most
)

// file is an open file, of which lines are read.
type file struct {
	name  string
	src   *os.File
	head  []byte // the first line, or as much of it as headSize
	lines *ndjson.Reader
	line  int  // the line that was read last when it is gone on with
	again bool // it can be read again: it is no pipe
}

// open opens the file at path, compressed or not.
func open(path string) (*file, error) {
	src := os.Stdin
	if path != stdin {
		var err error
		if src, err = os.Open(path); err != nil {
			return nil, err
		}
		info, err := src.Stat()
		if err == nil && info.IsDir() {
			err = errFolder(path)
		}
		if err != nil {
			_ = src.Close()
			return nil, err
		}
	}
	f := &file{name: path, src: src, again: path != stdin && regular(src.Stat())}
	r := bufio.NewReaderSize(src, bufferSize)
	if magic, _ := r.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(r)
		if err != nil {
			_ = f.Close()
			return nil, &os.PathError{Op: "read", Path: path, Err: err}
		}
		r = bufio.NewReaderSize(z, bufferSize)
	}
	if mark, _ := r.Peek(3); bytes.Equal(mark, []byte("\ufeff")) {
		_, _ = r.Discard(3) // a byte order mark is no part of the first line
	}
	head, _ := r.Peek(headSize) // an error comes again
	if i := bytes.IndexByte(head, '\n'); i >= 0 {
		head = head[:i+1]
	}
	f.head = bytes.Clone(head)
	f.lines = ndjson.NewReader(r, maxLine)
	return f, nil
}

func errFolder(path string) error {
	return &os.PathError{Op: "open", Path: path, Err: errors.New("it is a folder")}
}

func regular(info fs.FileInfo, err error) bool { return err == nil && info.Mode().IsRegular() }

// Close closes the file, but not standard input.
func (f *file) Close() error {
	if f.src == os.Stdin {
		return nil
	}
	return f.src.Close()
}

// next reads once. It returns io.EOF at the end.
func (f *file) next() ([][]byte, error) {
	lines, err := f.lines.Next()
	if err != nil && err != io.EOF {
		err = &os.PathError{Op: "read", Path: f.name, Err: err}
	}
	return lines, err
}

// state is what the source stores: all lines up to Line are in the log. A file is
// known by its first line and by the last one that was read.
type state struct {
	Source string `json:"source"`
	Head   int    `json:"head"` // bytes at the beginning of the file
	Sum    string `json:"sum"`  // of these
	Line   int    `json:"line"`
	Last   string `json:"last"` // the sum of this line
}

const sourceName = "replay"

var errOtherState = errors.New("replay: the stored state is that of another source: use another checkpoint or journal, or move this one away")

func decodeState(from []byte) (*state, error) {
	if from == nil {
		return nil, nil
	}
	var st state
	if json.Unmarshal(from, &st) != nil || st.Source != sourceName {
		return nil, errOtherState
	}
	return &st, nil
}

func (f *file) state(line int, last []byte) []byte {
	if !f.again {
		return nil
	}
	data, err := json.Marshal(state{sourceName, len(f.head), sum(f.head), line, sum(last)})
	if err != nil {
		panic(err) // there is nothing in it that could fail
	}
	return data
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// skipTo reads up to the line of a state. It reports whether the file is that of
// the state.
func (f *file) skipTo(st *state) (rest []numbered, ok bool) {
	if len(f.head) < st.Head || sum(f.head[:st.Head]) != st.Sum {
		return nil, false
	}
	for {
		lines, err := f.next()
		if err != nil {
			last := f.lines.Rest()
			return nil, err == io.EOF && f.lines.Ended()+1 == st.Line && sum(last) == st.Last
		}
		for i, line := range lines {
			switch n := f.lines.Number(i); {
			case n < st.Line:
			case n > st.Line || sum(line) != st.Last:
				return nil, false
			default:
				for j := i + 1; j < len(lines); j++ {
					rest = append(rest, numbered{f.lines.Number(j), lines[j]})
				}
				return rest, true
			}
		}
	}
}

// numbered is a line with its number.
type numbered struct {
	number int
	text   []byte
}

// beginning is where a replay begins: at the beginning, if it is zero.
type beginning struct {
	path  int       // the place of the path
	after time.Time // segments up to this time are done
	file  *file     // to be gone on with
	rest  []numbered
	last  bool // it is no segment, but the file itself
}

// find finds the file of a state.
func (s *Source) find(st *state) (beginning, error) {
	if st == nil {
		return beginning{}, nil
	}
	for i, path := range s.paths {
		if path == stdin {
			continue
		}
		segments, err := segmentsAfter(path, beginning{})
		if err != nil {
			return beginning{}, err
		}
		for _, seg := range append(segments, logfile.Segment{Path: path}) {
			if info, err := os.Stat(seg.Path); os.IsNotExist(err) || err == nil && !info.Mode().IsRegular() {
				continue
			}
			f, err := open(seg.Path)
			if err != nil {
				return beginning{}, err
			}
			if rest, ok := f.skipTo(st); ok {
				f.line = st.Line
				b := beginning{path: i, after: seg.Time, file: f, rest: rest, last: seg.Path == path}
				if b.last && len(segments) > 0 {
					b.after = segments[len(segments)-1].Time
				}
				return b, nil
			}
			if err := f.Close(); err != nil {
				return beginning{}, err
			}
		}
	}
	return beginning{}, nil
}

// segmentsAfter returns the segments that are still to be read, oldest first.
func segmentsAfter(path string, b beginning) ([]logfile.Segment, error) {
	segments, err := logfile.Segments(path)
	if os.IsPermission(err) {
		return nil, nil // one may read a file in a folder that one can't list
	}
	return slices.DeleteFunc(segments, func(s logfile.Segment) bool { return !s.Time.After(b.after) }), err
}
