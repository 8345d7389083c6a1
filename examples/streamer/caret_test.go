package main_test

import (
	"strings"
	"testing"

	"github.com/tweetstream-go/tweetstream/xtest"
)

// The mark stands under the place, however wide the characters before it are, and
// nothing in a rule commands the terminal.
func TestPlaceInARule(t *testing.T) {
	long := strings.Repeat("ab ", 40) + "(c " + strings.Repeat("de ", 40)
	for rule, want := range map[string]string{
		"cafe\u0301 (b":     "    cafe\u0301 (b\n         ^\n",
		"猫 ｃ 👍 한 (b":        "    猫 ｃ 👍 한 (b\n                ^\n",
		"a\u202eb \u200d(c": "    a\ufffdb \u200d(c\n        ^\n",
		long:                "    …" + long[70:170] + "…\n" + strings.Repeat(" ", 4+1+50) + "^\n",
	} {
		p := start(t, "rules", "diff", "--api-url", "http://127.0.0.1:1", "--rule", "a="+rule)
		if code := p.wait(); code != 2 || !strings.HasSuffix(p.stderr.String(), "\n"+want+"See streamer --help.\n") {
			t.Errorf("exit code %d, want 2 and\n%s\nstderr:\n%s", code, want, p.stderr.String())
		}
	}
}

func TestTextsOfOthersDontCommandTheTerminal(t *testing.T) {
	x := newServer(t, xtest.Rule("a\x1b]0;b", "cats"))
	for _, args := range [][]string{{"rules", "list"}, {"rules", "diff", "--tag", "coop"}, {"check", "--tag", "coop", "--prune", "a"}} {
		p := start(t, append(args, "--api-url", x.URL)...)
		p.wait()
		if out := p.stdout.String(); !strings.Contains(out, "a\ufffd]0;b") || strings.Contains(out, "\x1b") {
			t.Errorf("%v: %q", args, out)
		}
	}
}
