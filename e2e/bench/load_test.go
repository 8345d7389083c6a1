package main_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

// Posts as they are sent here: firstID is the id of the first, and they go up by
// one. The text holds the time of sending in nanoseconds.
const (
	firstID   = 1_000_000_000_000_000_000
	digits    = 19
	blockSize = 100 // Posts that are written at once when there are as many to send
)

// load is a simulated X that sends as fast as is asked, and counts what it has
// written. It makes nothing up, as package xtest does: each Post is the same 2.4
// kB but for its id and its time, so that hardly any of the machine's time goes
// into it.
type load struct {
	posts int     // that are sent, and then the connection ends
	rate  float64 // a second; 0: as fast as the reader takes them
	hold  bool    // keep the connection open at the end

	written atomic.Int64
	behind  atomic.Int64 // the longest time that a Post was late, in nanoseconds
	addr    string
}

// one returns a Post of 2.4 kB, and where its id and its time stand in it.
func one() (post []byte, idAt, timeAt int) {
	filler := bytes.Repeat([]byte(`{"domain":{"id":"30","name":"Entities [Entity Service]"},"entity":{"id":"848920371311001600","name":"Technology"}},`), 17)
	digitsAt := func(after string) int {
		at := len(post) + len(after)
		post = append(append(post, after...), `0000000000000000000`...)
		return at
	}
	post = append(post, `{"data":{"author_id":"2244994945","context_annotations":[`...)
	post = append(post, filler[:len(filler)-1]...)
	idAt = digitsAt(`],"created_at":"2026-08-12T07:20:17.000Z","id":"`)
	timeAt = digitsAt(`","lang":"en","text":"the coop is \"open\", says https://t.co/abc at `)
	post = append(post, `"},"includes":{"users":[{"id":"2244994945","name":"Somebody","username":"somebody"}]},"matching_rules":[{"id":"1600000000000000001","tag":"news"}]}`+"\r\n"...)
	return post, idAt, timeAt
}

// start serves l until the benchmark ends.
func (l *load) start(b *testing.B) {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	l.addr = listener.Addr().String()
	server := &http.Server{Handler: l}
	go server.Serve(listener)
	b.Cleanup(func() { server.Close() })
}

func (l *load) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/2/tweets/sample/stream" && r.URL.Path != "/2/tweets/search/stream" {
		http.NotFound(w, r)
		return
	}
	if l.written.Load() > 0 { // a second connection gets nothing twice
		http.Error(w, `{"title":"the stream is over"}`, http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	l.send(r.Context(), w)
	if l.hold {
		<-r.Context().Done()
	}
}

func (l *load) send(ctx context.Context, w http.ResponseWriter) {
	flush := http.NewResponseController(w).Flush
	post, idAt, timeAt := one()
	block := bytes.Repeat(post, blockSize)
	begin := time.Now()
	for sent := 0; sent < l.posts && ctx.Err() == nil; {
		n := min(blockSize, l.posts-sent)
		now := time.Now()
		if l.rate > 0 {
			due := int(now.Sub(begin).Seconds()*l.rate) + 1
			if due <= sent {
				next := time.Duration(float64(sent)/l.rate*1e9) - now.Sub(begin)
				if l.rate > 1000 {
					next = time.Millisecond // what is due by then goes out together
				}
				time.Sleep(next)
				continue
			}
			n = min(n, due-sent)
			late := now.Sub(begin) - time.Duration(float64(sent)/l.rate*1e9)
			l.behind.Store(max(l.behind.Load(), int64(late)))
		}
		for i := range n {
			at := i * len(post)
			decimal(block[at+idAt:at+idAt+digits], firstID+uint64(sent+i))
			decimal(block[at+timeAt:at+timeAt+digits], uint64(now.UnixNano()))
		}
		if _, err := w.Write(block[:n*len(post)]); err != nil {
			return
		}
		if l.rate > 0 && flush() != nil {
			return
		}
		sent += n
		l.written.Store(int64(sent))
	}
	_ = flush()
}

// decimal writes n into b, from the right.
func decimal(b []byte, n uint64) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
}

// tally checks that the Posts come once and in order, and keeps how late they are.
type tally struct {
	next    uint64 // what the next id should be
	Posts   int
	Missing int
	Again   int // or out of order
	late    []time.Duration
}

func (t *tally) see(id string) {
	n, err := strconv.ParseUint(id, 10, 64)
	if err != nil {
		panic(fmt.Sprintf("the id %q", id))
	}
	want := max(t.next, firstID)
	if n < want {
		t.Again++
		return
	}
	t.Missing += int(n - want)
	t.next = n + 1
	t.Posts++
}

// sentAt returns when a message was sent.
func sentAt(raw []byte) time.Time {
	const before = "https://t.co/abc at "
	at := bytes.Index(raw, []byte(before)) + len(before)
	n, err := strconv.ParseInt(string(raw[at:at+digits]), 10, 64)
	if err != nil {
		panic(err)
	}
	return time.Unix(0, n)
}
