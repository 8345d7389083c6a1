package main_test

import (
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	main "github.com/tweetstream-go/tweetstream/examples/streamer"
	"github.com/tweetstream-go/tweetstream/xtest"
)

// check asks X for what is free only, changes nothing, and says what run would do
// and what that may cost.
func TestCheckBuysNothing(t *testing.T) {
	x := newServer(t, xtest.Rule("theirs", "fish"), xtest.Rule("my/old", "old"))
	p := start(t, "--api-url", x.URL, "--tag", "cats")
	p.eventually("the stream is there", func() bool { return x.Stats().Connected == 1 })
	before := len(x.Requests())
	c := start(t, "check", "--api-url", x.URL, "--tag", "coop", "--prune", "my/", "--budget", "5000/day", "--price", "0.01")
	if code := c.wait(); code != 0 {
		t.Errorf("exit code %d:\n%s", code, c.stdout.String()+c.stderr.String())
	}
	for _, says := range []string{
		"warn  rules        1 declared, 3 at X, 2 of them not declared here: the Posts that they bring are billed",
		"warn  connections  one to this stream is live",
		"streamer connections close filtered_stream",
		"ok    usage",
		"- add 1 rule at X: coop",
		"- delete 1 rule at X: my/old",
		"- read the filtered stream of 3 rules",
		"- hold the stream at 5,000 Posts ($50.00) in a UTC day",
		"for what X sent up to 15m ago, and for up to 1,000 Posts ($10.00) of it",
		"It can be started.",
	} {
		if !strings.Contains(c.stdout.String(), says) {
			t.Errorf("it does not say %q:\n%s", says, c.stdout.String())
		}
	}
	for _, r := range x.Requests()[before:] {
		switch {
		case r.Method == http.MethodGet && (r.Path == rulesPath || r.Path == "/2/connections" || r.Path == "/2/usage/tweets"):
		default:
			t.Errorf("it asks X: %s %s", r.Method, r.Path)
		}
	}
	p.stop(os.Interrupt)
}

// What run would fail with, check finds: with exit code 1, or 2 for wrong flags.
func TestCheckFindsWhatWouldFail(t *testing.T) {
	x := newServer(t, xtest.Token("CANARY0right"))
	dir := t.TempDir()
	write(t, filepath.Join(dir, "bearer.txt"), "CANARY0wrong\n")
	for _, tt := range []struct {
		args, says string
		code       int
	}{
		{"--tag coop", "fail  token        list rules: X answers 401", 1},
		{"--tag coop --token-env CANARY", "It can be started.", 0},
		{"--token-env CANARY", "fail  rules        0 declared, 0 at X: X opens no stream without rules", 1},
		{"--tag coop --token-file none.txt", "fail  token        no token: file none.txt can't be read", 1},
		{"--tag coop --budget 5000", "want N/day or N/month", 2},
		{"--tag coop --recover 15m", "want TIME/POSTS", 2},
		{"--tag coop --api-url http://127.0.0.1:1", "look at the network and --api-url", 1},
	} {
		args := []string{"check"}
		if !strings.Contains(tt.args, "--api-url") {
			args = append(args, "--api-url", x.URL)
		}
		p := command{dir: dir, env: []string{"CANARY=CANARY0right"}, args: append(args, strings.Fields(tt.args)...)}.start(t)
		code := p.wait()
		said := p.stdout.String() + p.stderr.String()
		if code != tt.code || !strings.Contains(said, tt.says) {
			t.Errorf("check %s: exit code %d, want %d and %q:\n%s", tt.args, code, tt.code, tt.says, said)
		}
		if strings.Contains(said, "CANARY0") {
			t.Errorf("check %s shows the token:\n%s", tt.args, said)
		}
	}
}

// Each part of a check says what it has found, and what run would do.
func TestCheckSaysWhatItFinds(t *testing.T) {
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("something was sent: %s %s", r.Method, r.URL)
	}))
	defer receiver.Close()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "there.ndjson"), "")
	if err := os.Symlink("there.ndjson", filepath.Join(dir, "link.ndjson")); err != nil {
		t.Fatal(err)
	}
	var many strings.Builder
	for i := range 1001 {
		fmt.Fprintf(&many, "- {tag: t%d, value: w%d}\n", i, i)
	}
	write(t, filepath.Join(dir, "many.yaml"), many.String())
	usage := func(posts int) string {
		return fmt.Sprintf(`{"data":{"cap_reset_day":7,"project_cap":"2000","project_usage":"%d"}}`, posts)
	}
	for _, tt := range []struct {
		args          string
		faults, usage string
		env           []string
		code          int // negative: either
		says          []string
	}{
		{args: "--stream sample", says: []string{"- read the sampled stream, 1 % of all Posts, each of them billed", "- read without a budget", "- hand each Post to stdout"}},
		{args: "--tag coop --to file:a --to b=file:there.ndjson", says: []string{"ok    sink b       there.ndjson can be written to, ", "- hand each Post to file, b"}},
		{args: "--tag coop --budget 9000/month --recover none", says: []string{"- hold the stream at 9,000 Posts ($45.00) in a billing cycle", "- ask for nothing again after a gap"}},
		{args: "--tag coop --recover 24h/5", says: []string{"up to 24h ago, and for up to 5 Posts ($0.03) of it"}},
		{args: "--rules many.yaml", says: []string{"warn  rules        1001 declared, 1 at X, 1 of them not declared here", "warn  rules        1002 then: pay-per-use has room for 1,000", "- add 1001 rules at X: t0, t1, t2, t3, t4, …\n", "- read the filtered stream of 1002 rules"}},
		{args: "--rule c=coca-cola", says: []string{`warn  rules        The rule with the tag "c": a word has no '-' in it`}},
		{args: "--tag coop", faults: "503@rules", code: 1, says: []string{"fail  X            list rules: X answers 503", "It would not work"}},
		{args: "--tag coop", faults: "403@rules", code: 1, says: []string{"fail  token        list rules: X answers 403"}},
		{args: "--tag coop", faults: "503@usage 503@connections", says: []string{"warn  usage        usage: X answers 503", "warn  connections  connections: X answers 503", "It can be started."}},
		{args: "--tag coop", usage: usage(1800), says: []string{"ok    usage        1,800 of 2,000 Posts read in this billing cycle (90.0 %), the next begins on day 7 of the month"}},
		{args: "--tag coop", usage: usage(1801), says: []string{"warn  usage        1,801 of 2,000", "→ raise the cap in X's developer console\n"}},
		{args: "--tag coop", usage: usage(2000), code: 1, says: []string{"fail  usage        2,000 of 2,000", "or wait for the next cycle"}},
		{args: "--tag coop", usage: `{"data":{"project_usage":"12"}}`, says: []string{"ok    usage        12 Posts read in this billing cycle\n"}},
		{args: "--tag coop --to ws://" + taken.Addr().String() + "/feed", code: 1, says: []string{"fail  sink ws      listen tcp", "end what listens there"}},
		{args: "--tag coop --to ws://127.0.0.1:0/feed", says: []string{"ok    sink ws      127.0.0.1:0 is free to listen on"}},
		{args: "--tag coop --to " + receiver.URL + "/in", says: []string{"ok    sink http    " + receiver.Listener.Addr().String() + " takes connections; nothing was posted"}},
		{args: "--tag coop --to http://posts.example/in", env: []string{"HTTP_PROXY=" + receiver.URL}, says: []string{"ok    sink http, by its proxy  " + receiver.Listener.Addr().String() + " takes"}},
		{args: "--tag coop --to http://posts.example/in", env: []string{"HTTP_PROXY=http://127.0.0.1:1"}, code: 1, says: []string{"fail  sink http, by its proxy  dial tcp 127.0.0.1:1"}},
		{args: "--tag coop --to http://127.0.0.1/x --to https://127.0.0.1/x", code: -1, says: []string{" 127.0.0.1:80", " 127.0.0.1:443"}}, // whoever listens there
		{args: "--tag coop --to file:link.ndjson", code: 1, says: []string{"fail  sink file    link.ndjson is a symbolic link", "→ name the file itself"}},
		{args: "--tag coop --to file:.", code: 1, says: []string{"fail  sink file    . is no regular file"}},
		{args: "--tag coop --checkpoint new/deep/state --dead-letter there.ndjson/x", code: 1, says: []string{
			"ok    checkpoint   new/deep/state can be written to, ", "fail  dead letter  there.ndjson is no folder",
			"- go on after a restart where new/deep/state says", "- keep what a sink does not get in there.ndjson/x",
		}},
		{args: "--tag coop --journal there.ndjson", code: 1, says: []string{"fail  journal      ", "- keep Posts in there.ndjson until all sinks have them"}},
	} {
		x := newServer(t, xtest.Rule("theirs", "fish"))
		if tt.faults != "" {
			if err := x.Inject(tt.faults); err != nil {
				t.Fatal(err)
			}
		}
		if tt.usage != "" {
			x.Fail("/2/usage/tweets", 1, xtest.Response{Body: tt.usage})
		}
		p := command{dir: dir, env: tt.env, args: append([]string{"check", "--api-url", x.URL}, strings.Fields(tt.args)...)}.start(t)
		code := p.wait()
		for _, says := range tt.says {
			if code != tt.code && tt.code >= 0 || !strings.Contains(p.stdout.String(), says) {
				t.Errorf("check %s: exit code %d, want %d and %q:\n%s", tt.args, code, tt.code, says, p.stdout.String()+p.stderr.String())
			}
		}
	}
	if files, _ := os.ReadDir(dir); len(files) != 3 {
		t.Errorf("the folder holds %v, want that nothing was made", files)
	}
}

// A connection to the other stream is in nobody's way, and a journal that is in use
// makes run wait. connections shows what is live, and closes what it is told to.
func TestCheckAndConnectionsWhileRunRuns(t *testing.T) {
	x := newServer(t)
	journal := filepath.Join(t.TempDir(), "journal")
	p := start(t, "--api-url", x.URL, "--stream", "sample", "--journal", journal)
	p.eventually("the stream is there", func() bool { return x.Stats().Connected == 1 })
	for _, tt := range []struct{ args, says string }{
		{"check --tag coop", "ok  connections  none to this stream is live"},
		{"check --stream sample", "warn  connections  one to this stream is live, since "},
		{"check --stream sample", "streamer connections close sample_stream"},
		{"check --tag coop --journal " + journal, "warn  journal      another process has it: run stands by until that has ended"},
		{"connections list", "ENDPOINT       SINCE                FROM       ID\nsample_stream  "},
		{"connections list --json", `"endpoint":"sample_stream","since":"`},
		{"connections close filtered_stream", "closed: 0\n"},
		{"connections close sample_stream", "closed: 1\n"},
	} {
		c := start(t, append(strings.Fields(tt.args), "--api-url", x.URL)...)
		if code := c.wait(); code != 0 || !strings.Contains(c.stdout.String(), tt.says) {
			t.Errorf("%s: exit code %d, want 0 and %q:\n%s", tt.args, code, tt.says, c.stdout.String()+c.stderr.String())
		}
	}
	p.stop(os.Interrupt)
}

func TestCheckOfAFullDisk(t *testing.T) {
	for _, tt := range []struct {
		least, want uint64
		says        string
	}{
		{1, 1, "ok x can be written to"},
		{1, math.MaxUint64, "warn x can be written to"},
		{math.MaxUint64, math.MaxUint64, "it takes nothing in below 16.0 EiB"},
	} {
		if got := main.CheckFolder(t.TempDir(), tt.least, tt.want); !strings.Contains(got, tt.says) {
			t.Errorf("of %d, %d: %q, want %q", tt.least, tt.want, got, tt.says)
		}
	}
}
