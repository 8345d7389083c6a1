package filesink_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinks/filesink"
)

var _ tweetstream.Sink = (*filesink.Sink)(nil)

// post returns a Post whose line is some size bytes long.
func post(id, size int) *tweetstream.Tweet {
	text := strings.Repeat("é\\n\"", size/4)
	return parse(fmt.Sprintf(`{"data":{"id":"%d","text":%q},"matching_rules":[{"id":"7","tag":"test"}]}`, id, text))
}

func parse(raw string) *tweetstream.Tweet {
	t, err := tweetstream.ParseTweet([]byte(raw))
	if err != nil {
		panic(err)
	}
	return t
}

func posts(from, to int) (ts []*tweetstream.Tweet) {
	for id := from; id <= to; id++ {
		ts = append(ts, post(id, 40))
	}
	return ts
}

func lines(ts ...*tweetstream.Tweet) string {
	var b strings.Builder
	for _, t := range ts {
		b.Write(t.Raw)
		b.WriteByte('\n')
	}
	return b.String()
}

// open opens a Sink that is closed with the test.
func open(t testing.TB, path string) *filesink.Sink {
	t.Helper()
	s, err := filesink.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
	})
	return s
}

func deliver(t testing.TB, s *filesink.Sink, ts ...*tweetstream.Tweet) {
	t.Helper()
	if err := s.Deliver(t.Context(), ts); err != nil {
		t.Fatalf("Deliver() = %v", err)
	}
}

func closeSink(t testing.TB, s *filesink.Sink) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatalf("Close() = %v", err)
	}
}

func wantFile(t testing.TB, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s (-want +got):\n%s", filepath.Base(path), cmp.Diff(cut(want), cut(string(got))))
	}
}

// cut splits a file into lines that are short enough to be shown.
func cut(file string) (ls []string) {
	for l := range strings.Lines(file) {
		if len(l) > 100 {
			l = fmt.Sprintf("%s… %d bytes", l[:60], len(l))
		}
		ls = append(ls, l)
	}
	return ls
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestByteForByte(t *testing.T) {
	path := filepath.Join(t.TempDir(), "posts.ndjson")
	ts := []*tweetstream.Tweet{
		parse(`{"data":{"id":"1","text":"line\nbreak, \u2028 and 😀 <&>"}}`),
		parse(`{ "matching_rules": [],	"data": {"text": "blanks and a tab", "id": "2"} }`),
		parse("{\"data\":{\"id\":\"3\",\"text\":\"\u2028 as it is, \u202eRTL\"}}"),
		{ID: "4", Raw: json.RawMessage(`no JSON at all`)},
		post(5, 5<<20),
		post(6, 40),
	}
	s := open(t, path)
	deliver(t, s, ts[:1]...)
	deliver(t, s, ts[1:]...)
	wantFile(t, path, lines(ts...))
	closeSink(t, s)

	s = open(t, path)
	deliver(t, s, ts[4], ts[0], post(7, 40), ts[5])
	wantFile(t, path, lines(append(ts, post(7, 40))...))
}

func TestLineBreaksAreTakenOut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "posts.ndjson")
	s := open(t, path)
	err := s.Deliver(t.Context(), []*tweetstream.Tweet{
		{ID: "1", Raw: json.RawMessage("{\n\t\"data\": {\"id\": \"1\"}\r\n}\n")},
		{ID: "2", Raw: json.RawMessage("SECRET\ntext")},
		{ID: "3", Raw: json.RawMessage{}},
		{ID: "4", Raw: bytes.Repeat([]byte("9"), filesink.MaxLine+1)},
		post(5, 40),
	})
	wantFile(t, path, `{"data":{"id":"1"}}`+"\n"+lines(post(5, 40)))

	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("Deliver() = %v, want errors joined", err)
	}
	var ids []string
	for _, err := range joined.Unwrap() {
		if te, ok := err.(*tweetstream.TweetError); ok {
			ids = append(ids, te.ID)
		}
	}
	if diff := cmp.Diff([]string{"2", "3", "4"}, ids); diff != "" {
		t.Errorf("tweets refused (-want +got):\n%s", diff)
	}
	if strings.Contains(err.Error(), "SECRET") {
		t.Errorf("the error holds the message: %v", err)
	}
}

func TestRepeats(t *testing.T) {
	path := filepath.Join(t.TempDir(), "posts.ndjson")
	s := open(t, path)
	batch := posts(1, 100)
	deliver(t, s, append(posts(1, 50), posts(1, 50)...)...) // within a batch
	deliver(t, s, batch...)                                 // within a run
	deliver(t, s, batch...)
	closeSink(t, s)
	s = open(t, path) // across runs
	deliver(t, s, batch...)
	deliver(t, s, posts(100, 110)...)
	wantFile(t, path, lines(posts(1, 110)...))
}

// Lines that are no Posts stay, whatever they are, and end no search for ids.
func TestForeignLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "posts.ndjson")
	before := "a header\n\n" + lines(posts(1, 3)...) + "{}\n[\"data\"]\n" + "\x00\x00\n" + `{"data":{"id":"8"}}` + "\r\n"
	write(t, path, before)
	s := open(t, path)
	deliver(t, s, posts(1, 9)...)
	want := before + lines(posts(4, 7)...) + lines(post(9, 40))
	wantFile(t, path, want)
}

// Ids are remembered as far back as the package comment says, and what stands
// before costs nothing.
func TestRememberedBytes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "posts.ndjson")
	write(t, path, lines(posts(1, 10)...))
	// A hole: a file of 10 GB that takes no room.
	const hole = 10 << 30
	if err := os.Truncate(path, hole); err != nil {
		t.Skip(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("\n"+lines(posts(11, 20)...)), hole); err != nil {
		t.Skip(err)
	}
	s := open(t, path)
	deliver(t, s, posts(1, 21)...)
	end := make([]byte, 1<<20)
	r, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	n, _ := r.ReadAt(end, hole+1)
	want := lines(posts(11, 20)...) + lines(posts(1, 10)...) + lines(post(21, 40))
	if diff := cmp.Diff(cut(want), cut(string(end[:n]))); diff != "" {
		t.Errorf("behind the hole (-want +got):\n%s", diff)
	}
}

// A line that is remembered in part only is no Post.
func TestRememberedFromWithinLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "posts.ndjson")
	const end = `{"data":{"id":"9","text":"in a text, say"}}` + "\n"
	write(t, path, "{"+end)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte{'\n'}, filesink.RememberedBytes); err != nil { // behind a hole
		t.Skip(err)
	}
	deliver(t, open(t, path), post(9, 0))
	if info, err := os.Stat(path); err != nil || info.Size() != filesink.RememberedBytes+1+int64(len(lines(post(9, 0)))) {
		t.Error("the Post is taken for one that is there")
	}
}

func TestRememberedLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "posts.ndjson")
	var before strings.Builder
	const n = filesink.RememberedLines
	for id := range 3 * n {
		fmt.Fprintf(&before, "{\"data\":{\"id\":\"%d\"}}\n", 1+id)
	}
	write(t, path, before.String())
	s := open(t, path)
	for id := 2*n + 1; id <= 3*n; id += 5_000 {
		deliver(t, s, post(id, 0))
	}
	if info, err := os.Stat(path); err != nil || info.Size() != int64(before.Len()) {
		t.Errorf("Posts among the last %d lines were written again", n)
	}
}

func TestParallel(t *testing.T) {
	path := filepath.Join(t.TempDir(), "posts.ndjson")
	s := open(t, path)
	const workers, each = 8, 30
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				id := w*each + i
				if err := s.Deliver(t.Context(), []*tweetstream.Tweet{post(2*id+1, 5_000), post(2*id+2, 100), post(1, 40)}); err != nil {
					t.Errorf("Deliver() = %v", err)
				}
			}
		})
	}
	wg.Wait()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	wantOnce(t, string(got), 2*workers*each)
}

// wantOnce wants the ids 1 to n in file, once each and in whole lines.
func wantOnce(t testing.TB, file string, n int) {
	t.Helper()
	times := map[int]int{}
	for l := range strings.Lines(file) {
		tw, err := tweetstream.ParseTweet([]byte(l))
		if err != nil || !json.Valid([]byte(l)) || !strings.HasSuffix(l, "\n") {
			t.Fatalf("torn line of %d bytes: %.60q, %v", len(l), l, err)
		}
		id, _ := strconv.Atoi(tw.ID)
		times[id]++
	}
	for id := 1; id <= n; id++ {
		if times[id] != 1 {
			t.Errorf("Post %d is there %d times", id, times[id])
		}
	}
	if len(times) != n {
		t.Errorf("%d Posts, want %d", len(times), n)
	}
}

func TestRefusedPaths(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	write(t, in("file"), "")
	write(t, in("letter"), "Dear John,\nhow are you")
	write(t, in("picture"), strings.Repeat("\x89PNG", filesink.MaxLine/4+1))
	for _, err := range []error{
		os.Mkdir(in("folder"), 0o700),
		os.Symlink(in("file"), in("link")),
		os.Symlink(in("nowhere"), in("dangling")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	paths := map[string]string{
		in("folder"):        "folder",
		in("link"):          "symbolic link",
		in("dangling"):      "symbolic link",
		in("file") + "/sub": "not a directory",
		in("archive") + "/": "not the name of a file",
		"":                  "not the name of a file",
		in("letter"):        "another program's file",
		in("picture"):       "another program's file",
	}
	if runtime.GOOS != "windows" {
		paths[os.DevNull] = "device"
	}
	for path, want := range paths {
		before, _ := os.ReadFile(path)
		s, err := filesink.Open(path)
		if err == nil {
			s.Close()
			t.Errorf("Open(%q) = nil, want an error", path)
			continue
		}
		if msg := err.Error(); !strings.Contains(msg, want) || !strings.Contains(msg, path) {
			t.Errorf("Open(%q) = %q, want one with %q and the path", path, msg, want)
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
			t.Errorf("Open(%q) has changed the file", path)
		}
	}
	if _, err := os.Lstat(in("nowhere")); err == nil {
		t.Error("a file was made through a symbolic link")
	}
}

func TestModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no modes on Windows")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "a", "b", "posts.ndjson")
	open(t, path)
	old := filepath.Join(dir, "old.ndjson")
	write(t, old, lines(posts(1, 2)...))
	if err := os.Chmod(old, 0o640); err != nil {
		t.Fatal(err)
	}
	deliver(t, open(t, old), posts(1, 3)...)
	for name, want := range map[string]fs.FileMode{
		path:                         0o600,
		filepath.Join(dir, "a", "b"): 0o700 | fs.ModeDir,
		filepath.Join(dir, "a"):      0o700 | fs.ModeDir,
		old:                          0o640,
	} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("mode of %s = %v, want %v", name, info.Mode(), want)
		}
	}
}

func TestRelativePath(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	s := open(t, "posts.ndjson")
	deliver(t, s, posts(1, 2)...)
	t.Chdir(t.TempDir())
	deliver(t, s, posts(3, 4)...)
	wantFile(t, filepath.Join(dir, "posts.ndjson"), lines(posts(1, 4)...))
}

func TestClose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "posts.ndjson")
	s := open(t, path)
	deliver(t, s, posts(1, 2)...)
	closeSink(t, s)
	closeSink(t, s)
	err := s.Deliver(t.Context(), posts(3, 3))
	if !errors.Is(err, fs.ErrClosed) || !strings.Contains(err.Error(), path) {
		t.Errorf("Deliver() after Close = %v, want fs.ErrClosed with the path", err)
	}
	wantFile(t, path, lines(posts(1, 2)...))
}

func TestContextThatIsDone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "posts.ndjson")
	s := open(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Deliver(ctx, posts(1, 2)); !errors.Is(err, context.Canceled) {
		t.Errorf("Deliver() = %v, want %v", err, context.Canceled)
	}
	wantFile(t, path, "")
}

func TestRenamedAndRemoved(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("an open file can't be renamed on Windows")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "posts.ndjson")
	s := open(t, path)
	deliver(t, s, posts(1, 2)...)
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	deliver(t, s, posts(2, 4)...) // the Post before is known still
	wantFile(t, path+".1", lines(posts(1, 2)...))
	wantFile(t, path, lines(posts(3, 4)...))

	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	deliver(t, s, posts(5, 6)...)
	wantFile(t, path, lines(posts(5, 6)...))

	// What can't be opened again is waited for.
	for _, err := range []error{os.Remove(path), os.Mkdir(path, 0o700)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Deliver(t.Context(), posts(7, 8)); err == nil || !strings.Contains(err.Error(), "folder") {
		t.Errorf("Deliver() to a folder = %v, want an error", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	deliver(t, s, posts(7, 8)...)
	wantFile(t, path, lines(posts(7, 8)...))
	if _, err := filesink.Open(path); err == nil {
		t.Error("the new file is not locked")
	}
}

// A file whose folder is gone is not made anew: its disk may be gone.
func TestFolderGone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("an open file can't be renamed on Windows")
	}
	dir := filepath.Join(t.TempDir(), "disk")
	path := filepath.Join(dir, "posts.ndjson")
	s := open(t, path)
	deliver(t, s, posts(1, 2)...)
	if err := os.Rename(dir, dir+".gone"); err != nil {
		t.Fatal(err)
	}
	if err := s.Deliver(t.Context(), posts(3, 4)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Deliver() = %v, want %v", err, fs.ErrNotExist)
	}
	if err := os.Rename(dir+".gone", dir); err != nil {
		t.Fatal(err)
	}
	deliver(t, s, posts(3, 4)...)
	wantFile(t, path, lines(posts(1, 4)...))
}

func TestChangedByOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "posts.ndjson")
	s := open(t, path)
	deliver(t, s, posts(1, 2)...)
	if err := os.Truncate(path, 0); err != nil { // as copytruncate does
		t.Fatal(err)
	}
	deliver(t, s, posts(3, 4)...)
	wantFile(t, path, lines(posts(3, 4)...))

	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("a note"); err != nil {
		t.Fatal(err)
	}
	deliver(t, s, posts(5, 6)...)
	wantFile(t, path, lines(posts(3, 4)...)+"a note\n"+lines(posts(5, 6)...))
}

func TestStreamer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "posts.ndjson")
	s := open(t, path)
	run(t, s, posts(1, 2_000), nil)
	wantFile(t, path, lines(posts(1, 2_000)...))
}

// run streams tweets to s until all are delivered.
func run(t *testing.T, s *filesink.Sink, tweets []*tweetstream.Tweet, dead tweetstream.DeadLetter) {
	t.Helper()
	opts := []tweetstream.Option{tweetstream.WithSink("file", s)}
	if dead != nil {
		opts = append(opts, tweetstream.WithDeadLetter(dead))
	}
	st, err := tweetstream.New(source(tweets), opts...)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Run(t.Context()); err != nil {
		t.Errorf("Run() = %v", err)
	}
}

// source emits tweets and ends.
type source []*tweetstream.Tweet

func (s source) Stream(ctx context.Context, _ []byte, emit tweetstream.Emit) error {
	return emit(ctx, s, nil)
}
