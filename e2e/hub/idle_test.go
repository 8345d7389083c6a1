package hub_test

import (
	"runtime"
	"testing"
	"time"
)

// A viewer who waits takes no more than 10 kB: BenchmarkIdle prints how much.
func BenchmarkIdle(b *testing.B) {
	const n = 1000
	for _, c := range candidates {
		if c.name == "gorilla-prepared" {
			continue // as gorilla
		}
		b.Run(c.name, func(b *testing.B) {
			for range b.N {
				c := c.make()
				before := memory()
				viewers, stop := start(b, c, errand{Viewers: n, Messages: 2})
				// One message has gone through each of them: there is no
				// memory that is made later.
				if err := c.send([][]byte{message(0, time.Now())}); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric((memory()-before)/n, "B/viewer")
				if err := c.send([][]byte{message(1, time.Now())}); err != nil {
					b.Fatal(err)
				}
				viewers.wait(b)
				stop()
			}
		})
	}
}

func memory() float64 {
	var m runtime.MemStats
	for range 3 { // pools are emptied by the second
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return float64(m.HeapInuse + m.StackInuse)
}
