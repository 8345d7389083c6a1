package hub_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// trouble is what a process of others does to a hub.
type trouble struct {
	Addr    string
	Asleep  int           // viewers who read nothing, and come again when they are cut off
	Rubbish int           // viewers who send what is not WebSocket, again and again
	Burst   int           // viewers who come after 3 seconds, and leave when they are let in
	Every   time.Duration // one of them comes; 0: all at once

	elsewhere bool // the burst goes to another hub, in another process
}

const troubleVariable = "TWEETSTREAM_TROUBLE"

// start starts the process, if there is anything to do for it. stop ends it, and
// returns how many of the burst were let in.
func (x trouble) start(tb testing.TB) (stop func() int) {
	if x.Asleep+x.Rubbish+x.Burst == 0 {
		return func() int { return 0 }
	}
	var other io.Closer
	if x.elsewhere {
		x.Addr, other = elsewhere(tb)
	}
	told, err := json.Marshal(x)
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), troubleVariable+"="+string(told))
	cmd.Stderr = os.Stderr
	var said strings.Builder
	cmd.Stdout = &said
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	return func() (letIn int) {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if other != nil {
			_ = other.Close()
		}
		_, _ = fmt.Sscan(said.String(), &letIn)
		return letIn
	}
}

const elsewhereVariable = "TWEETSTREAM_ELSEWHERE"

// elsewhere starts a process with a hub that has no viewers.
func elsewhere(tb testing.TB) (addr string, stop io.Closer) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), elsewhereVariable+"=1")
	stop, out := launch(tb, cmd)
	tb.Cleanup(func() { _ = cmd.Wait() })
	if _, err := fmt.Fscan(out, &addr); err != nil {
		tb.Fatal(err)
	}
	return addr, stop
}

// run makes trouble for two minutes, if nobody ends it before.
func (x trouble) run() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	var all sync.WaitGroup
	for range x.Asleep {
		all.Go(func() {
			for ctx.Err() == nil {
				x.sleep(ctx)
			}
		})
	}
	for range x.Rubbish {
		all.Go(func() {
			for ctx.Err() == nil {
				x.babble()
			}
		})
	}
	if x.Burst > 0 {
		<-time.After(3 * time.Second)
		var letIn atomic.Int64
		var burst sync.WaitGroup
		begin := make(chan struct{})
		for i := range x.Burst {
			burst.Go(func() {
				<-begin
				<-time.After(time.Duration(i) * x.Every)
				if conn, err := (errand{Addr: x.Addr}).dial(); err == nil {
					letIn.Add(1)
					_ = conn.Close()
				}
			})
		}
		close(begin)
		burst.Wait()
		fmt.Println(letIn.Load())
	}
	all.Wait()
}

// sleep connects, with little room for what it does not read, and stays as long
// as it may.
func (x trouble) sleep(ctx context.Context) {
	d := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 8<<10) })
	}}
	conn, err := d.DialContext(ctx, "tcp", x.Addr)
	if err != nil {
		return
	}
	defer conn.Close()
	if _, err := (errand{Addr: x.Addr}).greet(conn.(*net.TCPConn)); err != nil {
		return
	}
	for ctx.Err() == nil {
		<-time.After(100 * time.Millisecond)
		if _, err := conn.Write([]byte{0x8a, 0x80, 0, 0, 0, 0}); err != nil { // a pong, while it is there
			return
		}
	}
}

// babble connects, sends what comes to its mind, and listens for what the hub
// thinks of it.
func (x trouble) babble() {
	conn, err := (errand{Addr: x.Addr}).dial()
	if err != nil {
		<-time.After(10 * time.Millisecond)
		return
	}
	defer conn.Close()
	rubbish := make([]byte, 4000)
	for i := range rubbish {
		rubbish[i] = byte(rand.Int())
	}
	_, _ = conn.Write(rubbish)
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	_, _ = io.Copy(io.Discard, conn)
}
