package boltjournal_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/journal/boltjournal"
)

// TestMain also serves as the programs that tests limit or kill.
func TestMain(m *testing.M) {
	if f := children[os.Getenv("BOLTJOURNAL_CHILD")]; f != nil {
		if err := f(os.Getenv("BOLTJOURNAL_ARG")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

var children = map[string]func(arg string) error{"writes": childWrites, "compacts": childCompacts}

func child(t *testing.T, name, arg string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "BOLTJOURNAL_CHILD="+name, "BOLTJOURNAL_ARG="+arg)
	cmd.Stderr = os.Stderr
	return cmd
}

// running starts a child and returns it with what it prints.
func running(t *testing.T, name, arg string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := child(t, name, arg)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

// A process that is killed while it writes, again and again: every Append that
// has returned is there, at its position, and nothing stands between.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	const kills = 12
	acked := 0
	for range kills {
		cmd, told := running(t, "writes", dir)
		for range 1 + rand.IntN(25) {
			if !told.Scan() {
				t.Fatal("the child has ended by itself")
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for ok := true; ok; ok = told.Scan() { // what it had said before it died
			if n, err := strconv.Atoi(told.Text()); err == nil {
				acked = n
			}
		}
		_ = cmd.Wait() // killed
		j, st := start(t, dir)
		if int(st.Next) < acked || string(st.State) != fmt.Sprint(st.Next) {
			t.Fatalf("%d tweets are there, and the state is %q; %d were acknowledged", st.Next, st.State, acked)
		}
		first := int(j.Stats().First)
		if c := st.Cursors["sink"]; c < uint64(first) {
			t.Errorf("the cursor is at %d, the oldest entry at %d", c, first)
		}
		wantPosts(t, j, first, first, int(st.Next), 2400)
		closeJournal(t, j)
	}
	t.Logf("%d kills, %d tweets acknowledged", kills, acked)
}

// childWrites appends until it is killed, and prints the next position after each
// Append; a cursor follows.
func childWrites(dir string) error {
	j, err := boltjournal.Open(dir, boltjournal.FreeDisk(0), boltjournal.Chunks(200))
	if err != nil {
		return err
	}
	st, err := j.Start(ctx)
	if err != nil {
		return err
	}
	done := make(chan error)
	next := make(chan int, 1)
	go func() {
		for at := range next {
			if err := j.Commit(ctx, map[string]uint64{"sink": uint64(max(at-500, 0))}); err != nil {
				done <- err
			}
		}
	}()
	for id := int(st.Next) + 1; ; {
		last := id + rand.IntN(60)
		if _, err := j.Append(ctx, posts(id, last, 2400), fmt.Append(nil, last)); err != nil {
			return err
		}
		fmt.Println(last)
		select {
		case next <- last:
		case err := <-done:
			return err
		default:
		}
		id = last + 1
	}
}

// A standby takes over from a process that is killed.
func TestStandbyTakesOver(t *testing.T) {
	dir := t.TempDir()
	cmd, told := running(t, "writes", dir)
	if !told.Scan() {
		t.Fatal("the child has ended by itself")
	}
	if _, err := boltjournal.Stat(ctx, dir); err != boltjournal.ErrInUse {
		t.Errorf("Stat() = %v, want %v", err, boltjournal.ErrInUse)
	}
	if _, _, err := boltjournal.Compact(ctx, dir); err != boltjournal.ErrInUse {
		t.Errorf("Compact() = %v, want %v", err, boltjournal.ErrInUse)
	}
	var log lines
	j := open(t, dir, log.option())
	started := make(chan error)
	var st tweetstream.JournalState
	go func() {
		var err error
		st, err = j.Start(ctx)
		started <- err
	}()
	go func() {
		for told.Scan() { // the child writes on
		}
	}()
	log.await(t, "standby")
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	begin := time.Now()
	err := <-started
	if took := time.Since(begin); err != nil || took > slow {
		t.Fatalf("Start() = %v after %v", err, took)
	}
	first := int(j.Stats().First)
	wantPosts(t, j, first, first, int(st.Next), 2400)
}

// Compact that is killed at any moment leaves the old file or the new one.
func TestCompactKilled(t *testing.T) {
	dir := t.TempDir()
	j, _ := start(t, dir, boltjournal.Chunks(500))
	for id := 1; id < 10_000; id += 1000 {
		add(t, j, posts(id, id+999, 2400)...)
	}
	commit(t, j, map[string]uint64{"sink": 7000})
	closeJournal(t, j)
	for i := range 10 {
		cmd := child(t, "compacts", dir)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.NewTimer(time.Duration(i*8+rand.IntN(8)) * time.Millisecond)
		<-timer.C
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed, or done
		j, st := start(t, dir, boltjournal.Chunks(500))
		if st.Cursors["sink"] != 7000 || st.Next != 10_000 {
			t.Fatalf("%+v", st)
		}
		wantPosts(t, j, 7000, 7000, 10_000, 2400)
		closeJournal(t, j)
		left, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil || len(left) != 1 {
			t.Fatalf("after Start the folder holds %v", left)
		}
	}
}

func childCompacts(dir string) error {
	_, _, err := boltjournal.Compact(context.Background(), dir)
	return err
}

func TestCompact(t *testing.T) {
	dir := t.TempDir()
	j, _ := start(t, dir, boltjournal.Chunks(100), boltjournal.IDs(500))
	for id := 1; id < 2000; id += 100 {
		add(t, j, posts(id, id+99, 2400)...)
	}
	tomb := post(2001, 40)
	tomb.Deleted = true
	if _, err := j.Append(ctx, []*tweetstream.Tweet{tomb}, []byte("state")); err != nil {
		t.Fatal(err)
	}
	commit(t, j, map[string]uint64{"a": 1950, "b": 2001})
	closeJournal(t, j)
	want, err := boltjournal.Stat(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	if want.First != 1900 || want.Next != 2001 || want.Entries != 101 || want.Tombstones != 1 || want.Cursors[0].Waiting != 51 || want.Cursors[1].Waiting != 0 || !want.Newest.Equal(tomb.Received.Truncate(time.Second)) {
		t.Errorf("Stat() = %+v", want)
	}
	before, after, err := boltjournal.Compact(ctx, dir)
	if err != nil || before != want.File || after >= before/4 {
		t.Errorf("Compact() = %d, %d, %v", before, after, err)
	}
	got, err := boltjournal.Check(ctx, dir)
	if err != nil || got.File != after || got.Damaged != 0 {
		t.Errorf("Check() = %+v, %v", got, err)
	}
	j, st := start(t, dir)
	n := 0
	for range st.Newest {
		n++
	}
	if st.Next != 2001 || string(st.State) != "state" || n < 500 || st.Cursors["a"] != 1950 {
		t.Errorf("%+v, %d ids", st, n)
	}
	if got := all(t, j, 0); len(got) != 101 || !got[0].Tweet.Equal(post(1901, 2400)) || !got[100].Tweet.Equal(tomb) {
		t.Errorf("%d entries", len(got))
	}
}

func copyFile(t *testing.T, from, to string) []byte {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return data
}

// Files that are no journals are refused in words, and left as they are.
func TestStartRefuses(t *testing.T) {
	dir := t.TempDir()
	j, _ := start(t, dir)
	add(t, j, posts(1, 100, 2400)...)
	closeJournal(t, j)
	path := filepath.Join(dir, "journal.db")
	good := copyFile(t, path, filepath.Join(t.TempDir(), "copy"))
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"zeroes":           {make([]byte, 1<<20), "zeroes"},
		"short zeroes":     {make([]byte, 100), "zeroes"},
		"foreign":          {[]byte(strings.Repeat("hello ", 10_000)), "no journal"},
		"short foreign":    {[]byte("hello"), "no journal"},
		"truncated":        {good[:200<<10], "truncated"},
		"truncated early":  {good[:20<<10], "truncated"},
		"half a page":      {good[:2<<10], ""},
		"a later version":  {[]byte(strings.ReplaceAll(string(good), "tweetstream journal 1", "tweetstream journal 2")), "later version"},
		"another program":  {[]byte(strings.ReplaceAll(string(good), "tweetstream journal 1", "something else -----1")), "another program"},
		"both first pages": {append(make([]byte, 8192), good[8192:]...), "no journal"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, c.data, 0o600); err != nil {
				t.Fatal(err)
			}
			j := open(t, dir)
			soon, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			_, err := j.Start(soon)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("Start() = %v, want %q in it", err, c.want)
			}
			if got, err := os.ReadFile(path); err != nil || string(got) != string(c.data) {
				t.Errorf("the file was changed: %v", err)
			}
			if _, err := boltjournal.Stat(ctx, dir); err == nil {
				t.Error("Stat() succeeds")
			}
		})
	}
}
