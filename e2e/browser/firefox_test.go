package browser_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// needFirefox skips the test where Firefox can't be driven.
func needFirefox(t *testing.T) (node, firefox string) {
	t.Helper()
	var missing []string
	for _, name := range []string{"firefox-esr", "firefox"} {
		if path, err := exec.LookPath(name); err == nil && firefox == "" {
			firefox = path
		}
	}
	if firefox == "" {
		missing = append(missing, "firefox-esr")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		missing = append(missing, "node")
	}
	if _, err := os.Stat("node_modules/puppeteer-core"); err != nil {
		missing = append(missing, `what "npm ci" in this folder brings`)
	}
	if webdemo == "" {
		missing = append(missing, "chromium, without which these tests build nothing")
	}
	switch {
	case missing == nil:
	case os.Getenv("TWEETSTREAM_E2E") == "1":
		t.Fatalf("TWEETSTREAM_E2E asks for Firefox, and this machine lacks %s", strings.Join(missing, ", "))
	default:
		t.Skipf("not tried in Firefox: this machine lacks %s", strings.Join(missing, ", "))
	}
	return node, firefox
}

// The same in Firefox: Posts arrive, filters, pause, hostile Posts, and the
// connection that comes back. What it does stands in firefox.mjs.
func TestFirefox(t *testing.T) {
	node, firefox := needFirefox(t)
	addr := freeAddr(t)
	s := start(t, addr, "--rate", "20")
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, "firefox.mjs", firefox, t.TempDir(), s.url)
	var stderr buffer
	cmd.Stderr = &stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said []string
	for sc := bufio.NewScanner(out); sc.Scan(); {
		switch line := sc.Text(); line {
		case "restart":
			s.kill()
		case "down":
			s = start(t, addr, "--rate", "20")
			if _, err := in.Write([]byte("\n")); err != nil {
				t.Error(err)
			}
		default:
			said = append(said, line)
		}
	}
	err = cmd.Wait()
	if got := strings.Join(said, "\n"); err != nil || got != "well" {
		t.Errorf("Firefox: %v\n%s\n%s", err, got, stderr.String())
	}
}
