package web_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"testing"

	"github.com/tweetstream-go/tweetstream/examples/internal/web"
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
