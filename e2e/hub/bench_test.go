// Package hub_test measures the hub, with many viewers in another process,
// beside what a program would write with the WebSocket libraries at hand, and
// tries it with clients in other languages.
package hub_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/tweetstream-go/tweetstream/sinks/wshub"
)

// start connects viewers to c.
func start(b *testing.B, c candidate, e errand) *process {
	e.Addr = c.address()
	e.Path, e.Hello = c.hello()
	viewers := e.start(b)
	for deadline := time.Now().Add(time.Minute); c.viewers() < e.Viewers+e.Sleepers; {
		if time.Now().After(deadline) {
			b.Fatalf("%d viewers after a minute, want %d", c.viewers(), e.Viewers+e.Sleepers)
		}
		<-time.After(time.Millisecond)
	}
	return viewers
}

// BenchmarkDeliver is as many messages as the candidate can send.
func BenchmarkDeliver(b *testing.B) {
	for _, n := range []int{100, 1000, 5000} {
		for _, c := range contenders {
			b.Run(strconv.Itoa(n)+"-viewers/"+c.name, func(b *testing.B) {
				for range b.N {
					deliver(b, c.make(b), n, c.deliveries)
				}
			})
		}
	}
}

func deliver(b *testing.B, c candidate, n, deliveries int) {
	// No viewer may be behind the newest message by more than this, so that no
	// queue of a candidate's grows without end.
	const window = 1000
	messages, batch := deliveries/n, 100
	viewers := start(b, c, errand{Viewers: n, Messages: messages})
	before, began := c.cpu(), time.Now()
	for i := 0; i < messages; i += batch {
		end := min(i+batch, messages)
		var out [][]byte
		for k := i; k < end; k++ {
			out = append(out, message(k, time.Now()))
		}
		viewers.await(end - window)
		if err := c.send(out); err != nil {
			b.Fatal(err)
		}
	}
	seen, theirs := viewers.wait(b)
	took, ours := time.Since(began), c.cpu()-before
	c.close()
	seen.check(b, messages*n)
	b.ReportMetric(ours.Seconds()/(float64(seen.Frames)/1e6), "cpu-s/M")
	b.ReportMetric(theirs.Seconds()/(float64(seen.Frames)/1e6), "viewers-cpu-s/M")
	b.ReportMetric(float64(seen.Frames)/took.Seconds(), "deliveries/s")
	b.ReportMetric(float64(messages*n-seen.Frames), "lost")
}

func (r report) check(b *testing.B, want int) {
	b.Helper()
	if r.Frames != want || r.Broken > 0 {
		b.Errorf("%d deliveries, %d viewers with a hole (%s); want %d and none", r.Frames, r.Broken, r.Why, want)
	}
}

// BenchmarkLatency is 200 messages a second for 5 seconds to 1,000 viewers, from
// when a message is due to the viewers' reads.
func BenchmarkLatency(b *testing.B) {
	for _, c := range contenders {
		b.Run(c.name, func(b *testing.B) {
			for range b.N {
				steady(b, c.make(b), errand{Viewers: 1000, Messages: 1000, Latency: true}, 5*time.Millisecond)
			}
		})
	}
}

// BenchmarkSleeper is 1,000 messages a second for 5 seconds to 100 viewers, with
// and without others who read nothing.
func BenchmarkSleeper(b *testing.B) {
	for _, n := range []int{0, 1, 10} {
		b.Run(strconv.Itoa(n)+"-asleep", func(b *testing.B) {
			for range b.N {
				hub := newHub(wshub.MaxLag(4<<20, time.Minute))
				steady(b, hub, errand{Viewers: 100, Sleepers: n, Messages: 5000, Latency: true}, time.Millisecond)
				if got := hub.Stats().CutOff[wshub.Slow]; got != uint64(n) {
					b.Errorf("%d viewers were cut off, want %d", got, n)
				}
			}
		})
	}
}

// steady sends one message after every interval.
func steady(b *testing.B, c candidate, e errand, every time.Duration) {
	viewers := start(b, c, e)
	before, began := c.cpu(), time.Now()
	for i := range e.Messages {
		// A message counts from when it was due: a send that blocks must not
		// make those behind it look better.
		due := began.Add(time.Duration(i) * every)
		<-time.After(time.Until(due))
		if err := c.send([][]byte{message(i, due)}); err != nil {
			b.Fatal(err)
		}
	}
	seen, _ := viewers.wait(b)
	ours := c.cpu() - before
	c.close()
	seen.check(b, e.Messages*e.Viewers)
	b.ReportMetric(float64(seen.P50.Microseconds())/1e3, "p50-ms")
	b.ReportMetric(float64(seen.P99.Microseconds())/1e3, "p99-ms")
	b.ReportMetric(ours.Seconds()/(float64(seen.Frames)/1e6), "cpu-s/M")
}

// BenchmarkIdle is what a viewer takes who waits, beyond what the system keeps.
func BenchmarkIdle(b *testing.B) {
	const n = 1000
	for _, c := range contenders {
		if c.name == "gorilla-prepared" {
			continue // as gorilla
		}
		b.Run(c.name, func(b *testing.B) {
			for range b.N {
				c := c.make(b)
				before := c.memory()
				viewers := start(b, c, errand{Viewers: n, Messages: 2})
				// One message has gone through each of them: there is no
				// memory that is made later.
				for i := range 2 {
					if err := c.send([][]byte{message(i, time.Now())}); err != nil {
						b.Fatal(err)
					}
					if i == 0 {
						viewers.await(1)
						b.ReportMetric((c.memory()-before)/n, "B/viewer")
					}
				}
				seen, _ := viewers.wait(b)
				c.close()
				seen.check(b, 2*n)
			}
		})
	}
}
