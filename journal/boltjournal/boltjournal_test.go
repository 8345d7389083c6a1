package boltjournal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/journal/boltjournal"
)

func TestWhatIsAppendedComesBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	j, st := start(t, dir)
	if st.Next != 0 || st.State != nil || len(st.Cursors) != 0 {
		t.Errorf("a new journal holds %+v", st)
	}
	hostile := "\x00\xff\n\"\\\u2028" + strings.Repeat("\x00", 100)
	tweets := []*tweetstream.Tweet{
		post(1, 40),
		{ID: "2"},
		{ID: hostile, Raw: []byte(hostile), Rules: []tweetstream.Rule{{ID: hostile, Tag: hostile, Value: hostile}, {}}, Received: time.Date(1, 2, 3, 4, 5, 6, 7, time.FixedZone("x", 3600))},
		{ID: "007", Raw: []byte("{}"), Deleted: true, Recovered: true, Received: time.Now()},
		{ID: "9223372036854775807", Recovered: true, Received: time.Date(9999, 1, 1, 0, 0, 0, 999999999, time.UTC)},
		{ID: "18446744073709551615", Raw: bytes.Repeat([]byte("y"), 4<<20), Deleted: true},
		post(3, 100_000),
	}
	for i, x := range tweets {
		if next := add(t, j, x); next != uint64(i+1) {
			t.Errorf("Append() = %d, want %d", next, i+1)
		}
	}
	next, err := j.Append(ctx, tweets, []byte("so far"))
	if err != nil || next != 14 {
		t.Fatalf("Append() = %d, %v", next, err)
	}
	commit(t, j, map[string]uint64{"a": 0, "": 3, hostile: 14})
	for range 2 {
		got := all(t, j, 0)
		if len(got) != 14 {
			t.Fatalf("%d entries", len(got))
		}
		for i, e := range got {
			want := tweets[i%7]
			if e.Pos != uint64(i) || !e.Tweet.Equal(want) || e.Tweet.Received.Location() != time.UTC {
				t.Errorf("entry %d is another", i)
			}
		}
		closeJournal(t, j)
		j, st = start(t, dir)
		if diff := cmp.Diff(map[string]uint64{"a": 0, "": 3, hostile: 14}, st.Cursors); diff != "" || string(st.State) != "so far" || st.Next != 14 {
			t.Errorf("state %q, next %d, cursors -want +got:\n%s", st.State, st.Next, diff)
		}
		var want, gone, ids []string
		for range 2 {
			for _, x := range tweets {
				want = append(want, fmt.Sprint(x.ID, x.Deleted))
			}
			gone = append(gone, "007", "18446744073709551615")
		}
		for id, deleted := range st.Newest {
			ids = append(ids, fmt.Sprint(id, deleted))
		}
		if diff := cmp.Diff(want, ids); diff != "" {
			t.Errorf("Newest (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(gone, slices.Collect(st.Deleted)); diff != "" {
			t.Errorf("Deleted (-want +got):\n%s", diff)
		}
	}
	for path, mode := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, "journal.db"): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v, want %v", path, info.Mode(), err, mode)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"link", "in/link", "folder/journal.db"} {
		_ = os.MkdirAll(filepath.Dir(filepath.Join(dir, p)), 0o700)
	}
	if err := os.Symlink(dir, filepath.Join(dir, "link")); err != nil {
		t.Skip(err)
	}
	if err := os.Symlink(file, filepath.Join(dir, "in", "journal.db")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "folder", "journal.db"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		dir, want string
		opt       boltjournal.Option
	}{
		"empty":      {dir: "", want: "empty"},
		"file":       {dir: file, want: "not a folder"},
		"link":       {dir: filepath.Join(dir, "link"), want: "symbolic link"},
		"file link":  {dir: filepath.Join(dir, "in"), want: "symbolic link"},
		"file dir":   {dir: filepath.Join(dir, "folder"), want: "not a file"},
		"limit":      {dir: dir, want: "Limit", opt: boltjournal.Limit(1)},
		"floor":      {dir: dir, want: "FreeDisk", opt: boltjournal.FreeDisk(-1)},
		"history":    {dir: dir, want: "History", opt: boltjournal.History(0, 0)},
		"negative":   {dir: dir, want: "History", opt: boltjournal.History(0, -1)},
		"timeout":    {dir: dir, want: "LockTimeout", opt: boltjournal.LockTimeout(0)},
		"logger":     {dir: dir, want: "Logger", opt: boltjournal.Logger(nil)},
		"nil option": {dir: dir, want: "nil"},
	} {
		t.Run(name, func(t *testing.T) {
			opts := []boltjournal.Option{c.opt}
			if c.opt == nil && name != "nil option" {
				opts = nil
			}
			if _, err := boltjournal.Open(c.dir, opts...); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Open() = %v, want %q in it", err, c.want)
			}
		})
	}
}

func TestMethodsSayWhenTheyCantBeCalled(t *testing.T) {
	j := open(t, t.TempDir())
	if _, err := j.Append(ctx, posts(1, 1, 40), nil); err == nil {
		t.Error("Append before Start succeeds")
	}
	if _, err := j.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Start(ctx); err == nil {
		t.Error("a second Start succeeds")
	}
	if _, err := j.Append(ctx, []*tweetstream.Tweet{nil}, nil); err == nil {
		t.Error("a tweet that is nil is taken")
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := j.Append(done, posts(1, 1, 40), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Append() with a context that is done = %v", err)
	}
	closeJournal(t, j)
	closeJournal(t, j)
	_, err1 := j.Append(ctx, nil, nil)
	_, err2 := j.Read(ctx, 0, make([]tweetstream.Entry, 1))
	err3 := j.Commit(ctx, nil)
	for _, err := range []error{err1, err2, err3} {
		if !errors.Is(err, boltjournal.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	}
}

// Random operations have the effect that they have on a model in memory.
func TestJournalIsLikeItsModel(t *testing.T) {
	for seed := range uint64(3) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		dir := t.TempDir()
		opts := []boltjournal.Option{boltjournal.Chunks(50), boltjournal.IDs(300), boltjournal.SyncedPages(rnd.IntN(60))}
		j, _ := start(t, dir, opts...)
		var model []*tweetstream.Tweet
		var source []byte
		cursors := map[string]uint64{"a": 0, "b": 0, "c": 0}
		commit(t, j, cursors)
		for range 400 {
			switch op := rnd.IntN(20); {
			case op < 8:
				tweets := posts(len(model)+1, len(model)+rnd.IntN(120), rnd.IntN(3000))
				var state []byte
				if rnd.IntN(2) == 0 {
					state = fmt.Append(nil, len(model))
					source = state
				}
				model = append(model, tweets...)
				if next, err := j.Append(ctx, tweets, state); err != nil || next != uint64(len(model)) {
					t.Fatalf("Append() = %d, %v, want %d", next, err, len(model))
				}
			case op < 13:
				name := string(rune('a' + rnd.IntN(3)))
				cursors[name] = min(cursors[name]+rnd.Uint64N(600), uint64(len(model)))
				commit(t, j, map[string]uint64{name: cursors[name]})
			case op < 19:
				low := uint64(len(model))
				for _, c := range cursors {
					low = min(low, c)
				}
				from := low + rnd.Uint64N(100)
				dst := make([]tweetstream.Entry, 1+rnd.IntN(100))
				n, err := j.Read(ctx, from, dst)
				if want := min(len(dst), max(len(model)-int(from), 0)); err != nil || n != want {
					t.Fatalf("Read(%d) = %d, %v, want %d", from, n, err, want)
				}
				for i, e := range dst[:n] {
					if want := model[int(from)+i]; e.Pos != from+uint64(i) || !e.Tweet.Equal(want) {
						t.Fatalf("at %d: position %d, -want +got:\n%s", int(from)+i, e.Pos, cmp.Diff(want, e.Tweet))
					}
				}
			default:
				closeJournal(t, j)
				var st tweetstream.JournalState
				j, st = start(t, dir, opts...)
				if st.Next != uint64(len(model)) || !bytes.Equal(st.State, source) || !maps.Equal(st.Cursors, cursors) {
					t.Fatalf("after a restart: %d %q %v, want %d %q %v", st.Next, st.State, st.Cursors, len(model), source, cursors)
				}
				var got, want []string
				for id := range st.Newest {
					got = append(got, id)
				}
				for _, x := range model[max(len(model)-300, 0):] {
					want = append(want, x.ID)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("Newest (-want +got):\n%s", diff)
				}
			}
		}
		if s := j.Stats(); s.First == 0 {
			t.Error("nothing was dropped")
		}
		closeJournal(t, j)
	}
}

// A batch of any size is read in pieces that fit in memory.
func TestReadIsBounded(t *testing.T) {
	j, _ := start(t, t.TempDir())
	add(t, j, posts(1, 30, 1<<20)...)
	n, err := j.Read(ctx, 0, make([]tweetstream.Entry, 1000))
	if err != nil || n < 7 || n > 9 {
		t.Errorf("Read() = %d, %v, want about 8 of 1 MiB", n, err)
	}
	add(t, j, post(31, 9<<20))
	if n, err := j.Read(ctx, 30, make([]tweetstream.Entry, 10)); n != 1 || err != nil {
		t.Errorf("Read() of a large one = %d, %v", n, err)
	}

}

// Calls that come while a transaction is on its way share the next one.
func TestCallsShareATransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		commits := 0
		hold := make(chan struct{})
		close(hold)
		j, _ := start(t, t.TempDir(), boltjournal.Failed(func() error { commits++; <-hold; return nil }))
		hold = make(chan struct{})
		var calls sync.WaitGroup
		var next [100]uint64
		for i := range next {
			calls.Go(func() {
				var err error
				if next[i], err = j.Append(ctx, posts(1000*i, 1000*i+i, 40), nil); err != nil {
					t.Error(err)
				}
			})
			if i == 0 {
				synctest.Wait() // the first is on its way
			}
		}
		calls.Go(func() { commit(t, j, map[string]uint64{"a": 1}) })
		withdrawn, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if _, err := j.Append(withdrawn, posts(1, 1, 40), nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Append() = %v", err)
		}
		synctest.Wait()
		close(hold)
		calls.Wait()
		if commits != 3 { // that of Start, the first, and one for all others
			t.Errorf("%d commits, want 3", commits)
		}
		entries := all(t, j, 0)
		if len(entries) != 5050 {
			t.Errorf("%d entries, want 5050", len(entries))
		}
		for i, end := range next {
			for k := range i + 1 {
				if e := entries[int(end)-i-1+k]; e.Tweet.ID != fmt.Sprint(1000*i+k) {
					t.Fatalf("call %d: at %d stands %s", i, e.Pos, e.Tweet.ID)
				}
			}
		}
		closeJournal(t, j)
	})
}

// A commit that failed at its very end may be on disk all the same: what is tried
// again is there once, at the same position.
func TestCommitOfUnknownEnd(t *testing.T) {
	dir := t.TempDir()
	var fail error
	j, _ := start(t, dir, boltjournal.Chunks(10), boltjournal.Failed(func() error { return fail }))
	commit(t, j, map[string]uint64{"a": 0})
	if _, err := j.Append(ctx, posts(1, 15, 500), []byte("one")); err != nil {
		t.Fatal(err)
	}
	fail = errors.New("sync failed")
	for range 3 {
		if _, err := j.Append(ctx, posts(101, 140, 500), []byte("two")); !errors.Is(err, fail) {
			t.Fatalf("Append() = %v", err)
		}
		if err := j.Commit(ctx, map[string]uint64{"a": 12}); !errors.Is(err, fail) {
			t.Fatalf("Commit() = %v", err)
		}
		wantPosts(t, j, 10, 10, 15, 500)
	}
	fail = nil
	if next := add(t, j, posts(16, 30, 500)...); next != 30 {
		t.Errorf("Append() = %d, want 30", next)
	}
	wantPosts(t, j, 10, 10, 30, 500)
	closeJournal(t, j)
	j, st := start(t, dir)
	wantPosts(t, j, 10, 10, 30, 500)
	n := 0
	for range st.Newest {
		n++
	}
	if string(st.State) != "one" || n != 30 || st.Next != 30 {
		t.Errorf("state %q, next %d, %d ids", st.State, st.Next, n)
	}
}

func TestSecondStartWaits(t *testing.T) {
	dir := t.TempDir()
	first, _ := start(t, dir)
	var log lines
	short := open(t, dir, boltjournal.LockTimeout(time.Millisecond))
	if _, err := short.Start(ctx); !errors.Is(err, boltjournal.ErrInUse) {
		t.Errorf("Start() with a time-out = %v", err)
	}
	cancelled := open(t, dir)
	done, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	if _, err := cancelled.Start(done); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Start() = %v", err)
	}
	standby, closed := open(t, dir, log.option()), open(t, dir)
	started, ended := make(chan error), make(chan error)
	go func() { _, err := standby.Start(ctx); started <- err }()
	go func() { _, err := closed.Start(ctx); ended <- err }()
	closeJournal(t, closed)
	if err := <-ended; !errors.Is(err, boltjournal.ErrClosed) {
		t.Errorf("Start() = %v, want %v", err, boltjournal.ErrClosed)
	}
	add(t, first, posts(1, 3, 40)...)
	log.await(t, "standby")
	closeJournal(t, first)
	begin := time.Now()
	if err := <-started; err != nil || time.Since(begin) > slow {
		t.Errorf("Start() = %v after %v", err, time.Since(begin))
	}
	t.Logf("taken over after %v", time.Since(begin))
	wantPosts(t, standby, 0, 0, 3, 40)
	if log.count("standby") != 1 || log.count("takes over") != 1 {
		t.Errorf("the log:\n%s", log.String())
	}
}
