package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tweetstream-go/tweetstream/xtest"
)

// With --live another X is read, to its budget, which is told at the start and
// counted on by the next one.
func TestLive(t *testing.T) {
	x := xtest.NewServer(xtest.Rate(200))
	defer x.Close()
	state := filepath.Join(t.TempDir(), "state")
	for start := range 2 {
		d := serve(t, "--live", "--api-url", x.URL, "--tag", "coop", "--budget", "50/day", "--checkpoint", state)
		for _, want := range []string{"Posts of " + x.URL + " with coop", "Each Post costs $0.005", "50 a UTC day ($0.25)"} {
			if !strings.Contains(d.stderr.String(), want) {
				t.Errorf("start %d does not say %q:\n%s", start+1, want, d.stderr.String())
			}
		}
		d.eventually("the stream is held", func() bool {
			_, figures := d.do(request{"GET", "/stats", "", nil})
			return strings.Contains(figures, `"held":"the budget of 50 Posts a day is spent"`)
		})
		if start == 0 && !strings.Contains(d.view("/ws?tag=coop").next(), "coop") {
			t.Error("the Posts are not shown")
		}
		d.stop(os.Interrupt)
	}
	if n := x.Stats().Connects; n != 1 {
		t.Errorf("the stream was read %d times, though its budget was spent by the first", n)
	}
}

// X itself has a budget unless one is given. This one is not reached: the proxy is
// none.
func TestLiveXHasABudget(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	t.Setenv("MY_TOKEN", "CANARY0s3cret0CANARY")
	for budget, want := range map[string]string{
		"":             "held after 10000 a UTC day ($50.00), see --budget.\nWithout --checkpoint the next start counts from 0.",
		"300000/month": "held after 300000 a billing cycle ($1500.00), see",
		"none":         "no budget: each Post is billed",
	} {
		args := []string{"--live", "--token-env", "MY_TOKEN", "--tag", "coop"}
		if budget != "" {
			args = append(args, "--budget", budget)
		}
		d := serve(t, args...)
		d.eventually("it says "+want, func() bool { return strings.Contains(d.stderr.String(), want) })
		d.stop(os.Interrupt)
		if strings.Contains(d.stderr.String(), "CANARY") {
			t.Errorf("the token is shown:\n%s", d.stderr.String())
		}
	}
}

func TestLiveFlags(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "webapp.yaml"), []byte("receive: true\nbudget: 5/week\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"--live: give --tag WORD too":                    {"--live", "--budget", "5/day"},
		"want --live or --receive, not both":             {"--live", "--receive", "--tag", "coop"},
		"--budget (webapp.yaml): want N/day or N/month":  {"--live", "--tag", "coop"},
		"--budget (webapp.yaml) is for --live":           {},
		"--rate is for the simulated X":                  {"--live", "--tag", "coop", "--rate", "5"},
		"--api-url: a bearer token goes over https only": {"--live", "--tag", "coop", "--api-url", "http://example.com", "--budget", "5/day"},
		"want --token-file or --token-env, not both":     {"--live", "--tag", "coop", "--token-file", "a", "--token-env", "B"},
		"--price: want dollars for a Post":               {"--live", "--tag", "coop", "--price=-1"},
	} {
		p := start(t, webdemo, dir, args...)
		if code := p.wait(); code != 2 || !strings.Contains(p.stderr.String(), want) {
			t.Errorf("%v: exit code %d, want 2 and %q:\n%s", args, code, want, p.stderr.String())
		}
	}
	p := start(t, webdemo, dir, "--live", "--tag", "coop", "--budget", "5/day") // above the receive of the file
	if code := p.wait(); code != 1 || !strings.Contains(p.stderr.String(), "no token: file bearer.txt can't be read") {
		t.Errorf("without a token: exit code %d:\n%s", code, p.stderr.String())
	}
}
