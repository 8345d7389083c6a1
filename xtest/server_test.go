package xtest_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tweetstream-go/tweetstream/xtest"
)

func TestOptionErrors(t *testing.T) {
	for want, opt := range map[string]xtest.Option{
		"Token":          xtest.Token(""),
		"Rate":           xtest.Rate(-1),
		"Limit":          xtest.Limit(-1),
		"KeepAlive":      xtest.KeepAlive(0),
		"Connections":    xtest.Connections(0),
		"RuleDelay":      xtest.RuleDelay(-time.Second),
		"SampleFraction": xtest.SampleFraction(2),
		"Topics":         xtest.Topics(""),
		"ReplayFile":     xtest.ReplayFile("no/such/file"),
	} {
		if x, err := xtest.New(opt); err == nil || !strings.Contains(err.Error(), want) || x != nil {
			t.Errorf("%s: %v", want, err)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("NewServer with a bad option did not panic")
		}
	}()
	xtest.NewServer(xtest.Rate(-1))
}

// A Server from New serves behind a listener of the caller's, here with TLS and
// HTTP/2.
func TestHandler(t *testing.T) {
	x, err := xtest.New()
	if err != nil {
		t.Fatal(err)
	}
	if x.Client() != nil || x.URL != "" {
		t.Errorf("New: client %v, URL %q, want none", x.Client(), x.URL)
	}
	ts := httptest.NewUnstartedServer(x)
	ts.EnableHTTP2 = true
	ts.StartTLS()
	defer ts.Close()
	defer x.Close()

	req, _ := http.NewRequest("GET", ts.URL+samplePath, nil)
	req.Header.Set("Authorization", "Bearer b")
	resp, err := ts.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.ProtoMajor != 2 {
		t.Errorf("protocol %s, want HTTP/2", resp.Proto)
	}
	x.Post(xtest.Post{Text: "hello"})
	buf := make([]byte, 64)
	if n, err := resp.Body.Read(buf); n == 0 || err != nil {
		t.Errorf("Read() = %d, %v", n, err)
	}
	x.Close()
	if resp, err := ts.Client().Do(req); err != nil || resp.StatusCode != 503 {
		t.Errorf("after Close: %v, %v, want 503", resp, err)
	}
}

// Close ends a stream whose client does not read, also one that was told to end.
func TestCloseWithoutReader(t *testing.T) {
	x, err := xtest.New()
	if err != nil {
		t.Fatal(err)
	}
	ts := httptest.NewServer(x)
	defer ts.Close()
	req, _ := http.NewRequest("GET", ts.URL+samplePath, nil)
	req.Header.Set("Authorization", "Bearer b")
	resp, err := ts.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	x.Send(make([]byte, 30<<20))
	x.Disconnect(xtest.Operational)
	x.Close()
}

func TestClientReachesOnlyItsServer(t *testing.T) {
	x := newServer(t)
	if _, err := x.Client().Get("http://127.0.0.1:1/"); err == nil || !strings.Contains(err.Error(), "reaches") {
		t.Errorf("another address: %v, want an error", err)
	}
	if _, err := http.Get(x.URL); err == nil {
		t.Error("the URL of a server in memory answers on a socket")
	}
	x.Close()
	if _, err := x.Client().Get(x.URL); err == nil {
		t.Error("a closed server answers")
	}
}
