package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRules(t *testing.T) {
	sim, url := simulate(t)
	rules := func(wantCode int, args ...string) *process {
		t.Helper()
		// The flags of all commands may stand before the command too.
		p := start(t, append([]string{"--api-url", url, "rules"}, args...)...)
		if code := p.wait(); code != wantCode {
			t.Fatalf("rules %v: exit code %d, want %d; stderr:\n%s", args, code, wantCode, p.stderr.String())
		}
		return p
	}
	list := func() (texts, ids []string) {
		t.Helper()
		for line := range strings.Lines(rules(0, "list", "--json").stdout.String()) {
			var r struct{ ID, Tag, Value string }
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatalf("rules list --json: %v in %q", err, line)
			}
			texts, ids = append(texts, r.Tag+"="+r.Value), append(ids, r.ID)
		}
		return texts, ids
	}

	if p := rules(0, "list"); p.stdout.String() != "" || p.stderr.String() != "There are no rules.\n" {
		t.Errorf("rules list = %q, %q; want that there are none", p.stdout.String(), p.stderr.String())
	}
	added := rules(0, "add", "cats=cats OR #cats", `dogs=dogs "big = loud <b>"`).stdout.String()
	texts, ids := list()
	if diff := cmp.Diff([]string{"cats=cats OR #cats", `dogs=dogs "big = loud <b>"`}, texts); diff != "" {
		t.Fatalf("rules (-want +got):\n%s", diff)
	}
	want := fmt.Sprintf("ID                   TAG   VALUE\n%s  cats  cats OR #cats\n%s  dogs  dogs \"big = loud <b>\"\n", ids[0], ids[1])
	if diff := cmp.Diff(want, rules(0, "list").stdout.String()); diff != "" {
		t.Errorf("rules list (-want +got):\n%s", diff)
	}
	if !strings.Contains(added, ids[0]) || strings.Count(added, "  added\n") != 2 {
		t.Errorf("rules add = %q, want both rules as added", added)
	}

	// Adding again is no failure; another tag is.
	p := rules(0, "add", "cats=cats OR #cats", "fish=fish")
	if out := p.stdout.String(); strings.Count(out, "was there") != 1 || strings.Count(out, "  added\n") != 1 {
		t.Errorf("rules add = %q, want one rule that was there and one added", out)
	}
	p = rules(1, "add", "tiger=cats OR #cats")
	if !strings.Contains(p.stderr.String(), `is there under the tag "cats"`) {
		t.Errorf("rules add under another tag: stderr %q", p.stderr.String())
	}
	// What X refuses does not keep out the others.
	p = rules(1, "add", "good=good", "bad=(bad")
	if !strings.Contains(p.stderr.String(), `X refuses the rule "(bad" (tag "bad")`) || !strings.Contains(p.stdout.String(), "good") {
		t.Errorf("rules add of a bad rule: stdout %q, stderr %q", p.stdout.String(), p.stderr.String())
	}

	rules(0, "delete", ids[0], ids[1])
	texts, _ = list()
	if diff := cmp.Diff([]string{"fish=fish", "good=good"}, texts); diff != "" {
		t.Errorf("rules after delete (-want +got):\n%s", diff)
	}
	sim.stop(os.Interrupt)
}
