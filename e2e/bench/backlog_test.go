package main_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/journal/boltjournal"
)

// BenchmarkBacklog is a sink that is dead while a million Posts wait for it in
// the journal, and 2,000 a second come in: what the other sink feels of it, before
// and while the first catches up. A Post is 2.4 kB.
func BenchmarkBacklog(b *testing.B) {
	const waiting, rate = 1_000_000, 2_000
	phase := 20 * time.Second
	for b.Loop() {
		dir := b.TempDir()
		j := openJournal(b, dir)
		if _, err := j.Start(b.Context()); err != nil {
			b.Fatal(err)
		}
		next := 0
		for next < waiting {
			if _, err := j.Append(b.Context(), madeUp(next, next+1000), nil); err != nil {
				b.Fatal(err)
			}
			next += 1000
			if next == 1000 { // now there is one that has not passed them
				if err := j.Commit(b.Context(), map[string]uint64{"dead": 0}); err != nil {
					b.Fatal(err)
				}
			}
		}
		if err := j.Close(); err != nil {
			b.Fatal(err)
		}

		src := sourceFunc(func(ctx context.Context, emit tweetstream.Emit) error {
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-tick.C:
				case <-ctx.Done():
					return nil
				}
				n := rate / 100
				if err := emit(ctx, madeUp(next, next+n), nil); err != nil {
					return err
				}
				next += n
			}
		})
		var good latencies
		var dead comeback
		run := func(opts ...tweetstream.Option) (s *tweetstream.Streamer, stop func()) {
			j := openJournal(b, dir)
			opened := time.Now()
			s, err := tweetstream.New(src, append(opts, tweetstream.WithJournal(j), tweetstream.WithSink("good", &good, tweetstream.Batch(100, 0)))...)
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(b.Context())
			ended := make(chan error, 1)
			go func() { ended <- s.Run(ctx) }()
			for s.Stats().State != tweetstream.Running {
				time.Sleep(time.Millisecond)
			}
			b.Logf("opened in %v", time.Since(opened))
			time.Sleep(2 * time.Second) // the first commits, after which it is even
			return s, func() {
				cancel()
				if err := errors.Join(<-ended, j.Close()); err != nil {
					b.Error(err)
				}
			}
		}

		_, stop := run()
		alone := good.over(phase)
		stop()
		s, stop := run(tweetstream.WithSink("dead", &dead, tweetstream.Batch(500, 0)))
		beside := good.over(phase)
		memory := resident()
		dead.back.Store(true)
		begin, from := time.Now(), dead.got.Load()
		during := good.until(func() bool { return s.Stats().Sinks[0].Waiting < 2*rate })
		took := time.Since(begin)
		stop()

		b.ReportMetric(alone.Seconds()*1e3, "p99_alone_ms")
		b.ReportMetric(beside.Seconds()*1e3, "p99_beside_ms")
		b.ReportMetric(during.Seconds()*1e3, "p99_catchup_ms")
		b.ReportMetric(float64(dead.got.Load()-from)/took.Seconds(), "catchup/s")
		b.ReportMetric(float64(memory)/(1<<20), "MiB_dead")
		b.ReportMetric(float64(resident())/(1<<20), "MiB_after")
		b.ReportMetric(0, "ns/op")
	}
}

func openJournal(b *testing.B, dir string) *boltjournal.Journal {
	b.Helper()
	j, err := boltjournal.Open(dir, boltjournal.Limit(64<<30)) // ten million are more than the default
	if err != nil {
		b.Fatal(err)
	}
	return j
}

var body = strings.Repeat("what waits is on the disk and not in memory. ", 52)

// madeUp returns the Posts of these numbers.
func madeUp(from, to int) []*tweetstream.Tweet {
	tweets := make([]*tweetstream.Tweet, 0, to-from)
	now := time.Now()
	for i := from; i < to; i++ {
		id := strconv.Itoa(1_900_000_000_000_000_000 + i)
		tweets = append(tweets, &tweetstream.Tweet{
			ID:       id,
			Raw:      fmt.Appendf(nil, `{"data":{"id":"%s","text":"%s"},"matching_rules":[{"id":"1","tag":"bench"}]}`, id, body),
			Rules:    []tweetstream.Rule{{ID: "1", Tag: "bench"}},
			Received: now,
		})
	}
	return tweets
}

type sourceFunc func(ctx context.Context, emit tweetstream.Emit) error

func (f sourceFunc) Stream(ctx context.Context, _ []byte, emit tweetstream.Emit) error {
	return f(ctx, emit)
}

// latencies is a sink that notes how old its tweets are.
type latencies struct {
	mu   sync.Mutex
	seen []time.Duration
}

func (l *latencies) Deliver(_ context.Context, tweets []*tweetstream.Tweet) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range tweets {
		l.seen = append(l.seen, time.Since(t.Received))
	}
	return nil
}

// over returns the 99th percentile of the time to come.
func (l *latencies) over(d time.Duration) time.Duration {
	end := time.Now().Add(d)
	return l.until(func() bool { return time.Now().After(end) })
}

func (l *latencies) until(over func() bool) time.Duration {
	l.mu.Lock()
	l.seen = nil
	l.mu.Unlock()
	for !over() {
		time.Sleep(10 * time.Millisecond)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	slices.Sort(l.seen)
	return l.seen[len(l.seen)*99/100]
}

// comeback is a sink that fails until it is back.
type comeback struct {
	back atomic.Bool
	got  atomic.Int64
}

func (c *comeback) Deliver(_ context.Context, tweets []*tweetstream.Tweet) error {
	if !c.back.Load() {
		return errors.New("down")
	}
	c.got.Add(int64(len(tweets)))
	return nil
}

// resident returns the bytes of memory that the process has, pages of files that
// it has mapped not counted.
func resident() int64 { return fromStatus("RssAnon:") }

// fromStatus returns a figure of /proc/self/status in bytes; 0 on systems that have
// none.
func fromStatus(name string) int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if kb, ok := strings.CutPrefix(line, name); ok {
			n, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(kb), "kB")), 10, 64)
			return n << 10
		}
	}
	return 0
}
