package xtest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
)

// pipeListener is a net.Listener without a socket: dial gives one end of a
// net.Pipe to the caller and the other to Accept. It works in a
// testing/synctest bubble, where a goroutine that waits for a socket holds the
// clock.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *pipeListener) dial(ctx context.Context) (net.Conn, error) {
	client, server := net.Pipe()
	var err error
	select {
	case l.conns <- server:
		return client, nil
	case <-l.done:
		err = net.ErrClosed
	case <-ctx.Done():
		err = ctx.Err()
	}
	client.Close()
	server.Close()
	return nil, err
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "127.0.0.1:0" }

// client returns a client whose every connection to addr goes through l.
func (l *pipeListener) client(addr string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableCompression: true, // unless a request asks for it by itself
		DialContext: func(ctx context.Context, _, to string) (net.Conn, error) {
			if to != addr {
				return nil, fmt.Errorf("xtest: this client reaches %s only, not %s", addr, to)
			}
			return l.dial(ctx)
		},
	}}
}
