package web_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tweetstream-go/tweetstream/examples/internal/web"
	"github.com/tweetstream-go/tweetstream/internal/memnet"
)

func TestIsLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST": true, "127.0.0.1": true, "127.8.9.1": true, "::1": true, "::ffff:127.0.0.1": true,
		"": false, "0.0.0.0": false, "::": false, "192.0.2.1": false, "localhost.example.com": false, "127.0.0.1.example.com": false,
	} {
		if got := web.IsLoopback(host); got != want {
			t.Errorf("IsLoopback(%q) = %t, want %t", host, got, want)
		}
	}
}

func TestHosts(t *testing.T) {
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if got := web.Hosts("192.0.2.1"); !slices.Contains(got, "192.0.2.1") || slices.Contains(got, name) {
		t.Errorf("Hosts() of one address = %q", got)
	}
	for _, all := range []string{"", "0.0.0.0", "::"} {
		if got := web.Hosts(all); !slices.Contains(got, name) || !slices.Contains(got, "localhost") || slices.Contains(got, all) {
			t.Errorf("Hosts(%q) = %q, want the machine's name and addresses", all, got)
		}
	}
}

func TestOnlyHosts(t *testing.T) {
	h := web.OnlyHosts([]string{"Posts.example.com", "2001:db8::1"}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	}))
	for host, want := range map[string]int{
		"posts.example.com": 204, "POSTS.example.com:80": 204, "posts.example.com.": 204, "[2001:db8::1]:8080": 204, "[2001:DB8::1]": 204,
		"127.0.0.1:1": 204, "[::1]": 204, "localhost": 204,
		"": 421, "example.com": 421, "posts.example.com.evil.example": 421, "posts.example.com:80:80": 421, "0.0.0.0": 421, "[2001:db8::2]": 421,
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("Host %q: %d, want %d", host, w.Code, want)
		}
	}
}

// Who is slow to send a request is cut off, whatever part of it is missing.
func TestSlowClients(t *testing.T) {
	const head = "POST / HTTP/1.1\r\nHost: localhost\r\n"
	for name, c := range map[string]struct {
		first, then string
		want        time.Duration
	}{
		"nothing":        {"", "", 10 * time.Second},
		"half a line":    {"POST", "", 10 * time.Second},
		"headers slowly": {head, "X: y\r\n", 10 * time.Second},
		"a body slowly":  {head + "Content-Length: 1000\r\n\r\n", "x", time.Minute},
		"no more":        {head + "Content-Length: 0\r\n\r\n", "", 2 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := memnet.Listen()
				server := web.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
				var serving sync.WaitGroup
				serving.Go(func() { _ = server.Serve(l) })
				conn, err := l.Dial(t.Context(), "", "")
				if err != nil {
					t.Fatal(err)
				}
				begin := time.Now()
				serving.Go(func() {
					_, err := io.WriteString(conn, c.first)
					for err == nil && c.then != "" {
						time.Sleep(time.Second)
						_, err = io.WriteString(conn, c.then)
					}
				})
				_, _ = io.Copy(io.Discard, conn) // until it is cut off
				if took := time.Since(begin); took < c.want || took > c.want+time.Second {
					t.Errorf("cut off after %v, want %v", took, c.want)
				}
				_ = conn.Close()
				_ = server.Close()
				serving.Wait()
			})
		})
	}
}

func TestLongHeaders(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config = web.NewServer(server.Config.Handler)
	server.Start()
	defer server.Close()
	req, err := http.NewRequest(http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X", strings.Repeat("x", 100<<10))
	resp, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("answered %s", resp.Status)
	}
}
