package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/journal/boltjournal"
	"github.com/tweetstream-go/tweetstream/xtest"
)

// journalStat is what journal stat --json says.
type journalStat struct {
	Entries uint64
	Bytes   int64
	Sinks   []struct {
		Name    string
		Waiting uint64
	}
}

func statJournal(t *testing.T, dir string) (st journalStat) {
	t.Helper()
	p := start(t, "journal", "stat", "--json", dir)
	if code := p.wait(); code != 0 {
		t.Fatalf("journal stat: exit code %d; stderr:\n%s", code, p.stderr.String())
	}
	if err := json.Unmarshal([]byte(p.stdout.String()), &st); err != nil {
		t.Fatal(err)
	}
	return st
}

// A streamer that is killed while its receiver is down owes it all that was
// received, and the next run delivers it in order.
func TestJournalOutlivesKill(t *testing.T) {
	url, r := answering(t, http.StatusServiceUnavailable)
	x := newServer(t, xtest.Rate(500))
	dir := filepath.Join(t.TempDir(), "journal")
	out := filepath.Join(t.TempDir(), "out.ndjson")
	args := []string{"--api-url", x.URL, "--tag", "coop", "--to", url, "--to", "file:" + out, "--journal", dir}
	p := start(t, args...)
	p.eventually("200 Posts are in the file", func() bool { return strings.Count(string(read(t, out)), "\n") >= 200 })
	if busy := start(t, "journal", "stat", dir); busy.wait() != 1 || !strings.Contains(busy.stderr.String(), "in use") {
		t.Errorf("journal stat beside a run says:\n%s", busy.stderr.String())
	}
	p.cmd.Process.Kill()
	<-p.ended
	had := ids(t, read(t, out)[:strings.LastIndexByte(string(read(t, out)), '\n')+1])

	st := statJournal(t, dir)
	i := slices.IndexFunc(st.Sinks, func(s struct {
		Name    string
		Waiting uint64
	}) bool {
		return s.Name == "http"
	})
	if i < 0 || int(st.Sinks[i].Waiting) < len(had) || st.Entries < st.Sinks[i].Waiting {
		t.Errorf("after %d Posts journal stat says %+v, want that many waiting for http", len(had), st)
	}
	table := start(t, "journal", "stat", dir)
	if code := table.wait(); code != 0 || !strings.Contains(table.stdout.String(), "WAITING") || !strings.Contains(table.stdout.String(), "http") {
		t.Errorf("journal stat: exit code %d:\n%s", code, table.stdout.String())
	}
	compact := start(t, "journal", "compact", dir)
	if code := compact.wait(); code != 0 || !strings.Contains(compact.stdout.String(), " bytes before, ") {
		t.Errorf("journal compact: exit code %d:\n%s%s", code, compact.stdout.String(), compact.stderr.String())
	}

	r.answer(0)
	p = start(t, append(args, "--log-format", "json")...)
	p.eventually("all of them have come", func() bool { return len(r.got()) >= len(had) })
	p.stop(os.Interrupt)
	if got := ids(t, []byte(strings.Join(r.got(), "\n")+"\n")); !slices.Equal(got[:len(had)], had) {
		t.Errorf("the %d Posts that come first are not the %d that were owed, in order", len(got), len(had))
	}
	end := lastRecord(t, p.stderr.String())
	if j, ok := end["journal"].(map[string]any); !ok || j["limit"] != float64(8<<30) {
		t.Errorf("the last record is %v, want one with the journal's figures", end)
	}
}

// A second streamer waits for the journal, and takes over.
func TestJournalStandby(t *testing.T) {
	x := newServer(t, xtest.Rate(200))
	dir := filepath.Join(t.TempDir(), "journal")
	args := []string{"--api-url", x.URL, "--tag", "coop", "--journal", dir}
	first := start(t, args...)
	first.eventually("a Post is on stdout", func() bool { return strings.Contains(first.stdout.String(), "\n") })
	second := start(t, args...)
	second.eventually("it stands by", func() bool { return strings.Contains(second.stderr.String(), "journal") })
	first.cmd.Process.Kill()
	second.eventually("it has taken over", func() bool { return strings.Contains(second.stdout.String(), "\n") })
	second.stop(os.Interrupt)
	waiting := start(t, args...)
	waiting.eventually("a Post is on stdout", func() bool { return strings.Contains(waiting.stdout.String(), "\n") })
	third := start(t, args...)
	third.eventually("it stands by", func() bool { return strings.Contains(third.stderr.String(), "journal") })
	third.stop(os.Interrupt) // a standby ends well too
}

func TestJournalFailures(t *testing.T) {
	dir := t.TempDir()
	file := write(t, filepath.Join(dir, "file"), "x")
	for name, args := range map[string][]string{
		"stat, nothing there":    {"journal", "stat", filepath.Join(dir, "nix")},
		"compact, nothing there": {"journal", "compact", filepath.Join(dir, "nix")},
		"a file":                 {"run", "--api-url", "http://127.0.0.1:1", "--tag", "coop", "--journal", file},
	} {
		p := start(t, args...)
		if code := p.wait(); code != 1 || strings.Count(p.stderr.String(), "streamer: ") != 1 {
			t.Errorf("%s: exit code %d, stderr:\n%s\nwant 1 and one line", name, code, p.stderr.String())
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "nix")); err == nil {
		t.Error("a folder was made")
	}
}

// What of a journal is damaged is counted, for people and for programs.
func TestJournalStatFindsDamage(t *testing.T) {
	dir := t.TempDir()
	j, err := boltjournal.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	var tweets []*tweetstream.Tweet
	for i := range 5 {
		tweets = append(tweets, &tweetstream.Tweet{ID: fmt.Sprint(i), Raw: fmt.Appendf(nil, `{"data":{"id":"%d","text":"%s"}}`, i, strings.Repeat("long ", 200)), Received: time.Now()})
	}
	if _, err := j.Append(t.Context(), tweets, nil); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "journal.db")
	data := read(t, path)
	at := bytes.Index(data, tweets[2].Raw)
	if at < 0 {
		t.Fatal("the entry is not found in the file")
	}
	data[at+100]++
	write(t, path, string(data))
	for want, args := range map[string][]string{"5 entries (0 of them tombstones)": nil, "\n1 entries are damaged\n": nil, `"damaged":1,`: {"--json"}} {
		p := start(t, append([]string{"journal", "stat", dir}, args...)...)
		if code := p.wait(); code != 0 || !strings.Contains(p.stdout.String(), want) {
			t.Errorf("exit code %d, want 0 and %q:\n%s", code, want, p.stdout.String()+p.stderr.String())
		}
	}
}
