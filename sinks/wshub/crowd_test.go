package wshub_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinks/wshub"
)

// 1,000 viewers come and go in the middle of the load. Each gets an unbroken
// sequence, from the newest when it came on.
func TestComeAndGo(t *testing.T) {
	hub := serve(t, wshub.Newest(20), wshub.MaxLag(64<<20, time.Minute))
	ctx, stop := context.WithCancel(context.Background())
	var delivered atomic.Int64
	var source sync.WaitGroup
	source.Go(func() {
		for i := 0; ctx.Err() == nil; i += 10 {
			var batch []*tweetstream.Tweet
			for k := range 10 {
				batch = append(batch, tweet(i+k, 300+(i+k)%7*400))
			}
			hub.deliver(batch...)
			delivered.Store(int64(i + 10))
			// As fast as a firehose, not as fast as memory: the viewers share
			// two processors with the hub, and must not be taken for slow.
			<-time.After(time.Millisecond)
		}
	})
	defer source.Wait()
	defer stop()
	await(t, "the newest are there", func() bool { return delivered.Load() >= 20 })

	var crowd sync.WaitGroup
	places := make(chan struct{}, 100)
	for i := range 1000 {
		places <- struct{}{}
		crowd.Go(func() {
			defer func() { <-places }()
			newest := int(delivered.Load())
			c, err := hub.dial("", nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.conn.Close()
			first, err := c.message()
			if err != nil {
				t.Error(err)
				return
			}
			from := number(first)
			if from < newest-20 {
				t.Errorf("the first message is %d, when %d had been delivered", from, newest)
			}
			c.sequence(from+1, 20+rand.IntN(100))
			if i%2 == 0 {
				return // without a word
			}
			c.send(closing(1000, ""))
			for err == nil {
				_, err = c.message()
			}
			if closed := new(errClosed); !errors.As(err, &closed) || closed.code != 1000 {
				t.Errorf("a viewer that leaves gets %v, want its close frame back", err)
			}
		})
	}
	crowd.Wait()
	if s := hub.Stats(); len(s.CutOff) > 0 {
		t.Errorf("Stats() = %+v, want nobody cut off", s)
	}
	await(t, "all have left", func() bool { return hub.Stats().Viewers == 0 })
}

// A viewer whose connection breaks in the middle of a frame, either way, harms
// nobody.
func TestReset(t *testing.T) {
	hub := serve(t, wshub.Newest(0), wshub.MaxLag(64<<20, time.Minute))
	witness := hub.view("")
	var broken []*client
	const n = 2000
	for range 10 {
		c := hub.view("")
		if _, err := c.conn.Write(bytesOf(text("half of a frame"))[:9]); err != nil {
			t.Fatal(err)
		}
		broken = append(broken, c)
	}
	go func() {
		for i := range n {
			hub.deliver(tweet(i, 2400))
		}
	}()
	for _, c := range broken {
		_, _ = c.r.Peek(3) // of the first message
		_ = c.conn.(*net.TCPConn).SetLinger(0)
		c.conn.Close()
	}
	witness.sequence(0, n)
	await(t, "they are gone", func() bool { return hub.Stats().Viewers == 1 })
}

func TestFilter(t *testing.T) {
	hub := serve(t, wshub.Newest(4), wshub.MaxLag(64<<20, time.Minute))
	hub.deliver(tweet(1, 0, "news"), tweet(2, 0, "sport"), tweet(3, 0, "news", "sport"), tweet(4, 0), tweet(5, 0, "sport", "news"))
	queries := map[string][]string{
		"":                      {"news", "sport", "news sport", "", "wet & windy"},
		"?tag=news":             {"news", "news sport"},
		"?tag=sport&tag=news":   {"news", "sport", "news sport"},
		"?tag=wet+%26+windy":    {"wet & windy"},
		"?tag=nothing+has+this": nil,
		"?tag=":                 nil,
	}
	clients := map[string]*client{}
	for q := range queries {
		clients[q] = hub.view(q)
	}
	clients[""].sequence(2, 4)
	for _, n := range []int{3, 5} {
		clients["?tag=news"].sequence(n, 1)
	}
	for _, n := range []int{2, 3, 5} {
		clients["?tag=sport&tag=news"].sequence(n, 1)
	}

	// Runs of all lengths, small messages and some that are larger than a write
	// or a chunk.
	const n = 5000
	random := rand.New(rand.NewPCG(1, 2))
	tags := make([]string, n)
	for i := range n {
		tags[i] = queries[""][random.IntN(5)]
		if i > 0 && random.IntN(3) > 0 {
			tags[i] = tags[i-1]
		}
	}
	go func() {
		for i, tag := range tags {
			size := i % 3000
			if i%500 == 499 {
				size = 40_000 * (i / 500)
			}
			if tag == "wet & windy" {
				hub.deliver(tweet(100+i, size, tag))
			} else {
				hub.deliver(tweet(100+i, size, strings.Fields(tag)...))
			}
		}
		hub.deliver(tweet(100+n, 0, "news", "wet & windy"))
	}()
	var all sync.WaitGroup
	for q, wants := range queries {
		all.Go(func() {
			for i, tag := range append(tags, "") {
				wanted := i == n && q != "?tag=nothing+has+this" && q != "?tag="
				for _, w := range wants {
					wanted = wanted || i < n && w == tag
				}
				if wanted {
					clients[q].sequence(100+i, 1)
				}
			}
		})
	}
	all.Wait()
	if lag := hub.Stats().Lag.Max; lag != 0 {
		await(t, "viewers have passed what is not theirs", func() bool { return hub.Stats().Lag.Max == 0 })
	}
}

// The newest messages are bounded in bytes, too.
func TestNewestBytes(t *testing.T) {
	hub := serve(t, wshub.Newest(1000), wshub.MaxLag(64<<10, time.Minute))
	for i := range 100 {
		hub.deliver(tweet(i, 10_000))
	}
	hub.view("").sequence(97, 3)
	hub.deliver(tweet(100, 100_000)) // more than may wait
	hub.deliver(tweet(101, 0))
	hub.view("").sequence(101, 1)
}

func TestRefusedMessages(t *testing.T) {
	hub := serve(t)
	c := hub.view("")
	bad := &tweetstream.Tweet{ID: "2", Raw: []byte("{\"text\":\"caf\xe9\"}")}
	long := &tweetstream.Tweet{ID: "3", Raw: make([]byte, 32<<20+1)}
	err := hub.Deliver(context.Background(), []*tweetstream.Tweet{tweet(1, 0), bad, long, tweet(4, 0)})
	want := "tweet 2: wshub: the message is not UTF-8\ntweet 3: wshub: the message is longer than 32 MiB"
	if err == nil || err.Error() != want {
		t.Errorf("Deliver() = %v, want %s", err, want)
	}
	c.sequence(1, 1)
	c.sequence(4, 1)
	done, cancel := context.WithCancel(context.Background())
	cancel()
	if err := hub.Deliver(done, []*tweetstream.Tweet{tweet(5, 0)}); !errors.Is(err, context.Canceled) {
		t.Errorf("Deliver() with a context that is done = %v, want %v", err, context.Canceled)
	}
}

// Close does not wait for a viewer that sleeps beyond its context.
func TestCloseForced(t *testing.T) {
	hub := serve(t, wshub.MaxLag(64<<20, time.Minute))
	hub.view("")
	for i := range 4000 {
		hub.deliver(tweet(i, 2400))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := hub.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close() = %v, want %v", err, context.DeadlineExceeded)
	}
	if s := hub.Stats(); s.Viewers != 0 || s.Lag.Max != 0 {
		t.Errorf("after Close Stats() = %+v, want no viewers", s)
	}
}

func TestStats(t *testing.T) {
	var logged bytes.Buffer
	hub := serve(t, wshub.Logger(slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	c, d := hub.view(""), hub.view("?tag=a")
	hub.deliver(tweet(1, 100), tweet(2, 200, "a"))
	c.sequence(1, 2)
	d.sequence(2, 1)
	want := uint64(2 + 100 + 2*(4+200))
	await(t, "three messages are counted", func() bool {
		s := hub.Stats()
		return s.Viewers == 2 && s.Delivered == 3 && s.Bytes == want
	})
	c.send(text("secret \xff"))
	c.wantClose(1007)
	if got := logged.String(); !strings.Contains(got, "reason=misbehaved") || strings.Contains(got, "secret") || strings.Contains(got, "127.0.0.1") {
		t.Errorf("logged %q, want the reason and nothing else", got)
	}
	hub.Stats().CutOff[wshub.Misbehaved] = 0 // is the caller's
	if got := hub.Stats().CutOff; len(got) != 1 || got[wshub.Misbehaved] != 1 {
		t.Errorf("cut off: %v, want one for what it sent", got)
	}
}

// The lag in the middle is not that of the first, nor that of the last.
func TestLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := servePipe(t, wshub.Newest(0))
		for range 2 {
			hub.view("") // and read nothing
		}
		reads := hub.view("")
		for i := range 100 {
			hub.deliver(tweet(i, 2400))
		}
		reads.sequence(0, 100)
		synctest.Wait()
		if lag := hub.Stats().Lag; lag.P50 < 100*2400 || lag.P99 != lag.Max {
			t.Errorf("two of three are behind: %+v", lag)
		}
		readers := []*client{reads, hub.view(""), hub.view(""), hub.view("")}
		hub.deliver(tweet(100, 0))
		for _, reads := range readers {
			reads.sequence(100, 1)
		}
		synctest.Wait()
		if lag := hub.Stats().Lag; lag.P50 != 0 || lag.P99 != lag.Max || lag.Max < 100*2400 {
			t.Errorf("two of six are behind: %+v", lag)
		}
	})
}

// A hub of which nobody asks anything can be closed, and starts nothing.
func TestUnused(t *testing.T) {
	hub, err := wshub.New()
	if err != nil {
		t.Fatal(err)
	}
	if err := hub.Close(context.Background()); err != nil {
		t.Errorf("Close() = %v, want nil", err)
	}
	if got, want := fmt.Sprint(hub.Stats()), "{0 0 0 map[] 0 0 {0 0 0}}"; got != want {
		t.Errorf("Stats() = %s, want %s", got, want)
	}
}
