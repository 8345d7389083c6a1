package wshub_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream/sinks/wshub"
)

// request asks the hub for a handshake, changed by edit, and returns the answer.
func (s *served) request(edit func(*http.Request)) *http.Response {
	s.t.Helper()
	req, err := http.NewRequest("GET", s.server.URL+"/", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header = http.Header{
		"Connection":            {"Upgrade"},
		"Upgrade":               {"websocket"},
		"Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key":     {"dGhlIHNhbXBsZSBub25jZQ=="},
	}
	edit(req)
	resp, err := (&http.Transport{DisableKeepAlives: req.Header.Get("Connection") == ""}).RoundTrip(req)
	if err != nil {
		s.t.Fatal(err)
	}
	resp.Body.Close()
	return resp
}

func set(name string, values ...string) func(*http.Request) {
	return func(r *http.Request) { r.Header[http.CanonicalHeaderKey(name)] = values }
}

func host(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }

func path(p string) func(*http.Request) {
	return func(r *http.Request) { r.URL.RawQuery = p }
}

func TestHandshake(t *testing.T) {
	list := []wshub.Option{wshub.Hosts("feed.example.com"), wshub.Hosts("[2001:db8::1]"), wshub.Origins("https://example.com"), wshub.Origins("https://other.example")}
	cases := []struct {
		name string
		opts []wshub.Option
		edit []func(*http.Request)
		want int
	}{
		{"as it should be", nil, nil, 101},
		{"other spelling", nil, []func(*http.Request){set("Connection", "keep-alive", "x, UPGRADE"), set("Upgrade", "WebSocket")}, 101},

		{"own origin", nil, []func(*http.Request){host("localhost:80"), set("Origin", "http://localhost:80")}, 101},
		{"own origin, other case", nil, []func(*http.Request){host("LocalHost"), set("Origin", "https://localhost")}, 101},
		{"other origin", nil, []func(*http.Request){set("Origin", "https://example.com")}, 403},
		{"other port", nil, []func(*http.Request){host("localhost:80"), set("Origin", "http://localhost:81")}, 403},
		{"opaque origin", nil, []func(*http.Request){set("Origin", "null")}, 403},
		{"empty origin", nil, []func(*http.Request){set("Origin", "")}, 403},
		{"two origins", nil, []func(*http.Request){host("localhost"), set("Origin", "http://localhost", "http://evil.example")}, 403},
		{"listed origin", list, []func(*http.Request){host("feed.example.com"), set("Origin", "https://example.com")}, 101},
		{"listed origin, other scheme", list, []func(*http.Request){host("feed.example.com"), set("Origin", "http://example.com")}, 403},
		{"longer origin", list, []func(*http.Request){host("feed.example.com"), set("Origin", "https://example.com.evil.example")}, 403},
		{"any origin", []wshub.Option{wshub.Origins("*")}, []func(*http.Request){set("Origin", "https://evil.example")}, 101},

		{"loopback", nil, []func(*http.Request){host("127.0.0.1:1")}, 101},
		{"loopback in IPv6", nil, []func(*http.Request){host("[::1]:8080")}, 101},
		{"loopback in IPv6 without a port", nil, []func(*http.Request){host("[::1]")}, 101},
		{"rebinding", nil, []func(*http.Request){host("evil.example:8080"), set("Origin", "http://evil.example:8080")}, 421},
		{"loopback as part of a name", nil, []func(*http.Request){host("localhost.evil.example")}, 421},
		{"listed host", list, []func(*http.Request){host("FEED.example.com:443")}, 101},
		{"listed address", list, []func(*http.Request){host("[2001:db8::1]:443")}, 101},
		{"loopback when others are listed", list, nil, 101},
		{"any host", []wshub.Option{wshub.Hosts("*")}, []func(*http.Request){host("evil.example")}, 101},

		{"wrong method", nil, []func(*http.Request){func(r *http.Request) { r.Method = "POST" }}, 405},
		{"no upgrade", nil, []func(*http.Request){func(r *http.Request) { r.Header.Del("Upgrade") }}, 426},
		{"no connection", nil, []func(*http.Request){set("Connection", "keep-alive")}, 426},
		{"other upgrade", nil, []func(*http.Request){set("Upgrade", "h2c")}, 426},
		{"old version", nil, []func(*http.Request){set("Sec-WebSocket-Version", "8")}, 426},
		{"no version", nil, []func(*http.Request){func(r *http.Request) { r.Header.Del("Sec-WebSocket-Version") }}, 426},
		{"no key", nil, []func(*http.Request){func(r *http.Request) { r.Header.Del("Sec-WebSocket-Key") }}, 400},
		{"short key", nil, []func(*http.Request){set("Sec-WebSocket-Key", "AAAA")}, 400},
		{"not a key", nil, []func(*http.Request){set("Sec-WebSocket-Key", "????????????????????????")}, 400},
		{"broken query", nil, []func(*http.Request){path("tag=%zz")}, 400},
		{"many tags", nil, []func(*http.Request){path(strings.Repeat("tag=a&", 101))}, 400},
		{"long tag", nil, []func(*http.Request){path("tag=" + strings.Repeat("a", 513))}, 400},

		{"not authorized", []wshub.Option{wshub.Authorize(func(r *http.Request) error { return errors.New("secret") })}, nil, 403},
		{"authorized", []wshub.Option{wshub.Authorize(func(r *http.Request) error { return nil })}, nil, 101},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			hub := serve(t, c.opts...)
			resp := hub.request(func(r *http.Request) {
				for _, edit := range c.edit {
					edit(r)
				}
			})
			if resp.StatusCode != c.want {
				t.Errorf("status %d, want %d", resp.StatusCode, c.want)
			}
			if resp.StatusCode == http.StatusUpgradeRequired && resp.Header.Get("Upgrade") == "" && resp.Header.Get("Sec-WebSocket-Version") != "13" {
				t.Errorf("a 426 does not say what is wanted: %v", resp.Header)
			}
			if resp.Header.Get("Sec-WebSocket-Extensions") != "" {
				t.Error("an extension was agreed on")
			}
			if got, want := hub.Stats().Refused, uint64(1); (got == want) == (c.want == 101) {
				t.Errorf("Stats().Refused = %d with status %d", got, c.want)
			}
		})
	}
}

// One who does not read the answer to its handshake has its place for 10 seconds.
func TestHandshakeTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := servePipe(t, wshub.MaxViewers(1))
		dial := func() net.Conn {
			conn, err := hub.listener.Dial(t.Context(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { conn.Close() })
			return conn
		}
		mute := dial()
		io.WriteString(mute, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
		time.Sleep(9 * time.Second)
		if _, err := handshake(t, dial(), "localhost", "", nil); fmt.Sprint(err) != "status 503" {
			t.Errorf("after 9 s another one gets %v, want status 503", err)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		hub.view("")
		if s := hub.Stats(); s.Refused != 2 || s.Viewers != 1 {
			t.Errorf("Stats() = %+v, want two refused and one viewer", s)
		}
		if _, err := io.Copy(io.Discard, mute); err != nil {
			t.Errorf("the connection ends with %v, want EOF", err)
		}
	})
}

// Of many who come at once the first 100 are let in at once, and then 500 a second for
// each processor. Who does not wait takes nobody's turn, and when the hub closes nobody
// waits any more.
func TestDoor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := servePipe(t)
		every := time.Second / time.Duration(500*runtime.GOMAXPROCS(0))
		began := time.Now()
		var mu sync.Mutex
		var in []time.Duration
		refused := 0
		come := func(n int, stays bool) {
			for range n {
				conn, err := hub.listener.Dial(t.Context(), "", "")
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { conn.Close() })
				go func() {
					_, err := handshake(t, conn, "localhost", "", nil)
					mu.Lock()
					defer mu.Unlock()
					switch {
					case err == nil:
						in = append(in, time.Since(began))
					case fmt.Sprint(err) == "status 503":
						refused++
					}
				}()
				if !stays {
					synctest.Wait()
					conn.Close()
				}
			}
			synctest.Wait()
		}
		counts := func(wantIn, wantRefused int) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if len(in) != wantIn || refused != wantRefused {
				t.Errorf("after %v %d are in and %d refused, want %d and %d", time.Since(began), len(in), refused, wantIn, wantRefused)
			}
		}
		come(110, true)
		come(100, false)
		come(10, true)
		counts(100, 0)
		time.Sleep(20*every - time.Nanosecond)
		counts(119, 0)
		time.Sleep(time.Nanosecond)
		counts(120, 0)
		for i, at := range in {
			if want := time.Duration(max(0, i-99)) * every; at != want {
				t.Errorf("viewer %d is let in after %v, want %v", i, at, want)
			}
		}
		if s := hub.Stats(); s.Viewers != 120 {
			t.Errorf("Stats() = %+v, want 120 viewers", s)
		}

		come(10, true)
		now, cancel := context.WithCancel(t.Context())
		cancel()
		if err := hub.Close(now); !errors.Is(err, context.Canceled) {
			t.Errorf("Close() = %v, want %v", err, context.Canceled)
		}
		counts(120, 10)
		if took := time.Since(began); took != 20*every {
			t.Errorf("they are refused after %v, want %v: at once", took, 20*every)
		}
	})
}

// While the viewers who are there wait for what they lack, those who come do too: for
// three turns more each.
func TestDoorWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := servePipe(t, wshub.Newest(0))
		hub.view("")
		hub.deliver(tweet(1, 0))
		hub.view("") // behind the tweet
		wshub.Stall(hub.Hub)
		every := time.Second / time.Duration(500*runtime.GOMAXPROCS(0))
		began := time.Now()
		in := make(chan time.Duration, 4)
		for range 4 {
			conn, err := hub.listener.Dial(t.Context(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { conn.Close() })
			go func() {
				if _, err := handshake(t, conn, "localhost", "", nil); err != nil {
					t.Error(err)
				}
				in <- time.Since(began)
			}()
		}
		for i := range 2 {
			if got, want := <-in, time.Duration(3*(i+1))*every; got != want {
				t.Errorf("viewer %d is let in after %v, want %v", i, got, want)
			}
		}
		synctest.Wait() // the next has begun to wait
		hub.deliver(tweet(2, 0))
		for i := range 2 {
			if got, want := <-in, 7*every; got != want {
				t.Errorf("viewer %d is let in after %v, want %v", i+2, got, want)
			}
		}
	})
}

func TestMaxViewers(t *testing.T) {
	hub := serve(t, wshub.MaxViewers(2))
	first := hub.view("")
	hub.view("")
	if resp := hub.request(func(*http.Request) {}); resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("status %d, Retry-After %q, want 503 and a time", resp.StatusCode, resp.Header.Get("Retry-After"))
	}
	await(t, "both are in", func() bool { return hub.Stats().Viewers == 2 })
	first.conn.Close()
	await(t, "one has left", func() bool { return hub.Stats().Viewers == 1 })
	third := hub.view("")
	third.send(ws.NewCloseFrame(nil))
	if op, _, err := third.frame(); op != ws.OpClose || err != nil {
		t.Errorf("frame %v, %v, want a close frame", op, err)
	}
	if _, err := third.r.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("after the close frame: %v, want EOF", err)
	}
}

func TestOptions(t *testing.T) {
	cases := []struct {
		opt  wshub.Option
		want string
	}{
		{wshub.Newest(-1), "wshub: Newest: -1 is negative"},
		{wshub.MaxLag(1, 1), "wshub: MaxLag: at least 64 KiB are needed, got 1 bytes"},
		{wshub.MaxLag(1<<20, 0), "wshub: MaxLag: want an age of more than 0, got 0s"},
		{wshub.MaxViewers(0), "wshub: MaxViewers: want at least 1, got 0"},
		{wshub.Ping(0), "wshub: Ping: want more than 0, got 0s"},
		{wshub.Hosts(), "wshub: Hosts: nothing given"},
		{wshub.Hosts("a:80"), `wshub: Hosts: "a:80" is no name or address without a port`},
		{wshub.Hosts(""), `wshub: Hosts: "" is no name or address without a port`},
		{wshub.Origins(), "wshub: Origins: nothing given"},
		{wshub.Origins("example.com"), `wshub: Origins: "example.com" is not written as in "https://example.com"`},
		{wshub.Origins("https://example.com/"), `wshub: Origins: "https://example.com/" is not written as in "https://example.com"`},
		{wshub.Authorize(nil), "wshub: Authorize: nothing given"},
		{wshub.Logger(nil), "wshub: Logger: nothing given"},
	}
	for _, c := range cases {
		_, err := wshub.New(c.opt)
		if err == nil {
			t.Errorf("New() = nil, want %s", c.want)
			continue
		}
		if diff := cmp.Diff(c.want, err.Error()); diff != "" {
			t.Errorf("New() (-want +got):\n%s", diff)
		}
	}
}
