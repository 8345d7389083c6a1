package xtest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/xtest"
)

// collected keeps the ids of what it is given.
type collected struct {
	mu   sync.Mutex
	ids  []string
	tags []string
}

func (c *collected) Deliver(_ context.Context, tweets []*tweetstream.Tweet) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range tweets {
		c.ids = append(c.ids, t.ID)
		for _, r := range t.Rules {
			c.tags = append(c.tags, r.Tag)
		}
	}
	return nil
}

// All that was sent is delivered: by hand, at a rate, and from a file; on a
// socket and in a bubble.
func TestRunDeliversAll(t *testing.T) {
	byHand := func(t *testing.T, opts ...xtest.Option) {
		x := xtest.NewServer(append(opts, xtest.Rule("coop", "coop"))...)
		defer x.Close()
		var c collected
		stats, err := xtest.Run(t.Context(), x, func() {
			for i := range 200 {
				x.Post(xtest.Post{Text: fmt.Sprint("coop ", i)})
			}
			x.Post(xtest.Post{Text: "nobody asked for this"})
		}, tweetstream.WithSink("c", &c))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(x.IDs(), c.ids); diff != "" || len(c.ids) != 200 || stats.Sinks[0].Delivered != 200 {
			t.Errorf("%d delivered (-want +got):\n%s", len(c.ids), diff)
		}
		if len(c.tags) != 200 || c.tags[0] != "coop" {
			t.Errorf("tags %v, want 200 of coop", c.tags)
		}
	}
	t.Run("by hand", func(t *testing.T) { byHand(t) })
	t.Run("by hand in a bubble", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { byHand(t, xtest.InMemory()) })
	})
	t.Run("at a rate, sampled, with a token", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			x := xtest.NewServer(xtest.InMemory(), xtest.Rate(50), xtest.Limit(300), xtest.Token("mine"))
			defer x.Close()
			var c collected
			if _, err := xtest.Run(t.Context(), x, nil, tweetstream.WithSink("c", &c)); err != nil || len(c.ids) != 300 {
				t.Errorf("%d delivered, %v, want 300", len(c.ids), err)
			}
		})
	})
	t.Run("a replay", func(t *testing.T) {
		var lines strings.Builder
		for i := range 5_000 {
			fmt.Fprintf(&lines, `{"data":{"id":"%d","text":"%s"}}`+"\n", i+1, strings.Repeat("x", i%3_000))
		}
		x := xtest.NewServer(xtest.Replay(strings.NewReader(lines.String())))
		defer x.Close()
		var c collected
		if _, err := xtest.Run(t.Context(), x, nil, tweetstream.WithSink("c", &c, tweetstream.Batch(100, 0))); err != nil || len(c.ids) != 5_000 {
			t.Errorf("%d delivered, %v, want 5,000", len(c.ids), err)
		}
	})
}

// A sink that is down for a while gets all; the stream may break meanwhile.
func TestRunWaitsOutAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := xtest.NewServer(xtest.InMemory(), xtest.Rule("", "coop"))
		defer x.Close()
		up := time.Now().Add(20 * time.Second)
		n := 0
		sink := tweetstream.SinkFunc(func(context.Context, *tweetstream.Tweet) error {
			if time.Now().Before(up) {
				return errors.New("down")
			}
			n++
			return nil
		})
		_, err := xtest.Run(t.Context(), x, func() {
			x.Post(xtest.Post{Text: "coop 1"})
			x.Disconnect(xtest.Operational)
			if err := x.WaitConnected(t.Context()); err != nil {
				t.Error(err)
			}
			x.Post(xtest.Post{Text: "coop 2"})
		}, tweetstream.WithSink("s", sink))
		if err != nil || n != 2 {
			t.Errorf("%d delivered, %v, want 2", n, err)
		}
	})
}

func TestRunTellsWhatWentWrong(t *testing.T) {
	fine := tweetstream.WithSink("fine", &collected{})
	post := func(x *xtest.Server) { x.Post(xtest.Post{Text: "coop"}) }
	for _, c := range []struct {
		name string
		opts []xtest.Option
		send func(*xtest.Server)
		with tweetstream.Option
		want string
	}{
		{"rejected", nil, post, tweetstream.WithSink("picky", tweetstream.SinkFunc(func(context.Context, *tweetstream.Tweet) error {
			return tweetstream.Permanent(errors.New("no, thanks"))
		})), "sink picky did not get 1 tweets: rejected; its last error: tweet "},
		{"a transform fails", nil, post, tweetstream.WithTransform(func(context.Context, *tweetstream.Tweet) (*tweetstream.Tweet, error) {
			return nil, errors.New("no")
		}), "1 tweets got to no sink: transform"},
		{"for ever down", nil, post, tweetstream.WithSink("down", tweetstream.SinkFunc(func(context.Context, *tweetstream.Tweet) error {
			return errors.New("down")
		})), "stopped before all was delivered"},
		{"refused", nil, func(x *xtest.Server) {
			x.Fail("/2/tweets/sample/stream", 1, xtest.Problem(403))
			x.Disconnect(xtest.Clean)
		}, nil, "Client Forbidden"},
		{"cut", nil, func(x *xtest.Server) {
			x.Stall(0)
			post(x)
			x.Disconnect(xtest.Reset)
		}, nil, "1 messages of the stream were dropped"},
		{"no end", []xtest.Option{xtest.Rate(10)}, post, nil, "Rate needs a Limit"},
		{"a bad option", nil, post, tweetstream.WithDrain(-1), "WithDrain"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := xtest.NewServer(append(c.opts, xtest.InMemory())...)
				defer x.Close()
				opts := []tweetstream.Option{fine}
				if c.with != nil {
					opts = append(opts, c.with)
				}
				_, err := xtest.Run(t.Context(), x, func() { c.send(x) }, opts...)
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("Run() = %v, want %q in it", err, c.want)
				}
			})
		})
	}
	x, err := xtest.New()
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	if _, err := xtest.Run(t.Context(), x, nil, fine); err == nil || !strings.Contains(err.Error(), "NewServer") {
		t.Errorf("Run() of a server that does not listen = %v", err)
	}
}

// As t.Fatal does it in send.
func TestRunEndsWithItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := xtest.NewServer(xtest.InMemory())
		defer x.Close()
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer func() { _ = recover() }()
			_, _ = xtest.Run(context.Background(), x, func() { panic("in send") }, tweetstream.WithSink("c", &collected{}))
		}()
		<-done // a goroutine that is left behind fails the bubble
	})
}

func TestRuleFromTheBeginning(t *testing.T) {
	for name, opts := range map[string][]xtest.Option{
		"no rule":      {xtest.Rule("a", "lang:en")},
		"given twice":  {xtest.Rule("a", "coop"), xtest.Rule("b", "coop")},
		"far too long": {xtest.Rule("a", strings.Repeat("coop ", 1_000))},
	} {
		if _, err := xtest.New(opts...); err == nil || !strings.Contains(err.Error(), "Rule") {
			t.Errorf("%s: New() = %v, want an error that names Rule", name, err)
		}
	}
}
