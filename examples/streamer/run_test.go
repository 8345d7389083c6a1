package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream/xtest"
)

// madeUp returns messages as X might write them one day: other spaces, other
// orders, escapes, scripts, and one of a megabyte.
func madeUp() []byte {
	var b bytes.Buffer
	for i := range 40 {
		id := 1_800_000_000_000_000_000 + i
		switch i % 6 {
		case 0:
			fmt.Fprintf(&b, `{"data":{"id":"%d","text":"plain %d"},"matching_rules":[{"id":"1","tag":"t"}]}`, id, i)
		case 1:
			fmt.Fprintf(&b, "{ \"data\" :\t{ \"text\":  \"  spaces \" ,\"id\" : \"%d\" }  , \"matching_rules\":[ ] }", id)
		case 2:
			fmt.Fprintf(&b, `{"matching_rules":[{"id":9007199254740993,"tag":null}],"data":{"id":"%d","text":"\u00e9\ud83d\ude00 \/ \u2028 \"q\""}}`, id)
		case 3:
			fmt.Fprintf(&b, `{"data":{"id":"%d","text":"שלום 世界 🌍 مرحبا","lang":"und"},"includes":{"users":[{"id":"7","name":"😀"}]}}`, id)
		case 4:
			fmt.Fprintf(&b, `{"data":{"entities":{"annotations":[{"id":"5"}]},"id":"%d","text":"</script>\r\n","unknown":[1e400,{}]},"errors":[]}`, id)
		case 5:
			fmt.Fprintf(&b, `{"data":{"id":"%d","text":"%s"}}`, id, strings.Repeat("long ", 200_000))
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

func TestReplayByteForByte(t *testing.T) {
	samples := map[string]string{"made up": write(t, filepath.Join(t.TempDir(), "lines.ndjson"), string(madeUp()))}
	if path := os.Getenv("TWEETSTREAM_SAMPLES"); path != "" {
		samples["real"] = path
	}
	for name, path := range samples {
		t.Run(name, func(t *testing.T) {
			want := read(t, path)
			if len(want) == 0 {
				t.Fatalf("no samples in %s", path)
			}
			sim, url := simulate(t, "--replay", path)
			out := filepath.Join(t.TempDir(), "out.ndjson")
			p := start(t, "--api-url", url, "--to", "file:"+out)
			p.eventually("all lines are in the file", func() bool { return len(read(t, out)) >= len(want) })
			p.stop(os.Interrupt)
			sim.stop(os.Interrupt)
			if got := read(t, out); !bytes.Equal(got, want) {
				t.Errorf("the file has %d bytes in %d lines, which differ from the %d bytes in %d lines of the replay",
					len(got), bytes.Count(got, []byte("\n")), len(want), bytes.Count(want, []byte("\n")))
			}
		})
	}
}

func TestTwoSinks(t *testing.T) {
	sim, url := simulate(t, "--rate", "200")
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one=1.ndjson"), filepath.Join(dir, "two.ndjson")
	p := start(t, "run", "--api-url", url, "--tag", "coop", "--to", "file:"+one, "--to", "second=file:"+two)
	p.eventually("50 Posts are in both files", func() bool {
		return min(bytes.Count(read(t, one), []byte("\n")), bytes.Count(read(t, two), []byte("\n"))) >= 50
	})
	p.stop(os.Interrupt)
	sim.stop(os.Interrupt)
	if !bytes.Equal(read(t, one), read(t, two)) {
		t.Error("the files differ")
	}
	if !strings.Contains(p.stderr.String(), "sinks.second.delivered=") {
		t.Errorf("no figures of the sink second in the log:\n%s", p.stderr.String())
	}
}

// What was received when the signal came is in the file, and nothing is missing
// in between.
func TestSignalDrains(t *testing.T) {
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(sig.String(), func(t *testing.T) {
			x := newServer(t, xtest.Rate(2000))
			out := filepath.Join(t.TempDir(), "out.ndjson")
			p := start(t, "--api-url", x.URL, "--tag", "coop", "--to", "file:"+out, "--log-format", "json")
			p.eventually("1,000 Posts are in the file", func() bool { return bytes.Count(read(t, out), []byte("\n")) >= 1000 })
			p.stop(sig)
			got := ids(t, read(t, out))
			if sent := x.IDs(); len(sent) < len(got) || !slices.Equal(got, sent[:len(got)]) {
				t.Errorf("the %d Posts in the file are not the first of the %d that were sent", len(got), len(sent))
			}
			if end := lastRecord(t, p.stderr.String()); end["msg"] != "ended" || end["received"] != float64(len(got)) {
				t.Errorf("the last record is %v, want one that %d Posts were received", end, len(got))
			}
		})
	}
}

// Started with nohup it outlives its terminal.
func TestIgnoredHangup(t *testing.T) {
	x := newServer(t, xtest.Rate(200))
	p := command{args: []string{"--api-url", x.URL, "--tag", "coop"}, nohup: true}.start(t)
	posts := func() int { return strings.Count(p.stdout.String(), "\n") }
	p.eventually("Posts come", func() bool { return posts() > 0 })
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	before := posts()
	p.eventually("more Posts come", func() bool { return posts() > before+100 })
	if strings.Contains(p.stderr.String(), "stopping") {
		t.Errorf("it stops:\n%s", p.stderr.String())
	}
	p.stop(os.Interrupt)
}

// records returns the log, which must be JSON.
func records(t *testing.T, log string) []map[string]any {
	t.Helper()
	var all []map[string]any
	for line := range strings.Lines(log) {
		var r map[string]any
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("a line of the log is not JSON: %q", line)
		}
		all = append(all, r)
	}
	return all
}

func lastRecord(t *testing.T, log string) map[string]any {
	t.Helper()
	all := records(t, log)
	if len(all) == 0 {
		t.Fatal("nothing was logged")
	}
	return all[len(all)-1]
}

// With a sink that takes nothing, the first signal waits for it and the second
// does not.
func TestSecondSignal(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	x := newServer(t, xtest.Rate(1000))
	p := command{args: []string{"--api-url", x.URL, "--tag", "coop"}, stdout: w}.start(t)
	w.Close()
	p.eventually("more was sent than a pipe holds", func() bool { return x.Stats().Sent > 1000 })
	p.cmd.Process.Signal(os.Interrupt)
	p.eventually("it says that it stops", func() bool { return strings.Contains(p.stderr.String(), "stopping") })
	p.cmd.Process.Signal(os.Interrupt)
	if code := p.wait(); code != 130 {
		t.Errorf("exit code after a second signal = %d, want 130", code)
	}
}

func TestStdoutIsTheDefault(t *testing.T) {
	for _, args := range [][]string{nil, {"--to", "stdout:"}, {"--stream", "sample"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			x := newServer(t, xtest.Rate(200))
			if !slices.Contains(args, "sample") {
				args = append(args, "--tag", "coop")
			}
			p := start(t, append(args, "--api-url", x.URL, "--log-format", "json", "--log-level", "debug")...)
			p.eventually("20 Posts are on stdout", func() bool { return strings.Count(p.stdout.String(), "\n") >= 20 })
			p.stop(os.Interrupt)
			if got := ids(t, []byte(p.stdout.String())); len(got) < 20 {
				t.Errorf("%d Posts on stdout, want 20 or more", len(got))
			}
			records(t, p.stderr.String())
			if strings.Contains(p.stderr.String(), "\x1b") {
				t.Errorf("control sequences where stderr is no terminal:\n%q", p.stderr.String())
			}
		})
	}
}

func TestDeclaredRules(t *testing.T) {
	x := newServer(t)
	if code := start(t, "rules", "add", "--api-url", x.URL, "mine-old=old", "theirs=others").wait(); code != 0 {
		t.Fatalf("rules add: exit code %d", code)
	}
	p := start(t, "--api-url", x.URL, "--tag", "coop", "--tag", "été", "--tag", "می\u200cخواهم", "--tag", "कॉफी", "--rule", `mine-q="a=b" OR (c d)`, "--tag", "coop", "--prune", "mine-")
	p.eventually("the stream is connected", func() bool { return x.Stats().Connected == 1 })
	p.stop(os.Interrupt)
	want := []string{"theirs=others", "coop=coop OR #coop", "été=été OR #été", "می\u200cخواهم=می\u200cخواهم OR #می\u200cخواهم", "कॉफी=कॉफी OR #कॉफी", `mine-q="a=b" OR (c d)`}
	if diff := cmp.Diff(want, rulesAt(t, x)); diff != "" {
		t.Errorf("rules at X (-want +got):\n%s", diff)
	}
}

func TestRulesAtXAreUsed(t *testing.T) {
	x := newServer(t, xtest.Rate(200))
	start(t, "rules", "add", "--api-url", x.URL, "cats=cats").wait()
	p := start(t, "--api-url", x.URL)
	p.eventually("a Post is on stdout", func() bool { return strings.Contains(p.stdout.String(), "\n") })
	p.stop(os.Interrupt)
	if !strings.Contains(p.stderr.String(), "no bearer.txt: a made-up token is used") {
		t.Errorf("it does not say that the token is made up:\n%s", p.stderr.String())
	}
	if !strings.Contains(p.stderr.String(), "the stream brings what the rules bring that are at X") {
		t.Errorf("it does not say that the rules at X are used:\n%s", p.stderr.String())
	}
}

// What a restart would miss is said at the start.
func TestWithoutCheckpoint(t *testing.T) {
	for _, keep := range []string{"", "--checkpoint", "--journal"} {
		c := command{env: []string{"TOKEN=any"}, args: []string{"--api-url", "https://127.0.0.1:1", "--token-env", "TOKEN", "--tag", "coop"}}
		if keep != "" {
			c.args = append(c.args, keep, "kept")
		}
		p := c.start(t)
		p.eventually("it tries", func() bool { return strings.Contains(p.stderr.String(), "the stream is down") })
		p.stop(os.Interrupt)
		if said := strings.Contains(p.stderr.String(), "a restart begins at now"); said != (keep == "") {
			t.Errorf("with %q it is said: %v\n%s", keep, said, p.stderr.String())
		}
	}
}

// At the budget the stream is held, and what was read counts for the next run, too.
// Without one there are no costs.
func TestBudget(t *testing.T) {
	x := newServer(t, xtest.Rate(200))
	args := []string{"--api-url", x.URL, "--tag", "coop", "--checkpoint", filepath.Join(t.TempDir(), "state"), "--to", "file:out.ndjson"}
	for range 2 {
		p := start(t, append(args, "--budget", "50/day", "--budget", "9000/month", "--cycle-day", "3", "--price", "0.01")...)
		p.eventually("the stream is held", func() bool { return strings.Contains(p.stderr.String(), "the stream is held by the budget") })
		p.stop(os.Interrupt)
		for _, says := range []string{"posts=50 cost=$0.50", "cycle_day=3", "read_day=50 cost=$0.50"} {
			if !strings.Contains(p.stderr.String(), says) {
				t.Errorf("it does not say %q:\n%s", says, p.stderr.String())
			}
		}
	}
	if n := x.Stats().Connects; n != 1 {
		t.Errorf("%d connections, though the first has spent the budget", n)
	}
	p := start(t, append(args, "--budget", "none")...)
	p.eventually("the stream is there", func() bool { return x.Stats().Connected == 1 })
	p.stop(os.Interrupt)
	if strings.Contains(p.stderr.String(), "cost=") {
		t.Errorf("costs without a budget:\n%s", p.stderr.String())
	}
}

func TestCheckpoint(t *testing.T) {
	x := newServer(t, xtest.Rate(200))
	state := filepath.Join(t.TempDir(), "state")
	p := start(t, "--api-url", x.URL, "--tag", "coop", "--checkpoint", state)
	p.eventually("the checkpoint is written", func() bool { return len(read(t, state)) > 0 })
	p.stop(os.Interrupt)
}
