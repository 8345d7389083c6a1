package hub_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/tweetstream-go/tweetstream/sinks/wshub"
)

// A message is its number, a time, and filler up to the size of a Post.
const postSize = 2400

func message(n int, at time.Time) []byte {
	raw := fmt.Appendf(make([]byte, 0, postSize), `{"n":"%012d","t":"%020d","x":"`, n, at.UnixNano())
	for len(raw) < postSize-2 {
		raw = append(raw, 'x')
	}
	return append(raw, `"}`...)
}

// A message begins with this, whatever stands around it in a candidate's frames.
var mark = []byte(`{"n":"`)

// Where the two numbers stand in a message, and how much of it is looked at.
const (
	nAt    = len(`{"n":"`)
	tAt    = nAt + 12 + len(`","t":"`)
	headTo = tAt + 20
)

// errand is what a process of viewers is told to do.
type errand struct {
	Addr     string
	Path     string
	Hello    []string // messages that a viewer sends at first, or "": each time something comes back
	Viewers  int
	Messages int // for each viewer
	Latency  bool
}

// report is what it has seen.
type report struct {
	Frames   int
	Broken   int    // viewers that did not get each message once, in order
	Why      string // of one of them
	P50, P99 time.Duration
	Max      time.Duration
	CPU      time.Duration // from when all were connected
}

const errandVariable = "TWEETSTREAM_VIEWERS"

// TestMain lets the test binary be another process.
func TestMain(m *testing.M) {
	var err error
	switch {
	case os.Getenv(errandVariable) != "":
		var e errand
		if err = json.Unmarshal([]byte(os.Getenv(errandVariable)), &e); err == nil {
			err = e.run()
		}
	case os.Getenv(troubleVariable) != "":
		var x trouble
		if err = json.Unmarshal([]byte(os.Getenv(troubleVariable)), &x); err == nil {
			x.run()
		}
	case os.Getenv(elsewhereVariable) != "":
		fmt.Println(newHub(wshub.MaxViewers(20_000)).address())
		_, err = io.Copy(io.Discard, os.Stdin)
	case os.Getenv(feedVariable) != "":
		var f feed
		if err = json.Unmarshal([]byte(os.Getenv(feedVariable)), &f); err == nil {
			err = f.run()
		}
	default:
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// run connects the viewers, says so on standard output, reads all that they
// should get while it says how many messages the slowest has, and then writes the
// report. They stay until the standard input ends: what it costs a server that they
// leave is not a part of what deliveries cost.
func (e errand) run() error {
	debug.SetGCPercent(1000) // thousands of stacks would be searched for next to nothing
	viewers := make([]*onlooker, e.Viewers)
	for i := range viewers {
		conn, err := e.dial()
		if err != nil {
			return err
		}
		viewers[i] = &onlooker{conn: conn, want: e.Messages, latency: e.Latency}
	}
	began := processorTime()
	fmt.Println("ready")
	var wg sync.WaitGroup
	for _, v := range viewers {
		wg.Go(v.watch)
	}
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for least, working := 0, true; working; {
		select {
		case <-tick.C:
		case <-done:
			working = false
		}
		n := e.Messages
		for _, v := range viewers {
			n = min(n, int(v.got.Load()))
		}
		if n > least {
			least = n
			fmt.Println(n)
		}
	}
	all := report{CPU: processorTime() - began}
	var latencies []time.Duration
	for _, v := range viewers {
		all.Frames += int(v.got.Load())
		latencies = append(latencies, v.latencies...)
		if v.err != nil {
			all.Broken++
			all.Why = v.err.Error()
		}
	}
	if len(latencies) > 0 {
		slices.Sort(latencies)
		all.P50 = latencies[len(latencies)/2]
		all.P99 = latencies[len(latencies)*99/100]
		all.Max = latencies[len(latencies)-1]
	}
	if err := json.NewEncoder(os.Stdout).Encode(all); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	runtime.KeepAlive(viewers)
	return err
}

// processorTime returns what this process has taken.
func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (e errand) dial() (*net.TCPConn, error) {
	conn, err := net.Dial("tcp", e.Addr)
	if err != nil {
		return nil, err
	}
	return e.greet(conn.(*net.TCPConn))
}

// greet asks for a WebSocket.
func (e errand) greet(conn *net.TCPConn) (*net.TCPConn, error) {
	fmt.Fprintf(conn, "GET /%s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", e.Path, e.Addr)
	// Messages begin when all have connected: r has none of them.
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return nil, errors.New(resp.Status)
	}
	for _, m := range e.Hello {
		if m != "" {
			if err := ws.WriteFrame(conn, ws.MaskFrame(ws.NewTextFrame([]byte(m)))); err != nil {
				return nil, err
			}
		}
		h, err := ws.ReadHeader(r)
		if err != nil {
			return nil, err
		}
		if _, err := io.CopyN(io.Discard, r, h.Length); err != nil {
			return nil, err
		}
	}
	return conn, nil
}

// onlooker is one viewer.
type onlooker struct {
	conn    *net.TCPConn
	want    int
	latency bool

	got       atomic.Int64
	latencies []time.Duration
	err       error

	skip int    // bytes of the message under way, up to its end
	head []byte // what was read of the next, up to where its numbers end
}

// buffers are shared: one for each viewer would push the others' out of the
// processor's cache, and what is to be measured is the server.
var buffers = make(chan []byte, 16)

func init() {
	for range cap(buffers) {
		buffers <- make([]byte, 256<<10)
	}
}

// watch reads messages, and checks that each comes once and in order. It looks
// at the number and at nothing else.
func (v *onlooker) watch() {
	raw, err := v.conn.SyscallConn()
	if err != nil {
		v.err = err
		return
	}
	_ = v.conn.SetReadDeadline(time.Now().Add(5 * time.Minute))
	for v.err == nil && int(v.got.Load()) < v.want {
		err := raw.Read(func(fd uintptr) bool {
			b := <-buffers
			defer func() { buffers <- b }()
			n, err := syscall.Read(int(fd), b)
			switch {
			case err == syscall.EAGAIN:
				return false
			case err == syscall.EINTR:
			case err != nil:
				v.err = err
			case n == 0:
				v.err = fmt.Errorf("%w after %d messages, %.200q", io.EOF, v.got.Load(), v.head)
			default:
				v.err = v.take(b[:n])
			}
			return true
		})
		if err != nil {
			v.err = err
		}
	}
}

// take goes through what was read.
func (v *onlooker) take(p []byte) error {
	now := time.Now()
	for {
		n := min(v.skip, len(p))
		v.skip -= n
		if p = p[n:]; len(p) == 0 {
			return nil
		}
		// Between two messages there are some bytes of framing.
		seen := len(v.head)
		v.head = append(v.head, p[:min(len(p), 128)]...)
		i := bytes.Index(v.head, mark)
		if i < 0 || len(v.head) < i+headTo {
			if len(v.head) > 512 {
				return fmt.Errorf("no message in %.200q", v.head)
			}
			return nil
		}
		want := int(v.got.Load())
		if got := decimal(v.head[i+nAt:][:12]); got != want {
			return fmt.Errorf("message %d, want %d", got, want)
		}
		if v.latency {
			v.latencies = append(v.latencies, now.Sub(time.Unix(0, int64(decimal(v.head[i+tAt:][:20])))))
		}
		v.got.Add(1)
		v.head, v.skip = v.head[:0], postSize-headTo
		p = p[i+headTo-seen:]
	}
}

func decimal(digits []byte) (n int) {
	for _, d := range digits {
		n = 10*n + int(d-'0')
	}
	return n
}

// process is a process of viewers.
type process struct {
	cmd   *exec.Cmd
	in    io.Closer     // ends when they may leave
	least atomic.Int64  // messages that each viewer has
	moved chan struct{} // holds a token when there are more of them
	saw   chan string   // the report
}

// launch starts a process whose ends are held here.
func launch(tb testing.TB, cmd *exec.Cmd) (in io.WriteCloser, out io.Reader) {
	tb.Helper()
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err = cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	return in, out
}

// start starts the viewers and waits until they are connected.
func (e errand) start(tb testing.TB) *process {
	told, err := json.Marshal(e)
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), errandVariable+"="+string(told))
	in, out := launch(tb, cmd)
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "ready" {
		tb.Fatalf("viewers: %q, %v", lines.Text(), cmd.Wait())
	}
	p := &process{cmd: cmd, in: in, moved: make(chan struct{}, 1), saw: make(chan string, 1)}
	go func() {
		defer close(p.saw)
		for lines.Scan() {
			if n, err := strconv.Atoi(lines.Text()); err == nil {
				p.least.Store(int64(n))
				select {
				case p.moved <- struct{}{}:
				default:
				}
			} else {
				p.saw <- lines.Text()
			}
		}
	}()
	return p
}

// await waits until each viewer has n messages, or all that it will get.
func (p *process) await(n int) {
	for int(p.least.Load()) < n {
		select {
		case <-p.moved:
		case <-time.After(5 * time.Second):
			return // there is a hole, which the report tells of
		}
	}
}

// report returns what the viewers have seen, once they have all.
func (p *process) report(tb testing.TB) (r report) {
	if err := json.NewDecoder(strings.NewReader(<-p.saw)).Decode(&r); err != nil {
		tb.Fatal(err)
	}
	return r
}

// leave has the viewers leave.
func (p *process) leave(tb testing.TB) {
	_ = p.in.Close()
	if err := p.cmd.Wait(); err != nil {
		tb.Fatal(err)
	}
}
