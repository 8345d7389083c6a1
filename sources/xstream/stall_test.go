package xstream_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tweetstream-go/tweetstream/sources/xstream"
	"github.com/tweetstream-go/tweetstream/xtest"
)

// A connection can die without a word in each of its ages; that is noticed as
// soon as a keep-alive is overdue.
func TestStallsAreNoticedEverywhere(t *testing.T) {
	piped := func(serve func(net.Conn)) *http.Client {
		return &http.Client{Transport: &http.Transport{TLSHandshakeTimeout: time.Minute, DialContext: func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			go func() {
				defer server.Close()
				serve(server)
				_, _ = io.Copy(io.Discard, server) // until the client leaves
			}()
			return client, nil
		}}}
	}
	request := func(c net.Conn) {
		for head := ""; !strings.HasSuffix(head, "\r\n\r\n"); {
			b := make([]byte, 1)
			if _, err := c.Read(b); err != nil {
				return
			}
			head += string(b)
		}
	}
	const header = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
	for name, c := range map[string]struct {
		base   string
		client *http.Client
		ends   string
	}{
		"in the dial": {"http://127.0.0.1:1", &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			time.Sleep(time.Minute) // net/http does not end a dial, in case another request can use it
			return nil, ctx.Err()
		}}}, "stall"},
		"in TLS":             {"https://127.0.0.1:1", piped(func(net.Conn) {}), "stall"},
		"before the headers": {"http://127.0.0.1:1", piped(request), "stall"},
		"in the headers":     {"http://127.0.0.1:1", piped(func(c net.Conn) { request(c); fmt.Fprint(c, header[:40]) }), "stall"},
		"before a byte":      {"http://127.0.0.1:1", piped(func(c net.Conn) { request(c); fmt.Fprint(c, header) }), "stall"},
		"in mid-line":        {"http://127.0.0.1:1", piped(func(c net.Conn) { request(c); fmt.Fprint(c, header+"10\r\n{\"data\":{\"id\":\"1\r\n") }), "stall"},
		"in a refusal": {"http://127.0.0.1:1", piped(func(c net.Conn) {
			request(c)
			fmt.Fprint(c, "HTTP/1.1 503 Unavailable\r\nContent-Length: 99\r\n\r\n{")
		}), "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := start(t, nil, xstream.Token("secret"), xstream.BaseURL(c.base), xstream.HTTPClient(c.client), xstream.Sample())
				after(20 * time.Second)
				if st := s.Stats(); len(st.Ends) != 0 {
					t.Errorf("ended before 21s: %v", st.Ends)
				}
				after(2 * time.Second)
				accepted := uint64(0)
				if strings.HasPrefix(name, "before a") || strings.HasPrefix(name, "in mid") {
					accepted = 1
				}
				if st := s.Stats(); st.Ends[c.ends] != 1 || len(st.Ends) != 1 || st.Stalls != accepted {
					t.Errorf("Ends: %v, want one of %s\n%s", st.Ends, c.ends, s.logged())
				}
				s.stop()
				after(2 * time.Minute) // of what net/http lets go on
				c.client.CloseIdleConnections()
			})
		})
	}
}

// What it takes until the headers are there is no part of the silence after them.
func TestSlowHeadersAreNoStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := &http.Client{Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
			time.Sleep(15 * time.Second)
			r, w := io.Pipe()
			context.AfterFunc(req.Context(), func() { w.CloseWithError(context.Cause(req.Context())) })
			go func() {
				for {
					time.Sleep(20 * time.Second)
					if _, err := io.WriteString(w, "\r\n"); err != nil {
						return
					}
				}
			}()
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: r, Request: req}, nil
		})}
		s := start(t, nil, xstream.Token("secret"), xstream.HTTPClient(client), xstream.Sample())
		after(time.Hour)
		if st := s.Stats(); st.Connects != 1 || !st.Connected || len(st.Ends) != 0 {
			t.Errorf("Stats: %+v", st)
		}
		s.stop()
		after(time.Minute) // the writer notices
	})
}

// A connection that falls silent after its first bytes is not healthy, however
// long the log held it: each next one waits longer.
func TestConnectionsThatFallSilentAreNotHealthy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var opened []time.Time
		client := &http.Client{Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
			opened = append(opened, time.Now())
			r, w := io.Pipe()
			context.AfterFunc(req.Context(), func() { w.CloseWithError(context.Cause(req.Context())) })
			go func() {
				time.Sleep(time.Second)
				io.WriteString(w, "\r\n")
			}()
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: r, Request: req}, nil
		})}
		s := start(t, nil, xstream.Token("secret"), xstream.HTTPClient(client), xstream.Sample())
		after(15 * time.Minute)
		s.stop()
		after(time.Minute) // the writer notices
		last := opened[len(opened)-1].Sub(opened[len(opened)-2]) - 22*time.Second
		if len(opened) < 20 || last < 4*time.Second {
			t.Errorf("%d connections, the last one %v after the end of the one before: the wait does not grow", len(opened), last)
		}
	})
}

// Nothing of one connection is left to the next, also over HTTP/2: a connection
// that is found dead is not used again.
func TestStalledHTTP2IsNotUsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		streams := make(chan string, 100)
		server := &http.Server{
			Protocols: new(http.Protocols),
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.ProtoMajor == 2 {
					streams <- r.RemoteAddr
				}
				w.WriteHeader(200)
				io.WriteString(w, "\r\n")
				http.NewResponseController(w).Flush()
				if len(streams)%2 == 0 {
					return // an end in good order: its connection may be as good as dead too
				}
				<-r.Context().Done()
			}),
		}
		server.Protocols.SetUnencryptedHTTP2(true)
		l := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
		go server.Serve(l)
		transport := &http.Transport{Protocols: server.Protocols, DialContext: l.dial}
		s := start(t, nil, xstream.Token("secret"), xstream.BaseURL("http://127.0.0.1:1"), xstream.HTTPClient(&http.Client{Transport: transport}), xstream.Sample())
		after(2 * time.Minute)
		s.stop()
		server.Close()
		transport.CloseIdleConnections()
		synctest.Wait()
		n := len(streams)
		if dialed := l.dialed; n < 4 || dialed != n {
			t.Errorf("%d streams over %d connections, want one for each", n, dialed)
		}
	})
}

// pipes is a listener in memory that counts.
type pipes struct {
	conns  chan net.Conn
	done   chan struct{}
	dialed int
}

func (l *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		l.dialed++
		return client, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error   { close(l.done); return nil }
func (l *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "pipe"} }

// By default the client speaks HTTP/1 only, for each stream a connection.
func TestDefaultClientSpeaksHTTP1(t *testing.T) {
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		NextProtos: []string{"h2", "http/1.1"},
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			return nil, fmt.Errorf("protocols offered: %v", hello.SupportedProtos)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	said := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			err = c.(*tls.Conn).Handshake()
			c.Close()
		}
		said <- err
	}()
	src, err := xstream.New(xstream.Token("secret"), xstream.BaseURL("https://"+l.Addr().String()))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = src.ListRules(t.Context())
	if err := <-said; err == nil || strings.Contains(err.Error(), "h2") {
		t.Errorf("the handshake: %v, want no h2 in it", err)
	}
}

// When a stream is found dead, the connections that are kept for other requests may
// be so too: a recovery does not wait for them.
func TestConnectionsOfADeadNetworkAreLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		var mu sync.Mutex
		var conns []*mortal
		transport := x.Client().Transport.(*http.Transport)
		dial := transport.DialContext
		transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := dial(ctx, network, addr)
			m := &mortal{Conn: c}
			mu.Lock()
			defer mu.Unlock()
			conns = append(conns, m)
			return m, err
		}
		s := start(t, nil, xstream.Token("secret"), append(opts, originals)...)
		after(time.Minute)
		if _, err := s.ListRules(t.Context()); err != nil { // whose connection is kept
			t.Fatal(err)
		}
		mu.Lock()
		for _, c := range conns {
			c.dead.Store(true)
		}
		mu.Unlock()
		x.Stall(0)
		x.Post(xtest.Post{Text: "coop missed"})
		after(30 * time.Second)
		if len(s.got()) != 1 {
			t.Errorf("%d Posts 9 s after the stall was noticed, want the one that was missed:\n%s", len(s.got()), s.logged())
		}
		s.stop()
	})
}

// mortal is a connection on which nothing goes out any more once it is dead.
type mortal struct {
	net.Conn
	dead atomic.Bool
}

func (m *mortal) Write(p []byte) (int, error) {
	if m.dead.Load() {
		return len(p), nil
	}
	return m.Conn.Write(p)
}

// Handshakes that go wrong are waited out as the network's other faults are, and
// what was missed is recovered.
func TestFaultsOfTLS(t *testing.T) {
	for script, c := range map[string]struct{ reason, says string }{
		"tls-cutx3":     {"dial", "EOF"},
		"tls-badcertx3": {"dial", "failed to verify certificate"},
		"tls-stallx3":   {"stall", "not a byte for longer than X's keep-alives allow"},
	} {
		synctest.Test(t, func(t *testing.T) {
			x, opts := server(t, xtest.TLS())
			defer x.Close()
			s := start(t, nil, xstream.Token("secret"), append(opts, originals)...)
			after(time.Minute)
			inject(t, x, script+" clean")
			synctest.Wait()
			x.Post(xtest.Post{Text: "coop missed"})
			after(2 * time.Minute)
			s.stop()
			if st := s.Stats(); st.Ends[c.reason] == 0 || st.Connects != 2 || len(s.got()) != 1 {
				t.Errorf("%s: %d Posts, want one: %+v", script, len(s.got()), st)
			}
			if !strings.Contains(s.logged(), c.says) {
				t.Errorf("%s: the log does not say %q:\n%s", script, c.says, s.logged())
			}
			x.Client().CloseIdleConnections()
		})
	}
}
