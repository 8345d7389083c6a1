package replay_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/deadletter"
	"github.com/tweetstream-go/tweetstream/sources/replay"
)

func post(id int) string {
	return fmt.Sprintf(`{"data":{"id":"%d","text":"SECRET %d"},"matching_rules":[{"id":"7","tag":"t"}]}`+"\n", id, id)
}

func posts(from, to int) (text string) {
	for id := from; id <= to; id++ {
		text += post(id)
	}
	return text
}

// bury returns letters as they stand in a file.
func bury(t testing.TB, letters ...tweetstream.Letter) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "dead")
	f, err := deadletter.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Keep(t.Context(), letters), f.Close()); err != nil {
		t.Fatal(err)
	}
	return string(read(t, path))
}

func letter(id int, sink string) tweetstream.Letter {
	t, err := tweetstream.ParseTweet([]byte(post(id)))
	if err != nil {
		panic(err)
	}
	return tweetstream.Letter{Tweet: t, Sink: sink, Reason: tweetstream.GaveUp}
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func write(t testing.TB, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// file writes text to a new file.
func file(t testing.TB, text string) string {
	t.Helper()
	return write(t, filepath.Join(t.TempDir(), "posts.ndjson"), text)
}

func compressed(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(text))
	z.Close()
	return b.String()
}

// got is what a source has emitted.
type got struct {
	tweets []*tweetstream.Tweet
	calls  int
	states [][]byte // with each call
	until  []int    // how many tweets were there then
	at     []time.Time
}

func (g *got) emit(_ context.Context, tweets []*tweetstream.Tweet, state []byte) error {
	g.calls++
	g.tweets = append(g.tweets, tweets...)
	for range tweets {
		g.at = append(g.at, time.Now())
	}
	g.states = append(g.states, bytes.Clone(state))
	g.until = append(g.until, len(g.tweets))
	return nil
}

func (g *got) ids() string {
	var ids []string
	for _, t := range g.tweets {
		ids = append(ids, t.ID)
	}
	return strings.Join(ids, " ")
}

func open(t testing.TB, path string, opts ...replay.Option) *replay.Source {
	t.Helper()
	s, err := replay.Open(path, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// run streams to the end.
func run(t testing.TB, from []byte, path string, opts ...replay.Option) (*got, replay.Stats) {
	t.Helper()
	s := open(t, path, opts...)
	var g got
	if err := s.Stream(t.Context(), from, g.emit); err != nil {
		t.Fatalf("Stream() = %v", err)
	}
	if !s.Stats().Ended {
		t.Error("Stats don't say that it has ended")
	}
	return &g, s.Stats()
}

type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logged) option() replay.Option { return replay.Logger(slog.New(slog.NewTextHandler(l, nil))) }

func wantIDs(t testing.TB, g *got, want string) {
	t.Helper()
	if got := g.ids(); got != want {
		t.Errorf("ids %s, want %s", got, want)
	}
}

func TestMessagesByteForByte(t *testing.T) {
	lines := []string{
		`{"data":{"id":"1","text":"a"},"matching_rules":[{"id":"9007199254740993","tag":"x"}]}`,
		`{ "data" :	{ "text":"שלום \u00e9", "id":"2" } }`,
		`{"data":{"id":"4","x":[1,,]}}`, // nothing validates what is skipped
		`{"data":{"id":"3","text":"` + strings.Repeat("long ", 700_000) + `"}}`,
	}
	text := strings.Join(lines, "\n\r\n\n") + "\r\n"
	var want []*tweetstream.Tweet
	for _, l := range lines {
		tw, err := tweetstream.ParseTweet([]byte(l))
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, tw)
	}
	for name, text := range map[string]string{
		"plain": text, "compressed": compressed(text), "compressed in two": compressed(text[:50]) + compressed(text[50:]),
		"without the last break": strings.TrimRight(text, "\r\n"),
	} {
		g, st := run(t, nil, file(t, text))
		if diff := cmp.Diff(want, g.tweets); diff != "" {
			t.Errorf("%s: tweets (-want +got):\n%.500s", name, diff)
		}
		if st.Tweets != 4 || st.Line != 10 || st.Malformed+st.Oversized+st.Others > 0 {
			t.Errorf("%s: Stats() = %+v", name, st)
		}
	}
	if path := os.Getenv("TWEETSTREAM_SAMPLES"); path != "" {
		g, _ := run(t, nil, path)
		var all []byte
		for _, tw := range g.tweets {
			all = append(append(all, tw.Raw...), '\n')
		}
		if !bytes.Equal(all, read(t, path)) || len(g.tweets) != 61 {
			t.Errorf("%d real messages don't come as they stand there", len(g.tweets))
		}
	}
}

func TestLettersAsTheyWere(t *testing.T) {
	want := []*tweetstream.Tweet{
		{ID: "1", Raw: []byte(`{"data":{"id":"1"}}`), Rules: []tweetstream.Rule{{ID: "1", Tag: "t", Value: "v"}}, Received: time.Unix(1e9, 1234).UTC(), Recovered: true},
		{ID: "2", Raw: []byte(`{"data":{"id":"2"}}`), Deleted: true},
		{ID: "3", Raw: []byte("not\nJSON \xff\x00")},
		{ID: "4", Raw: []byte(`{"data":{"id":"4","x":"` + strings.Repeat("\xff", 3<<20) + `"}}`)}, // longer than 4 MiB as base64
	}
	var letters []tweetstream.Letter
	for _, tw := range want {
		letters = append(letters, tweetstream.Letter{Tweet: tw, Sink: "pg", Reason: tweetstream.GaveUp})
	}
	text := bury(t, letters...)
	other := `{"id":"5","raw":{"data":{"id":"5"}},"letter":1}` + "\n" // by hand, or by jq
	g, st := run(t, nil, file(t, post(6)+text+other))
	m, _ := tweetstream.ParseTweet([]byte(post(6)))
	want = append([]*tweetstream.Tweet{m}, append(want, &tweetstream.Tweet{ID: "5", Raw: []byte(`{"data":{"id":"5"}}`)})...)
	if diff := cmp.Diff(want, g.tweets); diff != "" {
		t.Errorf("tweets (-want +got):\n%.800s", diff)
	}
	if st.Tweets != 6 {
		t.Errorf("Stats() = %+v, want 6 tweets", st)
	}
}

func TestSinkOnly(t *testing.T) {
	text := bury(t, letter(1, "pg"), letter(2, "hub"), letter(3, "pg"), letter(4, "")) + post(5)
	g, st := run(t, nil, file(t, text), replay.Sink("pg"))
	wantIDs(t, g, "1 3 4")
	if st.Others != 2 || st.Malformed > 0 {
		t.Errorf("Stats() = %+v, want 2 others", st)
	}
	g, _ = run(t, nil, file(t, text))
	wantIDs(t, g, "1 2 3 4 5")
}

// Each bad line is named by its number and why, never by what it says, and the
// others come.
func TestBadLines(t *testing.T) {
	text := post(1) + "SECRET\n" + "\n" + `{"data":{"text":"SECRET"}}` + "\n" + `{"SECRET":1}` + "\n" + post(2) +
		`{"letter":2,"id":"SECRET"}` + "\n" + `{"letter":1,"id":"","error":"SECRET"}` + "\n" +
		"{\"data\":{\"id\":\"9\",\"text\":\"SECRET\x00\"}}\n" +
		`{"data":{"id":"8","text":"` + strings.Repeat("SECRET", 4<<20/6+1) + `"}}` + "\n" +
		strings.Repeat("SECRET", 10<<20/6) + "\n" + post(3) + `{"data":{"id":"7","te`
	var log logged
	g, st := run(t, nil, file(t, text), log.option())
	wantIDs(t, g, "1 2 3")
	if st.Malformed != 7 || st.Oversized != 2 {
		t.Errorf("Stats() = %+v, want 7 malformed and 2 oversized", st)
	}
	for _, want := range []string{
		"line=2 reason=\"the line is neither", "line=4 to=5 count=2 reason=\"the line is neither", "line=7 reason=\"deadletter: the letter has version 2",
		"line=8 reason=\"deadletter: the letter has no id", "line=9 reason=\"there are zeros", "line=10 reason=\"the message is longer than 4 MiB",
		"line=11 reason=\"the line is longer than 8 MiB", "line=13 reason=\"the last line is not ended",
	} {
		if strings.Count(log.String(), want) != 1 {
			t.Errorf("the log does not have, once, %s", want)
		}
	}
	if strings.Contains(log.String(), "SECRET") || t.Failed() {
		t.Errorf("log:\n%s", log.String())
	}
}

// Files that are none of ours take few lines in the log.
func TestManyBadLines(t *testing.T) {
	var log logged
	_, st := run(t, nil, file(t, strings.Repeat("a;b;c\n", 100_000)), log.option())
	if n := strings.Count(log.String(), "\n"); st.Malformed != 100_000 || n != 1 {
		t.Errorf("%d malformed, %d lines of log; want 100,000 and 1", st.Malformed, n)
	}
}

// Half a gzip, or a damaged one: what could be read comes, and an error.
func TestDamagedGzip(t *testing.T) {
	whole := compressed(posts(1, 1000))
	damaged := []byte(whole)
	damaged[len(damaged)-8] ^= 1 // the checksum
	for name, text := range map[string]string{"half": whole[:len(whole)/2], "damaged": string(damaged)} {
		s := open(t, file(t, text))
		var g got
		err := s.Stream(t.Context(), nil, g.emit)
		if err == nil || !strings.Contains(err.Error(), "posts.ndjson") || len(g.tweets) == 0 || len(g.tweets) > 1000 {
			t.Errorf("%s: Stream() = %v after %d Posts, want an error with the file's name, and some", name, err, len(g.tweets))
		}
		if s.Stats().Ended {
			t.Errorf("%s: Stats say that it has ended", name)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	good := file(t, post(1))
	for name, tt := range map[string]struct {
		path string
		opts []replay.Option
		want string
	}{
		"no path":      {"", nil, "path is empty"},
		"no file":      {filepath.Join(dir, "nix"), nil, "no such file"},
		"a folder":     {dir, nil, "it is a folder"},
		"another":      {good, []replay.Option{replay.Also(good, filepath.Join(dir, "nix"))}, "no such file"},
		"stdin":        {"-", []replay.Option{replay.Also(good)}, "stands alone"},
		"no pace":      {good, []replay.Option{replay.Pace(0)}, "Pace: want more than 0"},
		"endless pace": {good, []replay.Option{replay.Pace(math.Inf(1))}, "Pace"},
		"no number":    {good, []replay.Option{replay.Pace(math.NaN())}, "Pace"},
		"no sink":      {good, []replay.Option{replay.Sink("")}, "Sink: the name is empty"},
		"no logger":    {good, []replay.Option{replay.Logger(nil)}, "Logger: nothing given"},
	} {
		if _, err := replay.Open(tt.path, tt.opts...); err == nil || !strings.HasPrefix(err.Error(), "replay: ") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: Open() = %v, want an error with %q", name, err, tt.want)
		}
	}
}

func TestStdin(t *testing.T) {
	f, err := os.Open(file(t, compressed(posts(1, 3))))
	if err != nil {
		t.Fatal(err)
	}
	defer func(old *os.File) { os.Stdin = old }(os.Stdin)
	os.Stdin = f
	g, _ := run(t, nil, "-")
	wantIDs(t, g, "1 2 3")
	for _, st := range g.states {
		if st != nil {
			t.Errorf("state %s, want none", st)
		}
	}
	if err := f.Close(); err != nil {
		t.Errorf("standard input was closed: %v", err)
	}
}

func TestPace(t *testing.T) {
	made := func(id int, at string) string {
		return fmt.Sprintf(`{"data":{"id":"%d","created_at":"2026-01-01T%s.000Z"}}`+"\n", id, at)
	}
	late := letter(7, "pg")
	late.Tweet.Received = time.Date(2026, 1, 1, 10, 3, 0, 0, time.UTC)
	text := made(1, "10:00:00") + made(2, "10:00:10") + made(3, "09:00:00") + post(4) + made(5, "10:00:10") + made(6, "10:01:00") + bury(t, late)
	for factor, want := range map[float64][]time.Duration{
		1:  {0, 10 * time.Second, 10 * time.Second, 10 * time.Second, 10 * time.Second, time.Minute, 3 * time.Minute},
		10: {0, time.Second, time.Second, time.Second, time.Second, 6 * time.Second, 18 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			var log logged
			g, _ := run(t, nil, file(t, text), replay.Pace(factor), log.option())
			var after []time.Duration
			for _, at := range g.at {
				after = append(after, at.Sub(begin))
			}
			if diff := cmp.Diff(want, after); diff != "" {
				t.Errorf("times at factor %v (-want +got):\n%s", factor, diff)
			}
			if said := strings.Contains(log.String(), "waiting"); said != (factor == 1) {
				t.Errorf("at factor %v the log is:\n%s", factor, log.String())
			}
		})
	}
	// The state does not pass a Post that waits, and the wait ends with the context.
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		path := file(t, text)
		s := open(t, path, replay.Pace(1))
		var g got
		if err := s.Stream(ctx, nil, g.emit); err != nil || s.Stats().Ended {
			t.Errorf("Stream() = %v, Ended = %v; want nil and false", err, s.Stats().Ended)
		}
		wantIDs(t, &g, "1 2 3 4 5")
		rest, _ := run(t, g.states[len(g.states)-1], path)
		wantIDs(t, rest, "6 7")
	})
}

// What was read at once goes in one call; the file is never in memory as a whole.
func TestBatches(t *testing.T) {
	g, _ := run(t, nil, file(t, posts(1, 10_000)))
	if g.calls < 2 || g.calls > 100 {
		t.Errorf("%d calls for 10,000 Posts", g.calls)
	}
}

// With a Streamer: sinks hold it back, all is delivered, repeats are dropped, and
// the next run with the same checkpoint brings what has come since.
func TestWithStreamer(t *testing.T) {
	path := file(t, bury(t, letter(1, "a"), letter(1, "b"), letter(2, "a"))+posts(3, 3000))
	checkpoint := filepath.Join(t.TempDir(), "state")
	deliver := func() (ids []string) {
		sink := tweetstream.SinkFunc(func(_ context.Context, t *tweetstream.Tweet) error { ids = append(ids, t.ID); return nil })
		s, err := tweetstream.New(open(t, path), tweetstream.WithSink("s", sink), tweetstream.WithCheckpoint(checkpoint), tweetstream.WithBuffer(1<<20))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := s.Stats().Sinks[0].Lost; len(n) > 0 {
			t.Errorf("lost %v", n)
		}
		return ids
	}
	if got := deliver(); len(got) != 3000 || got[0] != "1" || got[2999] != "3000" {
		t.Errorf("%d Posts, want 1 to 3000", len(got))
	}
	write(t, path, string(read(t, path))+post(3001))
	if got := deliver(); len(got) != 1 || got[0] != "3001" {
		t.Errorf("after the checkpoint %v, want 3001", got)
	}
}

// Whatever stands in a file, it is read to its end, nothing of it is logged, and
// each of its lines is accounted for once.
func FuzzLines(f *testing.F) {
	f.Add([]byte(post(1)+"bad\n"+post(2)), uint(1))
	f.Add([]byte(`{"letter":1,"id":"1","sink":"pg","raw":{"data":{"id":"1"}}}`+"\n\n\r\n{"), uint(0))
	f.Add([]byte(compressed(posts(1, 2))), uint(2))
	f.Add([]byte("{\"letter\":1,\"id\":\"1\",\"raw_base64\":\"AAE=\"}\r"), uint(3))
	f.Fuzz(func(t *testing.T, text []byte, from uint) {
		path := file(t, string(text))
		s := open(t, path)
		var g got
		err := s.Stream(t.Context(), nil, g.emit)
		if bytes.HasPrefix(text, []byte{0x1f, 0x8b}) {
			return
		}
		if err != nil {
			t.Fatalf("Stream() = %v", err)
		}
		lines := 0
		for _, l := range strings.Split(string(text), "\n") {
			if strings.TrimSuffix(l, "\r") != "" {
				lines++
			}
		}
		if st := s.Stats(); int(st.Tweets+st.Malformed+st.Oversized) != lines || int(st.Tweets) != len(g.tweets) {
			t.Errorf("%+v of %d lines, %d tweets", st, lines, len(g.tweets))
		}
		if len(g.states) > 0 {
			i := int(from % uint(len(g.states)))
			again, _ := run(t, g.states[i], path)
			want := got{tweets: g.tweets[g.until[i]:]}
			wantIDs(t, again, want.ids())
		}
	})
}
