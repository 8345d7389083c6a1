package boltjournal_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tweetstream-go/tweetstream/journal/boltjournal"
)

func TestWhatAllHavePassedIsDropped(t *testing.T) {
	dir := t.TempDir()
	j, _ := start(t, dir, boltjournal.Chunks(100), boltjournal.IDs(500))
	add(t, j, posts(1, 1000, 200)...)
	first := func(want uint64) {
		t.Helper()
		if s := j.Stats(); s.First != want || s.Next != 1000 {
			t.Errorf("from %d to %d, want from %d", s.First, s.Next, want)
		}
	}
	commit(t, j, nil)
	first(0) // without a sink nothing is passed
	commit(t, j, map[string]uint64{"a": 1000, "b": 250})
	first(200)
	wantPosts(t, j, 0, 200, 1000, 200)
	commit(t, j, map[string]uint64{"b": 1000})
	first(900) // what is appended to stays
	closeJournal(t, j)
	j, st := start(t, dir, boltjournal.Chunks(100))
	n := 0
	for range st.Newest {
		n++
	}
	if n < 500 || n > 700 {
		t.Errorf("%d ids are known, want at least 500", n)
	}
	wantPosts(t, j, 0, 900, 1000, 200)
}

func TestHistoryIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		j, _ := start(t, dir, boltjournal.Chunks(10), boltjournal.History(time.Hour, 1<<20))
		step := func(want uint64) {
			t.Helper()
			commit(t, j, map[string]uint64{"a": j.Stats().Next})
			if s := j.Stats(); s.First != want {
				t.Errorf("the oldest is %d, want %d", s.First, want)
			}
		}
		add(t, j, posts(1, 100, 100)...)
		step(0)
		time.Sleep(30 * time.Minute)
		add(t, j, posts(101, 200, 100)...)
		step(0)
		time.Sleep(31 * time.Minute)
		step(100)
		add(t, j, posts(201, 500, 10_000)...) // 3 MB: more than 1 MiB
		step(500 - 110)
		closeJournal(t, j)

		j, _ = start(t, filepath.Join(dir, "live"), boltjournal.Chunks(10), boltjournal.History(time.Hour, 0))
		add(t, j, posts(1, 100, 100)...)
		time.Sleep(2 * time.Hour)
		commit(t, j, nil) // without cursors history alone counts
		if s := j.Stats(); s.First != 90 {
			t.Errorf("the oldest is %d, want 90", s.First)
		}
		closeJournal(t, j)
	})
}

func TestNamesThatNobodyUsesAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		j, _ := start(t, dir, boltjournal.Chunks(10))
		add(t, j, posts(1, 100, 100)...)
		commit(t, j, map[string]uint64{"a": 5, "gone": 0})
		closeJournal(t, j)

		time.Sleep(8 * 24 * time.Hour)
		var log lines
		j, st := start(t, dir, boltjournal.Chunks(10), log.option())
		if len(st.Cursors) != 2 {
			t.Errorf("cursors after 8 days: %v", st.Cursors)
		}
		commit(t, j, map[string]uint64{"a": 50})
		if s := j.Stats(); s.First != 0 {
			t.Error("a name is forgotten before the sinks have said theirs")
		}
		time.Sleep(2 * time.Minute)
		add(t, j, post(101, 100))
		if s := j.Stats(); s.First != 50 || len(s.Cursors) != 1 || log.count("sink=gone") != 1 {
			t.Errorf("%+v\n%s", s, log.String())
		}
		// A sink in an outage for long is used all the same.
		for range 9 {
			time.Sleep(24 * time.Hour)
			add(t, j, post(102, 100))
		}
		if s := j.Stats(); s.First != 50 || len(s.Cursors) != 1 || time.Since(s.Cursors[0].Seen) > time.Hour {
			t.Errorf("%+v", s)
		}
		closeJournal(t, j)
	})
}

func TestFullJournalHoldsAndGoesOn(t *testing.T) {
	var log lines
	dir := t.TempDir()
	free := uint64(1 << 40)
	j, _ := start(t, dir, boltjournal.Limit(4<<20), boltjournal.FreeDisk(1<<30), boltjournal.Free(func() uint64 { return free }), log.option())
	commit(t, j, map[string]uint64{"a": 0, "b": 0})
	n := 0
	for {
		_, err := j.Append(ctx, posts(n+1, n+20, 2400), nil)
		if errors.Is(err, boltjournal.ErrFull) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		n += 20
	}
	if used := j.Stats().Used; used > 4<<20 || used < 3<<20 {
		t.Errorf("full at %d bytes", used)
	}
	if log.count("fills up") != 2 {
		t.Errorf("warnings:\n%s", log.String())
	}
	for k := 0; k < n; k += 100 { // sinks catch up
		commit(t, j, map[string]uint64{"a": uint64(k)})
		commit(t, j, map[string]uint64{"b": uint64(k)})
	}
	if log.count("room again") != 1 || log.count("fills up") != 2 {
		t.Errorf("warnings:\n%s", log.String())
	}
	add(t, j, posts(n+1, n+20, 2400)...)
}

func TestDiskIsKeptFree(t *testing.T) {
	free := uint64(1 << 40)
	j, _ := start(t, t.TempDir(), boltjournal.FreeDisk(1<<30), boltjournal.Free(func() uint64 { return free }), boltjournal.Chunks(100))
	add(t, j, posts(1, 1000, 2400)...)
	free = 1 << 29
	if _, err := j.Append(ctx, posts(1001, 1020, 2400), nil); !errors.Is(err, boltjournal.ErrFull) || !strings.Contains(err.Error(), "on the disk") {
		t.Fatalf("Append() = %v", err)
	}
	if next, err := j.Append(ctx, nil, []byte("state")); err != nil || next != 1000 {
		t.Errorf("Append() of a state = %d, %v", next, err)
	}
	commit(t, j, map[string]uint64{"a": 900})
	commit(t, j, map[string]uint64{"a": 900}) // what was dropped is free from the next one on
	size := j.Stats().File
	add(t, j, posts(1001, 1020, 2400)...) // into free pages of the file
	if s := j.Stats().File; s != size {
		t.Errorf("the file has grown from %d to %d", size, s)
	}
	free = 1 << 40
	add(t, j, posts(1021, 3000, 2400)...)
	wantPosts(t, j, 900, 900, 3000, 2400)
}

// A clock that was set back when names were said, or jumps, forgets none that is
// in use, and nothing before this program's sinks have said theirs.
func TestClockThatJumps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		year := 365 * 24 * time.Hour
		time.Sleep(year) // the clock is wrong, and the next program's is right again
		j, _ := start(t, dir)
		commit(t, j, map[string]uint64{"a": 0, "gone": 0})
		closeJournal(t, j)
		change(t, dir, boltjournal.SeenAt("gone", time.Now().Add(year)))
		change(t, dir, boltjournal.SeenAt("a", time.Now().Add(-year)))
		j, _ = start(t, dir)
		commit(t, j, map[string]uint64{"a": 1})
		time.Sleep(30 * time.Second)
		commit(t, j, nil)
		time.Sleep(time.Hour)
		commit(t, j, nil)
		if c := j.Stats().Cursors; len(c) != 2 {
			t.Errorf("cursors %v, want both: one is in use, the other's time is to come", c)
		}
		closeJournal(t, j)
	})
}
