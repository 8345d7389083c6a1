package filesink_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinks/filesink"
)

// raw is a message of 2.4 kB, as X's are.
var raw = parse(`{"data":{"id":"1","text":"` + string(bytes.Repeat([]byte("x"), 2_400-30)) + `"}}`).Raw

// Each operation is one Post. Beside the sink, a loop by hand that writes and
// syncs the same batches and remembers nothing.
func BenchmarkDeliver(b *testing.B) {
	for _, size := range []int{1, 100, 1_000} {
		b.Run(fmt.Sprintf("batch=%d/filesink", size), func(b *testing.B) {
			s := open(b, filepath.Join(b.TempDir(), "posts.ndjson"))
			bench(b, size, func(ts []*tweetstream.Tweet) error { return s.Deliver(b.Context(), ts) })
		})
		b.Run(fmt.Sprintf("batch=%d/by-hand", size), func(b *testing.B) {
			f, err := os.OpenFile(filepath.Join(b.TempDir(), "posts.ndjson"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			w := bufio.NewWriterSize(f, 1<<20)
			bench(b, size, func(ts []*tweetstream.Tweet) error {
				for _, t := range ts {
					w.Write(t.Raw)
					w.WriteByte('\n')
				}
				if err := w.Flush(); err != nil {
					return err
				}
				return f.Sync()
			})
		})
	}
}

func bench(b *testing.B, size int, deliver func([]*tweetstream.Tweet) error) {
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	batch := make([]*tweetstream.Tweet, size)
	id := 1 << 60
	for left := b.N; left > 0; left -= size {
		batch = batch[:min(size, left)]
		for i := range batch {
			id++
			batch[i] = &tweetstream.Tweet{ID: strconv.Itoa(id), Raw: raw}
		}
		if err := deliver(batch); err != nil {
			b.Fatal(err)
		}
	}
}

// Open of a file of 1 GiB.
func BenchmarkOpen(b *testing.B) {
	path := filepath.Join(b.TempDir(), "posts.ndjson")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	for id := range 1 << 30 / len(raw) {
		w.Write(bytes.Replace(raw, []byte(`"id":"1"`), fmt.Appendf(nil, `"id":"%d"`, 1<<60+id), 1))
		w.WriteByte('\n')
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		s, err := filesink.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
