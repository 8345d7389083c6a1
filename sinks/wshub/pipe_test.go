package wshub_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/internal/memnet"
	"github.com/tweetstream-go/tweetstream/sinks/wshub"
)

// piped is a hub behind a server in memory, for a bubble of package synctest.
type piped struct {
	*wshub.Hub
	t        *testing.T
	listener *memnet.Listener
}

// servePipe starts a hub. At the end of the test it is closed; a goroutine that
// is left fails the test, as those of a bubble do.
func servePipe(t *testing.T, opts ...wshub.Option) *piped {
	t.Helper()
	hub, err := wshub.New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	p := &piped{hub, t, memnet.Listen()}
	server := &http.Server{Handler: hub}
	go func() { _ = server.Serve(p.listener) }()
	t.Cleanup(func() {
		_ = server.Close()
		now, cancel := context.WithCancel(context.Background())
		cancel()
		_ = hub.Close(now)
	})
	return p
}

func (p *piped) view(query string) *client {
	p.t.Helper()
	ours, err := p.listener.Dial(p.t.Context(), "", "")
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { ours.Close() })
	c, err := handshake(p.t, ours, "localhost", query, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	c.wait = time.Hour
	synctest.Wait()
	return c
}

func (p *piped) deliver(tweets ...*tweetstream.Tweet) {
	p.t.Helper()
	if err := p.Deliver(context.Background(), tweets); err != nil {
		p.t.Errorf("Deliver() = %v, want nil", err)
	}
}
