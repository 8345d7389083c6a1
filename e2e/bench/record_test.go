package main_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// The most that Twitter ever had in a second: on 3 August 2013.
const record = 143_199

// BenchmarkRecord holds Twitter's record: from the simulated X into a file, which is
// synced, a hub with one viewer, and a sink that checks the order. X, the viewer and
// what is measured share the machine. At this rate the default buffer is a fifth of
// a second; 512 MiB are one and a half, for when the disk takes a break. An op is a
// second.
func BenchmarkRecord(b *testing.B) {
	x := &load{posts: b.N * record, rate: record, hold: true}
	hold(b, x, errand{Sinks: 1, Hub: true, Buffer: 512 << 20, File: filepath.Join(b.TempDir(), "posts.ndjson")})
}

// BenchmarkJournaled is as BenchmarkRecord, as fast as it goes and with the log on
// disk. An op is 100,000 Posts.
func BenchmarkJournaled(b *testing.B) {
	dir := b.TempDir()
	x := &load{posts: b.N * 100_000, hold: true}
	hold(b, x, errand{Sinks: 1, Hub: true, Buffer: 512 << 20, File: filepath.Join(dir, "posts.ndjson"), Journal: filepath.Join(dir, "journal")})
}

// hold sends the load through one process, and looks what of it has come to each of
// its sinks. What is missing, came twice or out of order is an error.
func hold(b *testing.B, x *load, e errand) {
	x.start(b)
	e.Reader, e.Addr, e.Posts = "tweetstream", x.addr, x.posts
	p := e.start(b)
	seen := make(chan tally, 1)
	if e.Hub {
		v := p.view()
		go func() { seen <- v.read() }()
	}
	began, before := time.Now(), cpu()
	r := p.wait()
	took := time.Since(began)
	fewest := r.Posts
	came := func(to string, t tally) {
		fewest = min(fewest, t.Posts)
		if t.Posts < x.posts {
			b.Logf("%d of %d Posts came to the %s", t.Posts, x.posts, to)
		}
		if t.Again > 0 {
			b.Errorf("%d Posts came to the %s again or out of order", t.Again, to)
		}
	}
	came("sinks", r.tally)
	if e.Hub {
		came("viewer", <-seen)
	}
	around := cpu() - before
	if e.File != "" {
		came("file", inFile(b, e.File))
	}
	b.ReportMetric(r.CPU.Seconds()/(float64(x.posts)/1e6), "cpu-s/M")
	b.ReportMetric(around.Seconds()/(float64(x.posts)/1e6), "load-cpu-s/M")
	if e.Sinks > 0 {
		b.ReportMetric(r.CPU.Seconds()/(float64(x.posts*e.Sinks)/1e6), "cpu-s/M-deliveries")
	}
	b.ReportMetric(float64(fewest)/took.Seconds(), "posts/s")
	b.ReportMetric(float64(x.posts-fewest)/float64(x.posts)*100, "lost-%")
	b.ReportMetric(float64(r.Mallocs)/float64(x.posts), "allocs/post")
	b.ReportMetric(float64(r.Peak)/(1<<20), "peak-MiB")
	if x.rate > 0 {
		b.ReportMetric(time.Duration(x.behind.Load()).Seconds()*1e3, "latest-ms")
	}
	if n := len(r.Looks); n > 1 {
		b.ReportMetric(float64(r.Looks[n/4])/(1<<20), "quarter-MiB")
		b.ReportMetric(float64(r.Looks[n/2])/(1<<20), "half-MiB")
		b.ReportMetric(float64(r.Looks[n-1])/(1<<20), "end-MiB")
		b.Logf("%v looks at the memory: %d MiB", n, inMiB(r.Looks))
	}
	b.ReportMetric(0, "ns/op")
}

func inMiB(sizes []int64) (all []int64) {
	for _, n := range sizes {
		all = append(all, n>>20)
	}
	return all
}

// inFile reads the ids in a file of NDJSON.
func inFile(b *testing.B, path string) (t tally) {
	f, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	post, idAt, _ := one()
	raw := make([]byte, len(post)-1) // a line ends with LF
	for r := bufio.NewReaderSize(f, 1<<20); ; {
		switch _, err := io.ReadFull(r, raw); err {
		case nil:
			t.see(string(raw[idAt : idAt+digits]))
		case io.EOF:
			return t
		default:
			b.Fatal(err)
		}
	}
}

// viewer is one who looks at a hub.
type viewer struct {
	b    *testing.B
	conn net.Conn
	r    *bufio.Reader
	late bool // note how late the frames are
}

// view connects to the hub of p, which has not asked for the stream yet.
func (p *process) view() *viewer {
	addr, err := p.out.ReadString('\n')
	if err != nil {
		p.b.Fatal(err)
	}
	addr = strings.TrimSpace(addr)
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		p.b.Fatal(err)
	}
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", addr)
	r := bufio.NewReaderSize(conn, 64<<10)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		p.b.Fatal(err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		p.b.Fatal(resp.Status)
	}
	return &viewer{b: p.b, conn: conn, r: r}
}

// read reads until the hub closes the connection.
func (v *viewer) read() (t tally) {
	defer v.conn.Close()
	post, idAt, timeAt := one()
	size := len(post) - 2 // without CRLF
	raw := make([]byte, size)
	for {
		h, err := ws.ReadHeader(v.r)
		if err != nil || h.OpCode == ws.OpClose {
			return t
		}
		if h.OpCode == ws.OpPing {
			pong := ws.MaskFrameInPlace(ws.NewPongFrame(nil)) // its own pings are empty
			if err := ws.WriteFrame(v.conn, pong); err != nil {
				return t
			}
			continue
		}
		if h.Length != int64(size) {
			v.b.Errorf("a frame of %d bytes", h.Length)
			return t
		}
		if !v.late {
			// What is not needed is not copied: it is the hub that is measured.
			head, err := v.r.Peek(idAt + digits)
			if err != nil {
				return t
			}
			t.see(string(head[idAt:]))
			_, _ = v.r.Discard(size)
			continue
		}
		if _, err := io.ReadFull(v.r, raw); err != nil {
			return t
		}
		t.see(string(raw[idAt : idAt+digits]))
		sent, _ := strconv.ParseInt(string(raw[timeAt:timeAt+digits]), 10, 64)
		t.late = append(t.late, time.Since(time.Unix(0, sent)))
	}
}
