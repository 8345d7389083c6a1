package wshub_test

import (
	"context"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinks/wshub"
)

// piped is a hub behind a server in memory, for a bubble of package synctest.
type piped struct {
	*wshub.Hub
	t        *testing.T
	listener pipeListener
}

type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l pipeListener) Close() error   { return nil }
func (l pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// servePipe starts a hub. At the end of the test it is closed; a goroutine that
// is left fails the test, as those of a bubble do.
func servePipe(t *testing.T, opts ...wshub.Option) *piped {
	t.Helper()
	hub, err := wshub.New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	p := &piped{hub, t, pipeListener{make(chan net.Conn), make(chan struct{})}}
	server := &http.Server{Handler: hub}
	go func() { _ = server.Serve(p.listener) }()
	t.Cleanup(func() {
		close(p.listener.done)
		_ = server.Close()
		now, cancel := context.WithCancel(context.Background())
		cancel()
		_ = hub.Close(now)
	})
	return p
}

func (p *piped) view(query string) *client {
	p.t.Helper()
	ours, theirs := net.Pipe()
	p.t.Cleanup(func() { ours.Close() })
	p.listener.conns <- theirs
	c, err := handshake(p.t, ours, "localhost", query, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	c.wait = time.Hour
	synctest.Wait()
	return c
}

func (p *piped) deliver(tweets ...*tweetstream.Tweet) {
	p.t.Helper()
	if err := p.Deliver(context.Background(), tweets); err != nil {
		p.t.Errorf("Deliver() = %v, want nil", err)
	}
}
