package httpsink_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/internal/memnet"
	"github.com/tweetstream-go/tweetstream/sinks/httpsink"
	"github.com/tweetstream-go/tweetstream/sources/httpsource"
)

// hijack takes over the connection of a request.
func hijack(t *testing.T, w http.ResponseWriter) net.Conn {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
	}
	return conn
}

// A receiver that does not answer as it should: what Deliver says, and that it
// says it in time.
func TestFaults(t *testing.T) {
	raw := func(answer string) func(*testing.T, http.ResponseWriter, *http.Request) {
		return func(t *testing.T, w http.ResponseWriter, _ *http.Request) {
			conn := hijack(t, w)
			_, _ = io.WriteString(conn, answer)
			_ = conn.Close()
		}
	}
	for name, c := range map[string]struct {
		fault func(*testing.T, http.ResponseWriter, *http.Request)
		want  string
		says  string
		is    error
		took  time.Duration
	}{
		"closes without an answer": {fault: raw(""), want: "again", says: "EOF"},
		"half a status line":       {fault: raw("HTTP/1.1 20"), want: "again", says: "malformed HTTP status code […]"},
		"half a header":            {fault: raw("HTTP/1.1 200 OK\r\nContent-Le"), want: "again", says: "malformed MIME header"},
		"another protocol":         {fault: raw("220 smtp.example.com ESMTP\r\n"), want: "again", says: "malformed HTTP"},
		"nonsense for a length":    {fault: raw("HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n"), want: "again", says: "Content-Length"},
		"two lengths":              {fault: raw("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"), want: "again", says: "Content-Length"},
		"a header without an end":  {fault: raw("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 11<<20)), want: "again", says: "exceeded"},
		"200 and half a body":      {fault: raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"), want: "delivered"},
		"200 and too much":         {fault: raw("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nmuch more"), want: "delivered"},
		"503 and half a body":      {fault: raw("HTTP/1.1 503 x\r\nContent-Length: 100\r\n\r\nhalf"), want: "again", says: `503 Service Unavailable: "half"`},
		"400 and a broken chunk":   {fault: raw("HTTP/1.1 400 x\r\nTransfer-Encoding: chunked\r\n\r\nzz"), want: "permanent", says: "400 Bad Request"},
		"never answers": {
			fault: func(_ *testing.T, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
			want:  "again", is: context.DeadlineExceeded, took: 15 * time.Second,
		},
		"answers too late": {
			fault: func(_ *testing.T, _ http.ResponseWriter, r *http.Request) { time.Sleep(16 * time.Second) },
			want:  "again", is: context.DeadlineExceeded, took: 15 * time.Second,
		},
		"answers in time": {
			fault: func(_ *testing.T, _ http.ResponseWriter, r *http.Request) { time.Sleep(14 * time.Second) },
			want:  "delivered", took: 14 * time.Second,
		},
		"200 and then nothing": {fault: stuck(200), want: "delivered", took: time.Second},
		"500 and then nothing": {fault: stuck(500), want: "again", says: `500 Internal Server Error: "one moment"`, took: time.Second},
		"200 without an end":   {fault: endless(200), want: "delivered"},
		"400 without an end":   {fault: endless(400), want: "permanent", says: "400 Bad Request"},
		"200 by the byte":      {fault: trickle(200), want: "delivered", took: time.Second},
		"503 by the byte":      {fault: trickle(503), want: "again", says: "503", took: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rec := receive(t, func(w http.ResponseWriter, r *http.Request, _ int) { c.fault(t, w, r) })
				s := rec.sink(t)
				ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
				defer cancel()
				begin := time.Now()
				err := s.Deliver(ctx, posts(1, 1))
				if kind(err) != c.want {
					t.Errorf("Deliver() = %v (%s), want %s", err, kind(err), c.want)
				}
				if err != nil && (!strings.Contains(err.Error(), c.says) || !strings.HasPrefix(err.Error(), "httpsink: POST http://127.0.0.1/tweets: ") || len(err.Error()) > 300) {
					t.Errorf("Deliver() = %v, want %q in it", err, c.says)
				}
				if c.is != nil && !errors.Is(err, c.is) {
					t.Errorf("Deliver() = %v, which is not %v", err, c.is)
				}
				if took := time.Since(begin); took != c.took {
					t.Errorf("it took %v, want %v", took, c.took)
				}
			})
		})
	}
}

func stuck(status int) func(*testing.T, http.ResponseWriter, *http.Request) {
	return func(_ *testing.T, w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "one moment")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
}

func trickle(status int) func(*testing.T, http.ResponseWriter, *http.Request) {
	return func(_ *testing.T, w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		for r.Context().Err() == nil {
			_, _ = w.Write([]byte{'x'})
			_ = http.NewResponseController(w).Flush()
			time.Sleep(100 * time.Millisecond)
		}
	}
}

// endless sends 10 GB, if anybody reads them.
func endless(status int) func(*testing.T, http.ResponseWriter, *http.Request) {
	return func(t *testing.T, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10000000000")
		w.WriteHeader(status)
		piece, sent := bytes.Repeat([]byte("x"), 32<<10), 0
		for {
			n, err := w.Write(piece)
			sent += n
			if err != nil {
				break
			}
		}
		if sent > 1<<20 {
			t.Errorf("%d bytes of the answer were read", sent)
		}
	}
}

func TestLongAnswersHoldNoMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := receive(t, func(w http.ResponseWriter, r *http.Request, _ int) { endless(503)(t, w, r) })
		s := rec.sink(t)
		held := heldAfter(func() {
			for range 20 {
				if kind(s.Deliver(t.Context(), posts(1, 1))) != "again" {
					t.Fatal("delivered")
				}
			}
		})
		if held > 4<<20 {
			t.Errorf("%d bytes are held after 20 answers", held)
		}
	})
}

// A redirect is not followed, and whoever it points to gets nothing.
func TestRedirects(t *testing.T) {
	for _, location := range []string{
		"http://elsewhere.example/kanarienvogel-0123456789?key=kanarienvogel", "//elsewhere.example/", "/elsewhere", "http://user:kanarienvogel@127.0.0.1/", "javascript:kanarienvogel", "",
	} {
		t.Run(location, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rec := receive(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
					w.Header().Set("Location", location)
					w.WriteHeader(http.StatusTemporaryRedirect)
				})
				client := *rec.client
				client.CheckRedirect = func(*http.Request, []*http.Request) error { return nil } // counts for nothing
				s := sink(t, "http://user:kanarienvogel@127.0.0.1/tweets", httpsink.Client(&client))
				err := s.Deliver(t.Context(), posts(1, 1))
				if kind(err) != "again" || !strings.Contains(err.Error(), "307 Temporary Redirect: a redirect, which is not followed") || strings.Contains(err.Error(), "kanarien") {
					t.Errorf("Deliver() = %v", err)
				}
				if n := len(rec.got()); n != 1 {
					t.Errorf("%d requests, want 1", n)
				}
			})
		})
	}
}

// A server closes a connection that was idle just when the next request is on
// its way: the request is sent again over a new one, and nobody hears of it.
func TestAConnectionThatDiedWhileIdle(t *testing.T) {
	whole := func(c net.Conn) {
		if r, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			_, _ = io.Copy(io.Discard, r.Body)
		}
	}
	half := func(c net.Conn) { _, _ = c.Read(make([]byte, 100)) }
	for name, fail := range map[string]func(net.Conn){
		"closed while idle":        func(net.Conn) {},
		"closed after the request": whole,
		"closed in mid-request":    half,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := memnet.Listen()
				var got []string
				var serving sync.WaitGroup
				serving.Go(func() {
					for {
						conn, err := l.Accept()
						if err != nil {
							return
						}
						r, err := http.ReadRequest(bufio.NewReader(conn))
						if err != nil {
							t.Error(err)
						}
						body, _ := io.ReadAll(r.Body)
						got = append(got, string(body))
						_, _ = io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n")
						fail(conn)
						_ = conn.Close()
					}
				})
				transport := &http.Transport{DialContext: l.Dial}
				s := sink(t, "http://127.0.0.1/", httpsink.Client(&http.Client{Transport: transport}))
				for i, batch := range [][]*tweetstream.Tweet{posts(1, 1), posts(2, 3), posts(4, 4)} {
					err := s.Deliver(t.Context(), batch)
					if kind(err) == "again" && name == "closed in mid-request" {
						err = s.Deliver(t.Context(), batch) // once: the second time it is a new connection
					}
					if err != nil {
						t.Errorf("Deliver() %d = %v", i+1, err)
					}
				}
				_ = l.Close()
				transport.CloseIdleConnections()
				serving.Wait()
				if len(got) != 3 || strings.Count(got[1], "\n") != 2 || !strings.Contains(got[2], `"4"`) {
					t.Errorf("got %q", got)
				}
			})
		})
	}
}

// A firewall has forgotten all connections, and nobody says so: that costs one
// time-out, not one for each of them.
func TestConnectionsThatDiedWithoutAWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memnet.Listen()
		var serving sync.WaitGroup
		var conns []net.Conn
		serving.Go(func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				conns = append(conns, conn)
				dies := len(conns) <= 3
				serving.Go(func() {
					defer conn.Close()
					for r := bufio.NewReader(conn); ; {
						req, err := http.ReadRequest(r)
						if err != nil {
							return
						}
						_, _ = io.Copy(io.Discard, req.Body)
						time.Sleep(time.Second)
						_, _ = io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n")
						if dies {
							_, _ = io.Copy(io.Discard, conn) // until the sink closes it
							return
						}
					}
				})
			}
		})
		s := sink(t, "http://127.0.0.1/")
		s.Dial(l.Dial)
		var calls sync.WaitGroup
		for range 3 {
			calls.Go(func() {
				if err := s.Deliver(t.Context(), posts(1, 1)); err != nil {
					t.Error(err)
				}
			})
		}
		calls.Wait()
		for i, want := range []string{"again", "delivered", "delivered"} {
			ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
			if err := s.Deliver(ctx, posts(1, 1)); kind(err) != want {
				t.Errorf("Deliver() %d = %v, want %s", i+1, err, want)
			}
			cancel()
		}
		_ = l.Close()
		_ = s.Close()
		serving.Wait()
	})
}

// The same for the one connection of HTTP/2, on which there is always a request
// under way.
func TestHTTP2ThatDiedWithoutAWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		protocols := new(http.Protocols)
		protocols.SetUnencryptedHTTP2(true)
		l := memnet.Listen()
		var serving sync.WaitGroup
		server := &http.Server{Protocols: protocols, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.ProtoMajor != 2 {
				t.Errorf("%s", r.Proto)
			}
			w.WriteHeader(http.StatusNoContent)
		})}
		serving.Go(func() { _ = server.Serve(l) })
		var dead atomic.Bool // the first connection
		s := sink(t, "http://127.0.0.1/")
		s.Plain()
		s.Dial(func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := l.Dial(ctx, network, addr)
			if err == nil && l.Dials() == 1 {
				conn = &mute{conn, &dead}
			}
			return conn, err
		})
		deliver := func() error {
			ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
			defer cancel()
			return s.Deliver(ctx, posts(1, 1))
		}
		if err := deliver(); err != nil {
			t.Fatal(err)
		}
		dead.Store(true)
		begin := time.Now()
		var calls sync.WaitGroup
		for i := range 8 {
			calls.Go(func() {
				time.Sleep(time.Duration(i) * 3 * time.Second)
				for deliver() != nil && time.Since(begin) < 10*time.Minute {
					time.Sleep(time.Second)
				}
			})
		}
		calls.Wait()
		if took := time.Since(begin); took > time.Minute {
			t.Errorf("delivered after %v", took)
		}
		_ = s.Close()
		_ = server.Close()
		serving.Wait()
	})
}

// mute is a connection on which nothing goes through any more, and nobody hears of
// it.
type mute struct {
	net.Conn
	dead *atomic.Bool
}

func (m *mute) Write(p []byte) (int, error) {
	if m.dead.Load() {
		return len(p), nil
	}
	return m.Conn.Write(p)
}

// A server that hangs up on every request is asked once a Deliver.
func TestAServerThatHangsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := receive(t, func(w http.ResponseWriter, _ *http.Request, n int) {
			if n > 0 {
				_ = hijack(t, w).Close()
			}
		})
		s := rec.sink(t)
		for i, want := range []string{"delivered", "again", "again"} {
			if err := s.Deliver(t.Context(), posts(1, 1)); kind(err) != want {
				t.Errorf("Deliver() %d = %v, want %s", i+1, err, want)
			}
		}
		if n := len(rec.got()); n > 4 { // one of them over the connection that was idle
			t.Errorf("%d requests", n)
		}
	})
}

// Over sockets: a reset, and nobody there.
func TestReset(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 10))
			_ = conn.(*net.TCPConn).SetLinger(0)
			_ = conn.Close()
		}
	})
	s := sink(t, "http://"+l.Addr().String()+"/")
	for range 10 {
		if err := s.Deliver(t.Context(), posts(1, 100)); kind(err) != "again" {
			t.Errorf("Deliver() = %v (%s)", err, kind(err))
		}
	}
	_ = l.Close()
	serving.Wait()
	if err := s.Deliver(t.Context(), posts(1, 1)); kind(err) != "again" || !strings.Contains(err.Error(), "refused") {
		t.Errorf("Deliver() = %v (%s)", err, kind(err))
	}
}

// A receiver that is down for a while: each Post arrives, and in order.
func TestAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		var ids []string
		rec := receive(t, nil)
		rec.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil || down.Load() {
				_ = hijack(t, w).Close()
				return
			}
			for line := range strings.Lines(string(body)) {
				ids = append(ids, parse(line).ID)
			}
		})
		down.Store(true)
		time.AfterFunc(10*time.Minute, func() { down.Store(false) })
		run(t, rec.sink(t), posts(1, 1_000), tweetstream.Batch(100, time.Second))
		for i, id := range ids {
			if id != fmt.Sprint(i+1) {
				t.Fatalf("Post %s at place %d", id, i+1)
			}
		}
		if len(ids) != 1_000 {
			t.Errorf("%d Posts arrived", len(ids))
		}
	})
}

// A receiver that fails in every way it can, before the Posts are stored and after,
// on the way to a source that goes by their ids: nothing is lost, nothing is
// doubled, and no memory is held.
func TestNothingIsLostByAFault(t *testing.T) {
	answer := func(status int, name, value string) func(*testing.T, http.ResponseWriter, *http.Request) {
		return func(_ *testing.T, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(name, value)
			w.WriteHeader(status)
		}
	}
	raw := func(text string) func(*testing.T, http.ResponseWriter, *http.Request) {
		return func(t *testing.T, w http.ResponseWriter, _ *http.Request) {
			conn := hijack(t, w)
			_, _ = io.WriteString(conn, text)
			_ = conn.Close()
		}
	}
	for name, fault := range map[string]func(*testing.T, http.ResponseWriter, *http.Request){
		"slow":                func(*testing.T, http.ResponseWriter, *http.Request) { time.Sleep(20 * time.Second) },
		"slow after 503":      stuck(503),
		"closes":              raw(""),
		"half a status":       raw("HTTP/1.1 20"),
		"half an answer":      raw("HTTP/1.1 503 x\r\nContent-Le"),
		"half a body":         raw("HTTP/1.1 503 x\r\nContent-Length: 100\r\n\r\nhalf"),
		"wrong lengths":       raw("HTTP/1.1 503 x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
		"too much":            raw("HTTP/1.1 503 x\r\nContent-Length: 2\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"),
		"no length":           raw("HTTP/1.1 503 x\r\nContent-Length: -1\r\n\r\n"),
		"another protocol":    raw("HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"),
		"429":                 answer(429, "Retry-After", "3"),
		"429 by date":         answer(429, "Retry-After", "Sat, 01 Jan 2000 00:01:00 GMT"),
		"429 without a time":  answer(429, "X", "y"),
		"503":                 answer(503, "Retry-After", "2"),
		"503 by date":         answer(503, "Retry-After", "Sat, 01 Jan 2000 00:01:00 GMT"),
		"503 without a time":  answer(503, "X", "y"),
		"redirects":           answer(302, "Location", "/elsewhere"),
		"redirects elsewhere": answer(307, "Location", "http://elsewhere.example/"),
		"10 GB":               endless(503),
		"by the byte":         trickle(503),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src, stop := stored(t)
				n := 0
				rec := receive(t, nil)
				rec.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					switch n++; n % 3 {
					case 1:
						_, _ = io.Copy(io.Discard, r.Body)
					case 2:
						w := httptest.NewRecorder()
						if src.ServeHTTP(w, r); w.Code != http.StatusNoContent {
							t.Errorf("answered %d", w.Code)
						}
					default:
						src.ServeHTTP(w, r)
						return
					}
					fault(t, w, r)
				})
				held := heldAfter(func() {
					if rejected := run(t, rec.sink(t), posts(1, 200), tweetstream.Batch(20, 0)); len(rejected) > 0 {
						t.Errorf("rejected: %v", rejected)
					}
				})
				if held > 4<<20 {
					t.Errorf("%d bytes are held", held)
				}
				if ids := stop(); !slices.Equal(ids, numbers(1, 200)) || n < 30 {
					t.Errorf("%d stored of 200 by %d requests: %v", len(ids), n, ids)
				}
			})
		})
	}
}

// The same over sockets, where a connection can be reset.
func TestNothingIsLostByResets(t *testing.T) {
	src, stop := stored(t)
	var mu sync.Mutex
	n := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		n++
		turn := n % 3
		mu.Unlock()
		switch turn {
		case 1:
			_, _ = io.ReadFull(r.Body, make([]byte, 100))
		case 2:
			src.ServeHTTP(httptest.NewRecorder(), r)
		default:
			src.ServeHTTP(w, r)
			return
		}
		conn := hijack(t, w)
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
	}))
	defer server.Close()
	run(t, sink(t, server.URL), posts(1, 2_000), tweetstream.Batch(200, 0), tweetstream.Retry(time.Millisecond, time.Millisecond))
	if ids := stop(); !slices.Equal(ids, numbers(1, 2_000)) || n < 30 {
		t.Errorf("%d stored of 2,000 by %d requests", len(ids), n)
	}
}

// stored is a source whose Streamer notes what comes; stop returns the ids.
func stored(t *testing.T) (src *httpsource.Source, stop func() []string) {
	t.Helper()
	src, err := httpsource.New()
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	s, err := tweetstream.New(src, tweetstream.WithSink("ids", tweetstream.SinkFunc(func(_ context.Context, tw *tweetstream.Tweet) error {
		ids = append(ids, tw.ID)
		return nil
	})))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	for { // until Run has begun
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "http://localhost/", strings.NewReader("{}"))
		r.Header.Set("Content-Type", "application/json")
		if src.ServeHTTP(w, r); w.Code == http.StatusBadRequest {
			break
		}
		runtime.Gosched()
	}
	return src, func() []string {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		return ids
	}
}

func numbers(from, to int) (ids []string) {
	for id := from; id <= to; id++ {
		ids = append(ids, fmt.Sprint(id))
	}
	return ids
}

// heldAfter returns how many bytes of memory f leaves behind.
func heldAfter(f func()) int64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	f()
	runtime.GC()
	runtime.ReadMemStats(&after)
	return int64(after.HeapAlloc) - int64(before.HeapAlloc)
}

// Whatever a receiver says back, no error shows a secret or a Post.
func TestCanary(t *testing.T) {
	const canary = "kanarienvogel"
	post := parse(`{"data":{"id":"1","text":"Kanarienvogel \"tirili\" caf\u00e9 Kanarienvogel"}}`)
	answers := map[string]func(http.ResponseWriter, *http.Request, []byte){
		"the body": func(w http.ResponseWriter, _ *http.Request, body []byte) { _, _ = w.Write(body) },
		"the body, quoted": func(w http.ResponseWriter, _ *http.Request, body []byte) {
			fmt.Fprintf(w, "can't store %q and %+q", body, body)
		},
		"the headers": func(w http.ResponseWriter, r *http.Request, _ []byte) { _ = r.Header.Write(w) },
		"the password": func(w http.ResponseWriter, r *http.Request, _ []byte) {
			user, password, _ := r.BasicAuth()
			fmt.Fprintf(w, "%s %s %q", user, password, password)
		},
		"the URL": func(w http.ResponseWriter, r *http.Request, _ []byte) {
			fmt.Fprintf(w, "%s %s %s", r.RequestURI, r.URL.Path, r.FormValue("key"))
		},
	}
	for what, answer := range answers {
		for _, status := range []int{302, 400, 401, 500, 503, 0} {
			t.Run(fmt.Sprintf("%s, %d", what, status), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					rec := receive(t, nil)
					rec.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						body, _ := io.ReadAll(r.Body)
						var out bytes.Buffer
						answer(&recording{ResponseWriter: w, Buffer: &out}, r, body)
						if status == 0 {
							conn := hijack(t, w)
							fmt.Fprintf(conn, "%s\r\n\r\n", strings.ReplaceAll(out.String(), "\r\n", " "))
							_ = conn.Close()
							return
						}
						w.Header().Set("Location", "http://elsewhere/?"+out.String())
						w.Header().Set("X-Echo", out.String())
						w.WriteHeader(status)
						_, _ = w.Write(out.Bytes())
					})
					for _, u := range []string{
						"http://user:" + canary + "-%22pass%22@127.0.0.1/" + canary + "-0123456789/x?key=" + canary + "%22query",
						"http://127.0.0.1/?" + canary,
					} {
						opts := []httpsink.Option{httpsink.Client(rec.client), httpsink.Header("X-Key", canary+`-"key"`)}
						if !strings.Contains(u, "@") {
							opts = append(opts, httpsink.Header("Authorization", "Bearer "+canary))
						}
						s := sink(t, u, opts...)
						err := s.Deliver(t.Context(), []*tweetstream.Tweet{post})
						text := fmt.Sprintf("%v %+v %s %+v", err, err, s, s)
						if err == nil || strings.Contains(strings.ToLower(text), "kanarien") || strings.Contains(text, "tirili") {
							t.Errorf("Deliver() = %v", text)
						}
					}
				})
			})
		}
	}
}

// recording is a ResponseWriter whose body goes to the Buffer.
type recording struct {
	http.ResponseWriter
	*bytes.Buffer
}

func (r *recording) Write(p []byte) (int, error) { return r.Buffer.Write(p) }
