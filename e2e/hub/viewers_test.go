package hub_test

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"
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

// Where the two numbers stand in a message.
const (
	nAt = len(`{"n":"`)
	tAt = nAt + 12 + len(`","t":"`)
)

// errand is what a process of viewers is told to do.
type errand struct {
	Addr     string
	Viewers  int
	Sleepers int // others, who connect and read nothing
	Messages int // for each viewer
	Latency  bool
}

// report is what it has seen.
type report struct {
	Frames   int
	Broken   int // viewers that did not get each message once, in order
	P50, P99 time.Duration
	Max      time.Duration
}

const errandVariable = "TWEETSTREAM_VIEWERS"

// TestMain lets the test binary be the process of viewers.
func TestMain(m *testing.M) {
	if told := os.Getenv(errandVariable); told != "" {
		var e errand
		if err := json.Unmarshal([]byte(told), &e); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if err := e.run(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// run connects the viewers, says so on standard output, reads all that they
// should get, and writes the report.
func (e errand) run() error {
	conns := make([]net.Conn, e.Viewers)
	readers := make([]*bufio.Reader, e.Viewers)
	for i := range conns {
		var err error
		if conns[i], readers[i], err = dial(e.Addr); err != nil {
			return err
		}
	}
	for range e.Sleepers {
		conn, _, err := dial(e.Addr)
		if err != nil {
			return err
		}
		defer conn.Close()
	}
	fmt.Println("ready")
	var (
		mu        sync.Mutex
		all       report
		latencies []time.Duration
		wg        sync.WaitGroup
	)
	for i := range conns {
		wg.Go(func() {
			frames, own, err := watch(conns[i], readers[i], e.Messages, e.Latency)
			mu.Lock()
			defer mu.Unlock()
			all.Frames += frames
			latencies = append(latencies, own...)
			if err != nil {
				all.Broken++
			}
		})
	}
	wg.Wait()
	if len(latencies) > 0 {
		slices.Sort(latencies)
		all.P50 = latencies[len(latencies)/2]
		all.P99 = latencies[len(latencies)*99/100]
		all.Max = latencies[len(latencies)-1]
	}
	return json.NewEncoder(os.Stdout).Encode(all)
}

func dial(addr string) (net.Conn, *bufio.Reader, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, nil, err
	}
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", addr)
	r := bufio.NewReaderSize(conn, 64<<10)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return nil, nil, err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return nil, nil, errors.New(resp.Status)
	}
	return conn, r, nil
}

// watch reads messages, and checks that each comes once and in order. It does so
// without looking at the filler, so that what is measured is the server.
func watch(conn net.Conn, r *bufio.Reader, messages int, latency bool) (frames int, latencies []time.Duration, err error) {
	defer conn.Close()
	for frames < messages {
		_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
		head, err := r.Peek(4 + tAt + 20)
		if err != nil {
			return frames, latencies, err
		}
		if head[0] != 0x81 || head[1] != 126 || int(binary.BigEndian.Uint16(head[2:])) != postSize {
			return frames, latencies, fmt.Errorf("unexpected frame % x", head[:4])
		}
		if got := decimal(head[4+nAt:][:12]); got != frames {
			return frames, latencies, fmt.Errorf("message %d, want %d", got, frames)
		}
		if latency {
			latencies = append(latencies, time.Since(time.Unix(0, int64(decimal(head[4+tAt:][:20])))))
		}
		if _, err := r.Discard(4 + postSize); err != nil {
			return frames, latencies, err
		}
		frames++
	}
	return frames, latencies, nil
}

func decimal(digits []byte) (n int) {
	for _, d := range digits {
		n = 10*n + int(d-'0')
	}
	return n
}

// process is a process of viewers.
type process struct {
	cmd *exec.Cmd
	out *bufio.Reader
}

// start starts the viewers and waits until they are connected.
func (e errand) start(tb testing.TB) *process {
	told, err := json.Marshal(e)
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), errandVariable+"="+string(told))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	p := &process{cmd, bufio.NewReader(out)}
	if line, err := p.out.ReadString('\n'); err != nil {
		tb.Fatalf("viewers: %q, %v", line, err)
	}
	return p
}

// wait returns what the viewers have seen, and the processor time that they took.
func (p *process) wait(tb testing.TB) (r report, cpu time.Duration) {
	if err := json.NewDecoder(p.out).Decode(&r); err != nil && !errors.Is(err, io.EOF) {
		tb.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		tb.Fatal(err)
	}
	return r, p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
}
