package wshub_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinks/wshub"
)

// A viewer begins with the newest messages and goes on live, byte for byte, at
// all lengths where a frame's header changes.
func TestMessages(t *testing.T) {
	hub := serve(t, wshub.Newest(2))
	hub.deliver(tweet(1, 0), tweet(2, 0), tweet(3, 0))
	c := hub.view("")
	c.want(`{"data":{"id":"2"}}`)
	c.want(`{"data":{"id":"3"}}`)
	for _, size := range []int{0, 1, 125, 126, 127, 65534, 65535, 65536, 256 << 10, 256<<10 + 1, 1 << 20, 5 << 20} {
		raw := strings.Repeat("é", size/2) + strings.Repeat("x", size%2)
		hub.deliver(&tweetstream.Tweet{ID: fmt.Sprint("length ", size), Raw: []byte(raw)})
		c.want(raw)
	}
	hub.deliver(tweet(4, 0))
	c.want(`{"data":{"id":"4"}}`)
}

// A Post that is handed over again, within a batch or later, comes once; what has no
// id comes each time.
func TestRepeated(t *testing.T) {
	hub := serve(t)
	c := hub.view("")
	anonymous := &tweetstream.Tweet{Raw: []byte("{}")}
	hub.deliver(tweet(1, 0), tweet(2, 0), tweet(1, 0), anonymous)
	hub.deliver(tweet(2, 0))
	hub.deliver(anonymous, tweet(3, 0))
	c.sequence(1, 2)
	c.want("{}")
	c.want("{}")
	c.sequence(3, 1)
}

func TestClose(t *testing.T) {
	hub := serve(t)
	clients := make([]*client, 20)
	for i := range clients {
		clients[i] = hub.view("")
	}
	const n = 500
	for i := range n {
		hub.deliver(tweet(i, 2400))
	}
	closed := make(chan error, 1)
	go func() { closed <- hub.Close(context.Background()) }()
	for _, c := range clients {
		for i := range n {
			got, err := c.message()
			if err != nil || number(got) != i {
				t.Fatalf("message %d, %v, want %d", number(got), err, i)
			}
		}
		c.wantClose(ws.StatusGoingAway)
		c.send(ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusGoingAway, "")))
	}
	if err := <-closed; err != nil {
		t.Errorf("Close() = %v, want nil", err)
	}
	if err := hub.Deliver(context.Background(), []*tweetstream.Tweet{tweet(1, 0)}); !errors.Is(err, wshub.ErrClosed) {
		t.Errorf("Deliver() after Close = %v, want %v", err, wshub.ErrClosed)
	}
	if _, err := hub.dial("", nil); fmt.Sprint(err) != "status 503" {
		t.Errorf("after Close a viewer gets %v, want status 503", err)
	}
	if err := hub.Close(context.Background()); err != nil {
		t.Errorf("a second Close() = %v, want nil", err)
	}
}
