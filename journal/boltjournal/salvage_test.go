package boltjournal_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/journal/boltjournal"
)

// journalOf makes a journal of 300 posts in chunks of 50, a state and two cursors.
func journalOf300(t *testing.T, opts ...boltjournal.Option) (dir string) {
	t.Helper()
	dir = t.TempDir()
	j, _ := start(t, dir, append(opts, boltjournal.Chunks(50))...)
	for id := 1; id <= 300; id += 25 {
		if _, err := j.Append(ctx, posts(id, id+24, 2400), []byte("state")); err != nil {
			t.Fatal(err)
		}
	}
	commit(t, j, map[string]uint64{"a": 120, "b": 260})
	closeJournal(t, j)
	return dir
}

// harm changes the last byte of a value, which is in its checksum, or with no
// key, of all values of a bucket.
func harm(t *testing.T, dir, key string, buckets ...string) {
	t.Helper()
	change(t, dir, func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(buckets[0]))
		for _, name := range buckets[1:] {
			b = b.Bucket([]byte(name))
		}
		values := map[string][]byte{}
		err := b.ForEach(func(k, v []byte) error {
			if key == "" || key == string(k) {
				values[string(k)] = bytes.Clone(v)
			}
			return nil
		})
		for k, v := range values {
			v[len(v)-1]++
			err = errors.Join(err, b.Put([]byte(k), v))
		}
		if len(values) == 0 {
			t.Errorf("nothing to harm in %q", buckets)
		}
		return err
	})
}

// change changes the file as its program could not.
func change(t *testing.T, dir string, f func(tx *bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(dir, "journal.db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Update(f); err != nil {
		t.Fatal(err)
	}
}

func at(pos uint64) string { return string(binary.BigEndian.AppendUint64(nil, pos)) }

// Where a small value is damaged, Start refuses the file, and Salvage saves all
// that is whole.
func TestSalvageOfSmallValues(t *testing.T) {
	for name, c := range map[string]struct {
		key, bucket, part string
		cursors           map[string]uint64
		state             string
	}{
		"a cursor":             {"/b", "cursors", `the cursor of "b"`, map[string]uint64{"a": 120, "b": 0}, "state"},
		"all cursors":          {"", "cursors", `the cursor of "b"`, map[string]uint64{"a": 0, "b": 0}, "state"},
		"the state":            {"state", "meta", "the state of the source", map[string]uint64{"a": 120, "b": 260}, ""},
		"the head":             {"head", "meta", "its head", map[string]uint64{"a": 120, "b": 260}, "state"},
		"the oldest summary":   {at(100), "chunks", "a chunk's summary", map[string]uint64{"a": 120, "b": 260}, "state"},
		"a summary":            {at(150), "chunks", "a chunk's summary", map[string]uint64{"a": 120, "b": 260}, "state"},
		"all of the summaries": {"", "chunks", "a chunk's summary", map[string]uint64{"a": 120, "b": 260}, "state"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := journalOf300(t)
			harm(t, dir, c.key, c.bucket)
			if _, err := open(t, dir).Start(ctx); !errors.Is(err, boltjournal.ErrDamaged) {
				t.Fatalf("Start() = %v", err)
			}
			out, err := boltjournal.Salvage(ctx, dir)
			if err != nil || out.Entries != 200 || out.Lost != 0 || !strings.Contains(strings.Join(out.Parts, "\n"), c.part) {
				t.Fatalf("Salvage() = %+v, %v", out, err)
			}
			j, st := start(t, dir)
			if diff := cmp.Diff(c.cursors, st.Cursors); diff != "" || st.Next != 300 || string(st.State) != c.state {
				t.Errorf("next %d, state %q, cursors (-want +got):\n%s", st.Next, st.State, diff)
			}
			wantPosts(t, j, 0, 100, 300, 2400)
			n := 0
			for range st.Newest {
				n++
			}
			if n != 300 {
				t.Errorf("%d ids, want 300", n)
			}
		})
	}
}

// Where a record of the index is damaged, the ids come from the entries, also
// those of a part that was never written.
func TestIDsComeFromTheEntries(t *testing.T) {
	dir := journalOf300(t)
	harm(t, dir, at(175), "ids", at(150))
	var log lines
	_, st := start(t, dir, log.option())
	want := uint64(1)
	for id := range st.Newest {
		if id != post(int(want), 0).ID {
			t.Fatalf("id %s, want %d", id, want)
		}
		want++
	}
	if want != 301 || log.count("from=175") != 1 {
		t.Errorf("%d ids; the log:\n%s", want-1, log.String())
	}
}

// A page that refers to itself, or to one above, would be followed without an end.
func TestPageThatRefersBack(t *testing.T) {
	for _, pages := range []int{16 << 10, -1} {
		dir := journalOf300(t, boltjournal.SyncedPages(pages))
		path := filepath.Join(dir, "journal.db")
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		root := pageOfChunk(t, dir, 200)
		data := bytes.Clone(good)
		if data[root*4096+8] != 1 {
			t.Fatal("the chunk has no branch page")
		}
		binary.NativeEndian.PutUint64(data[root*4096+16+8:], uint64(root))
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := open(t, dir).Start(ctx); !errors.Is(err, boltjournal.ErrDamaged) {
			t.Errorf("Start() = %v", err)
		}
		if _, err := boltjournal.Check(ctx, dir); !errors.Is(err, boltjournal.ErrDamaged) {
			t.Errorf("Check() = %v", err)
		}
		out, err := boltjournal.Salvage(ctx, dir)
		if err != nil || out.Entries != 150 || out.Lost != 50 || !cmp.Equal(out.Ranges, [][2]uint64{{200, 250}}) {
			t.Errorf("Salvage() = %+v, %v", out, err)
		}
		j, _ := start(t, dir)
		wantPosts(t, j, 200, 250, 300, 2400)
		closeJournal(t, j)
		if left, err := os.ReadFile(filepath.Join(dir, "journal.db.damaged")); err != nil || !bytes.Equal(left, data) {
			t.Errorf("the damaged file was not kept as it was: %v", err)
		}
	}
}

// pageOfChunk returns the page that a chunk of the log begins with.
func pageOfChunk(t *testing.T, dir string, first uint64) (page int) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(dir, "journal.db"), 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_ = db.View(func(tx *bbolt.Tx) error {
		page = int(tx.Bucket([]byte("log")).Bucket([]byte(at(first))).RootPage())
		return nil
	})
	return page
}

// A chunk that can't be dropped stays, with all behind it, and the journal goes
// on taking tweets.
func TestChunkThatCantBeDropped(t *testing.T) {
	dir := journalOf300(t)
	path := filepath.Join(dir, "journal.db")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	root := pageOfChunk(t, dir, 100)
	data[root*4096] ^= 1 // its own number
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	var log lines
	j, _ := start(t, dir, log.option(), boltjournal.Chunks(50))
	commit(t, j, map[string]uint64{"a": 300, "b": 300})
	add(t, j, posts(301, 400, 2400)...)
	commit(t, j, map[string]uint64{"a": 400, "b": 350})
	if s := j.Stats(); s.First != 100 || s.Next != 400 || log.count("can't be dropped") != 1 {
		t.Errorf("%+v; the log:\n%s", s, log.String())
	}
	wantPosts(t, j, 300, 300, 400, 2400)
	buf := make([]tweetstream.Entry, 10)
	if n, err := j.Read(ctx, 100, buf); err != nil || n == 0 || buf[0].Pos != 150 {
		t.Errorf("Read() = %d, %v, at %d; want what follows the chunk", n, err, buf[0].Pos)
	}
}

// A file that is cut while it is in use is an error, and not the end of the
// process.
func TestFileCutWhileInUse(t *testing.T) {
	dir := journalOf300(t)
	j, _ := start(t, dir)
	if err := os.Truncate(filepath.Join(dir, "journal.db"), 16<<10); err != nil {
		t.Fatal(err)
	}
	_, err := j.Read(ctx, 120, make([]tweetstream.Entry, 10))
	if n := j.Stats().Damaged; !errors.Is(err, boltjournal.ErrDamaged) && n == 0 {
		t.Errorf("Read() = %v, %d damaged", err, n)
	}
	if _, err := j.Append(ctx, posts(301, 310, 2400), nil); err == nil {
		t.Error("Append() succeeds")
	}
}
