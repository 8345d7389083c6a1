package main_test

import (
	"strings"
	"testing"

	"github.com/tweetstream-go/tweetstream/xtest"
)

// An estimate is for a day, of what X takes for it, and asks no further once X
// refuses more than a rule.
func TestEstimate(t *testing.T) {
	x := newServer(t)
	for range 14 {
		x.Post(xtest.Post{Text: "coop"})
	}
	long := strings.Repeat("a", 513)
	estimate := func(wantCode int, args ...string) (out, said string, asked int) {
		t.Helper()
		before := len(x.Requests())
		p := start(t, append([]string{"rules", "estimate", "--api-url", x.URL}, args...)...)
		if code := p.wait(); code != wantCode {
			t.Errorf("%v: exit code %d, want %d", args, code, wantCode)
		}
		return p.stdout.String(), p.stderr.String(), len(x.Requests()) - before
	}
	// The last of them is none that search knows.
	rules := []string{"--tag", "coop", "--rule", "long=" + long, "--rule", "fish=fish", "--rule", "bio=bio:x"}
	if _, said, asked := estimate(2, rules...); asked > 0 || !strings.Contains(said, "3 requests at $0.005: $0.015") {
		t.Errorf("%d requests without --yes:\n%s", asked, said)
	}
	out, said, asked := estimate(0, append(rules, "--yes")...)
	for _, want := range []string{
		"coop   2.0          0.01     0.30\n", "fish   0            0.00     0.00\n", "(all)  2.0          0.01     0.30\n",
		"long   -            -        -  has 513 characters, and X counts for 512 at most\n", "bio    -            -        -  count: X answers 400",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q:\n%s", want, out)
		}
	}
	if asked != 3 || !strings.Contains(said, "Asking X: 3 requests at $0.005: $0.015.\n") {
		t.Errorf("%d requests, want 3; it says:\n%s", asked, said)
	}
	out, _, _ = estimate(0, append(rules, "--yes", "--json")...)
	for _, want := range []string{`{"tag":"coop","value":"coop OR #coop","posts_a_day":`, `{"tag":"fish","value":"fish","posts_a_day":0,"dollars_a_day":0}`, `"error":"has 513 characters`} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q:\n%s", want, out)
		}
	}
	if err := x.Inject("402@countsx9"); err != nil {
		t.Fatal(err)
	}
	if _, said, asked := estimate(1, append(rules, "--yes")...); asked != 1 || !strings.Contains(said, "buy credits") {
		t.Errorf("%d requests without credits, want 1; it says:\n%s", asked, said)
	}
}
