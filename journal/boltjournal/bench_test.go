package boltjournal_test

import (
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/journal/boltjournal"
)

// Tweets of 2.4 kB go in, in batches, and three readers follow as sinks do.
func BenchmarkThreeReaders(b *testing.B) {
	for _, size := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			j, _ := start(b, b.TempDir(), boltjournal.Limit(64<<30))
			names := []string{"a", "b", "c"}
			commit(b, j, map[string]uint64{"a": 0, "b": 0, "c": 0})
			batch := posts(1, size, 2400)
			var readers sync.WaitGroup
			more := [3]chan struct{}{}
			b.ReportAllocs()
			b.ResetTimer()
			for i, name := range names {
				more[i] = make(chan struct{}, 1)
				readers.Go(func() {
					buf := make([]tweetstream.Entry, 1000)
					at, committed := uint64(0), time.Now()
					for at < uint64(b.N*size) {
						n, err := j.Read(ctx, at, buf)
						if err != nil {
							b.Error(err)
							return
						}
						if n == 0 {
							<-more[i]
							continue
						}
						at = buf[n-1].Pos + 1
						if time.Since(committed) > time.Second {
							committed = time.Now()
							commit(b, j, map[string]uint64{name: at})
						}
					}
				})
			}
			for range b.N {
				add(b, j, batch...)
				for _, c := range more {
					select {
					case c <- struct{}{}:
					default:
					}
				}
			}
			readers.Wait()
			b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "tweets/s")
		})
	}
}

// Opening after a crash, with a million tweets waiting. BOLTJOURNAL_MILLION names
// a folder for them, of 3 GB; it is filled where it is empty.
func BenchmarkStartWithAMillion(b *testing.B) {
	dir := os.Getenv("BOLTJOURNAL_MILLION")
	if dir == "" {
		b.Skip("BOLTJOURNAL_MILLION names no folder")
	}
	j, st := start(b, dir)
	for id := int(st.Next); id < 1_000_000; id += 1000 {
		add(b, j, posts(id+1, id+1000, 2400)...)
	}
	closeJournal(b, j)
	for b.Loop() {
		j, st := start(b, dir)
		n := 0
		for range st.Newest {
			n++
		}
		if n != 1_000_000 {
			b.Fatalf("%d ids", n)
		}
		b.StopTimer()
		closeJournal(b, j)
		b.StartTimer()
	}
}
