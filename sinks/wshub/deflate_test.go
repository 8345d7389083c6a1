package wshub_test

import (
	"bytes"
	"compress/flate"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinks/wshub"
)

// offering is what a viewer offers.
func offering(offers ...string) http.Header {
	return http.Header{"Sec-Websocket-Extensions": offers}
}

// Whether messages are compressed is agreed on: RFC 7692, section 7.1.
func TestCompressOffers(t *testing.T) {
	const answer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	cases := []struct {
		offers []string
		want   string
	}{
		{nil, ""},
		{[]string{"permessage-deflate"}, answer},
		{[]string{"PerMessage-Deflate;client_max_window_bits"}, answer}, // browsers
		{[]string{"permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=15; client_max_window_bits=\"8\""}, answer},
		{[]string{"x-webkit-deflate-frame"}, ""},
		{[]string{"permessage-deflate; server_max_window_bits=10"}, ""},
		{[]string{"permessage-deflate; server_max_window_bits=10, permessage-deflate"}, answer},
		{[]string{"x", "permessage-deflate"}, answer},
		{[]string{"permessage-deflate; client_max_window_bits=16"}, ""},
		{[]string{"permessage-deflate; server_no_context_takeover=1"}, ""},
		{[]string{"permessage-deflate; client_max_window_bits; client_max_window_bits"}, ""},
		{[]string{"permessage-deflate; unheard-of"}, ""},
		{[]string{"permessage-deflate;"}, ""},
	}
	hub := serve(t, wshub.Compress())
	for _, c := range cases {
		v, err := hub.dial("", offering(c.offers...))
		if err != nil {
			t.Fatal(err)
		}
		if v.extensions != c.want {
			t.Errorf("%q is answered with %q, want %q", c.offers, v.extensions, c.want)
		}
	}
	plain, err := serve(t).dial("", offering("permessage-deflate"))
	if err != nil || plain.extensions != "" {
		t.Errorf("without Compress %q is agreed on, %v", plain.extensions, err)
	}
}

// Those who have agreed get the same messages in the same order, compressed if
// that makes them shorter; deleted ones as little as the others do.
func TestCompress(t *testing.T) {
	hub := serve(t, wshub.Compress(), wshub.Newest(1000), wshub.MaxLag(64<<20, time.Minute))
	view := func(query string, offers ...string) *client {
		t.Helper()
		c, err := hub.dial(query, offering(offers...))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for i := range 10 {
		hub.deliver(tweet(i, 300))
	}
	early := view("", "permessage-deflate") // their chunk is compressed before one of them goes
	early.sequence(0, 10)
	if err := hub.Delete(t.Context(), []string{"4"}); err != nil {
		t.Fatal(err)
	}
	early.want(`{"deleted":["4"]}`)
	late := view("", "permessage-deflate")
	late.sequence(0, 4)
	late.sequence(5, 5)
	late.want(`{"deleted":["4"]}`)

	clients := map[string]*client{
		"small": view("?replay=0", "permessage-deflate; client_max_window_bits"),
		"plain": view("?replay=0"),
		"tag":   view("?replay=0&tag=t1", "permessage-deflate"),
	}
	const n = 3000
	random := rand.New(rand.NewPCG(1, 2))
	tweets := make([]*tweetstream.Tweet, n)
	for i := range tweets {
		tweets[i] = tweet(100+i, random.IntN(6000), fmt.Sprint("t", i%3))
	}
	noise := make([]byte, 3000)
	for i := range noise {
		noise[i] = byte(' ' + random.IntN(95))
	}
	tweets = append(tweets, &tweetstream.Tweet{ID: "noise", Raw: noise, Rules: []tweetstream.Rule{{Tag: "t1"}}})
	go func() {
		for part := tweets; len(part) > 0; part = part[min(len(part), 7):] {
			hub.deliver(part[:min(len(part), 7)]...)
		}
	}()
	var all sync.WaitGroup
	for name, c := range clients {
		all.Go(func() {
			for i, tw := range tweets {
				if name == "tag" && i%3 != 1 && tw.ID != "noise" {
					continue
				}
				c.want(string(tw.Raw))
			}
		})
	}
	all.Wait()
	if s, p := clients["small"].deflated, clients["plain"].deflated; s < n*9/10 || s > n || p > 0 {
		t.Errorf("%d of %d messages came compressed, and %d to one who did not offer it", s, n, p)
	}
}

// A message is compressed once, for those who are there and those who come, and
// not again when others have come behind it.
func TestCompressedOnce(t *testing.T) {
	hub := serve(t, wshub.Compress())
	view := func() *client {
		t.Helper()
		c, err := hub.dial("", offering("permessage-deflate"))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	hub.deliver(tweet(1, 500))
	view().sequence(1, 1)
	if !wshub.Spoil(hub.Hub) {
		t.Fatal("nothing is kept compressed")
	}
	for n := range 2 {
		if got, err := view().message(); err == nil && number(got) == 1 && len(got) == 500 {
			t.Errorf("with %d messages behind it the first is compressed again", n)
		}
		hub.deliver(tweet(2+n, 500))
	}
}

// A Post that is deleted leaves the chunks that are full and compressed, too.
func TestCompressedDelete(t *testing.T) {
	hub := serve(t, wshub.Compress(), wshub.Newest(2000), wshub.MaxLag(64<<20, time.Minute))
	const n = 1000 // in some chunks
	for i := range n {
		hub.deliver(tweet(i, 600))
	}
	for _, gone := range []bool{false, true} {
		c, err := hub.dial("", offering("permessage-deflate"))
		if err != nil {
			t.Fatal(err)
		}
		if !gone {
			c.sequence(0, n)
			if err := hub.Delete(t.Context(), []string{"4"}); err != nil {
				t.Fatal(err)
			}
			continue
		}
		c.sequence(0, 4)
		c.sequence(5, n-5)
		c.want(`{"deleted":["4"]}`)
	}
}

// squeeze compresses what a viewer sends.
func squeeze(op ws.OpCode, fin bool, message []byte) ws.Frame {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, 9)
	_, _ = w.Write(message)
	_ = w.Flush()
	return reserved(ws.NewFrame(op, fin, bytes.TrimSuffix(b.Bytes(), []byte("\x00\x00\xff\xff"))), 4)
}

// A viewer that has agreed may compress what it sends, within the same limits.
func TestCompressedMessages(t *testing.T) {
	hub := serve(t, wshub.Compress(), wshub.Newest(0))
	view := func() *client {
		c, err := hub.dial("", offering("permessage-deflate"))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := view()
	c.send(squeeze(ws.OpText, true, []byte(`{"filter":"tag=a"}`)))
	c.want(`{"filter":"tag=a"}`)
	whole := squeeze(ws.OpText, false, []byte(`{"filter":"tag=b"}`))
	half := len(whole.Payload) / 2
	rest := ws.NewFrame(ws.OpContinuation, true, whole.Payload[half:])
	whole.Payload, whole.Header.Length = whole.Payload[:half], int64(half)
	c.send(whole)
	c.send(ws.NewPingFrame(nil))
	c.send(rest)
	c.want(`{"filter":"tag=b"}`)
	c.send(text(`{"filter":"tag=c"}`)) // it need not
	c.want(`{"filter":"tag=c"}`)

	for _, bad := range []struct {
		name string
		sent ws.Frame
		want ws.StatusCode
	}{
		{"no deflate", reserved(text("\xff\xff\xff\xff"), 4), 1007},
		{"not UTF-8", squeeze(ws.OpText, true, []byte("caf\xe9")), 1007},
		{"a bomb", squeeze(ws.OpBinary, true, bytes.Repeat([]byte("x"), 1<<20)), 1009},
		{"large as it is", reserved(text(strings.Repeat("x", 4097)), 4), 1009},
		{"another bit", reserved(text("x"), 2), 1002},
		{"two bits", reserved(text("x"), 6), 1002},
		{"a ping", reserved(ws.NewPingFrame(nil), 4), 1002},
	} {
		v := view()
		v.send(bad.sent)
		_ = v.conn.SetReadDeadline(time.Now().Add(patience))
		v.wantClose(bad.want)
	}
	bomb := squeeze(ws.OpText, true, bytes.Repeat([]byte("x"), 1<<20)).Payload
	if got, err := wshub.Inflate(bomb); len(got) != 4097 || err != nil {
		t.Errorf("%d bytes of a bomb are looked at, %v, want one more than a message may have", len(got), err)
	}
	v := view()
	v.send(part(ws.OpText, "a"))
	v.send(reserved(ws.NewFrame(ws.OpContinuation, true, nil), 4))
	v.wantClose(1002)
}
