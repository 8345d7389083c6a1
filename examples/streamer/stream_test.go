package main_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tweetstream-go/tweetstream/xtest"
)

func TestStreamFlags(t *testing.T) {
	x := newServer(t, xtest.Faults("toomany"))
	var gzip, closed atomic.Bool
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == streamPath {
			gzip.Store(r.Header.Get("Accept-Encoding") == "gzip")
		}
		if r.Method == http.MethodDelete && strings.HasPrefix(r.URL.Path, "/2/connections/") {
			closed.Store(true)
		}
		x.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	p := start(t, "--api-url", front.URL, "--tag", "coop", "--take-over", "--gzip")
	p.eventually("the stream is there", func() bool { return x.Stats().Connected == 1 })
	if !closed.Load() {
		t.Error("--take-over has closed nothing")
	}
	if !gzip.Load() {
		t.Error("--gzip: the stream was not asked for compressed")
	}
	p.stop(os.Interrupt)
}

func TestStopWhenHeld(t *testing.T) {
	x := newServer(t, xtest.Faults("402"))
	p := start(t, "--api-url", x.URL, "--tag", "coop", "--stop-when-held")
	if code := p.wait(); code != 1 || !strings.Contains(p.stderr.String(), "buy credits") {
		t.Errorf("exit code %d, want 1 and what to do:\n%s", code, p.stderr.String())
	}
}
