package wshub_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/internal/memnet"
	"github.com/tweetstream-go/tweetstream/sinks/wshub"
)

// event is a server-sent event as a browser sees it.
type event struct {
	id, kind, data string
}

// eventReader reads events as HTML has it, section 9.2.6.
type eventReader struct {
	t      testing.TB
	r      *bufio.Reader
	resp   *http.Response
	beats  int // comments
	retry  string
	lastID string
}

func (s *served) events(server *httptest.Server, query string, header http.Header) *eventReader {
	s.t.Helper()
	req, err := http.NewRequest("GET", server.URL+"/"+query, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for k, v := range header {
		req.Header[k] = v
	}
	resp, err := server.Client().Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { resp.Body.Close() })
	return &eventReader{t: s.t, r: bufio.NewReader(resp.Body), resp: resp}
}

func (r *eventReader) next() (event, error) {
	var e event
	var data []string
	for {
		line, err := r.r.ReadString('\n')
		if err != nil {
			return e, err
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "\n" && data != nil:
			e.id, e.data = r.lastID, strings.Join(data, "\n")
			return e, nil
		case line == "\n":
			e = event{}
		case name == "":
			r.beats++
		case name == "data":
			data = append(data, value)
		case name == "id":
			r.lastID = value
		case name == "event":
			e.kind = value
		case name == "retry":
			r.retry = value
		}
	}
}

func (r *eventReader) sequence(from, n int) {
	r.t.Helper()
	for i := from; i < from+n; i++ {
		e, err := r.next()
		if err != nil || number(e.data) != i || e.id != fmt.Sprint(i) || e.kind != "" {
			r.t.Errorf("event %.80q, %v, want %d", e, err, i)
			return
		}
	}
}

// Events are the messages of WebSockets, with the ids of Posts, over HTTP/1.1
// and HTTP/2.
func TestEvents(t *testing.T) {
	for _, version := range []int{1, 2} {
		hub := serve(t, wshub.Newest(2), wshub.MaxLag(64<<20, time.Minute))
		server := httptest.NewUnstartedServer(hub.Events())
		server.EnableHTTP2 = version == 2
		if version == 2 {
			server.StartTLS()
		} else {
			server.Start()
		}
		for i := range 10 {
			hub.deliver(tweet(i, 300, fmt.Sprint("t", i%2)))
		}
		r := hub.events(server, "", nil)
		if r.resp.ProtoMajor != version || r.resp.Header.Get("Content-Type") != "text/event-stream" || r.resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s %v, want HTTP/%d", r.resp.Proto, r.resp.Header, version)
		}
		r.sequence(8, 2)
		if r.retry == "" {
			t.Error("the viewer is not told when to come again")
		}
		since := hub.events(server, "?since=1", http.Header{"Last-Event-Id": {"4"}})
		tagged := hub.events(server, "?tag=t1&replay=5", nil)
		since.sequence(5, 5)
		for _, i := range []int{5, 7, 9} {
			tagged.sequence(i, 1)
		}
		await(t, "three look on", func() bool { return hub.Stats().Viewers == 3 })

		const n = 3000
		go func() {
			for i := 10; i < n; i++ {
				hub.deliver(tweet(i, i%5000, "t1"))
			}
		}()
		r.sequence(10, n-10)
		since.sequence(10, n-10)
		tagged.sequence(10, n-10)

		hub.deliver(&tweetstream.Tweet{ID: "a\nid: b", Raw: []byte("{\"a\":\n1,\r\n\"b\":\r2}")})
		if e, err := r.next(); e.data != "{\"a\":\n1,\n\"b\":\n2}" || e.id != fmt.Sprint(n-1) || err != nil {
			t.Errorf("event %q, %v, want the lines of the message, and no id", e, err)
		}
		if err := hub.Delete(t.Context(), []string{"5"}); err != nil {
			t.Errorf("Delete() = %v, want nil", err)
		}
		if e, err := r.next(); e.data != `{"deleted":["5"]}` || err != nil {
			t.Errorf("event %q, %v, want the id that is deleted", e, err)
		}

		since.resp.Body.Close()
		await(t, "one has left", func() bool { return hub.Stats().Viewers == 2 })
		if err := hub.Close(context.Background()); err != nil {
			t.Errorf("Close() = %v, want nil", err)
		}
		if e, err := r.next(); e.kind != "close" || e.data != `{"code":1001,"reason":"going away"}` || err != nil {
			t.Errorf("event %q, %v, want a close event", e, err)
		}
		if _, err := r.next(); !errors.Is(err, io.EOF) {
			t.Errorf("after the close event: %v, want EOF", err)
		}
		if got := hub.events(server, "", nil).resp.StatusCode; got != 503 {
			t.Errorf("after Close a viewer gets %d, want 503", got)
		}
		server.Close()
	}
}

// Events are refused to those who would be refused a WebSocket.
func TestEventsRefused(t *testing.T) {
	hub := serve(t, wshub.MaxViewers(1), wshub.Origins("https://example.com"), wshub.Authorize(func(r *http.Request) error {
		if r.URL.Query().Has("secret") {
			return errors.New("no")
		}
		return nil
	}))
	server := httptest.NewServer(hub.Events())
	defer server.Close()
	defer func() {
		if err := hub.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	cases := []struct {
		query  string
		header http.Header
		want   int
	}{
		{"?tag=%zz", nil, 400},
		{"?sensitive=maybe", nil, 400},
		{"?secret", nil, 403},
		{"", http.Header{"Origin": {"https://evil.example"}}, 403},
		{"", http.Header{"Origin": {"https://example.com"}}, 200},
		{"", nil, 503},
	}
	for _, c := range cases {
		resp := hub.events(server, c.query, c.header).resp
		if resp.StatusCode != c.want {
			t.Errorf("%s %v: status %d, want %d", c.query, c.header, resp.StatusCode, c.want)
		}
		if got := resp.Header.Get("Access-Control-Allow-Origin"); c.want == 200 && got != "https://example.com" {
			t.Errorf("the page's origin is answered with %q", got)
		}
	}
}

// A viewer of events is kept by comments, whatever the server's time-outs are,
// and cut off when it takes nothing.
func TestEventsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, err := wshub.New(wshub.Ping(20 * time.Second))
		if err != nil {
			t.Fatal(err)
		}
		l := memnet.Listen()
		server := &http.Server{Handler: hub.Events(), WriteTimeout: 5 * time.Second}
		go func() { _ = server.Serve(l) }()
		ask := func() (net.Conn, *eventReader) {
			conn, err := l.Dial(t.Context(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
			r := bufio.NewReader(conn)
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			return conn, &eventReader{t: t, r: bufio.NewReader(resp.Body), resp: resp}
		}
		conn, r := ask()
		go func() {
			time.Sleep(time.Minute + time.Second)
			if err := hub.Deliver(t.Context(), []*tweetstream.Tweet{tweet(1, 0)}); err != nil {
				t.Error(err)
			}
		}()
		r.sequence(1, 1)
		if r.beats != 3 {
			t.Errorf("%d comments in a minute, want 3", r.beats)
		}

		for i := range 200 {
			_ = hub.Deliver(t.Context(), []*tweetstream.Tweet{tweet(2+i, 2400)})
		}
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if s := hub.Stats(); s.CutOff[wshub.Slow] != 1 || s.Viewers != 0 {
			t.Errorf("Stats() = %+v, want one cut off", s)
		}
		conn.Close()

		idle, _ := ask()
		defer idle.Close()
		synctest.Wait()
		if err := hub.Close(t.Context()); err != nil {
			t.Errorf("Close() = %v, want nil", err)
		}
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
}
