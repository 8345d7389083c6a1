package hub_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// socketIO is Socket.IO, in a process of its own. What it does stands in
// socketio.mjs.
type socketIO struct {
	tb   testing.TB
	cmd  *exec.Cmd
	in   *bufio.Writer
	out  *bufio.Scanner
	addr string
}

func newSocketIO(tb testing.TB) candidate {
	needNode(tb)
	cmd := exec.Command("node", "--expose-gc", "socketio.mjs")
	in, out := launch(tb, cmd)
	s := &socketIO{tb, cmd, bufio.NewWriter(in), bufio.NewScanner(out), ""}
	s.addr = "127.0.0.1:" + s.answer()
	return s
}

// needNode skips where node, or what it needs, is not installed.
func needNode(tb testing.TB) {
	tb.Helper()
	var missing []string
	if _, err := exec.LookPath("node"); err != nil {
		missing = append(missing, "node")
	}
	if _, err := os.Stat("node_modules"); err != nil {
		missing = append(missing, `what "npm ci" in this folder brings`)
	}
	need(tb, missing)
}

// need skips where something is missing, unless it was asked for.
func need(tb testing.TB, missing []string) {
	tb.Helper()
	switch {
	case missing == nil:
	case os.Getenv("TWEETSTREAM_E2E") == "1":
		tb.Fatalf("TWEETSTREAM_E2E asks for it, and this machine lacks %s", strings.Join(missing, ", "))
	default:
		tb.Skipf("not tried: this machine lacks %s", strings.Join(missing, ", "))
	}
}

func (s *socketIO) answer() string {
	if !s.out.Scan() {
		s.tb.Fatalf("socketio.mjs has ended: %v", s.out.Err())
	}
	return s.out.Text()
}

// ask sends a line and returns a figure.
func (s *socketIO) ask(what string) float64 {
	fmt.Fprintln(s.in, what)
	if err := s.in.Flush(); err != nil {
		s.tb.Fatal(err)
	}
	n, err := strconv.ParseFloat(s.answer(), 64)
	if err != nil {
		s.tb.Fatal(err)
	}
	return n
}

func (s *socketIO) address() string { return s.addr }

// hello is the beginning of version 4 of Engine.IO and version 5 of Socket.IO.
func (s *socketIO) hello() (string, []string) {
	return "socket.io/?EIO=4&transport=websocket", []string{"", "40"}
}

func (s *socketIO) viewers() int       { return int(s.ask("viewers")) }
func (s *socketIO) cpu() time.Duration { return time.Duration(s.ask("cpu")) * time.Microsecond }
func (s *socketIO) memory() float64    { return s.ask("memory") }

func (s *socketIO) send(messages [][]byte) error {
	for _, m := range messages {
		_, _ = s.in.Write(m)
		_ = s.in.WriteByte('\n')
	}
	s.ask("sent")
	return nil
}

func (s *socketIO) close() {
	fmt.Fprintln(s.in, "close")
	_ = s.in.Flush()
	_ = s.cmd.Wait()
}
