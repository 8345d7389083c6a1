package main_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/tweetstream-go/tweetstream"
)

// What a Post costs must not grow with how many there are. These are the sizes;
// e2e/hub has those of the viewers.

// BenchmarkGrowthRate is the cost of a Post through three sinks, by how many come
// in a second. An op is ten seconds.
func BenchmarkGrowthRate(b *testing.B) {
	for _, rate := range []int{100, 1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(rate), func(b *testing.B) {
			for range b.N {
				hold(b, &load{posts: 10 * rate, rate: float64(rate), hold: true}, errand{Sinks: 3})
			}
		})
	}
}

// BenchmarkGrowthSinks is the cost of a Post by the number of sinks that count
// it. An op is 300,000 Posts.
func BenchmarkGrowthSinks(b *testing.B) {
	for _, sinks := range []int{1, 3, 10, 20} {
		b.Run(fmt.Sprint(sinks), func(b *testing.B) {
			for range b.N {
				hold(b, &load{posts: 300_000, hold: true}, errand{Sinks: sinks})
			}
		})
	}
}

// BenchmarkGrowthWaiting is the cost of a Post that goes into the journal and is
// read from it, by how many others wait there for a sink that is gone. An op is
// 200,000 Posts, in thousands. With ten million, which take ten minutes and 30 GB,
// if TWEETSTREAM_BENCH_LONG is set.
func BenchmarkGrowthWaiting(b *testing.B) {
	counts := []int{0, 10_000, 100_000, 1_000_000}
	if os.Getenv("TWEETSTREAM_BENCH_LONG") != "" {
		counts = append(counts, 10_000_000)
	}
	for _, waiting := range counts {
		b.Run(strconv.Itoa(waiting), func(b *testing.B) {
			for range b.N {
				j := openJournal(b, b.TempDir())
				if _, err := j.Start(b.Context()); err != nil {
					b.Fatal(err)
				}
				const batch, posts = 1_000, 200_000
				next := uint64(0)
				entries := make([]tweetstream.Entry, batch)
				add := func(read bool) {
					at, err := j.Append(b.Context(), madeUp(int(next), int(next)+batch), nil)
					if err != nil {
						b.Fatal(err)
					}
					for read && next < at {
						n, err := j.Read(b.Context(), next, entries)
						if err != nil || n == 0 {
							b.Fatalf("%d read, %v", n, err)
						}
						next = entries[n-1].Pos + 1
					}
					next = at
				}
				if err := j.Commit(b.Context(), map[string]uint64{"alive": 0, "dead": 0}); err != nil {
					b.Fatal(err)
				}
				for range waiting / batch {
					add(false)
				}
				if err := j.Commit(b.Context(), map[string]uint64{"alive": next}); err != nil {
					b.Fatal(err)
				}
				before := cpu()
				for range posts / batch {
					add(true)
					if err := j.Commit(b.Context(), map[string]uint64{"alive": next}); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric((cpu()-before).Seconds()/(posts/1e6), "cpu-s/M")
				b.ReportMetric(float64(resident())/(1<<20), "memory-MiB")
				b.ReportMetric(0, "ns/op")
				if err := j.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
