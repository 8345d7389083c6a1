package wshub_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/journal/boltjournal"
	"github.com/tweetstream-go/tweetstream/sinks/wshub"
)

// A viewer who comes back goes on behind the Post that it has seen last,
// whatever its id looks like.
func TestSince(t *testing.T) {
	hub := serve(t, wshub.Newest(2))
	ids := rand.New(rand.NewPCG(1, 2)).Perm(100)
	for _, id := range ids {
		hub.deliver(tweet(id, 0))
	}
	wants := func(c *client, ids []int) {
		t.Helper()
		for _, id := range ids {
			c.sequence(id, 1)
		}
	}
	for _, n := range []int{0, 1, 50, 99} {
		wants(hub.view(fmt.Sprint("?since=", ids[n])), ids[n+1:])
	}
	again, err := hub.dial(fmt.Sprint("?since=", ids[10]), http.Header{"Last-Event-ID": {fmt.Sprint(ids[90])}})
	if err != nil {
		t.Fatal(err)
	}
	wants(again, ids[91:])
	for query, n := range map[string]int{"": 2, "?replay=0": 0, "?replay=7": 7, "?replay=100": 100, "?replay=1000": 1000, "?since=&replay=1": 1} {
		c := hub.view(query)
		wants(c, ids[len(ids)-min(n, len(ids)):])
		next := 1000 + len(ids)
		hub.deliver(tweet(next, 0))
		ids = append(ids, next)
		c.sequence(next, 1)
	}
	for _, query := range []string{"?replay=-1", "?replay=x", "?replay=99999999999", "?since=" + strings.Repeat("1", 129), "?since=%ff"} {
		if _, err := hub.dial(query, nil); fmt.Sprint(err) != "status 400" {
			t.Errorf("%s: %v, want status 400", query, err)
		}
	}
}

// gapAfter reads a message, which must tell of a gap.
func (c *client) gapAfter(id, reason string) {
	c.t.Helper()
	c.want(fmt.Sprintf(`{"gap":{"after":%q,"reason":%q}}`, id, reason))
}

// A Post that is gone is said to be.
func TestGap(t *testing.T) {
	hub := serve(t, wshub.MaxLag(64<<10, time.Minute))
	for i := range 100 {
		hub.deliver(tweet(i, 1000))
	}
	c := hub.view("?since=3")
	c.gapAfter("3", "gone")
	first, err := c.message()
	if from := number(first); err != nil || from < 60 || from > 75 {
		t.Fatalf("message %d, %v, want the oldest of 32 KiB", from, err)
	}
	c.sequence(number(first)+1, 99-number(first))
	hub.deliver(tweet(100, 0))
	c.sequence(100, 1)
}

// memory is a history. What is stored comes later than what is delivered.
type memory struct {
	mu     sync.Mutex
	tweets []*tweetstream.Tweet
	asked  int
	err    error
}

func (m *memory) store(tweets ...*tweetstream.Tweet) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tweets = append(m.tweets, tweets...)
}

func (m *memory) After(_ context.Context, id string, most int) ([]*tweetstream.Tweet, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked++
	i := slices.IndexFunc(m.tweets, func(t *tweetstream.Tweet) bool { return t.ID == id })
	if m.err != nil || i < 0 {
		return nil, errors.Join(m.err, wshub.ErrUnknown)
	}
	return slices.Clone(m.tweets[i+1 : min(len(m.tweets), i+1+most)]), nil
}

// What the hub does not keep itself comes out of the history, and where they
// meet no Post is missing and none comes twice, also while the ring moves on.
func TestHistory(t *testing.T) {
	store := &memory{}
	hub := serve(t, wshub.Resume(store), wshub.MaxLag(1<<20, time.Minute))
	const old, n = 3000, 6000
	show := func(i int) {
		one := tweet(i, 500, fmt.Sprint("t", i%3))
		hub.deliver(one)
		store.store(one)
	}
	for i := range old {
		show(i)
	}
	clients := map[int]*client{}
	for _, since := range []int{0, 1, 100, 1500, 2900, 2999} {
		clients[since] = hub.view(fmt.Sprint("?since=", since))
	}
	clients[-1] = hub.view("?since=30&tag=t0")
	go func() {
		for i := old; i < n; i++ {
			// A slow machine must not make anybody too slow. Who comes out of
			// the past has half of MaxLag before it.
			await(t, "nobody is far behind", func() bool { return hub.Stats().Lag.Max < 600<<10 })
			show(i)
		}
	}()
	var all sync.WaitGroup
	for since, c := range clients {
		all.Go(func() {
			if since >= 0 {
				c.sequence(since+1, n-since-1)
				return
			}
			for i := 33; i < n; i += 3 {
				c.sequence(i, 1)
			}
		})
	}
	all.Wait()
}

// A history may be behind the hub for a while, and end behind it for good.
func TestHistoryBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memory{}
		hub := servePipe(t, wshub.Resume(store), wshub.MaxLag(64<<10, time.Hour))
		for i := range 200 {
			hub.deliver(tweet(i, 1000))
			if i < 100 {
				store.store(tweet(i, 1000))
			}
		}
		began := time.Now()
		late, never, unknown := hub.view("?since=50"), hub.view("?since=50"), hub.view("?since=unknown")
		late.sequence(51, 49)
		never.sequence(51, 49)
		never.gapAfter("99", "gone")
		if took := time.Since(began); took < 3*time.Second || took > 4*time.Second {
			t.Errorf("the gap is said after %v, want 3 to 4 s", took)
		}
		unknown.gapAfter("unknown", "gone")
		late.gapAfter("99", "gone")
		first, _ := never.message()
		never.sequence(number(first)+1, 199-number(first))

		late = hub.view("?since=50")
		late.sequence(51, 49)
		time.Sleep(time.Second)
		for i := 100; i < 200; i++ {
			store.store(tweet(i, 1000))
		}
		late.sequence(100, 100)
		hub.deliver(tweet(200, 0))
		for _, c := range []*client{late, never} {
			c.sequence(200, 1)
		}
	})
}

// After a restart the history knows what the hub is yet to get, or will never get
// again.
func TestHistoryAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, first := range []int{5, 11} {
			store := &memory{}
			hub := servePipe(t, wshub.Resume(store))
			for i := range 11 {
				store.store(tweet(i, 0))
			}
			c, behind := hub.view("?since=10"), hub.view("?since=7")
			behind.sequence(8, 3)
			time.Sleep(20 * time.Second)
			for i := first; i < 20; i++ {
				hub.deliver(tweet(i, 0))
				if i > 10 {
					store.store(tweet(i, 0))
				}
			}
			c.sequence(11, 9)
			behind.sequence(11, 9)
		}
	})
}

// Without a history, a ring that is filled again after a restart is waited for.
func TestRingFilledLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := servePipe(t)
		c := hub.view("?since=5")
		hub.deliver(tweet(1, 0), tweet(2, 0))
		time.Sleep(time.Second)
		for i := 3; i < 10; i++ {
			hub.deliver(tweet(i, 0))
		}
		c.sequence(6, 4)
	})
}

// A history that fails does not keep a viewer from going on, and one that takes
// nothing does not stay.
func TestHistoryFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memory{err: errors.New("the database is down")}
		hub := servePipe(t, wshub.Resume(store))
		hub.deliver(tweet(1, 0))
		c := hub.view("?since=0")
		c.gapAfter("0", "gone")
		c.sequence(1, 1)
		if store.asked > 30 {
			t.Errorf("the history was asked %d times in 3 s", store.asked)
		}
		store.err = nil
		for i := -1000; i < 1; i++ {
			store.store(tweet(i, 1000))
		}
		hub.view("?since=-1000")
		time.Sleep(15 * time.Second)
		synctest.Wait()
		if s := hub.Stats(); s.CutOff[wshub.Slow] != 1 || s.Viewers != 1 {
			t.Errorf("Stats() = %+v, want one cut off", s)
		}
	})
}

// What was deleted, and what a browser would close the connection over, does not come
// out of the history; the rest does, as WebSocket has it and as events do.
func TestHistoryLeavesOut(t *testing.T) {
	store := &memory{}
	hub := serve(t, wshub.Resume(store), wshub.Newest(0))
	events := httptest.NewServer(hub.Events())
	t.Cleanup(events.Close)
	t.Cleanup(events.CloseClientConnections)
	const n = 250 // some pages
	for i := range n {
		store.store(tweet(i, 0, fmt.Sprint("t", i%2)))
	}
	gone := map[int]bool{10: true, 11: true, 12: true, 120: true}
	store.tweets[10].Raw = []byte("{\"text\":\"caf\xe9\"}")
	store.tweets[11].Deleted = true
	if err := hub.Delete(t.Context(), []string{"12", "120"}); err != nil { // the store has not heard of it
		t.Fatal(err)
	}
	hub.deliver(tweet(n-1, 0, fmt.Sprint("t", (n-1)%2)), tweet(n, 0, "t0", "t1"))
	for query, step := range map[string]int{"?since=4": 1, "?since=4&tag=t0": 2} {
		c, e := hub.view(query), hub.events(events, query, nil)
		for i := 4 + step; i <= n; i += step {
			if !gone[i] {
				c.sequence(i, 1)
				e.sequence(i, 1)
			}
		}
	}
}

// inquest is a history that takes its time, and keeps who asks.
type inquest struct {
	mu       sync.Mutex
	under    int // questions under way
	most     int
	asked    []string
	release  chan struct{}
	deadline time.Duration // of the last question
}

func (q *inquest) After(ctx context.Context, id string, _ int) ([]*tweetstream.Tweet, error) {
	q.mu.Lock()
	q.asked = append(q.asked, id)
	q.under++
	q.most = max(q.most, q.under)
	if at, ok := ctx.Deadline(); ok {
		q.deadline = time.Until(at)
	}
	q.mu.Unlock()
	defer func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.under--
	}()
	select {
	case <-q.release:
		return nil, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// However many viewers come back, a history has four questions to answer at a time,
// and one who has left asks none.
func TestHistoryQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &inquest{release: make(chan struct{})}
		hub := servePipe(t, wshub.Resume(store))
		var clients []*client
		for i := range 10 {
			clients = append(clients, hub.view(fmt.Sprint("?since=", i)))
		}
		if store.under != 4 {
			t.Errorf("%d questions are under way, want 4", store.under)
		}
		clients[1].conn.Close() // it is being answered
		clients[9].conn.Close() // it waits for its turn
		synctest.Wait()
		if store.under != 4 || len(store.asked) != 5 {
			t.Errorf("%d questions are under way, and %d were asked, want 4 and 5: the place of who left is free", store.under, len(store.asked))
		}
		close(store.release)
		for i := range 10 {
			hub.deliver(tweet(i, 0))
		}
		hub.deliver(tweet(100, 0))
		for i, c := range clients[:9] {
			if i != 1 {
				c.sequence(i+1, 9-i)
				c.sequence(100, 1)
			}
		}
		synctest.Wait()
		if store.most != 4 || slices.Contains(store.asked, "9") {
			t.Errorf("%d questions at once, of %v, want 4 and none of who had left", store.most, store.asked)
		}
	})
}

// A history that does not answer is given 15 seconds.
func TestHistoryHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &inquest{}
		hub := servePipe(t, wshub.Resume(store))
		hub.deliver(tweet(1, 0))
		began := time.Now()
		c := hub.view("?since=0")
		c.gapAfter("0", "gone")
		if took := time.Since(began); took < 15*time.Second || took > 40*time.Second || store.deadline != 15*time.Second {
			t.Errorf("the gap is said after %v, and a question may take %v", took, store.deadline)
		}
		c.sequence(1, 1)
	})
}

// A viewer that reads the past when the hub closes is told to go.
func TestHistoryClose(t *testing.T) {
	store := &memory{}
	store.store(tweet(1, 0))
	hub := serve(t, wshub.Resume(store))
	c := hub.view("?since=1") // there is nothing yet
	closed := make(chan error, 1)
	go func() { closed <- hub.Close(context.Background()) }()
	c.wantClose(1001)
	c.send(closing(1001, ""))
	if err := <-closed; err != nil {
		t.Errorf("Close() = %v, want nil", err)
	}
}

// A journal is a history; Posts that were deleted are not in it.
func TestJournalHistory(t *testing.T) {
	ctx := context.Background()
	j, err := boltjournal.Open(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if _, err := j.Start(ctx); err != nil {
		t.Fatal(err)
	}
	store := func(tweets ...*tweetstream.Tweet) {
		t.Helper()
		if _, err := j.Append(ctx, tweets, nil); err != nil {
			t.Fatal(err)
		}
	}
	past := wshub.JournalHistory(j)
	if _, err := past.After(ctx, "1", 10); !errors.Is(err, wshub.ErrUnknown) {
		t.Errorf("After() in an empty journal = %v, want %v", err, wshub.ErrUnknown)
	}
	var all []*tweetstream.Tweet
	for i := range 5000 {
		all = append(all, tweet(5000-i, 0))
	}
	store(all...)
	follow := func(id string, most int) (ids []string) {
		t.Helper()
		for {
			tweets, err := past.After(ctx, id, most)
			if err != nil {
				t.Fatalf("After(%s) = %v", id, err)
			}
			if len(tweets) == 0 {
				return ids
			}
			for _, tw := range tweets {
				ids = append(ids, tw.ID)
			}
			id = ids[len(ids)-1]
		}
	}
	want := func(id string, most, n int, first, last string) {
		t.Helper()
		ids := follow(id, most)
		if len(ids) != n || n > 0 && (ids[0] != first || ids[n-1] != last) {
			t.Errorf("%d Posts behind %s, %v, want %d from %s to %s", len(ids), id, ids[:min(2, len(ids))], n, first, last)
		}
	}
	want("1", 10, 0, "", "")
	want("2", 10, 1, "1", "1")
	want("5000", 700, 4999, "4999", "1")
	if _, err := past.After(ctx, "none", 10); !errors.Is(err, wshub.ErrUnknown) {
		t.Errorf("After() of no id = %v, want %v", err, wshub.ErrUnknown)
	}
	store(tweet(6000, 0), &tweetstream.Tweet{ID: "3", Deleted: true, Raw: []byte(`{}`)}, tweet(6001, 0))
	want("4", 1, 4, "2", "6001")
	want("3", 10, 4, "2", "6001")
}
