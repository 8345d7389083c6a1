package wshub_test

import (
	"bufio"
	"bytes"
	"compress/flate"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinks/wshub"
)

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// served is a hub behind a server on loopback.
type served struct {
	*wshub.Hub
	t      testing.TB
	server *httptest.Server
}

// serve starts a hub. At the end of the test it is closed, and no goroutine may
// be left.
func serve(t testing.TB, opts ...wshub.Option) *served {
	t.Helper()
	before := runtime.NumGoroutine()
	hub, err := wshub.New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	s := &served{hub, t, httptest.NewServer(hub)}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		s.server.Close()
		done, stop := context.WithCancel(ctx)
		stop()
		_ = hub.Close(done) // viewers that are still there are not waited for
		await(t, "all goroutines have ended", func() bool { return runtime.NumGoroutine() <= before })
	})
	return s
}

// await waits until what holds.
func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<16)
			t.Errorf("after %v it is not so that %s\n%s", patience, what, stacks[:runtime.Stack(stacks, true)])
			return
		}
	}
}

// deliver hands messages to the hub.
func (s *served) deliver(tweets ...*tweetstream.Tweet) {
	s.t.Helper()
	if err := s.Deliver(context.Background(), tweets); err != nil {
		s.t.Errorf("Deliver() = %v, want nil", err)
	}
}

// client is a viewer, on the raw connection.
type client struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
	wait time.Duration // for a frame

	extensions string // that were agreed on
	deflated   int    // messages that came compressed
}

// view connects a viewer, and waits until the hub has it: the answer to a handshake
// comes a moment before.
func (s *served) view(query string) *client {
	s.t.Helper()
	c, err := s.dial(query, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	await(s.t, "the viewer is in", func() bool { return wshub.Entering(s.Hub) == 0 })
	return c
}

// dial connects a viewer.
func (s *served) dial(query string, header http.Header) (*client, error) {
	addr := s.server.Listener.Addr().String()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	s.t.Cleanup(func() { conn.Close() })
	return handshake(s.t, conn, addr, query, header)
}

func handshake(t testing.TB, conn net.Conn, host, query string, header http.Header) (*client, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "GET /%s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", query, host)
	_ = header.Write(&b)
	b.WriteString("\r\n")
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, b.String()); err != nil {
		return nil, err
	}
	c := &client{t: t, conn: conn, r: bufio.NewReader(conn), wait: patience}
	resp, err := http.ReadResponse(c.r, nil)
	_ = conn.SetDeadline(time.Time{})
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return nil, fmt.Errorf("status %d", resp.StatusCode)
	}
	if got, want := resp.Header.Get("Sec-WebSocket-Accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="; got != want { // RFC 6455, section 1.3
		return nil, fmt.Errorf("Sec-WebSocket-Accept is %q, want %q", got, want)
	}
	c.extensions = resp.Header.Get("Sec-WebSocket-Extensions")
	return c, nil
}

// frame reads the next frame. Each must be whole and without a mask, and may be
// compressed where that was agreed on.
func (c *client) frame() (ws.OpCode, []byte, error) {
	_ = c.conn.SetReadDeadline(time.Now().Add(c.wait))
	h, err := ws.ReadHeader(c.r)
	if err != nil {
		return 0, nil, err
	}
	small := h.OpCode == ws.OpText && h.Rsv1() && c.extensions != ""
	if small {
		h.Rsv = 0
	}
	if err := ws.CheckHeader(h, ws.StateClientSide); err != nil || !h.Fin {
		return 0, nil, fmt.Errorf("header %+v: %v", h, err)
	}
	payload := make([]byte, h.Length)
	if _, err = io.ReadFull(c.r, payload); err == nil && small {
		c.deflated++
		r := flate.NewReader(io.MultiReader(bytes.NewReader(payload), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff")))
		payload, err = io.ReadAll(r)
	}
	return h.OpCode, payload, err
}

// errClosed is a close frame.
type errClosed struct {
	code ws.StatusCode
	text string
}

func (e *errClosed) Error() string { return fmt.Sprintf("closed: %d %s", e.code, e.text) }

// message reads the next message; pings are passed over.
func (c *client) message() (string, error) {
	for {
		op, payload, err := c.frame()
		switch {
		case err != nil:
			return "", err
		case op == ws.OpText:
			return string(payload), nil
		case op == ws.OpClose && len(payload) >= 2:
			return "", &errClosed{ws.StatusCode(binary.BigEndian.Uint16(payload)), string(payload[2:])}
		case op == ws.OpClose:
			return "", &errClosed{}
		}
	}
}

// want reads one message and compares it.
func (c *client) want(want string) {
	c.t.Helper()
	got, err := c.message()
	if err != nil || got != want {
		c.t.Fatalf("message %.80q, %v, want %.80q", got, err, want)
	}
}

// wantClose reads up to the close frame.
func (c *client) wantClose(code ws.StatusCode) {
	c.t.Helper()
	for {
		_, err := c.message()
		if err == nil {
			continue
		}
		var closed *errClosed
		if !errors.As(err, &closed) || closed.code != code {
			c.t.Fatalf("the viewer ends with %v, want close code %d", err, code)
		}
		return
	}
}

// send writes a masked frame.
func (c *client) send(f ws.Frame) {
	c.t.Helper()
	if err := ws.WriteFrame(c.conn, ws.MaskFrame(f)); err != nil {
		c.t.Fatal(err)
	}
}

// tweet is a message with number n, some bytes long at the least.
func tweet(n, size int, tags ...string) *tweetstream.Tweet {
	raw := fmt.Sprintf(`{"data":{"id":"%d"}`, n)
	raw += strings.Repeat(" ", max(0, size-len(raw)-1)) + "}"
	t := &tweetstream.Tweet{ID: fmt.Sprint(n), Raw: []byte(raw)}
	for _, tag := range tags {
		t.Rules = append(t.Rules, tweetstream.Rule{Tag: tag})
	}
	return t
}

// number returns the number of a message made by tweet.
func number(message string) int {
	n := -1
	_, _ = fmt.Sscanf(message, `{"data":{"id":"%d"`, &n)
	return n
}
