package wshub_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinks/wshub"
)

// One of 100 viewers reads nothing. It is cut off, and can see why; the others
// lose nothing.
func TestSleeper(t *testing.T) {
	hub := serve(t, wshub.Newest(0), wshub.MaxLag(1<<20, time.Minute))
	sleeper := hub.view("")
	woken := make(chan error, 1)
	go func() {
		await(t, "the sleeper is cut off", func() bool { return hub.Stats().CutOff[wshub.Slow] == 1 })
		woken <- sleeper.wakeUp()
	}()
	const viewers, rounds, batch = 99, 20, 100
	var round sync.WaitGroup // of messages that all have read
	clients := make([]*client, viewers)
	for i := range clients {
		clients[i] = hub.view("")
	}
	for r := range rounds {
		tweets := make([]*tweetstream.Tweet, batch)
		for i := range tweets {
			tweets[i] = tweet(r*batch+i, 2400)
		}
		hub.deliver(tweets...)
		for _, c := range clients {
			round.Go(func() { c.sequence(r*batch, batch) })
		}
		round.Wait()
	}
	if err := <-woken; err != nil {
		t.Error(err)
	}
	if s := hub.Stats(); s.Viewers != viewers+1 && s.Viewers != viewers || len(s.CutOff) != 1 {
		t.Errorf("Stats() = %+v, want %d viewers and nobody else cut off", s, viewers)
	}
}

// wakeUp reads what a viewer has slept through, up to the close frame.
func (c *client) wakeUp() error {
	for i := 0; ; i++ {
		got, err := c.message()
		var closed *errClosed
		if errors.As(err, &closed) && closed.code == 1013 && closed.text == "too slow" {
			if _, _, err := c.frame(); !errors.Is(err, io.EOF) {
				return fmt.Errorf("after the close frame the sleeper reads %v, want EOF", err)
			}
			return nil
		}
		if err != nil || number(got) != i {
			return fmt.Errorf("the sleeper reads %d, %v, want %d", number(got), err, i)
		}
	}
}

// sequence reads n messages, from a number on.
func (c *client) sequence(from, n int) {
	for i := from; i < from+n; i++ {
		got, err := c.message()
		if err != nil || number(got) != i {
			c.t.Errorf("message %d, %v, want %d", number(got), err, i)
			return
		}
	}
}

// The age of what a viewer is at is limited, too, and a socket that takes
// nothing does not put off the end.
func TestAge(t *testing.T) {
	hub := serve(t, wshub.MaxLag(64<<20, 50*time.Millisecond))
	hub.view("")
	hub.view("?tag=a")
	for i := range 4000 {
		hub.deliver(tweet(i, 2400, "a"))
	}
	await(t, "both are cut off", func() bool { return hub.Stats().CutOff[wshub.Slow] == 2 })
}

// A viewer that has fallen behind catches up when it goes on reading.
func TestCatchUp(t *testing.T) {
	for _, query := range []string{"", "?tag=a", "?tag=b"} {
		hub := serve(t, wshub.Newest(0), wshub.MaxLag(64<<20, time.Minute))
		c := hub.view(query)
		const n = 4000 // more than sockets hold
		for i := range n {
			tags := []string{"a"}
			if i%2 == 0 {
				tags = []string{"b", "c"}
			}
			hub.deliver(tweet(i, 4800, tags...))
		}
		await(t, "it is behind", func() bool { return hub.Stats().Lag.Max > 1<<20 })
		for i := range n {
			if query == "?tag=a" && i%2 == 0 || query == "?tag=b" && i%2 == 1 {
				continue
			}
			c.sequence(i, 1)
		}
		hub.deliver(tweet(n, 0, "a", "b"))
		c.sequence(n, 1)
		await(t, "nothing waits", func() bool { return hub.Stats().Lag.Max == 0 })
	}
}

// What sleepers hold of the log is bounded, and shared.
func TestMemory(t *testing.T) {
	const maxLag, sleepers, total = 4 << 20, 50, 128 << 20
	hub := serve(t, wshub.Newest(0), wshub.MaxLag(maxLag, time.Minute))
	for range sleepers {
		hub.view("")
	}
	var peak uint64
	for i := range total / 64 / 4096 {
		tweets := make([]*tweetstream.Tweet, 64)
		for k := range tweets {
			tweets[k] = tweet(64*i+k, 4096)
		}
		hub.deliver(tweets...)
		if i%64 == 0 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc)
		}
	}
	// The lag twice (for the collector is behind, too), and what sleepers have
	// under way when they are cut off.
	if limit := uint64(2*maxLag + sleepers*(64<<10) + 8<<20); peak > limit {
		t.Errorf("%d bytes of memory in use, want %d at the most", peak, limit)
	}
	if lag := hub.Stats().Lag.Max; lag > maxLag+1<<20 {
		t.Errorf("the lag is %d, want %d at the most", lag, maxLag)
	}
}

// Deliver does not wait for a viewer that takes nothing, and Close can be made
// not to. The connection knows no waiting for room: a goroutine writes to it.
func TestTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := servePipe(t)
		hub.view("")
		began := time.Now()
		for i := range 100 {
			hub.deliver(tweet(i, 2400))
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("Deliver() took %v, want no time", took)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if s := hub.Stats(); s.CutOff[wshub.Slow] != 1 || s.Viewers != 1 {
			t.Errorf("after 10 s Stats() = %+v, want the viewer on its way out", s)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if s := hub.Stats(); s.Viewers != 0 {
			t.Errorf("after 15 s Stats() = %+v, want no viewer", s)
		}

		hub.view("") // the newest are for it, and are not taken
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := hub.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close() = %v, want %v", err, context.DeadlineExceeded)
		}
	})
}

// A viewer that is silent is asked, and cut off when it does not answer: the
// other end of a half-open connection is not there to say anything.
func TestSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := servePipe(t, wshub.Ping(20*time.Second))
		began := time.Now()
		mute, answers := hub.view(""), hub.view("")
		ping := func(c *client, after time.Duration) {
			t.Helper()
			op, payload, err := c.frame()
			if err != nil || op != ws.OpPing || len(payload) > 0 || time.Since(began) != after {
				t.Fatalf("frame %v %q, %v after %v, want a ping after %v", op, payload, err, time.Since(began), after)
			}
		}
		ping(mute, 20*time.Second)
		ping(answers, 20*time.Second)
		answers.send(ws.NewPongFrame(nil))
		mute.wantClose(1013)
		if took := time.Since(began); took != 40*time.Second {
			t.Errorf("cut off after %v, want 40 s", took)
		}
		ping(answers, 40*time.Second)
		answers.send(ws.NewTextFrame([]byte("anything will do"))) // a fragment, too
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if s := hub.Stats(); s.Viewers != 1 || s.CutOff[wshub.Silent] != 1 {
			t.Errorf("Stats() = %+v, want one viewer, and one cut off for its silence", s)
		}
		if _, err := mute.conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the connection of the silent one ends with %v, want EOF", err)
		}
	})
}

// Deliver gets no further ahead of those who look for slow viewers than it may,
// also where nobody but slow ones is there: else the lag has no bound.
func TestAhead(t *testing.T) {
	hub := serve(t, wshub.Newest(0), wshub.MaxLag(64<<20, time.Minute))
	asleep := hub.view("")
	hub.deliver(tweet(0, 2400))
	asleep.sequence(0, 1)
	for i := 1; i < 2000; i++ {
		hub.deliver(tweet(i, 2400))
	}
	await(t, "its socket is full", func() bool { return hub.Stats().Lag.Max > 1<<20 })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var failed error
	wshub.Hold(hub.Hub, func() {
		ended := make(chan error, 1)
		go func() {
			var tweets []*tweetstream.Tweet
			for i := 2000; i < 4000; i++ {
				tweets = append(tweets, tweet(i, 2400))
			}
			ended <- hub.Deliver(ctx, tweets)
		}()
		await(t, "it is as far ahead as it may be", func() bool { return wshub.Ahead(hub.Hub) >= 1<<20 })
		cancel()
		failed = <-ended
	})
	var first *tweetstream.TweetError
	if !errors.As(failed, &first) || !errors.Is(failed, context.Canceled) {
		t.Errorf("Deliver() = %v, want it to wait until its context is done", failed)
	}
}
