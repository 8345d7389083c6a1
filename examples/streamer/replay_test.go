package main_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/deadletter"
	"github.com/tweetstream-go/tweetstream/xtest"
)

// message is a Post of the year 2026, made at a second of its first minute.
func message(id int) string {
	return fmt.Sprintf(`{"data":{"id":"%d","text":"SECRET","created_at":"2026-01-01T00:00:%02d.000Z"}}`+"\n", id, id%60)
}

func messages(from, to int) (text string) {
	for id := from; id <= to; id++ {
		text += message(id)
	}
	return text
}

// bury makes a dead-letter file with a letter of each sink in turn.
func bury(t *testing.T, path string, sinks ...string) string {
	t.Helper()
	f, err := deadletter.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, sink := range sinks {
		tw, err := tweetstream.ParseTweet([]byte(message(i + 1)))
		if err != nil {
			t.Fatal(err)
		}
		err = f.Keep(context.Background(), []tweetstream.Letter{{Tweet: tw, Sink: sink, Reason: tweetstream.GaveUp}})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// answering starts a server that answers with a status, 0 for one that takes all.
func answering(t *testing.T, status int) (url string, r *receiver) {
	t.Helper()
	r = &receiver{status: status}
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	return s.URL, r
}

// What a receiver refuses is kept, and a replay hands it over once it takes it.
func TestDeadLetterAndBack(t *testing.T) {
	url, r := answering(t, http.StatusUnprocessableEntity)
	x := newServer(t, xtest.Rate(200))
	dir := t.TempDir()
	c := command{dir: dir, args: []string{"--api-url", x.URL, "--tag", "coop", "--to", url}}
	write(t, filepath.Join(dir, "streamer.yaml"), "dead-letter: dead.ndjson\n")
	p := c.start(t)
	dead := filepath.Join(dir, "dead.ndjson")
	p.eventually("20 letters are kept", func() bool { return bytes.Count(read(t, dead), []byte("\n")) >= 20 })
	p.stop(os.Interrupt)
	if info, err := os.Stat(dead); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("others can read the dead letter: %v, %v", info, err)
	}
	var sinks []string
	for line := range bytes.Lines(read(t, dead)) {
		l, err := deadletter.Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		if l.Reason == tweetstream.Rejected {
			sinks = append(sinks, l.Sink)
		}
	}
	if len(sinks) < 20 || sinks[0] != "http" {
		t.Errorf("%d rejected letters, want 20 or more of the sink http", len(sinks))
	}

	letters := bytes.Count(read(t, dead), []byte("\n"))
	r.answer(0)
	p = command{dir: dir, args: []string{"replay", "dead.ndjson", "--sink", "http", "--to", url, "--log-format", "json"}}.start(t)
	if code := p.wait(); code != 0 || len(r.got()) != letters {
		t.Errorf("exit code %d, %d of %d Posts came; stderr:\n%s", code, len(r.got()), letters, p.stderr.String())
	}
	if end := lastRecord(t, p.stderr.String()); end["msg"] != "ended" || end["received"] != float64(letters) {
		t.Errorf("the last record is %v, want one that %d Posts were received", end, letters)
	}
}

func TestReplayFiles(t *testing.T) {
	dir := t.TempDir()
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Write([]byte(messages(1, 3)))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "old.gz"), z.String())
	write(t, filepath.Join(dir, "new"), messages(3, 5))
	bury(t, filepath.Join(dir, "dead"), "a", "b", "a")
	tests := map[string]struct {
		args []string
		want string
	}{
		"two, and repeats": {[]string{"old.gz", "new"}, messages(1, 5)},
		"letters":          {[]string{"dead"}, messages(1, 3)},
		"letters of one":   {[]string{"dead", "--sink", "a"}, message(1) + message(3)},
		"at a pace":        {[]string{"new", "--pace", "50"}, messages(3, 5)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := command{dir: dir, args: append([]string{"replay"}, tt.args...)}.start(t)
			if code := p.wait(); code != 0 {
				t.Errorf("exit code %d; stderr:\n%s", code, p.stderr.String())
			}
			if diff := cmp.Diff(tt.want, p.stdout.String()); diff != "" {
				t.Errorf("stdout (-want +got):\n%s", diff)
			}
		})
	}
}

// What is not delivered, or can't be read, is said in the last line, and the exit
// code is 1.
func TestReplayFaults(t *testing.T) {
	url, _ := answering(t, http.StatusUnprocessableEntity)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "bad"), message(1)+"SECRET\n"+message(2)+`{"data":`)
	write(t, filepath.Join(dir, "good"), messages(1, 2))
	write(t, filepath.Join(dir, "half.gz"), "\x1f\x8b\x08")
	write(t, filepath.Join(dir, "state"), `{"version":1,"state":"eyJzb3VyY2UiOiJ4c3RyZWFtIn0="}`)
	tests := map[string]struct {
		args []string
		want string
		more []string // in the log
		out  string
	}{
		"bad lines": {[]string{"bad"}, "2 lines can't be read", []string{"line=2", "line=4"}, messages(1, 2)},
		"refused":   {[]string{"good", "--to", url}, "2 not delivered to http: they are named in the log", []string{"first=1 last=2"}, ""},
		"refused, and kept": {
			[]string{"good", "--to", url, "--dead-letter", "dead"}, "2 not delivered to http: they are in dead", []string{"tweets went to the dead letter"}, "",
		},
		"no such file":         {[]string{"good", "nix"}, "nix: no such file", nil, ""},
		"a damaged file":       {[]string{"half.gz"}, "read half.gz", nil, ""},
		"the stream's state":   {[]string{"good", "--checkpoint", "state"}, "the stored state is that of another source", nil, ""},
		"a dead letter in use": {[]string{"good", "--dead-letter", "."}, "open --dead-letter: deadletter: open", nil, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := command{dir: dir, args: append([]string{"replay"}, tt.args...)}.start(t)
			code := p.wait()
			out := p.stderr.String()
			lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
			if last := lines[len(lines)-1]; code != 1 || !strings.HasPrefix(last, "streamer: ") || !strings.Contains(last, tt.want) {
				t.Errorf("exit code %d, the last line is %q; want 1 and %q", code, last, tt.want)
			}
			for _, want := range tt.more {
				if !strings.Contains(out, want) {
					t.Errorf("the log does not have %q:\n%s", want, out)
				}
			}
			if diff := cmp.Diff(tt.out, p.stdout.String()); diff != "" || strings.Contains(out, "SECRET") {
				t.Errorf("stderr:\n%s\nstdout (-want +got):\n%s", out, diff)
			}
		})
	}
	if _, err := os.Stat(filepath.Join(dir, "dead")); err != nil {
		t.Error(err)
	}
}

// A replay that is stopped says where, and goes on there.
func TestReplayGoesOn(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "posts"), messages(1, 59))
	out := filepath.Join(dir, "out")
	args := []string{"replay", "posts", "--to", "file:out", "--checkpoint", "state"}
	// The settings are for run, and their state is the stream's.
	write(t, filepath.Join(dir, "streamer.yaml"), "checkpoint: posts\ndead-letter: posts\n")
	p := command{dir: dir, args: append(args, "--pace", "5"), env: []string{"TWEETSTREAM_DEAD_LETTER=posts"}}.start(t)
	p.eventually("some Posts have come, and the state is kept", func() bool {
		return len(read(t, out)) > 0 && len(read(t, filepath.Join(dir, "state"))) > 0
	})
	p.cmd.Process.Signal(os.Interrupt)
	if code := p.wait(); code != 1 || !strings.Contains(p.stderr.String(), "not all was replayed: stopped at line ") {
		t.Errorf("exit code %d; want 1, and where it was stopped:\n%s", code, p.stderr.String())
	}
	some := strings.Count(string(read(t, out)), "\n")
	if err := os.Remove(out); err != nil {
		t.Fatal(err)
	}
	p = command{dir: dir, args: args}.start(t)
	if code := p.wait(); code != 0 {
		t.Errorf("exit code %d; stderr:\n%s", code, p.stderr.String())
	}
	got := ids(t, read(t, out))
	if len(got) == 59 || len(got) < 59-some || got[len(got)-1] != "59" {
		t.Errorf("after %d of 59 Posts %d came: %v", some, len(got), got)
	}
}

// With a sink that is down, a signal ends the replay within the drain time, and
// what was left is kept.
func TestReplayIsInterrupted(t *testing.T) {
	url, _ := answering(t, http.StatusServiceUnavailable)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "posts"), messages(1, 20))
	p := command{dir: dir, args: []string{"replay", "posts", "--to", url, "--dead-letter", "dead"}}.start(t)
	p.eventually("the sink fails", func() bool { return strings.Contains(p.stderr.String(), "delivery failed") })
	begin := time.Now()
	p.cmd.Process.Signal(os.Interrupt)
	if code := p.wait(); code != 1 || !strings.Contains(p.stderr.String(), "20 not delivered to http") {
		t.Errorf("exit code %d; stderr:\n%s", code, p.stderr.String())
	}
	if n := bytes.Count(read(t, filepath.Join(dir, "dead")), []byte("\n")); n != 20 {
		t.Errorf("%d letters after %v, want 20", n, time.Since(begin))
	}
	if _, err := os.Stat(filepath.Join(dir, "posts")); errors.Is(err, os.ErrNotExist) {
		t.Error("the file is gone")
	}
}
