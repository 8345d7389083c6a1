package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// BenchmarkIntake is the stream read as fast as each client can, from another
// process over TCP, by one consumer, or by three. An op is a whole stream.
func BenchmarkIntake(b *testing.B) {
	for _, c := range []struct {
		name  string
		posts int
		errand
	}{
		{"read-and-thrown-away", 1_000_000, errand{Reader: "discard"}},
		{"tweetstream-1-sink", 500_000, errand{Reader: "tweetstream", Sinks: 1}},
		{"tweetstream-3-sinks", 500_000, errand{Reader: "tweetstream", Sinks: 3}},
		{"encoding-json-loop", 200_000, errand{Reader: "encoding-json"}},
		{"fallenstedt", 100_000, errand{Reader: "fallenstedt"}},
		{"gotwi", 50_000, errand{Reader: "gotwi"}},
		{"go-twitter", 50_000, errand{Reader: "go-twitter"}},
		{"X-XDK-for-TypeScript", 100_000, errand{Reader: "xdk"}},
		{"twitter-api-v2", 100_000, errand{Reader: "twitter-api-v2"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			if readers[c.Reader] == nil {
				needNode(b)
			}
			for range b.N {
				x := &load{posts: c.posts}
				x.start(b)
				c.Addr, c.Posts = x.addr, c.posts
				began := time.Now()
				r := c.errand.start(b).wait()
				took := time.Since(began)
				b.ReportMetric(r.CPU.Seconds()/(float64(c.posts)/1e6), "cpu-s/M")
				b.ReportMetric(float64(r.Posts)/took.Seconds(), "posts/s")
				b.ReportMetric(float64(c.posts-r.Posts)/float64(c.posts)*100, "lost-%")
				if r.Mallocs > 0 { // Node does not tell
					b.ReportMetric(float64(r.Mallocs)/float64(c.posts), "allocs/post")
				}
				b.ReportMetric(float64(r.Peak)/(1<<20), "peak-MiB")
				b.ReportMetric(0, "ns/op")
				if c.Reader == "tweetstream" && (r.Posts != c.posts || r.Missing+r.Again > 0 || r.Lost > 0) {
					b.Errorf("%d of %d Posts, %d missing, %d again, %d lost", r.Posts, c.posts, r.Missing, r.Again, r.Lost)
				}
			}
		})
	}
}

// needNode skips what needs Node and the packages in e2e/xclients.
func needNode(b *testing.B) {
	if _, err := exec.LookPath("node"); err != nil {
		b.Skip(err)
	}
	if _, err := os.Stat(filepath.Join("..", "xclients", "node_modules")); err != nil {
		b.Skip("first: cd e2e/xclients && npm ci")
	}
}

// percentiles returns the 50th, the 99th and the 99.9th of d, which it sorts.
func percentiles(d []time.Duration) (p50, p99, p999 time.Duration) {
	if len(d) == 0 {
		return
	}
	slices.Sort(d)
	at := func(permille int) time.Duration { return d[len(d)*permille/1000] }
	return at(500), at(990), at(999)
}
