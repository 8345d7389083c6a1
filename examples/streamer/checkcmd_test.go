package main_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
