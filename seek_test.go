package tweetstream_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tweetstream-go/tweetstream"
)

// A paused sink gets nothing more when Run ends, but a Deliver under way has the
// drain time like any other.
func TestPauseCutsNoDeliverOffAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cut error
		sink := recorder{fail: func(ctx context.Context, _ int, _ []*tweetstream.Tweet) error {
			select {
			case <-time.After(5 * time.Second):
			case <-ctx.Done():
				cut = ctx.Err()
			}
			return cut
		}}
		r := start(t, emitting(posts(1, 1)...), tweetstream.WithSink("s", &sink))
		after(time.Second)
		if err := r.Pause("s"); err != nil {
			t.Fatal(err)
		}
		r.stop()
		if s := r.sink("s"); cut != nil || s.Delivered != 1 {
			t.Errorf("the Deliver under way ended with %v: %+v", cut, s)
		}
	})
}

// Sought while others are still at it, a sink goes on, or Seek says that it is
// too late.
func TestSeekOfASinkThatHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m memory
		var fast recorder
		slow := recorder{fail: func(context.Context, int, []*tweetstream.Tweet) error { time.Sleep(time.Second); return nil }}
		r := start(t, ending(posts(1, 10)...), tweetstream.WithJournal(&m), tweetstream.WithSink("fast", &fast), tweetstream.WithSink("slow", &slow))
		after(3 * time.Second)
		err := r.Seek("fast", tweetstream.Oldest)
		r.wait()
		if n := len(fast.got()); err == nil && n != 20 {
			t.Errorf("Seek() = nil, and Run has returned with %d of 20 delivered and the cursor at %d", n, m.cursors["fast"])
		}
	})
}

// unreadable is a journal with a bad place.
type unreadable struct {
	memory
	bad uint64
}

func (u *unreadable) Read(ctx context.Context, from uint64, dst []tweetstream.Entry) (int, error) {
	if from == u.bad {
		return 0, errors.New("checksum does not match")
	}
	n, err := u.memory.Read(ctx, from, dst)
	for i := range n {
		if dst[i].Pos == u.bad {
			return i, nil
		}
	}
	return n, err
}

// An operator can lead a sink past what can't be read.
func TestSeekPastWhatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := unreadable{bad: 5}
		if _, err := u.Append(t.Context(), posts(0, 9), nil); err != nil {
			t.Fatal(err)
		}
		var sink recorder
		src := source(func(ctx context.Context, _ []byte, emit tweetstream.Emit) error {
			time.Sleep(90 * time.Minute)
			_ = emit(ctx, posts(10, 12), nil)
			<-ctx.Done()
			return nil
		})
		r := start(t, src, tweetstream.WithJournal(&u), tweetstream.WithSink("s", &sink, tweetstream.From(tweetstream.Oldest)))
		after(time.Hour)
		if s := r.sink("s"); s.State == tweetstream.Running || s.LastError == "" {
			t.Errorf("a sink that waits for a journal that can't be read: %+v", s)
		}
		if err := r.Seek("s", "7"); err != nil {
			t.Errorf("to a Post this side of it: %v", err)
		}
		if err := r.Seek("s", tweetstream.Newest); err != nil {
			t.Error(err)
		}
		after(time.Hour)
		if got := sink.got(); len(got) == 0 || got[len(got)-1] != "12" {
			t.Errorf("got %v, want 10 to 12 too", got)
		}
		r.stop()
	})
}

// What the journal has no more is counted, also behind its first place.
func TestHolesInTheJournalAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m memory
		if _, err := m.Append(t.Context(), posts(0, 9), nil); err != nil {
			t.Fatal(err)
		}
		holes := &holes{memory: &m}
		var sink recorder
		r := start(t, emitting(), tweetstream.WithJournal(holes), tweetstream.WithSink("s", &sink, tweetstream.From(tweetstream.Oldest), tweetstream.Batch(100, 0)))
		after(time.Second)
		if s := r.sink("s"); s.Delivered+s.Lost[tweetstream.Overflowed] != 10 {
			t.Errorf("%d delivered, %v lost, of 10", s.Delivered, s.Lost)
		}
		r.stop()
	})
}

type holes struct{ *memory }

func (h *holes) Read(ctx context.Context, from uint64, dst []tweetstream.Entry) (int, error) {
	n, err := h.memory.Read(ctx, from, dst)
	kept := dst[:0]
	for _, e := range dst[:n] {
		if e.Pos != 4 && e.Pos != 5 {
			kept = append(kept, e)
		}
	}
	return len(kept), err
}

// Sent to the oldest once, a sink is told all the same of what it misses later.
func TestSeekToTheOldestHidesNoLaterLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m pruning
		var hang atomic.Bool
		live := recorder{fail: func(context.Context, int, []*tweetstream.Tweet) error {
			for hang.Load() {
				time.Sleep(time.Second)
			}
			return nil
		}}
		var other recorder
		src := source(func(ctx context.Context, _ []byte, emit tweetstream.Emit) error {
			for i := 1; i <= 100; i++ {
				if err := emit(ctx, big(i, i), nil); err != nil {
					return err
				}
				time.Sleep(3 * time.Second)
			}
			<-ctx.Done()
			return nil
		})
		r := start(t, src, tweetstream.WithJournal(&m), tweetstream.WithBuffer(1<<20),
			tweetstream.WithSink("live", &live, tweetstream.Live(10)), tweetstream.WithSink("other", &other))
		after(11500 * time.Millisecond)
		if err := r.Seek("live", tweetstream.Oldest); err != nil {
			t.Fatal(err)
		}
		after(15 * time.Second)
		hang.Store(true)
		after(240 * time.Second)
		hang.Store(false)
		after(time.Minute)
		missed := 100 - len(live.got())
		if s := r.sink("live"); missed <= 0 || s.Lost[tweetstream.Overflowed] == 0 {
			t.Errorf("%d missed, lost %v", missed, s.Lost)
		}
		r.stop()
	})
}

// far is a journal with a long way before it.
type far struct {
	next uint64
	t    *tweetstream.Tweet
}

func (f *far) Start(context.Context) (tweetstream.JournalState, error) {
	return tweetstream.JournalState{Next: f.next, Cursors: map[string]uint64{"s": 0}}, nil
}
func (f *far) Append(_ context.Context, ts []*tweetstream.Tweet, _ []byte) (uint64, error) {
	f.next += uint64(len(ts))
	return f.next, nil
}
func (f *far) Read(_ context.Context, from uint64, dst []tweetstream.Entry) (int, error) {
	for i := range dst {
		dst[i] = tweetstream.Entry{Pos: from + uint64(i), Tweet: f.t}
	}
	return len(dst), nil
}
func (f *far) Commit(context.Context, map[string]uint64) error { return nil }

// After terabytes the figures still hold: 4 MiB a Post stand for many small ones.
func TestWaitingBytesDoNotOverflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &far{1 << 39, post(1, string(make([]byte, 1<<20)))}
		sink := recorder{fail: func(_ context.Context, call int, _ []*tweetstream.Tweet) error {
			if call > 20 {
				return errDown
			}
			return nil
		}}
		r := start(t, emitting(), tweetstream.WithJournal(f), tweetstream.WithSink("s", &sink))
		after(time.Second)
		want := int64(f.next) * int64(len(f.t.Raw)) / 2
		if s := r.sink("s"); s.WaitingBytes < want {
			t.Errorf("WaitingBytes %d, want more than %d", s.WaitingBytes, want)
		}
		r.stop()
	})
}

// The same tweets have the same size, wherever they wait.
func TestWaitingBytesAreOfOneKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sink recorder
		r := start(t, everySecond(posts(10, 29)), tweetstream.WithSink("s", &sink), tweetstream.WithSink("batch", &recorder{}, tweetstream.Batch(100, time.Hour)))
		if err := r.Pause("s"); err != nil {
			t.Fatal(err)
		}
		after(time.Minute)
		a, b := r.sink("s"), r.sink("batch")
		a.Waiting++ // the first was delivered
		if a.WaitingBytes > b.WaitingBytes {
			t.Errorf("%d tweets are %d bytes, and %d are %d", a.Waiting-1, a.WaitingBytes, b.Waiting, b.WaitingBytes)
		}
		r.stop()
	})
}

// Sought, paused and resumed from all sides, under real parallelism, a sink gets
// all in the end, and no goroutine waits for ever. For -race.
func TestControlInParallel(t *testing.T) {
	for _, opts := range [][]tweetstream.SinkOption{
		{tweetstream.Batch(7, time.Millisecond)},
		{tweetstream.Parallel(4), tweetstream.Batch(3, 0)},
	} {
		opts = append(opts, tweetstream.Retry(time.Microsecond, time.Millisecond))
		var m memory
		var calls atomic.Int64
		var quiet atomic.Bool
		sink := &recorder{fail: func(context.Context, int, []*tweetstream.Tweet) error {
			if n := calls.Add(1); !quiet.Load() && n/50%3 == 0 {
				return errDown
			}
			return nil
		}}
		const n = 3000
		src := source(func(ctx context.Context, _ []byte, emit tweetstream.Emit) error {
			for i := 1; i <= n; i += 10 {
				if err := emit(ctx, posts(i, i+9), nil); err != nil {
					return err
				}
			}
			<-ctx.Done()
			return nil
		})
		s, err := tweetstream.New(src, tweetstream.WithJournal(&m), tweetstream.WithSink("s", sink, opts...),
			tweetstream.WithBuffer(1<<20), tweetstream.WithLogger(new(lines).logger()))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- s.Run(ctx) }()
		for s.Stats().State != tweetstream.Running {
			time.Sleep(time.Millisecond)
		}
		var wg sync.WaitGroup
		for g := range 3 {
			wg.Go(func() {
				rnd := rand.New(rand.NewSource(int64(g)))
				for range 300 {
					switch rnd.Intn(5) {
					case 0:
						_ = s.Pause("s")
					case 1, 2:
						_ = s.Resume("s")
					case 3:
						_ = s.Seek("s", tweetstream.Position(fmt.Sprint(1+rnd.Intn(n))))
					default:
						_ = s.Stats()
					}
					time.Sleep(100 * time.Microsecond)
				}
			})
		}
		wg.Wait()
		_ = s.Resume("s")
		quiet.Store(true)
		if err := s.Seek("s", tweetstream.Oldest); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(20 * time.Second); s.Stats().Sinks[0].Waiting > 0; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("does not end: %+v", s.Stats().Sinks[0])
			}
		}
		got := map[string]bool{}
		for _, id := range sink.got() {
			got[id] = true
		}
		if len(got) != n {
			t.Errorf("%d of %d delivered", len(got), n)
		}
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
		if m.cursors["s"] != n {
			t.Errorf("cursor %d, want %d", m.cursors["s"], n)
		}
	}
}
