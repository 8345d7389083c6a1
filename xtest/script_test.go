package xtest_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tweetstream-go/tweetstream/xtest"
)

func TestFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newServer(t)
		addRule(t, x, "coop", "")
		x.Fail(streamPath, 2, xtest.Problem(503))
		x.Fail(streamPath, 1, xtest.Response{Status: 429, Header: http.Header{"x-rate-limit-remaining": {"0"}}, Body: "{}"})
		for i, want := range []int{503, 503, 429, 200} {
			resp := open(t, x, "GET", streamPath, "")
			if resp.StatusCode != want {
				t.Errorf("request %d: %d, want %d", i+1, resp.StatusCode, want)
			}
			if want == 429 && resp.Header.Get("x-rate-limit-remaining") != "0" {
				t.Errorf("headers %v", resp.Header)
			}
			resp.Body.Close()
		}
		x.Fail(rulesPath, -1, xtest.Problem(402))
		for range 3 {
			if a := call(t, x, "GET", rulesPath, ""); a.status != 402 || !strings.HasSuffix(a.Type, "/credits-depleted") {
				t.Errorf("out of credits: %d %s", a.status, a.raw)
			}
		}
		x.Fail(rulesPath, 0, xtest.Response{})
		if a := call(t, x, "GET", rulesPath, ""); a.status != 200 {
			t.Errorf("after Fail(0): %d", a.status)
		}
		for status, kind := range map[int]string{401: "about:blank", 403: "client-forbidden", 409: "streaming-connection", 429: "about:blank"} {
			x.Fail(rulesPath, 1, xtest.Problem(status))
			if a := call(t, x, "GET", rulesPath, ""); a.status != status || !strings.HasSuffix(a.Type, kind) {
				t.Errorf("Problem(%d): %d %s", status, a.status, a.raw)
			}
		}
		x.Fail(rulesPath, 1, xtest.Problem(429))
		if a := call(t, x, "GET", rulesPath, ""); a.header.Get("x-rate-limit-remaining") != "0" || a.header.Get("x-rate-limit-reset") == "" {
			t.Errorf("Problem(429): %v", a.header)
		}
		x.Fail(rulesPath, 1, xtest.TooManyConnections())
		if a := call(t, x, "GET", rulesPath, ""); a.status != 429 || a.ConnectionIssue != "TooManyConnections" {
			t.Errorf("TooManyConnections(): %d %s", a.status, a.raw)
		}
	})
}

func TestDisconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newServer(t)
		addRule(t, x, "coop", "")

		s := connect(t, x, streamPath)
		x.Send([]byte("last"))
		x.Disconnect(xtest.Clean)
		if l, err := s.line(); l != "last" || err != nil {
			t.Errorf("line %q, %v", l, err)
		}
		if l, err := s.line(); err != io.EOF {
			t.Errorf("after Clean: %q, %v, want EOF", l, err)
		}

		s = connect(t, x, streamPath)
		x.Disconnect(xtest.Operational)
		l, err := s.line()
		if err != nil || !strings.Contains(l, `"disconnect_type":"UpstreamOperationalDisconnect"`) || !strings.HasPrefix(l, `{"errors":[{"title":"operational-disconnect"`) {
			t.Errorf("line %q, %v", l, err)
		}
		if _, err := s.line(); err != io.EOF {
			t.Errorf("after Operational: %v, want EOF", err)
		}

		s = connect(t, x, streamPath)
		x.Disconnect(xtest.Reset)
		again := connect(t, x, streamPath) // the place is free at once
		if _, err := s.line(); err == nil || err == io.EOF {
			t.Errorf("after Reset: %v, want another error than EOF", err)
		}
		id := x.Post(xtest.Post{Text: "coop"})
		if m := again.next(); m.Data.ID != id {
			t.Errorf("got %s, want %s", m.Data.ID, id)
		}
	})
}

// Over TCP a reset is a RST.
func TestReset(t *testing.T) {
	x := xtest.NewServer()
	defer x.Close()
	req, _ := http.NewRequest("GET", x.URL+samplePath, nil)
	req.Header.Set("Authorization", "Bearer b")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	waitConnected(t, x)
	x.Disconnect(xtest.Reset)
	if _, err := io.ReadAll(resp.Body); err == nil || !strings.Contains(err.Error(), "reset") {
		t.Errorf("read: %v, want a reset", err)
	}
}

func TestStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newServer(t)
		s := connect(t, x, samplePath)
		begin := time.Now()
		x.Stall(time.Minute)
		id := x.Post(xtest.Post{Text: "late"})
		if m := s.next(); m.Data.ID != id || time.Since(begin) != time.Minute {
			t.Errorf("got %s after %v, want %s after 1m", m.Data.ID, time.Since(begin), id)
		}
		s.line()
		if got := time.Since(begin); got != time.Minute+20*time.Second {
			t.Errorf("keep-alive after %v", got)
		}

		x.Stall(0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		go func() {
			<-ctx.Done()
			x.Disconnect(xtest.Clean)
		}()
		begin = time.Now()
		if l, err := s.line(); err != io.EOF || time.Since(begin) != time.Hour {
			t.Errorf("line %q, %v after %v, want EOF after 1h", l, err, time.Since(begin))
		}
	})
}

// A reader that does not read is told so and ended; it blocks nobody and the
// queue is bounded.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newServer(t, xtest.Connections(2), xtest.Rate(1000), xtest.Topics("coop"))
		addRule(t, x, "coop", "")
		slow := connect(t, x, streamPath)
		quick := connect(t, x, streamPath)
		go io.Copy(io.Discard, quick.body)
		time.Sleep(30 * time.Second)
		if s := x.Stats(); s.Connected != 1 || s.Dropped == 0 || s.Made < 29_000 {
			t.Errorf("Stats() = %+v, want one stream left", s)
		}
		_, err := io.Copy(io.Discard, slow.body)
		if err == nil || err == io.EOF {
			t.Errorf("slow reader: %v, want a cut", err)
		}
	})

	// If it goes on reading at once, it reads why.
	synctest.Test(t, func(t *testing.T) {
		x := newServer(t)
		s := connect(t, x, samplePath)
		big := []byte(strings.Repeat("x", 12<<20))
		begin := time.Now()
		for range 5 {
			x.Send(big)
		}
		if got := time.Since(begin); got != 5*time.Second {
			t.Errorf("Send waited %v, want 5s", got)
		}
		b, err := io.ReadAll(s.body)
		if err != nil || !strings.HasSuffix(string(b), "\r\n") || !strings.Contains(string(b[len(b)-400:]), `"disconnect_type":"SlowReader"`) {
			t.Errorf("slow reader: %v, %.400s", err, b[max(0, len(b)-400):])
		}
	})
}
