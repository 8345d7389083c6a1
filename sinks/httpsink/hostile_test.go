package httpsink_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
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

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/internal/memnet"
	"github.com/tweetstream-go/tweetstream/sinks/httpsink"
)

// A receiver that wants to hold the sink, or to fill its memory.
func TestHostileAnswers(t *testing.T) {
	stay := func(answer ...string) func(context.Context, net.Conn) {
		return func(ctx context.Context, c net.Conn) {
			for _, part := range answer {
				_, _ = io.WriteString(c, part)
			}
			<-ctx.Done()
		}
	}
	on := func(part string, wait time.Duration) func(context.Context, net.Conn) {
		return func(ctx context.Context, c net.Conn) {
			for ctx.Err() == nil {
				if _, err := io.WriteString(c, part); err != nil {
					return
				}
				time.Sleep(wait)
			}
		}
	}
	for name, c := range map[string]struct {
		unread bool // the body of the request
		answer func(context.Context, net.Conn)
		want   string
		took   time.Duration // at most
	}{
		"another protocol":     {answer: stay("HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"), want: "again"},
		"one hint":             {answer: stay("HTTP/1.1 103 x\r\n\r\nHTTP/1.1 204 x\r\n\r\n"), want: "delivered"},
		"hints without an end": {answer: on("HTTP/1.1 103 x\r\nLink: </x>\r\n\r\n", 0), want: "again"},
		"slow hints":           {answer: on("HTTP/1.1 103 x\r\nLink: </x>\r\n\r\n", time.Second), want: "again", took: 15 * time.Second},
		"headers without an end": {answer: func(ctx context.Context, c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 x\r\n")
			on("X: "+strings.Repeat("x", 1_000)+"\r\n", 0)(ctx, c)
		}, want: "again"},
		"headers of 300 KiB": {answer: stay("HTTP/1.1 204 x\r\nX: " + strings.Repeat("x", 300<<10) + "\r\n\r\n"), want: "again"},
		"slow headers": {answer: func(ctx context.Context, c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 x\r\n")
			on("X: x\r\n", time.Second)(ctx, c)
		}, want: "again", took: 15 * time.Second},
		"trailers without an end": {answer: func(ctx context.Context, c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")
			on("X: y\r\n", 0)(ctx, c)
		}, want: "delivered"},
		"a chunk without an end":        {answer: stay("HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n1;", strings.Repeat("x", 100_000)), want: "delivered"},
		"a redirect without an end":     {answer: stay("HTTP/1.1 302 x\r\nContent-Length: 0\r\nLocation: http://x/" + strings.Repeat("x/", 50_000) + "\r\n\r\n"), want: "again"},
		"an answer to what is not read": {unread: true, answer: stay("HTTP/1.1 413 x\r\nContent-Length: 0\r\n\r\n"), want: "permanent", took: time.Second},
		"nothing is read":               {unread: true, answer: stay(), want: "again", took: 15 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := memnet.Listen()
				ended, end := context.WithCancel(t.Context())
				var serving sync.WaitGroup
				serving.Go(func() {
					for {
						conn, err := l.Accept()
						if err != nil {
							return
						}
						serving.Go(func() {
							defer conn.Close()
							ctx, cancel := context.WithCancel(ended)
							defer cancel()
							defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
							r, err := http.ReadRequest(bufio.NewReader(conn))
							if err != nil {
								return
							}
							if !c.unread {
								_, _ = io.Copy(io.Discard, r.Body)
							}
							c.answer(ctx, conn)
						})
					}
				})
				s := sink(t, "http://127.0.0.1/")
				s.Dial(l.Dial)
				ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
				defer cancel()
				var err error
				var took time.Duration
				held := heldAfter(func() {
					begin := time.Now()
					err = s.Deliver(ctx, posts(1, 1_000))
					took = time.Since(begin)
				})
				if kind(err) != c.want || took > c.took || err != nil && len(err.Error()) > 1_000 {
					t.Errorf("Deliver() = %.2000v (%s) after %v, want %s within %v", err, kind(err), took, c.want, c.took)
				}
				if held > 1<<20 {
					t.Errorf("%d bytes are held", held)
				}
				end()
				_ = l.Close()
				_ = s.Close()
				serving.Wait()
			})
		})
	}
}

// An answer is not unpacked by the sink's own client, and by another only as far as
// it is read: the end of it, by which it would be good, is not seen.
func TestABombForAnAnswer(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, _ = io.WriteString(z, `{"messages":[`)
	_, _ = z.Write(bytes.Repeat([]byte(" "), 16<<20))
	_, _ = io.WriteString(z, `]}`)
	_ = z.Close()
	synctest.Test(t, func(t *testing.T) {
		rec := receive(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Encoding", "gzip")
			w.WriteHeader(http.StatusMultiStatus)
			_, _ = w.Write(bomb.Bytes())
		})
		own := sink(t, "http://127.0.0.1/")
		own.Dial(rec.Dial)
		for _, s := range []*httpsink.Sink{own, rec.sink(t)} {
			var err error
			if held := heldAfter(func() { err = s.Deliver(t.Context(), posts(1, 2)) }); held > 4<<20 || kind(err) != "again" {
				t.Errorf("Deliver() = %v, %d bytes are held", err, held)
			}
		}
	})
}

// An answer that is much to clean: of what was sent, of one letter, of secrets. A
// short piece of it is shown, and nothing of the Posts.
func TestAnswersThatAreHardToRead(t *testing.T) {
	const posts = 200
	var batch []*tweetstream.Tweet
	for i := range posts {
		batch = append(batch, parse(fmt.Sprintf(`{"data":{"id":"%d","text":%q}}`, i, strings.Repeat("abcdefghijkl ", 180))))
	}
	for name, answer := range map[string]string{
		"the Posts":  string(batch[0].Raw) + strings.Repeat("abcdefghijkl ", 5_000),
		"one letter": strings.Repeat("a", 64<<10),
		"escapes":    strings.Repeat(`\u0061`, 10<<10),
		"schemes":    strings.Repeat("a://", 16<<10),
		"passwords":  strings.Repeat("password=", 7<<10),
	} {
		t.Run(name, func(t *testing.T) {
			rec := receive(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
				w.WriteHeader(http.StatusServiceUnavailable)
				_, _ = io.WriteString(w, answer)
			})
			s := rec.sink(t, httpsink.Header("X-Key", strings.Repeat("a", 30)))
			err := s.Deliver(t.Context(), batch)
			if kind(err) != "again" || len(err.Error()) > 300 || strings.Contains(err.Error(), "abcdefghij") {
				t.Errorf("Deliver() = %v", err)
			}
		})
	}
}

// Nobody answers the handshake of TLS.
func TestAHandshakeWithoutAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memnet.Listen()
		var serving sync.WaitGroup
		serving.Go(func() {
			if conn, err := l.Accept(); err == nil {
				_, _ = io.Copy(io.Discard, conn)
				_ = conn.Close()
			}
		})
		s := sink(t, "https://127.0.0.1/")
		s.Dial(l.Dial)
		begin := time.Now()
		if err := s.Deliver(t.Context(), posts(1, 1)); kind(err) != "again" || time.Since(begin) != 10*time.Second {
			t.Errorf("Deliver() = %v after %v", err, time.Since(begin))
		}
		_ = l.Close()
		serving.Wait()
	})
}

// A name that stands for a public address when it is looked at, and for one of this
// machine when it is dialled: what is dialled counts, whichever way it is written.
func TestRebinding(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		if conn, err := l.Accept(); err == nil {
			t.Error("there is a connection")
			_ = conn.Close()
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	for _, addrs := range [][]string{{"127.0.0.1"}, {"::1"}, {"::ffff:127.0.0.1"}, {"127.0.0.1", "::1", "0.0.0.0"}, {"::ffff:7f00:1", "64:ff9b::7f00:1"}} {
		d := httpsink.PublicDialer()
		var asked atomic.Int64
		d.Resolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
			asked.Add(1)
			client, server := net.Pipe()
			go answerDNS(server, addrs)
			return client, nil
		}}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort("rebinding.example.com", port))
		if err == nil || !strings.Contains(err.Error(), "PublicOnly refuses it") || asked.Load() == 0 {
			t.Errorf("%v: Dial() = %v, %v; %d questions", addrs, conn, err, asked.Load())
		}
		cancel()
	}
}

// answerDNS answers one question over TCP: a name has these addresses.
func answerDNS(c net.Conn, addrs []string) {
	defer c.Close()
	size := make([]byte, 2)
	if _, err := io.ReadFull(c, size); err != nil {
		return
	}
	question := make([]byte, binary.BigEndian.Uint16(size))
	if _, err := io.ReadFull(c, question); err != nil {
		return
	}
	end := bytes.IndexByte(question[12:], 0) + 12 + 5 // behind the name, its type and class
	kind := question[end-3]
	answer := append([]byte(nil), question[:end]...)
	copy(answer[2:], []byte{0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0})
	for _, addr := range addrs {
		ip, is6 := net.ParseIP(addr), strings.Contains(addr, ":")
		data := []byte(ip.To16())
		if !is6 {
			data = ip.To4()
		}
		if is6 != (kind == 28) {
			continue
		}
		answer[7]++
		answer = append(answer, 0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 0, 0, byte(len(data)))
		answer = append(answer, data...)
	}
	_, _ = c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
}
