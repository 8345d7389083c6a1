package xtest

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"

	"github.com/tweetstream-go/tweetstream/internal/memnet"
)

// memoryClient returns a client whose every connection to addr goes through l.
func memoryClient(l *memnet.Listener, addr string, secure bool) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableCompression: true, // unless a request asks for it by itself
		DialContext: func(ctx context.Context, network, to string) (net.Conn, error) {
			if to != addr {
				return nil, fmt.Errorf("xtest: this client reaches %s only, not %s", addr, to)
			}
			c, err := l.Dial(ctx, network, to)
			if err != nil {
				return nil, err
			}
			if secure {
				c = newReadAhead(c)
			}
			return c, nil
		},
	}}
}

// readAhead takes what the server writes at once, as a socket does. TLS over
// net.Pipe wants that: both ends write their alerts at the same moment.
type readAhead struct {
	net.Conn

	mu   sync.Mutex
	more sync.Cond
	buf  bytes.Buffer
	err  error
}

const readAheadLimit = 1 << 20

func newReadAhead(c net.Conn) *readAhead {
	r := &readAhead{Conn: c}
	r.more.L = &r.mu
	go r.fill()
	return r
}

// fill reads until the connection is closed.
func (r *readAhead) fill() {
	b := make([]byte, 32<<10)
	for {
		n, err := r.Conn.Read(b)
		r.mu.Lock()
		r.buf.Write(b[:n])
		r.err = err
		r.more.Broadcast()
		for r.buf.Len() > readAheadLimit && r.err == nil {
			r.more.Wait()
		}
		ended := r.err != nil
		r.mu.Unlock()
		if ended {
			return
		}
	}
}

func (r *readAhead) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.buf.Len() == 0 && r.err == nil {
		r.more.Wait()
	}
	if r.buf.Len() == 0 {
		return 0, r.err
	}
	r.more.Broadcast()
	return r.buf.Read(p)
}

func (r *readAhead) Close() error {
	r.mu.Lock()
	r.err = cmp.Or(r.err, error(net.ErrClosed))
	r.more.Broadcast()
	r.mu.Unlock()
	return r.Conn.Close()
}
