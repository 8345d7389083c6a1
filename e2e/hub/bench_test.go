// Package hub_test measures the hub, with many viewers in another process,
// beside what a program would write with the WebSocket libraries at hand.
package hub_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gorilla/websocket"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinks/wshub"
)

// A candidate sends messages to all viewers.
type candidate interface {
	http.Handler
	viewers() int
	send(messages [][]byte) error
	close()
}

var candidates = []struct {
	name string
	make func() candidate
}{
	{"wshub", func() candidate { return newHub() }},
	{"gobwas", func() candidate { return &gobwas{} }},
	{"gorilla-prepared", func() candidate { return &gorilla{prepared: true} }},
	{"gorilla", func() candidate { return &gorilla{} }},
}

// hub is this project's.
type hub struct{ *wshub.Hub }

func newHub(opts ...wshub.Option) hub {
	h, err := wshub.New(append(opts, wshub.Newest(0))...)
	if err != nil {
		panic(err)
	}
	return hub{h}
}

func (h hub) viewers() int { return h.Stats().Viewers }

func (h hub) send(messages [][]byte) error {
	tweets := make([]*tweetstream.Tweet, len(messages))
	for i, m := range messages {
		// Its number serves as the id: the hub takes each Post once.
		tweets[i] = &tweetstream.Tweet{ID: string(m[nAt:][:12]), Raw: m}
	}
	// The hub does not wait for viewers, and would cut off those who are slower
	// than this loop; the others' writes wait by themselves.
	for h.Stats().Lag.Max > 4<<20 {
		<-time.After(time.Millisecond)
	}
	return h.Deliver(context.Background(), tweets)
}

func (h hub) close() { _ = h.Close(context.Background()) }

// room is what the others need to know their viewers.
type room[C any] struct {
	mu    sync.Mutex
	conns []C
}

func (r *room[C]) add(c C) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conns = append(r.conns, c)
}

func (r *room[C]) viewers() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.conns)
}

// each calls f for all viewers, from as many goroutines as there are processors.
func (r *room[C]) each(f func(C) error) error {
	n := runtime.GOMAXPROCS(0)
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			for _, c := range r.conns[len(r.conns)*i/n : len(r.conns)*(i+1)/n] {
				if errs[i] = f(c); errs[i] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// gobwas compiles a frame once and writes it to each viewer.
type gobwas struct{ room[net.Conn] }

func (g *gobwas) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conn, _, _, err := ws.UpgradeHTTP(r, w)
	if err == nil {
		g.add(conn)
	}
}

func (g *gobwas) send(messages [][]byte) error {
	for _, m := range messages {
		frame, err := ws.CompileFrame(ws.NewTextFrame(m))
		if err != nil {
			return err
		}
		if err := g.each(func(c net.Conn) error { _, err := c.Write(frame); return err }); err != nil {
			return err
		}
	}
	return nil
}

func (g *gobwas) close() { _ = g.each(net.Conn.Close) }

// gorilla writes each message to each viewer, prepared or not.
type gorilla struct {
	room[*websocket.Conn]
	prepared bool
}

func (g *gorilla) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conn, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
	if err == nil {
		g.add(conn)
	}
}

func (g *gorilla) send(messages [][]byte) error {
	for _, m := range messages {
		write := func(c *websocket.Conn) error { return c.WriteMessage(websocket.TextMessage, m) }
		if g.prepared {
			p, err := websocket.NewPreparedMessage(websocket.TextMessage, m)
			if err != nil {
				return err
			}
			write = func(c *websocket.Conn) error { return c.WritePreparedMessage(p) }
		}
		if err := g.each(write); err != nil {
			return err
		}
	}
	return nil
}

func (g *gorilla) close() { _ = g.each((*websocket.Conn).Close) }

// start serves c to viewers.
func start(b *testing.B, c candidate, e errand) (viewers *process, stop func()) {
	server := httptest.NewServer(c)
	e.Addr = server.Listener.Addr().String()
	viewers = e.start(b)
	for deadline := time.Now().Add(time.Minute); c.viewers() < e.Viewers+e.Sleepers; runtime.Gosched() {
		if time.Now().After(deadline) {
			b.Fatalf("%d viewers after a minute, want %d", c.viewers(), e.Viewers+e.Sleepers)
		}
	}
	return viewers, func() {
		c.close()
		server.Close()
	}
}

// BenchmarkDeliver is as many messages as the candidate can send. An op is 3
// million deliveries.
func BenchmarkDeliver(b *testing.B) {
	for _, n := range []int{100, 1000} {
		for _, c := range candidates {
			b.Run(strconv.Itoa(n)+"-viewers/"+c.name, func(b *testing.B) { deliver(b, c.make(), n) })
		}
	}
}

func deliver(b *testing.B, c candidate, n int) {
	const deliveries, batch = 3_000_000, 100
	for range b.N {
		messages := deliveries / n
		viewers, stop := start(b, c, errand{Viewers: n, Messages: messages})
		before, began := cpu(), time.Now()
		for i := 0; i < messages; i += batch {
			var out [][]byte
			for k := i; k < min(i+batch, messages); k++ {
				out = append(out, message(k, time.Now()))
			}
			if err := c.send(out); err != nil {
				b.Fatal(err)
			}
		}
		seen, theirs := viewers.wait(b)
		took, ours := time.Since(began), cpu()-before
		stop()
		if seen.Frames != messages*n || seen.Broken > 0 {
			b.Errorf("%d deliveries, %d viewers with a hole; want %d and none", seen.Frames, seen.Broken, messages*n)
		}
		b.ReportMetric(ours.Seconds()/(float64(seen.Frames)/1e6), "cpu-s/M")
		b.ReportMetric((ours+theirs).Seconds()/(float64(seen.Frames)/1e6), "with-viewers-cpu-s/M")
		b.ReportMetric(float64(seen.Frames)/took.Seconds(), "deliveries/s")
	}
}

// BenchmarkLatency is 200 messages a second for 5 seconds to 1,000 viewers, from
// when a message is due to the viewers' reads.
func BenchmarkLatency(b *testing.B) {
	for _, c := range candidates {
		b.Run(c.name, func(b *testing.B) {
			for range b.N {
				steady(b, c.make(), errand{Viewers: 1000, Messages: 1000, Latency: true}, 5*time.Millisecond)
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
	viewers, stop := start(b, c, e)
	before, began := cpu(), time.Now()
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
	ours := cpu() - before
	stop()
	if want := e.Messages * e.Viewers; seen.Frames != want || seen.Broken > 0 {
		b.Errorf("%d deliveries, %d viewers with a hole; want %d and none", seen.Frames, seen.Broken, want)
	}
	b.ReportMetric(float64(seen.P50.Microseconds())/1e3, "p50-ms")
	b.ReportMetric(float64(seen.P99.Microseconds())/1e3, "p99-ms")
	b.ReportMetric(ours.Seconds()/(float64(seen.Frames)/1e6), "cpu-s/M")
}

// cpu returns the processor time that this process has taken.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
