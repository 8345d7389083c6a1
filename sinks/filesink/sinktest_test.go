package filesink_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinktest"
)

// An outage is a disk that is not mounted: the folder of the file is away.
func TestContractOfAFile(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Subject {
		folder := filepath.Join(t.TempDir(), "disk")
		path := filepath.Join(folder, "posts.ndjson")
		s := sinktest.Subject{
			Sink:     open(t, path),
			Stored:   func() ([]*tweetstream.Tweet, error) { return stored(os.ReadFile(path)) },
			Once:     true,
			Parallel: true,
		}
		if runtime.GOOS == "windows" {
			return s // an open file can't be moved there
		}
		move := func(from, to string) func() {
			return func() {
				if err := os.Rename(from, to); err != nil {
					t.Error(err)
				}
			}
		}
		s.Break, s.Mend = move(folder, folder+".away"), move(folder+".away", folder)
		return s
	})
}

// A file whose writes fail half-way, which is as a full disk does.
func TestContractOnAFullDisk(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Subject {
		s, path, d := onDisk(t)
		return sinktest.Subject{
			Sink:   s,
			Stored: func() ([]*tweetstream.Tweet, error) { return stored(os.ReadFile(path)) },
			Once:   true,
			Break: func() {
				info, err := os.Stat(path)
				if err != nil {
					t.Error(err)
					return
				}
				d.room.Store(info.Size() + 100)
			},
			Mend: func() { d.room.Store(0) },
		}
	})
}

// Standard output is a pipe here, which somebody reads.
func TestContractOfStdout(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Subject {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		p := &pipe{w: w}
		p.read.L = &p.mu
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = io.Copy(p, r)
		}()
		t.Cleanup(func() {
			w.Close()
			<-done
			r.Close()
		})
		return sinktest.Subject{Sink: stdout(w), Stored: p.stored, Parallel: true}
	})
}

// pipe is what was read from a pipe.
type pipe struct {
	w    *os.File
	mu   sync.Mutex
	read sync.Cond
	got  bytes.Buffer
	asks int
}

func (p *pipe) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.read.Broadcast()
	return p.got.Write(b)
}

// stored sends a mark behind what was written, and waits until it has come.
func (p *pipe) stored() ([]*tweetstream.Tweet, error) {
	const mark = "a mark\n"
	if _, err := p.w.WriteString(mark); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asks++
	for bytes.Count(p.got.Bytes(), []byte(mark)) < p.asks {
		p.read.Wait()
	}
	return stored(bytes.ReplaceAll(p.got.Bytes(), []byte(mark), nil), nil)
}

// stored returns the lines of a file.
func stored(file []byte, err error) (all []*tweetstream.Tweet, _ error) {
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for line := range bytes.Lines(file) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			return nil, errors.New("the last line is not ended")
		}
		all = append(all, &tweetstream.Tweet{Raw: bytes.TrimSuffix(line, []byte("\n"))})
	}
	return all, err
}
