package wshub_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"github.com/tweetstream-go/tweetstream/sinks/wshub"
)

// bytesOf is what a client sends: frames with a mask, and raw bytes.
func bytesOf(parts ...any) (sent []byte) {
	for _, p := range parts {
		switch p := p.(type) {
		case ws.Frame:
			sent = append(sent, ws.MustCompileFrame(ws.MaskFrame(p))...)
		case []byte:
			sent = append(sent, p...)
		}
	}
	return sent
}

func text(s string) ws.Frame               { return ws.NewTextFrame([]byte(s)) }
func part(op ws.OpCode, s string) ws.Frame { return ws.NewFrame(op, false, []byte(s)) }

func closing(code ws.StatusCode, reason string) ws.Frame {
	return ws.NewCloseFrame(append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...))
}

func reserved(f ws.Frame, rsv byte) ws.Frame {
	f.Header.Rsv = rsv
	return f
}

// What a viewer may not send: RFC 6455, sections 5.1 to 5.5, 7.4 and 8.1.
func TestViolations(t *testing.T) {
	hub := serve(t, wshub.Newest(0))
	cases := []struct {
		name string
		sent []byte
		want ws.StatusCode
	}{
		{"no mask", ws.MustCompileFrame(text("hello")), 1002},
		{"no mask on a pong", ws.MustCompileFrame(ws.NewPongFrame(nil)), 1002},
		{"rubbish", []byte(strings.Repeat("GET / HTTP/1.1\r\n", 100)), 1002},
		{"reserved bit", bytesOf(reserved(text("hello"), 4)), 1002},
		{"reserved code 3", bytesOf(ws.NewFrame(3, true, nil)), 1002},
		{"reserved code 11", bytesOf(ws.NewFrame(11, true, nil)), 1002},
		{"continuation of nothing", bytesOf(ws.NewFrame(ws.OpContinuation, true, nil)), 1002},
		{"text within fragments", bytesOf(part(ws.OpText, "a"), text("b")), 1002},
		{"ping in fragments", bytesOf(part(ws.OpPing, "a")), 1002},
		{"long ping", bytesOf(ws.NewPingFrame(make([]byte, 126))), 1002},
		{"length of 2^63", []byte{0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}, 1002},
		{"length of 2^40", []byte{0x81, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 1, 2, 3, 4}, 1009},
		{"long message", bytesOf(text(strings.Repeat("x", 4097))), 1009},
		{"many fragments", bytesOf(part(ws.OpText, strings.Repeat("x", 4000)), part(ws.OpContinuation, strings.Repeat("x", 97))), 1009},
		{"many frames", bytes.Repeat(bytesOf(ws.NewPongFrame(nil)), 600), 1008},
		{"invalid UTF-8", bytesOf(text("caf\xe9")), 1007},
		{"invalid UTF-8 in fragments", bytesOf(part(ws.OpText, "a"), ws.NewFrame(ws.OpContinuation, true, []byte("\xff"))), 1007},
		{"close with one byte", bytesOf(ws.NewCloseFrame([]byte{3})), 1002},
		{"close with 999", bytesOf(closing(999, "")), 1002},
		{"close with 1005", bytesOf(closing(1005, "")), 1002},
		{"close with 1015", bytesOf(closing(1015, "")), 1002},
		{"close with 5000", bytesOf(closing(5000, "")), 1002},
		{"close with invalid UTF-8", bytesOf(closing(1000, "\xff")), 1007},
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			v := hub.view("")
			v.t = t
			if _, err := v.conn.Write(c.sent); err != nil {
				t.Fatal(err)
			}
			v.wantClose(c.want)
			if _, err := io.Copy(io.Discard, v.r); err != nil {
				t.Errorf("after the close frame: %v, want EOF", err)
			}
			if got := hub.Stats().CutOff[wshub.Misbehaved]; got != uint64(i+1) {
				t.Errorf("%d were cut off, want %d", got, i+1)
			}
		})
	}
}

// A viewer may send 50 frames a second for ever, and 500 at once, however long it
// has sent none.
func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := servePipe(t, wshub.Ping(10*time.Hour))
		c := hub.view("")
		c.wait = 10 * time.Hour
		for range 100 {
			for range 50 {
				c.send(ws.NewPongFrame(nil))
			}
			time.Sleep(time.Second)
		}
		time.Sleep(time.Hour)
		for range 500 {
			c.send(ws.NewPongFrame(nil))
		}
		synctest.Wait()
		if cut := hub.Stats().CutOff; len(cut) != 0 {
			t.Errorf("cut off: %v, want nobody", cut)
		}
		time.Sleep(time.Second)
		for range 51 {
			c.send(ws.NewPongFrame(nil))
		}
		c.wantClose(1008)
	})
}

// What a viewer may send, to the same end.
func TestAnswers(t *testing.T) {
	hub := serve(t, wshub.Newest(0))
	half := bytesOf(text("split in the middle of its header"))
	cases := []struct {
		name  string
		sent  []byte
		pongs []string
	}{
		{"ping", bytesOf(ws.NewPingFrame([]byte("hello"))), []string{"hello"}},
		{"empty ping", bytesOf(ws.NewPingFrame(nil)), []string{""}},
		{"long ping", bytesOf(ws.NewPingFrame([]byte(strings.Repeat("x", 125)))), []string{strings.Repeat("x", 125)}},
		{"pong", bytesOf(ws.NewPongFrame([]byte("unasked"))), nil},
		{"text", bytesOf(text("hello"), text(strings.Repeat("x", 4096)), text("")), nil},
		{"binary", bytesOf(ws.NewBinaryFrame([]byte{0xff})), nil},
		{"fragments", bytesOf(part(ws.OpText, "caf\xc3"), ws.NewPingFrame([]byte("between")), part(ws.OpContinuation, "\xa9"), ws.NewFrame(ws.OpContinuation, true, nil)), []string{"between"}},
		{"halves", half, nil},
	}
	ends := []struct {
		sent ws.Frame
		want string
	}{
		{ws.NewCloseFrame(nil), ""},
		{closing(1000, ""), "\x03\xe8"},
		{closing(1001, "bye"), "\x03\xe9"},
		{closing(1013, ""), "\x03\xf5"},
		{closing(4999, "caf\xc3\xa9"), "\x13\x87"},
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			v := hub.view("")
			v.t = t
			for _, piece := range [][]byte{c.sent[:1], c.sent[1:]} {
				if _, err := v.conn.Write(piece); err != nil {
					t.Fatal(err)
				}
			}
			for _, want := range c.pongs {
				if op, got, err := v.frame(); op != ws.OpPong || string(got) != want || err != nil {
					t.Fatalf("frame %v %q, %v, want a pong %q", op, got, err, want)
				}
			}
			hub.deliver(tweet(i, 0))
			v.want(fmt.Sprintf(`{"data":{"id":"%d"}}`, i))
			end := ends[i%len(ends)]
			v.send(end.sent)
			if op, got, err := v.frame(); op != ws.OpClose || string(got) != end.want || err != nil {
				t.Fatalf("frame %v %q, %v, want a close frame %q", op, got, err, end.want)
			}
			if _, _, err := v.frame(); !errors.Is(err, io.EOF) {
				t.Fatalf("after the close frame: %v, want EOF", err)
			}
		})
	}
	if cut := hub.Stats().CutOff; len(cut) != 0 {
		t.Errorf("cut off: %v, want nobody", cut)
	}
}

// Pings during load are answered between messages, the newest at the latest.
func TestPingsDuringLoad(t *testing.T) {
	hub := serve(t, wshub.Newest(0))
	c := hub.view("")
	const n, pings = 2000, 400
	go func() {
		for i := range pings {
			_ = ws.WriteFrame(c.conn, ws.MaskFrame(ws.NewPingFrame(fmt.Append(nil, i))))
		}
	}()
	go func() {
		for i := range n {
			hub.deliver(tweet(i, 2400))
		}
	}()
	last := ""
	for messages := 0; messages < n || last != fmt.Sprint(pings-1); {
		switch op, payload, err := c.frame(); {
		case err != nil:
			t.Fatal(err)
		case op == ws.OpPong:
			last = string(payload)
		case number(string(payload)) != messages:
			t.Fatalf("message %d, want %d", number(string(payload)), messages)
		default:
			messages++
		}
	}
}

// A frame that comes together with the handshake, before its answer, counts.
func TestEarlyFrames(t *testing.T) {
	hub := serve(t, wshub.Newest(0))
	addr := hub.server.Listener.Addr().String()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	early := bytesOf(text(strings.Repeat("x", 2000)), ws.NewPingFrame([]byte("early")))
	c, err := handshake(t, &prefixed{conn, early}, addr, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if op, got, err := c.frame(); op != ws.OpPong || string(got) != "early" || err != nil {
		t.Errorf("frame %v %q, %v, want the pong", op, got, err)
	}
}

// prefixed adds something to the first write.
type prefixed struct {
	net.Conn
	more []byte
}

func (c *prefixed) Write(p []byte) (int, error) {
	_, err := c.Conn.Write(append(p[:len(p):len(p)], c.more...))
	c.more = nil
	return len(p), err
}

// Over TLS there is a goroutine for each viewer that writes; all else is the
// same.
func TestTLS(t *testing.T) {
	hub := serve(t, wshub.Newest(3))
	server := httptest.NewTLSServer(hub)
	defer server.Close()
	addr := server.Listener.Addr().String()
	const n = 3000
	for i := range 3 {
		hub.deliver(tweet(i, 2400, "a"))
	}
	clients := make([]*client, 4)
	for i := range clients {
		conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if clients[i], err = handshake(t, conn, addr, []string{"", "?tag=a"}[i%2], nil); err != nil {
			t.Fatal(err)
		}
	}
	go func() {
		for i := 3; i < n; i++ {
			hub.deliver(tweet(i, 2400, "a"))
		}
	}()
	clients[0].send(ws.NewPingFrame(nil))
	for _, c := range clients {
		c.sequence(0, n)
	}
	clients[1].conn.Close()
	clients[2].send(closing(1000, ""))
	clients[2].wantClose(1000)
	await(t, "two have left", func() bool { return hub.Stats().Viewers == 2 })
	closed := make(chan error, 1)
	go func() { closed <- hub.Close(context.Background()) }()
	clients[0].wantClose(1001)
	clients[0].send(closing(1001, ""))
	clients[3].wantClose(1001)
	clients[3].conn.Close()
	if err := <-closed; err != nil {
		t.Errorf("Close() = %v, want nil", err)
	}
}

// Whatever a viewer sends, the hub ends the connection in time and works on.
func FuzzViewer(f *testing.F) {
	f.Add(bytesOf(text("hello"), ws.NewPingFrame([]byte("x")), closing(1000, "bye")))
	f.Add([]byte{0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4})
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, sent []byte) {
		synctest.Test(t, func(t *testing.T) {
			hub := servePipe(t)
			c := hub.view("")
			go func() {
				_, _ = io.Copy(io.Discard, c.r)
			}()
			_, _ = c.conn.Write(sent)
			hub.deliver(tweet(1, 0))
			synctest.Wait()
			c.conn.Close()
			synctest.Wait()
			if n := hub.Stats().Viewers; n != 0 {
				t.Errorf("%d viewers are left", n)
			}
		})
	})
}
