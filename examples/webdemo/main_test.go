package main_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// webdemo and streamer are the programs, which are run as their users run them.
var webdemo, streamer string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "webdemo")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		webdemo, streamer = filepath.Join(dir, "webdemo.exe"), filepath.Join(dir, "streamer.exe")
		args := []string{"build"}
		if raceEnabled {
			args = append(args, "-race")
		}
		for _, p := range [][]string{{"-o", webdemo, "."}, {"-o", streamer, "../streamer"}} {
			if out, err := exec.Command("go", append(args, p...)...).CombinedOutput(); err != nil {
				fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
				return 1
			}
		}
		return m.Run()
	}())
}

// patience is for what happens at once unless something is broken.
const patience = 60 * time.Second

// process is a run of one of the programs.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	stderr buffer
	ended  chan struct{}
}

// start runs a program in dir, or in a new one.
func start(t *testing.T, program, dir string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(program, args...), ended: make(chan struct{})}
	if p.cmd.Dir = dir; dir == "" {
		p.cmd.Dir = t.TempDir()
	}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "TWEETSTREAM_") {
			p.cmd.Env = append(p.cmd.Env, v)
		}
	}
	p.cmd.Env = append(p.cmd.Env, "GORACE=atexit_sleep_ms=0")
	p.cmd.Stderr = &p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.ended
	})
	return p
}

// wait returns the exit code.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		p.t.Fatalf("%v goes on; stderr:\n%s", p.cmd.Args[1:], p.stderr.String())
		return -1
	}
}

// stop sends a signal and checks that the program ends well.
func (p *process) stop(sig os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
	if code := p.wait(); code != 0 {
		p.t.Fatalf("exit code after %v = %d, want 0; stderr:\n%s", sig, code, p.stderr.String())
	}
}

// eventually waits for a condition, which the process may not outlive.
func (p *process) eventually(what string, ok func() bool) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); {
		select {
		case <-p.ended:
			if ok() {
				return
			}
			p.t.Fatalf("the program has ended before %s; stderr:\n%s", what, p.stderr.String())
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("never: %s; stderr:\n%s", what, p.stderr.String())
		}
	}
}

// demo is a webdemo that serves.
type demo struct {
	*process
	url string
}

var address = regexp.MustCompile(`The page is at (http://\S+)`)

// serve starts webdemo on a port of its own, unless args say which.
func serve(t *testing.T, args ...string) *demo {
	t.Helper()
	d := &demo{process: start(t, webdemo, "", append([]string{"--listen", "127.0.0.1:0"}, args...)...)}
	d.eventually("it says where the page is", func() bool { return address.MatchString(d.stderr.String()) })
	d.url = address.FindStringSubmatch(d.stderr.String())[1]
	return d
}

// request is an HTTP request.
type request struct {
	method, path, body string
	header             map[string]string // Host too
}

// do returns the answer to a request, and its body.
func (d *demo) do(r request) (*http.Response, string) {
	d.t.Helper()
	req, err := http.NewRequest(r.method, d.url+r.path, strings.NewReader(r.body))
	if err != nil {
		d.t.Fatal(err)
	}
	for name, value := range r.header {
		req.Header.Set(name, value)
	}
	req.Host = r.header["Host"]
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(resp.Body); err != nil {
		d.t.Fatal(err)
	}
	return resp, body.String()
}

// post posts one message.
func (d *demo) post(message string) int {
	d.t.Helper()
	resp, _ := d.do(request{"POST", "/tweets", message, map[string]string{"Content-Type": "application/json"}})
	return resp.StatusCode
}

// viewer is a connection to /ws.
type viewer struct {
	t    *testing.T
	conn net.Conn
	rw   *readWriter
}

// dial connects to /ws; the error may be a ws.StatusError.
func (d *demo) dial(path string, header http.Header) (*viewer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	dialer := ws.Dialer{Host: header.Get("Host")}
	header = header.Clone()
	header.Del("Host")
	dialer.Header = ws.HandshakeHeaderHTTP(header)
	conn, early, _, err := dialer.Dial(ctx, "ws"+strings.TrimPrefix(d.url, "http")+path)
	if err != nil {
		return nil, err
	}
	v := &viewer{t: d.t, conn: conn, rw: &readWriter{Conn: conn}}
	v.rw.early = early
	d.t.Cleanup(func() { conn.Close() })
	return v, nil
}

func (d *demo) view(path string) *viewer {
	d.t.Helper()
	v, err := d.dial(path, nil)
	if err != nil {
		d.t.Fatalf("%s: %v", path, err)
	}
	return v
}

// next returns the next message.
func (v *viewer) next() string {
	v.t.Helper()
	message, err := v.read()
	if err != nil {
		v.t.Fatal(err)
	}
	return message
}

func (v *viewer) read() (string, error) {
	if err := v.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	data, op, err := wsutil.ReadServerData(v.rw)
	if err == nil && op != ws.OpText {
		err = fmt.Errorf("a frame of type %v, want text", op)
	}
	return string(data), err
}

// closeCode returns the code with which the server ends the connection, after
// any number of messages.
func (v *viewer) closeCode() ws.StatusCode {
	v.t.Helper()
	for {
		_, err := v.read()
		var closed wsutil.ClosedError
		if errors.As(err, &closed) {
			return closed.Code
		}
		if err != nil {
			v.t.Fatal(err)
		}
	}
}

// readWriter reads first what came along with the handshake.
type readWriter struct {
	net.Conn
	early *bufio.Reader // may be nil
}

func (rw *readWriter) Read(p []byte) (int, error) {
	if rw.early != nil && rw.early.Buffered() > 0 {
		return rw.early.Read(p)
	}
	return rw.Conn.Read(p)
}

// buffer is a bytes.Buffer for two goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
