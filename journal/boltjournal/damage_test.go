package boltjournal_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/journal/boltjournal"
)

// An entry that is not whole is left out, named and counted, and the next one
// comes.
func TestDamagedEntryIsLeftOut(t *testing.T) {
	dir := t.TempDir()
	j, _ := start(t, dir)
	add(t, j, posts(1, 100, 2400)...)
	closeJournal(t, j)
	path := filepath.Join(dir, "journal.db")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(data, post(51, 2400).Raw)
	data[at+100]++
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := boltjournal.Check(ctx, dir); err != nil || s.Damaged != 1 {
		t.Errorf("Check() = %+v, %v", s, err)
	}
	if _, _, err := boltjournal.Compact(ctx, dir); !errors.Is(err, boltjournal.ErrDamaged) {
		t.Errorf("Compact() = %v", err)
	}
	var log lines
	j, _ = start(t, dir, log.option())
	for range 3 {
		dst := make([]tweetstream.Entry, 100)
		if n, err := j.Read(ctx, 0, dst); n != 50 || err != nil {
			t.Errorf("Read() = %d, %v, want 50 up to the damage", n, err)
		}
		wantPosts(t, j, 50, 51, 100, 2400)
	}
	if log.count("damaged") != 1 || log.count("from=50") != 1 || log.count("first=51") != 1 || j.Stats().Damaged != 1 {
		t.Errorf("%d damaged; the log:\n%s", j.Stats().Damaged, log.String())
	}
	closeJournal(t, j)
	out, err := boltjournal.Salvage(ctx, dir)
	if err != nil || out.Entries != 99 || out.Lost != 1 || len(out.Ranges) != 1 || out.Ranges[0] != [2]uint64{50, 51} {
		t.Errorf("Salvage() = %+v, %v", out, err)
	}
	j, _ = start(t, dir)
	wantPosts(t, j, 50, 51, 100, 2400)
	if next := add(t, j, post(101, 2400)); next != 101 {
		t.Errorf("Append() = %d", next)
	}
}

// Whatever byte of the file is another, the process lives, and what is read is
// what was written.
func TestAnyByteDamaged(t *testing.T) {
	t.Run("list stored", func(t *testing.T) { damageAnyByte(t, 16<<10, 20) })
	t.Run("no list", func(t *testing.T) {
		if raceEnabled {
			t.Skip("bbolt looks through the pages in a goroutine of its own, which races with the end of an Open that fails")
		}
		damageAnyByte(t, -1, 120)
	})
}

// damageAnyByte damages a file of a journal that stores its list of free pages up
// to so many; of 200 files, so many may be refused.
func damageAnyByte(t *testing.T, pages, refusals int) {
	dir := t.TempDir()
	j, _ := start(t, dir, boltjournal.Chunks(50), boltjournal.SyncedPages(pages))
	for id := 1; id <= 300; id += 20 {
		add(t, j, posts(id, id+19, 300)...)
	}
	commit(t, j, map[string]uint64{"sink": 60})
	used := j.Stats().Used
	closeJournal(t, j)
	path := filepath.Join(dir, "journal.db")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	var refused, whole, missing int
	tries := 200
	for i := range tries {
		data := bytes.Clone(good)
		at := rnd.IntN(int(used) + 64<<10)
		if i%2 == 0 { // heads of pages, and what they list
			at = at/4096*4096 + rnd.IntN(64)
		}
		data[at] ^= byte(1 << rnd.IntN(8))
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		j := open(t, dir)
		st, err := j.Start(ctx)
		if err != nil {
			refused++
			continue
		}
		n := 0
		buf := make([]tweetstream.Entry, 64)
		for from := uint64(0); ; {
			k, err := j.Read(ctx, from, buf)
			if err != nil || k == 0 {
				break
			}
			for _, e := range buf[:k] {
				if !e.Tweet.Equal(post(int(e.Pos)+1, 300)) {
					t.Fatalf("byte %d: at %d stands %s", at, e.Pos, e.Tweet.ID)
				}
				n++
			}
			from = buf[k-1].Pos + 1
		}
		if n >= 250 {
			whole++
		} else {
			missing += 250 - n
		}
		for range st.Newest {
		}
		_, _ = j.Append(ctx, posts(301, 310, 300), nil)
		_ = j.Commit(ctx, map[string]uint64{"sink": 300})
		closeJournal(t, j)
	}
	t.Logf("of %d files %d were refused, %d had all; %d entries were missing in the others", tries, refused, whole, missing)
	if refused > refusals || missing > tries*10 { // a byte costs a block or a page of 250 entries, not a chunk
		t.Error("more is lost than a page each")
	}
}

func FuzzDecodeEntry(f *testing.F) {
	f.Add(boltjournal.AppendEntry(nil, post(1, 100)))
	f.Add(boltjournal.AppendEntry(nil, &tweetstream.Tweet{}))
	f.Add([]byte{1, 0})
	f.Add([]byte{6, 0, 0, 0, 0, 255, 255, 255})
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := boltjournal.DecodeEntry(data)
		if err != nil {
			return
		}
		again, err := boltjournal.DecodeEntry(boltjournal.AppendEntry(nil, x))
		if err != nil || !again.Equal(x) {
			t.Errorf("%+v comes back as %+v, %v", x, again, err)
		}
	})
}
