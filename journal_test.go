package tweetstream_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream"
)

// memory is a Journal that keeps all it was given, in memory. Each use of it as
// a Journal is as after a restart.
type memory struct {
	mu      sync.Mutex
	entries []tweetstream.Entry
	first   uint64
	state   []byte
	cursors map[string]uint64
	full    error
}

func (m *memory) Start(context.Context) (tweetstream.JournalState, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	st := tweetstream.JournalState{Next: m.first + uint64(len(m.entries)), State: m.state, Cursors: maps.Clone(m.cursors)}
	st.Newest = func(yield func(string, bool) bool) {
		for _, e := range m.entries {
			if !yield(e.Tweet.ID, e.Tweet.Deleted) {
				return
			}
		}
	}
	st.Deleted = func(yield func(string) bool) {
		for _, e := range m.entries {
			if e.Tweet.Deleted && !yield(e.Tweet.ID) {
				return
			}
		}
	}
	return st, nil
}

func (m *memory) Append(_ context.Context, tweets []*tweetstream.Tweet, state []byte) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.full != nil {
		return 0, m.full
	}
	for _, t := range tweets {
		m.entries = append(m.entries, tweetstream.Entry{Pos: m.first + uint64(len(m.entries)), Tweet: t})
	}
	if state != nil {
		m.state = bytes.Clone(state)
	}
	return m.first + uint64(len(m.entries)), nil
}

func (m *memory) Read(_ context.Context, from uint64, dst []tweetstream.Entry) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	from = max(from, m.first) - m.first
	if from >= uint64(len(m.entries)) {
		return 0, nil
	}
	return copy(dst, m.entries[from:]), nil
}

func (m *memory) Commit(_ context.Context, cursors map[string]uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cursors == nil {
		m.cursors = map[string]uint64{}
	}
	maps.Copy(m.cursors, cursors)
	return nil
}

func (m *memory) setFull(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.full = err
}

// each emits tweets one by one.
func each(tweets []*tweetstream.Tweet) source {
	return func(ctx context.Context, _ []byte, emit tweetstream.Emit) error {
		for _, t := range tweets {
			if err := emit(ctx, []*tweetstream.Tweet{t}, []byte("up to "+t.ID)); err != nil {
				return err
			}
		}
		<-ctx.Done()
		return nil
	}
}

func big(from, to int) (ts []*tweetstream.Tweet) {
	text := strings.Repeat("x", 1<<16)
	for id := from; id <= to; id++ {
		ts = append(ts, post(id, text))
	}
	return ts
}

func TestJournalKeepsWhatASinkHasNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m memory
		var good, down recorder
		var grave graveyard
		down.fail = func(context.Context, int, []*tweetstream.Tweet) error { return errDown }
		opts := func(sink *recorder) []tweetstream.Option {
			return []tweetstream.Option{
				tweetstream.WithJournal(&m), tweetstream.WithBuffer(1 << 20), tweetstream.WithDeadLetter(grave.bury),
				tweetstream.WithSink("good", &good), tweetstream.WithSink("down", sink, tweetstream.Batch(7, 0)),
			}
		}
		r := start(t, each(big(1, 100)), opts(&down)...) // a hundred times 64 KiB through 1 MiB
		after(time.Minute)
		if diff := cmp.Diff(ids(1, 100), good.got()); diff != "" {
			t.Errorf("the good sink (-want +got):\n%s", diff)
		}
		if s := r.sink("down"); s.Waiting != 100 || len(s.Lost) != 0 {
			t.Errorf("Stats of the sink that is down: %+v", s)
		}
		r.stop()
		if len(grave.letters) != 0 {
			t.Errorf("%d letters, though the journal keeps all", len(grave.letters))
		}

		// The next run: the good sink goes on, the other reads from the journal.
		var up recorder
		var from []byte
		src := source(func(ctx context.Context, state []byte, emit tweetstream.Emit) error {
			from = state
			return each(append(big(99, 100), big(101, 110)...))(ctx, nil, emit)
		})
		r = start(t, src, opts(&up)...)
		after(time.Minute)
		if got := string(from); got != "up to 100" {
			t.Errorf("the source begins from %q", got)
		}
		if s := r.Stats(); s.Repeats != 2 {
			t.Errorf("%d repeats dropped, want 2 that an earlier run has seen", s.Repeats)
		}
		r.stop()
		if diff := cmp.Diff(ids(1, 110), good.got()); diff != "" {
			t.Errorf("the good sink, both runs (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(ids(1, 110), up.got()); diff != "" {
			t.Errorf("the sink that was down (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(map[string]uint64{"good": 110, "down": 110}, m.cursors); diff != "" {
			t.Errorf("cursors (-want +got):\n%s", diff)
		}
	})
}

func TestSinksBeginInTheJournalWhereTheySay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memory{cursors: map[string]uint64{"known": 15}, first: 10}
		if _, err := m.Append(t.Context(), posts(10, 29), nil); err != nil {
			t.Fatal(err)
		}
		var known, fresh, oldest, live recorder
		for range 2 {
			r := start(t, emitting(), tweetstream.WithJournal(&m),
				tweetstream.WithSink("known", &known, tweetstream.From(tweetstream.Oldest)),
				tweetstream.WithSink("fresh", &fresh),
				tweetstream.WithSink("oldest", &oldest, tweetstream.From(tweetstream.Oldest), tweetstream.Batch(3, 0)),
				tweetstream.WithSink("live", &live, tweetstream.Live(5)),
			)
			after(time.Minute)
			r.stop()
		}
		for name, c := range map[string]struct{ want, got []string }{
			"known":  {ids(15, 29), known.got()},
			"fresh":  {nil, fresh.got()},
			"oldest": {ids(10, 29), oldest.got()},
			"live":   {append(ids(25, 29), ids(25, 29)...), live.got()},
		} {
			if diff := cmp.Diff(c.want, c.got); diff != "" {
				t.Errorf("sink %s (-want +got):\n%s", name, diff)
			}
		}
		if _, stored := m.cursors["live"]; stored {
			t.Error("a cursor of the live sink is stored")
		}
	})
}

func TestJournalThatIsFullHoldsTheSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m memory
		var sink recorder
		var log lines
		m.setFull(errors.New("no space left on device"))
		r := start(t, each(posts(1, 3)), tweetstream.WithJournal(&m), tweetstream.WithSink("sink", &sink), tweetstream.WithLogger(log.logger()))
		after(time.Hour)
		if held := r.Stats().Held; !strings.Contains(held, "no space left") || len(sink.got()) != 0 {
			t.Errorf("held: %q; delivered %v", held, sink.got())
		}
		if n := strings.Count(log.String(), "the source is held"); n != 1 {
			t.Errorf("said %d times:\n%s", n, log.String())
		}
		m.setFull(nil)
		after(time.Minute)
		r.stop()
		if diff := cmp.Diff(ids(1, 3), sink.got()); diff != "" || r.Stats().Held != "" {
			t.Errorf("held %q; -want +got:\n%s", r.Stats().Held, diff)
		}

		// Stopped while it is held, the tweet at hand is named.
		m.setFull(errors.New("no space left on device"))
		r = start(t, each(posts(4, 5)), tweetstream.WithJournal(&m), tweetstream.WithSink("sink", &sink), tweetstream.WithLogger(log.logger()))
		after(time.Minute)
		r.stop()
		if !strings.Contains(log.String(), "tweets lost") || !strings.Contains(log.String(), "first=4") {
			t.Errorf("the tweet that the journal did not take is not named:\n%s", log.String())
		}
	})
}

// What many calls of Emit bring while an append is under way goes in the next.
func TestEmitsShareAnAppend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &slowJournal{}
		var sink recorder
		src := source(func(ctx context.Context, _ []byte, emit tweetstream.Emit) error {
			var all sync.WaitGroup
			for id := 1; id <= 100; id++ {
				all.Go(func() {
					if err := emit(ctx, posts(id, id), nil); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			return nil
		})
		begin := time.Now()
		r := start(t, src, tweetstream.WithJournal(j), tweetstream.WithSink("sink", &sink))
		r.wait()
		got := sink.got()
		slices.SortFunc(got, func(a, b string) int { return len(a)*1000 + len(b)*-1000 + strings.Compare(a, b) })
		if diff := cmp.Diff(ids(1, 100), got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if took := time.Since(begin); took > 3*time.Second {
			t.Errorf("100 calls took %v with a journal that takes a second", took)
		}
	})
}

type slowJournal struct{ memory }

func (j *slowJournal) Append(ctx context.Context, tweets []*tweetstream.Tweet, state []byte) (uint64, error) {
	time.Sleep(time.Second)
	return j.memory.Append(ctx, tweets, state)
}

// Killed right after the first tweet, a new sink is owed it in the next run.
func TestNamesAreKnownBeforeTheFirstTweet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memory{first: 7}
		down := recorder{fail: func(context.Context, int, []*tweetstream.Tweet) error { return errDown }}
		r := start(t, emitting(posts(1, 3)...), tweetstream.WithJournal(&m), tweetstream.WithSink("sink", &down))
		m.mu.Lock()
		got := maps.Clone(m.cursors) // as a kill would leave them, within the first second
		m.mu.Unlock()
		if diff := cmp.Diff(map[string]uint64{"sink": 7}, got); diff != "" {
			t.Errorf("cursors (-want +got):\n%s", diff)
		}
		r.stop()
	})
}

// Tweets taken out of turn, to tell a poison from an outage, do not hold the
// cursor when they are delivered, nor does a poison that is given up.
func TestCursorPassesWhatWasTakenOutOfTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m memory
		var grave graveyard
		sink := recorder{fail: func(_ context.Context, _ int, tweets []*tweetstream.Tweet) error {
			if has(tweets, "2") || has(tweets, "3") {
				return errDown
			}
			return nil
		}}
		odd := tweetstream.Keep(func(t *tweetstream.Tweet) bool { return t.ID != "5" })
		r := start(t, each(posts(1, 40)), tweetstream.WithJournal(&m), tweetstream.WithSink("sink", &sink, tweetstream.Through(odd)), tweetstream.WithDeadLetter(grave.bury))
		after(time.Hour)
		s := r.sink("sink")
		r.stop()
		if m.cursors["sink"] != 40 || s.Waiting != 0 || s.State != tweetstream.Running {
			t.Errorf("cursor %d, Stats %+v, want all 40 passed", m.cursors["sink"], s)
		}
		if diff := cmp.Diff([]string{"2", "3"}, grave.ids("sink", tweetstream.Rejected)); diff != "" {
			t.Errorf("dead letter (-want +got):\n%s", diff)
		}
		if n := len(sink.got()); n != 37 {
			t.Errorf("%d delivered, want 37", n)
		}
	})
}

// An append that is not where the log in memory is would shift every cursor.
func TestJournalAtAnotherPositionEndsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sink recorder
		var log lines
		r := start(t, ending(posts(1, 3)...), tweetstream.WithJournal(&shifted{}), tweetstream.WithSink("sink", &sink), tweetstream.WithLogger(log.logger()))
		if err := <-r.err; err == nil || !strings.Contains(err.Error(), "cursors") {
			t.Errorf("Run() = %v", err)
		}
		if len(sink.got()) != 0 || !strings.Contains(log.String(), "tweets lost") {
			t.Errorf("delivered %v; the log:\n%s", sink.got(), log.String())
		}
	})
}

type shifted struct{ memory }

func (j *shifted) Append(ctx context.Context, tweets []*tweetstream.Tweet, state []byte) (uint64, error) {
	next, err := j.memory.Append(ctx, tweets, state)
	return next + 1, err
}

// A crash repeats no more than what was settled in the fifth of a second before.
func TestCursorsAreStoredSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m memory
		var sink recorder
		r := start(t, everySecond(posts(1, 3)), tweetstream.WithJournal(&m), tweetstream.WithSink("sink", &sink))
		for want := range uint64(3) {
			after(250 * time.Millisecond)
			m.mu.Lock()
			got := m.cursors["sink"]
			m.mu.Unlock()
			if got != want+1 {
				t.Errorf("cursor %d a quarter of a second after the delivery, want %d", got, want+1)
			}
			after(750 * time.Millisecond)
		}
		r.stop()
	})
}
