package main_test

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkLatency is how long a Post takes from X's line to a sink that takes
// them one by one, and to the frame of a viewer in another process. An op is ten
// seconds at the rate.
func BenchmarkLatency(b *testing.B) {
	for _, rate := range []int{10, 1_000, 20_000} {
		b.Run(fmt.Sprintf("%d-a-second", rate), func(b *testing.B) {
			for range b.N {
				x := &load{posts: 10 * rate, rate: float64(rate), hold: true}
				x.start(b)
				p := errand{Reader: "tweetstream", Addr: x.addr, Posts: x.posts, Sinks: 1, Each: true, Hub: true}.start(b)
				v := p.view()
				v.late = true
				seen := make(chan tally, 1)
				go func() { seen <- v.read() }()
				r := p.wait()
				viewer := <-seen
				if r.Posts != x.posts || viewer.Posts != x.posts || r.Lost > 0 || r.Again+viewer.Again > 0 {
					b.Errorf("%d Posts at the sink and %d at the viewer, want %d; %d lost, %d again", r.Posts, viewer.Posts, x.posts, r.Lost, r.Again+viewer.Again)
				}
				p50, p99, p999 := percentiles(viewer.late)
				for _, m := range []struct {
					d    time.Duration
					unit string
				}{
					{r.P50, "sink-p50-ms"}, {r.P99, "sink-p99-ms"}, {r.P999, "sink-p99.9-ms"},
					{p50, "frame-p50-ms"}, {p99, "frame-p99-ms"}, {p999, "frame-p99.9-ms"},
				} {
					b.ReportMetric(m.d.Seconds()*1e3, m.unit)
				}
				b.ReportMetric(0, "ns/op")
			}
		})
	}
}
