package deadletter_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/deadletter"
	"github.com/tweetstream-go/tweetstream/internal/logfile"
)

var at = time.Now().Add(-time.Hour).UTC().Round(0)

// letter returns one whose Post has about size bytes.
func letter(id, size int) tweetstream.Letter {
	raw := fmt.Sprintf(`{"data":{"id":"%d","text":%q},"matching_rules":[{"id":"7","tag":"t"}]}`, id, strings.Repeat("x", size))
	t, err := tweetstream.ParseTweet([]byte(raw))
	if err != nil {
		panic(err)
	}
	t.Received = at
	return tweetstream.Letter{Tweet: t, Sink: "pg", Reason: tweetstream.Rejected, Error: "too long", Tries: 3, First: at, Last: at.Add(time.Second)}
}

func letters(from, to int) (ls []tweetstream.Letter) {
	for id := from; id <= to; id++ {
		ls = append(ls, letter(id, 100))
	}
	return ls
}

func open(t testing.TB, path string, opts ...deadletter.Option) *deadletter.File {
	t.Helper()
	f, err := deadletter.Open(path, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func keep(t testing.TB, f *deadletter.File, ls ...tweetstream.Letter) {
	t.Helper()
	if err := f.Keep(t.Context(), ls); err != nil {
		t.Fatal(err)
	}
}

// parse returns the letters in a file, all of whose lines must be whole.
func parse(t testing.TB, path string) (ls []tweetstream.Letter) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(data) > 0 && !bytes.HasSuffix(data, []byte("\n")) {
		t.Errorf("the last line of %s is torn", filepath.Base(path))
	}
	for line := range bytes.Lines(data) {
		l, err := deadletter.Parse(line)
		if err != nil {
			t.Fatalf("Parse(%.80q) = %v", line, err)
		}
		ls = append(ls, l)
	}
	return ls
}

func ids(ls []tweetstream.Letter) (ids []string) {
	for _, l := range ls {
		ids = append(ids, l.Tweet.ID)
	}
	return ids
}

func wantIDs(t testing.TB, path string, from, to int) {
	t.Helper()
	if diff := cmp.Diff(ids(letters(from, to)), ids(parse(t, path))); diff != "" {
		t.Errorf("letters of %s (-want +got):\n%s", filepath.Base(path), diff)
	}
}

// segments returns the segments of the file at path, oldest first.
func segments(t testing.TB, path string) (paths []string) {
	t.Helper()
	all, err := logfile.Segments(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		paths = append(paths, s.Path)
	}
	return paths
}

// logged is a log that a test can read.
type logged struct {
	said func(record string) // is told of each record, if there is one

	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	if l.said != nil {
		l.said(string(p))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logged) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func TestLettersComeBackAsTheyWere(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	raws := map[string]string{
		"plain":                    `{"data":{"id":"1","text":"a"}}`,
		"spaces and escapes":       `{ "data" :	{"id":"1","text":"\u00e9 <b>& \t\/"}  }`,
		"other scripts":            `{"data":{"id":"1","text":"שלום 🌍 "}}`,
		"not valid where skipped":  `{"data":{"id":"1","text":"a","x":[1,}}`,
		"two values":               `1,"raw_base64":2`,
		"breaks out of its place":  `{}},{"raw":{}`,
		"no UTF-8":                 "{\"data\":{\"id\":\"1\",\"text\":\"\xff\"}}",
		"line breaks":              "{\n\"data\":\r\n{}}",
		"white space around it":    ` {"data":{}} `,
		"a zero":                   "{\"data\":\"\x00\"}",
		"null":                     `null`,
		"empty":                    ``,
		"as deep as JSON may be":   deep(10_000),
		"deeper":                   deep(10_001),
		"a key of ours":            `{"raw":1,"letter":2}`,
		"HTML that json escapes":   `{"data":{"id":"1","text":"<script>&"}}`,
		"a number that is too big": `{"data":{"id":"1","n":1e999}}`,
	}
	path := filepath.Join(t.TempDir(), "dead.ndjson")
	f := open(t, path)
	var want []tweetstream.Letter
	for name, raw := range raws {
		l := letter(1, 1)
		l.Tweet = &tweetstream.Tweet{
			ID: "1", Raw: []byte(raw), Received: at, Recovered: true,
			Rules: []tweetstream.Rule{{ID: "1", Tag: "\" \\ é", Value: name}, {}},
		}
		l.Error = name
		want = append(want, l)
	}
	want = append(want,
		tweetstream.Letter{Tweet: &tweetstream.Tweet{ID: "urn:x", Raw: []byte(`{}`), Deleted: true}, Reason: tweetstream.TransformFailed},
		tweetstream.Letter{Tweet: &tweetstream.Tweet{ID: "2", Received: time.Unix(1<<60, 0)}, Reason: tweetstream.ShutDown}, // no year that JSON has
	)
	keep(t, f, want...)
	want[len(want)-1].Tweet = &tweetstream.Tweet{ID: "2"}
	if diff := cmp.Diff(want, parse(t, path)); diff != "" {
		t.Errorf("letters (-want +got):\n%s", diff)
	}
	lines, _ := os.ReadFile(path)
	if !utf8.Valid(lines) {
		t.Error("the file is not UTF-8")
	}
	for line := range bytes.Lines(lines) {
		if !bytes.HasPrefix(line, []byte(`{"letter":1,`)) {
			t.Errorf("a letter begins with %.20q", line)
		}
	}
	if !bytes.Contains(lines, []byte(`"raw":`+raws["spaces and escapes"]+"}\n")) {
		t.Error("a message of valid JSON does not stand there byte for byte")
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "no letter",
		`{"data":{"id":"1","text":"SECRET"}`: "no letter",
		`{"data":{"id":"1"}}`:                "no letter",
		`{"letter":"SECRET"}`:                "no letter",
		`{"letter":2,"id":"1"}`:              "version 2",
		`{"letter":1,"raw":{}}`:              "id",
		`{"letter":1,"id":"","raw":{}}`:      "id",
		`null`:                               "no letter",
		`{"letter":1,"id":"1","raw_base64":"SECRET!"}`: "no letter",
	} {
		_, err := deadletter.Parse([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("Parse(%q) = %v, want an error with %q that shows nothing of it", text, err, want)
		}
	}
}

// What Parse takes, Keep writes so that Parse takes it again for the same.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"letter":1,"id":"1","sink":"a","reason":"rejected","first":"2026-01-02T15:04:05.678Z","rules":[{"id":"1"}],"raw":{"data":{"id":"1"}}}`))
	f.Add([]byte(`{"letter":1,"id":"1","raw_base64":"AAE="}`))
	f.Add([]byte(`{"letter":1,"id":"1","raw":null,"raw":1,"RAW":2}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := deadletter.Parse(text)
		if err != nil {
			return
		}
		path := filepath.Join(t.TempDir(), "dead")
		dead := open(t, path)
		keep(t, dead, l)
		again := parse(t, path)
		l.First, l.Last, l.Tweet.Received = l.First.UTC(), l.Last.UTC(), l.Tweet.Received.UTC()
		if diff := cmp.Diff([]tweetstream.Letter{l}, again); diff != "" && l.First.Year() < 9999 && l.Last.Year() < 9999 && l.Tweet.Received.Year() < 9999 {
			t.Errorf("letters (-want +got):\n%s", diff)
		}
	})
}

func TestModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no modes")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "a", "b", "dead.ndjson")
	keep(t, open(t, path), letter(1, 1))
	for p, want := range map[string]fs.FileMode{path: 0o600, filepath.Dir(path): 0o700, filepath.Join(dir, "a"): 0o700} {
		if info, err := os.Stat(p); err != nil || info.Mode().Perm() != want {
			t.Errorf("the mode of %s is %v, %v; want %v", p, info.Mode(), err, want)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	link, taken := filepath.Join(dir, "link"), filepath.Join(dir, "taken")
	linked := os.Symlink(filepath.Join(dir, "x"), link)
	foreign := filepath.Join(dir, "foreign")
	if err := os.WriteFile(foreign, []byte("my diary"), 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, taken)
	tests := map[string]struct {
		path string
		opts []deadletter.Option
		want string
	}{
		"no path":            {"", nil, "not the name of a file"},
		"a folder's name":    {dir + "/", nil, "not the name of a file"},
		"a folder":           {dir, nil, "it is a folder"},
		"a symbolic link":    {link, nil, "symbolic link"},
		"another's file":     {foreign, nil, "another program's file"},
		"MaxBytes":           {taken + "2", []deadletter.Option{deadletter.MaxBytes(1000)}, "MaxBytes: at least 1 MiB"},
		"MaxAge":             {taken + "2", []deadletter.Option{deadletter.MaxAge(0)}, "MaxAge: want more than 0"},
		"Logger":             {taken + "2", []deadletter.Option{deadletter.Logger(nil)}, "Logger: nothing given"},
		"one that is in use": {taken, nil, "in use"},
	}
	for name, tt := range tests {
		if name == "one that is in use" && runtime.GOOS == "windows" || name == "a symbolic link" && linked != nil {
			t.Logf("%s: not tried on this system", name)
			continue
		}
		if f, err := deadletter.Open(tt.path, tt.opts...); err == nil || !strings.HasPrefix(err.Error(), "deadletter: ") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: Open() = %v, %v, want an error with %q", name, f, err, tt.want)
		}
	}
	if _, err := os.Stat(taken + "2"); err == nil {
		t.Error("it has opened a file though an option is bad")
	}
}

func TestClose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dead.ndjson")
	f := open(t, path)
	for range 2 {
		if err := f.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
	}
	if err := f.Keep(t.Context(), letters(1, 1)); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Keep() after Close = %v, want %v", err, fs.ErrClosed)
	}
	keep(t, open(t, path), letters(1, 1)...)
	wantIDs(t, path, 1, 1)
}

// A last line that a crash has cut at any byte is mended.
func TestTornAtEveryByte(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "whole")
	keep(t, open(t, path), letters(1, 1)...)
	one, _ := os.ReadFile(path)
	keep(t, open(t, path+"2"), letters(2, 2)...)
	two, _ := os.ReadFile(path + "2")
	for n := range two {
		path := filepath.Join(dir, fmt.Sprint(n))
		if err := os.WriteFile(path, append(bytes.Clone(one), two[:n]...), 0o600); err != nil {
			t.Fatal(err)
		}
		f := open(t, path)
		if n < len(two)-1 {
			wantIDs(t, path, 1, 1)
			keep(t, f, letters(2, 2)...)
		}
		wantIDs(t, path, 1, 2)
		f.Close()
	}
}

// Many goroutines at once: each call is there whole, in one piece.
func TestConcurrentKeep(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dead.ndjson")
	f := open(t, path)
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			if err := f.Keep(context.Background(), letters(i*10, i*10+9)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	got := ids(parse(t, path))
	for i := 0; i < len(got); i += 10 {
		var first int
		fmt.Sscan(got[i], &first)
		if diff := cmp.Diff(ids(letters(first, first+9)), got[i:min(i+10, len(got))]); diff != "" {
			t.Fatalf("a call is not in one piece (-want +got):\n%s", diff)
		}
	}
	if n := f.Stats().Kept; len(got) != 200 || n != 200 {
		t.Errorf("%d letters, Stats say %d; want 200", len(got), n)
	}
}

// The file is moved away by somebody else: what comes then stands in a new one.
func TestMovedAway(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows moves no open file")
	}
	path := filepath.Join(t.TempDir(), "dead.ndjson")
	f := open(t, path)
	keep(t, f, letters(1, 2)...)
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	keep(t, f, letters(3, 4)...)
	wantIDs(t, path+".old", 1, 2)
	wantIDs(t, path, 3, 4)
}

// TestMain also serves as the program that is killed.
func TestMain(m *testing.M) {
	if path := os.Getenv("DEADLETTER_CHILD"); path != "" {
		f, err := deadletter.Open(path, deadletter.MaxBytes(1<<20))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		var from int
		fmt.Sscan(os.Getenv("DEADLETTER_FROM"), &from)
		for {
			ls := letters(from, from+rand.IntN(50))
			if err := f.Keep(context.Background(), ls); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			from += len(ls)
			fmt.Println(from - 1)
		}
	}
	os.Exit(m.Run())
}

// A process that is killed while it keeps letters leaves whole lines, and all
// that it was told are kept: in the file and its segments.
func TestKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dead.ndjson")
	acked := 0
	for range 8 {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), "DEADLETTER_CHILD="+path, fmt.Sprint("DEADLETTER_FROM=", acked+1))
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for range 1 + rand.IntN(20) {
			if _, err := fmt.Fscan(out, &acked); err != nil {
				t.Fatal(err)
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for {
			if _, err := fmt.Fscan(out, &acked); err != nil {
				break
			}
		}
		_ = cmd.Wait() // killed
	}
	open(t, path).Close() // mends it
	seen := map[string]bool{}
	for _, p := range append(segments(t, path), path) {
		for _, l := range parse(t, p) {
			seen[l.Tweet.ID] = true
		}
	}
	oldest := acked
	for oldest > 1 && seen[fmt.Sprint(oldest-1)] {
		oldest--
	}
	if !seen[fmt.Sprint(acked)] || len(seen) < acked-oldest+1 || len(segments(t, path)) > 0 && oldest > acked-500 {
		t.Errorf("of %d letters kept, those from %d on are there", acked, oldest)
	}
}
