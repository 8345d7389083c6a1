package boltjournal_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/journal/boltjournal"
)

var ctx = context.Background()

// slow is more than what is promised within a second takes on a loaded machine.
const slow = 5 * time.Second

// post is a tweet whose message has about so many bytes.
func post(id, size int) *tweetstream.Tweet {
	raw := fmt.Sprintf(`{"data":{"id":"%d","text":"%s"}}`, id, strings.Repeat("x", max(size-30, 0)))
	return &tweetstream.Tweet{
		ID: fmt.Sprint(id), Raw: []byte(raw), Received: time.Unix(1_700_000_000+int64(id), 123_456_789).UTC(),
		Rules: []tweetstream.Rule{{ID: "1", Tag: "coop"}},
	}
}

func posts(from, to, size int) (ts []*tweetstream.Tweet) {
	for id := from; id <= to; id++ {
		ts = append(ts, post(id, size))
	}
	return ts
}

func open(t testing.TB, dir string, opts ...boltjournal.Option) *boltjournal.Journal {
	t.Helper()
	j, err := boltjournal.Open(dir, append([]boltjournal.Option{boltjournal.FreeDisk(0)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

func start(t testing.TB, dir string, opts ...boltjournal.Option) (*boltjournal.Journal, tweetstream.JournalState) {
	t.Helper()
	j := open(t, dir, opts...)
	st, err := j.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return j, st
}

func closeJournal(t testing.TB, j *boltjournal.Journal) {
	t.Helper()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

func add(t testing.TB, j *boltjournal.Journal, tweets ...*tweetstream.Tweet) uint64 {
	t.Helper()
	next, err := j.Append(ctx, tweets, nil)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func commit(t testing.TB, j *boltjournal.Journal, cursors map[string]uint64) {
	t.Helper()
	if err := j.Commit(ctx, cursors); err != nil {
		t.Fatal(err)
	}
}

// all reads what is there from a position on.
func all(t testing.TB, j *boltjournal.Journal, from uint64) (es []tweetstream.Entry) {
	t.Helper()
	buf := make([]tweetstream.Entry, 100)
	for {
		n, err := j.Read(ctx, from, buf)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return es
		}
		es = append(es, buf[:n]...)
		from = buf[n-1].Pos + 1
	}
}

// wantPosts compares what is read from a position on with the posts there, whose
// ids are one more than their positions.
func wantPosts(t testing.TB, j *boltjournal.Journal, from, first, next, size int) {
	t.Helper()
	got := all(t, j, uint64(from))
	if len(got) != next-first {
		t.Fatalf("%d entries from %d, want %d", len(got), from, next-first)
	}
	for i, e := range got {
		if want := post(first+i+1, size); e.Pos != uint64(first+i) || !e.Tweet.Equal(want) {
			t.Fatalf("entry %d: position %d, -want +got:\n%s", i, e.Pos, cmp.Diff(want, e.Tweet))
		}
	}
}

// lines is a log.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// await waits for a line with s in it.
func (l *lines) await(t testing.TB, s string) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(30 * time.Second); l.count(s) == 0; <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("the log never says %q:\n%s", s, l.String())
		}
	}
}

func (l *lines) count(s string) int { return strings.Count(l.String(), s) }

func (l *lines) option() boltjournal.Option {
	return boltjournal.Logger(slog.New(slog.NewTextHandler(l, nil)))
}
