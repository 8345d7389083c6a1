package tweetstream_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream"
)

// A sleeper, a failure and a panic must not slow the others, nor the source.
func TestTroubledSinksDisturbNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, perSecond, atOnce = 20_000, 2_000, 20
		begin := time.Now()
		src := source(func(ctx context.Context, _ []byte, emit tweetstream.Emit) error {
			tick := time.NewTicker(time.Second * atOnce / perSecond)
			defer tick.Stop()
			for id := 1; id <= n; id += atOnce {
				<-tick.C
				if err := emit(ctx, posts(id, id+atOnce-1), nil); err != nil {
					return err
				}
			}
			if took := time.Since(begin); took != n/perSecond*time.Second {
				t.Errorf("the source was slowed to %v", took)
			}
			return nil
		})
		var one, batches, slow, wide, failing, panicking recorder
		var late time.Duration
		one.fail = func(_ context.Context, _ int, tweets []*tweetstream.Tweet) error {
			late = max(late, time.Since(tweets[0].Received))
			return nil
		}
		slow.fail = func(context.Context, int, []*tweetstream.Tweet) error {
			time.Sleep(time.Second)
			return nil
		}
		failing.fail = func(_ context.Context, call int, _ []*tweetstream.Tweet) error {
			if call%3 != 0 {
				return errors.New("out of order")
			}
			return nil
		}
		panicking.fail = func(_ context.Context, call int, tweets []*tweetstream.Tweet) error {
			if call%2 == 1 {
				panic(string(tweets[0].Raw))
			}
			return nil
		}
		r := start(t, src,
			tweetstream.WithSink("one", &one),
			tweetstream.WithSink("batches", &batches, tweetstream.Batch(500, time.Second)),
			tweetstream.WithSink("wide", &wide, tweetstream.Batch(10_000, 0)),
			tweetstream.WithSink("slow", &slow, tweetstream.Batch(1_000, 0)),
			tweetstream.WithSink("failing", &failing, tweetstream.Batch(100, 0)),
			tweetstream.WithSink("panicking", &panicking, tweetstream.Batch(100, 0)),
		)
		r.wait()
		for name, sink := range map[string]*recorder{"one": &one, "batches": &batches, "wide": &wide, "slow": &slow, "failing": &failing, "panicking": &panicking} {
			if diff := cmp.Diff(ids(1, n), sink.got()); diff != "" {
				t.Errorf("sink %s: each once and in order (-want +got):\n%s", name, diff)
			}
			if s := r.sink(name); s.Delivered != n || s.Waiting != 0 || len(s.Lost) != 0 {
				t.Errorf("sink %s: Stats %+v, want %d delivered and none waiting or lost", name, s, n)
			}
		}
		if late != 0 {
			t.Errorf("a tweet came %v late to a sink that is in no trouble", late)
		}
	})
}

func TestFullBufferDropsTheOldestAndNamesThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := strings.Repeat("x", 1<<16)
		src := source(func(ctx context.Context, _ []byte, emit tweetstream.Emit) error {
			for id := 1; id <= 100; id++ {
				if err := emit(ctx, []*tweetstream.Tweet{post(id, text)}, nil); err != nil || !sleepFor(ctx, time.Millisecond) {
					return err
				}
			}
			<-ctx.Done()
			return nil
		})
		var good, dead recorder
		dead.fail = func(context.Context, int, []*tweetstream.Tweet) error { return errors.New("down") }
		var grave graveyard
		var log lines
		r := start(t, src,
			tweetstream.WithSink("good", &good),
			tweetstream.WithSink("dead", &dead, tweetstream.Batch(10, 0)),
			tweetstream.WithBuffer(1<<20),
			tweetstream.WithDeadLetter(grave.bury),
			tweetstream.WithLogger(log.logger()),
		)
		after(time.Hour)
		if diff := cmp.Diff(ids(1, 100), good.got()); diff != "" {
			t.Errorf("the good sink (-want +got):\n%s", diff)
		}
		s := r.sink("dead")
		lost := grave.ids("dead", tweetstream.Overflowed)
		if s.State != tweetstream.Outage || s.Lost[tweetstream.Overflowed] != uint64(len(lost)) || s.Waiting != 100-uint64(len(lost)) {
			t.Errorf("Stats of the dead sink: %+v; %d letters", s, len(lost))
		}
		if s.WaitingBytes > 1<<20+11*(1<<16+200) || s.Oldest.Round(time.Second) != time.Hour {
			t.Errorf("waiting: %d bytes, the oldest for %v", s.WaitingBytes, s.Oldest)
		}
		r.stop()
		all := append(lost, grave.ids("dead", tweetstream.ShutDown)...)
		slices.SortFunc(all, func(a, b string) int { return len(a) - len(b) })
		if len(all) != 100 || len(dead.got()) != 0 {
			t.Errorf("%d of 100 tweets have a letter", len(all))
		}
		if s := r.sink("dead"); s.Waiting != 0 {
			t.Errorf("after Run: %d waiting, though all are accounted for", s.Waiting)
		}
		for _, want := range []string{`an outage`, `reason=overflowed`, `reason="shut down"`, `sink=dead`} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log does not say %s:\n%s", want, log.String())
			}
		}
	})
}

func TestBlockingSinkHoldsTheSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := strings.Repeat("x", 1<<16)
		emitted := 0
		src := source(func(ctx context.Context, _ []byte, emit tweetstream.Emit) error {
			for id := 1; id <= 100; id++ {
				if err := emit(ctx, []*tweetstream.Tweet{post(id, text)}, nil); err != nil || !sleepFor(ctx, time.Millisecond) {
					return err
				}
				emitted++
			}
			return nil
		})
		gate := make(chan struct{})
		var slow, fast recorder
		slow.fail = func(context.Context, int, []*tweetstream.Tweet) error {
			<-gate
			return nil
		}
		r := start(t, src,
			tweetstream.WithSink("slow", &slow, tweetstream.WhenFull(tweetstream.Block)),
			tweetstream.WithSink("fast", &fast),
			tweetstream.WithBuffer(1<<20),
		)
		after(time.Second)
		if emitted < 10 || emitted > 20 {
			t.Errorf("%d tweets of 64 KiB went into a buffer of 1 MiB", emitted)
		}
		if r.Stats().Held == "" {
			t.Error("Stats do not say that the source is held")
		}
		close(gate)
		r.wait()
		for name, sink := range map[string]*recorder{"slow": &slow, "fast": &fast} {
			if diff := cmp.Diff(ids(1, 100), sink.got()); diff != "" {
				t.Errorf("sink %s (-want +got):\n%s", name, diff)
			}
		}
		if held := r.Stats().Held; held != "" {
			t.Errorf("Stats still say held: %s", held)
		}
	})
}

type waitingSource struct{ source }

func (waitingSource) CanWait() bool { return true }

func TestSourceThatCanWaitIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := strings.Repeat("x", 1<<16)
		src := waitingSource{func(ctx context.Context, _ []byte, emit tweetstream.Emit) error {
			for id := 1; id <= 100; id++ {
				if err := emit(ctx, []*tweetstream.Tweet{post(id, text)}, nil); err != nil {
					return err
				}
			}
			return nil
		}}
		var slow recorder
		slow.fail = func(context.Context, int, []*tweetstream.Tweet) error {
			time.Sleep(time.Second)
			return nil
		}
		r := start(t, src, tweetstream.WithSink("slow", &slow), tweetstream.WithBuffer(1<<20))
		r.wait()
		if diff := cmp.Diff(ids(1, 100), slow.got()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

func TestRepeatsAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sink recorder
		src := ending(append(posts(1, 3), append(posts(2, 4), tombstone("7"), tombstone("7"))...)...)
		r := start(t, src, tweetstream.WithSink("sink", &sink))
		r.wait()
		if diff := cmp.Diff(ids(1, 4), sink.got()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if s := r.Stats(); s.Received != 8 || s.Repeats != 3 {
			t.Errorf("Stats: %d received, %d repeats, want 8 and 3", s.Received, s.Repeats)
		}
		var all recorder
		start(t, ending(append(posts(1, 2), posts(1, 2)...)...), tweetstream.WithSink("sink", &all), tweetstream.WithDedup(0)).wait()
		if diff := cmp.Diff([]string{"1", "2", "1", "2"}, all.got()); diff != "" {
			t.Errorf("without a window (-want +got):\n%s", diff)
		}
	})
}

func TestTransforms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var whole, part recorder
		var grave graveyard
		global := func(_ context.Context, tw *tweetstream.Tweet) (*tweetstream.Tweet, error) {
			switch tw.ID {
			case "3":
				return nil, fmt.Errorf("can't take %s", tw.Raw)
			case "4":
				panic(tw)
			case "5":
				return &tweetstream.Tweet{}, nil
			case "6":
				return tw.WithRaw([]byte(`{"data":{"id":"6","text":"masked"}}`)), nil
			}
			return tw, nil
		}
		r := start(t, ending(posts(1, 9)...),
			tweetstream.WithTransform(global),
			tweetstream.WithTransform(tweetstream.Keep(func(tw *tweetstream.Tweet) bool { return tw.ID != "2" })),
			tweetstream.WithSink("whole", &whole, tweetstream.Batch(100, 0)),
			tweetstream.WithSink("part", &part, tweetstream.Batch(100, 0), tweetstream.Through(
				func(_ context.Context, tw *tweetstream.Tweet) (*tweetstream.Tweet, error) {
					if tw.ID == "7" {
						return nil, errors.New("no sevens")
					}
					if string(tw.Raw) == `{"data":{"id":"6","text":"masked"}}` {
						return nil, nil
					}
					return tw, nil
				})),
			tweetstream.WithDeadLetter(grave.bury),
		)
		r.wait()
		if diff := cmp.Diff([]string{"1", "6", "7", "8", "9"}, whole.got()); diff != "" {
			t.Errorf("global transforms (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"1", "8", "9"}, part.got()); diff != "" {
			t.Errorf("transforms of one sink (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"3", "4", "5"}, grave.ids("", tweetstream.TransformFailed)); diff != "" {
			t.Errorf("letters of global transforms (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"7"}, grave.ids("part", tweetstream.TransformFailed)); diff != "" {
			t.Errorf("letters of the sink's transforms (-want +got):\n%s", diff)
		}
		if s := r.Stats(); s.Lost[tweetstream.TransformFailed] != 3 || s.Filtered != 1 || r.sink("part").Lost[tweetstream.TransformFailed] != 1 {
			t.Errorf("Stats: %+v", s)
		}
	})
}

// deleter is a recorder that follows deletes.
type deleter struct{ recorder }

func (d *deleter) Delete(_ context.Context, ids []string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range ids {
		d.ids = append(d.ids, "-"+id)
	}
	return nil
}

func TestTombstonesGoToDeletersInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var follows deleter
		var other recorder
		drop := tweetstream.Keep(func(tw *tweetstream.Tweet) bool { return tw.ID != "2" })
		src := source(func(ctx context.Context, _ []byte, emit tweetstream.Emit) error {
			_ = emit(ctx, posts(1, 2), nil)
			time.Sleep(time.Second)
			return emit(ctx, append([]*tweetstream.Tweet{tombstone("1"), tombstone("2")}, post(3, "c")), nil)
		})
		r := start(t, src,
			tweetstream.WithTransform(drop),
			tweetstream.WithSink("follows", &follows, tweetstream.Batch(100, 0), tweetstream.Through(drop)),
			tweetstream.WithSink("other", &other),
		)
		r.wait()
		if diff := cmp.Diff([]string{"1", "-1", "-2", "3"}, follows.got()); diff != "" {
			t.Errorf("a Deleter (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"1", "3"}, other.got()); diff != "" {
			t.Errorf("another sink (-want +got):\n%s", diff)
		}
	})
}

func TestCheckpointStaysBehindTheSlowestSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "checkpoint")
		var from []byte
		src := source(func(ctx context.Context, state []byte, emit tweetstream.Emit) error {
			from = state
			for id := 1; id <= 10; id++ {
				if err := emit(ctx, posts(id, id), fmt.Append(nil, "up to ", id)); err != nil {
					return err
				}
			}
			<-ctx.Done()
			return nil
		})
		var fast, slow recorder
		var up atomic.Bool
		slow.fail = func(_ context.Context, _ int, tweets []*tweetstream.Tweet) error {
			if tweets[0].ID == "4" && !up.Load() {
				return errors.New("down")
			}
			return nil
		}
		opts := []tweetstream.Option{
			tweetstream.WithSink("fast", &fast),
			tweetstream.WithSink("slow", &slow),
			tweetstream.WithCheckpoint(path),
		}
		r := start(t, src, opts...)
		after(time.Minute)
		r.stop()
		if from != nil {
			t.Errorf("the first run began from %q", from)
		}
		r = start(t, src, opts...)
		if got, want := string(from), "up to 3"; got != want {
			t.Errorf("the second run began from %q, want %q: the slow sink has no more", got, want)
		}
		up.Store(true)
		after(time.Minute)
		r.stop()
		r = start(t, src, opts...)
		if got, want := string(from), "up to 10"; got != want {
			t.Errorf("the third run began from %q, want %q", got, want)
		}
		r.stop()
	})
}

func TestRunReturnsTheSourcesError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fault := errors.New("no token")
		var sink recorder
		run := func(src source) error {
			s, err := tweetstream.New(src, tweetstream.WithSink("sink", &sink))
			if err != nil {
				t.Fatal(err)
			}
			err = s.Run(t.Context())
			if again := s.Run(t.Context()); !errors.Is(again, tweetstream.ErrRunTwice) {
				t.Errorf("second Run() = %v, want ErrRunTwice", again)
			}
			return err
		}
		err := run(func(ctx context.Context, _ []byte, emit tweetstream.Emit) error {
			_ = emit(ctx, posts(1, 3), nil)
			return fault
		})
		if !errors.Is(err, fault) {
			t.Errorf("Run() = %v, want the source's error", err)
		}
		if diff := cmp.Diff(ids(1, 3), sink.got()); diff != "" {
			t.Errorf("what came before the error is delivered (-want +got):\n%s", diff)
		}
		err = run(func(context.Context, []byte, tweetstream.Emit) error { panic("a secret") })
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("Run() of a source that panics = %v", err)
		}
	})
}

func TestEmitAfterTheEndFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var late tweetstream.Emit
		src := source(func(ctx context.Context, _ []byte, emit tweetstream.Emit) error {
			late = emit
			if err := emit(ctx, []*tweetstream.Tweet{{Raw: []byte("{}")}}, nil); err == nil {
				t.Error("emit took a tweet without an id")
			}
			return nil
		})
		var sink recorder
		start(t, src, tweetstream.WithSink("sink", &sink)).wait()
		if err := late(t.Context(), posts(1, 1), nil); err == nil {
			t.Error("emit took a tweet after the end")
		}
	})
}

func TestNewNamesEveryBadOption(t *testing.T) {
	sink := tweetstream.SinkFunc(func(context.Context, *tweetstream.Tweet) error { return nil })
	_, err := tweetstream.New(nil,
		tweetstream.WithBuffer(5),
		tweetstream.WithDedup(-1),
		tweetstream.WithDrain(-1),
		tweetstream.WithLogger(nil),
		tweetstream.WithJournal(nil),
		tweetstream.WithDeadLetter(nil),
		tweetstream.WithCheckpoint(""),
		tweetstream.WithTransform(nil),
		tweetstream.WithSink("Bad Name", sink),
		tweetstream.WithSink("twice", sink),
		tweetstream.WithSink("twice", sink),
		tweetstream.WithSink("none", nil),
		tweetstream.WithSink("nil-func", tweetstream.SinkFunc(nil)),
		tweetstream.WithSink("opts", sink,
			tweetstream.Batch(0, -1), tweetstream.Timeout(0), tweetstream.Retry(0, 0), tweetstream.GiveUp(0),
			tweetstream.WhenFull(7), tweetstream.Parallel(0), tweetstream.Through(nil), tweetstream.From("x"), tweetstream.Live(-1)),
	)
	if err == nil {
		t.Fatal("New() took it all")
	}
	for _, want := range []string{
		"the source is nil", "WithBuffer", "WithDedup", "WithDrain", "WithLogger", "WithJournal", "WithDeadLetter", "WithCheckpoint",
		"WithTransform", `"Bad Name"`, `"twice" is given twice`, `sink "none": WithSink`, `sink "nil-func": WithSink`,
		`sink "opts": Batch: want 1`, `sink "opts": Batch: wait`, "Timeout", "Retry", "GiveUp", "WhenFull", "Parallel", "Through", "From", "Live",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %s", want)
		}
	}
	if _, err := tweetstream.New(ending()); err == nil || !strings.Contains(err.Error(), "WithSink") {
		t.Errorf("New() without a sink = %v", err)
	}
	if _, err := tweetstream.New(ending(), tweetstream.WithSink("sink", sink)); err != nil {
		t.Errorf("New() = %v", err)
	}
}

type sinkWithDefaults struct{ recorder }

func (*sinkWithDefaults) Defaults() []tweetstream.SinkOption {
	return []tweetstream.SinkOption{tweetstream.Batch(50, 0), tweetstream.Timeout(time.Second)}
}

func TestSinkSaysItsDefaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for want, opts := range map[int][]tweetstream.SinkOption{50: nil, 10: {tweetstream.Batch(10, 0)}} {
			var sink sinkWithDefaults
			largest := 0
			sink.fail = func(ctx context.Context, _ int, tweets []*tweetstream.Tweet) error {
				largest = max(largest, len(tweets))
				if deadline, _ := ctx.Deadline(); time.Until(deadline) != time.Second {
					t.Errorf("deadline in %v, want the default of the sink", time.Until(deadline))
				}
				return nil
			}
			start(t, ending(posts(1, 100)...), tweetstream.WithSink("sink", &sink, opts...)).wait()
			if largest != want {
				t.Errorf("largest batch %d, want %d", largest, want)
			}
		}
	})
}
