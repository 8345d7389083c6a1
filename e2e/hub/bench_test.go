// Package hub_test measures the hub, with many viewers in another process,
// beside what a program would write with the WebSocket libraries at hand, and
// tries it with clients in other languages.
package hub_test

import (
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tweetstream-go/tweetstream/sinks/wshub"
)

// start connects viewers to c.
func start(b *testing.B, c candidate, e errand) *process {
	e.Addr = c.address()
	e.Path, e.Hello = c.hello()
	viewers := e.start(b)
	for deadline := time.Now().Add(time.Minute); c.viewers() < e.Viewers; {
		if time.Now().After(deadline) {
			b.Fatalf("%d viewers after a minute, want %d", c.viewers(), e.Viewers)
		}
		<-time.After(time.Millisecond)
	}
	return viewers
}

const apartVariable = "TWEETSTREAM_APART"

// apart runs a benchmark in a process of its own: else those before it would leave
// it their heap, threads and what they have not ended. With TWEETSTREAM_APART set
// it runs in this one, as a profile wants it.
func apart(b *testing.B, run func(b *testing.B)) {
	if os.Getenv(apartVariable) != "" {
		for range b.N {
			run(b)
		}
		return
	}
	pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(b.Name()), "/", "$/^") + "$"
	for range b.N {
		cmd := exec.Command(os.Args[0], "-test.run", "^$", "-test.bench", pattern, "-test.benchtime", "1x")
		cmd.Env = append(os.Environ(), apartVariable+"=1")
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		_, line, found := strings.Cut(string(out), "\n"+b.Name())
		if !found {
			b.Skipf("%s", out)
		}
		line, _, _ = strings.Cut(line, "\n")
		// The end of the name, how often it ran, then figures with their units.
		for pair := range slices.Chunk(strings.Fields(line)[2:], 2) {
			n, err := strconv.ParseFloat(pair[0], 64)
			if err != nil {
				b.Fatalf("%v\n%s", err, out)
			}
			if pair[1] != "ns/op" {
				b.ReportMetric(n, pair[1])
			}
		}
	}
}

// BenchmarkIdle is what a viewer takes who waits, beyond what the system keeps.
func BenchmarkIdle(b *testing.B) {
	const n = 1000
	for _, c := range contenders {
		if c.name == "gorilla-prepared" {
			continue // as gorilla
		}
		b.Run(c.name, func(b *testing.B) {
			apart(b, func(b *testing.B) {
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
				seen := viewers.report(b)
				viewers.leave(b)
				c.close()
				seen.check(b, 2*n)
			})
		})
	}
}

// BenchmarkDeliver is as many messages as the candidate can send.
func BenchmarkDeliver(b *testing.B) {
	for _, n := range []int{100, 1000, 5000} {
		for _, c := range contenders {
			b.Run(strconv.Itoa(n)+"-viewers/"+c.name, func(b *testing.B) {
				apart(b, func(b *testing.B) { deliver(b, c.make(b), n, c.deliveries) })
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
	seen := viewers.report(b)
	took, ours := time.Since(began), c.cpu()-before
	viewers.leave(b)
	c.close()
	seen.check(b, messages*n)
	b.ReportMetric(ours.Seconds()/(float64(seen.Frames)/1e6), "cpu-s/M")
	b.ReportMetric(seen.CPU.Seconds()/(float64(seen.Frames)/1e6), "viewers-cpu-s/M")
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
			apart(b, func(b *testing.B) {
				c, e := c.make(b), errand{Viewers: 1000, Messages: 1000, Latency: true}
				steady(b, c, e, start(b, c, e), 5*time.Millisecond)
			})
		})
	}
}

// BenchmarkCrowd is 200 messages a second for 15 seconds to 1,000 viewers who do as
// they should, and what they feel of others: 50 who read nothing, 50 who send
// rubbish and come again, 10,000 who connect, within 5 seconds or at once, and
// leave as soon as they are let in: who stays is one more viewer to be written to.
// Those who connect to another process show what the machine can't do at the same
// time, whatever the hub does.
func BenchmarkCrowd(b *testing.B) {
	for _, c := range []struct {
		name string
		trouble
	}{
		{"alone", trouble{}},
		{"50-asleep", trouble{Asleep: 50}},
		{"50-rubbish", trouble{Rubbish: 50}},
		{"10000-connects", trouble{Burst: 10_000, Every: 500 * time.Microsecond}},
		{"10000-connects-at-once", trouble{Burst: 10_000}},
		{"10000-connects-at-once-elsewhere", trouble{Burst: 10_000, elsewhere: true}},
	} {
		b.Run(c.name, func(b *testing.B) {
			apart(b, func(b *testing.B) {
				hub := newHub(wshub.MaxLag(1<<20, time.Minute), wshub.MaxViewers(20_000))
				var peak float64
				ended, watching := make(chan struct{}), make(chan struct{})
				go func() {
					defer close(watching)
					for {
						var m runtime.MemStats
						runtime.ReadMemStats(&m)
						peak = max(peak, float64(m.HeapInuse+m.StackInuse))
						select {
						case <-ended:
							return
						case <-time.After(500 * time.Millisecond):
						}
					}
				}()
				// Trouble comes when the viewers are there: before that they would wait
				// for their turn among those who make it.
				e := errand{Viewers: 1000, Messages: 3000, Latency: true}
				viewers := start(b, hub, e)
				c.trouble.Addr = hub.address()
				stop := c.trouble.start(b)
				steady(b, hub, e, viewers, 5*time.Millisecond)
				close(ended)
				<-watching
				if n := stop(); c.Burst > 0 {
					b.ReportMetric(float64(n), "let-in")
				}
				b.ReportMetric(peak/(1<<20), "peak-MiB")
				for reason, n := range hub.Stats().CutOff {
					b.ReportMetric(float64(n), "cut-off-"+string(reason))
				}
			})
		})
	}
}

// steady sends one message after every interval.
func steady(b *testing.B, c candidate, e errand, viewers *process, every time.Duration) {
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
	seen, ours := viewers.report(b), c.cpu()-before
	viewers.leave(b)
	c.close()
	seen.check(b, e.Messages*e.Viewers)
	b.ReportMetric(float64(seen.P50.Microseconds())/1e3, "p50-ms")
	b.ReportMetric(float64(seen.P99.Microseconds())/1e3, "p99-ms")
	b.ReportMetric(ours.Seconds()/(float64(seen.Frames)/1e6), "cpu-s/M")
}
