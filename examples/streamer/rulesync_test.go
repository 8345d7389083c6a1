package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestRulesOfAFile(t *testing.T) {
	x := newServer(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "rules.yaml"), "- tag: coop\n  value: 'coop OR #coop'\n  note: for people\n- {tag: cats, value: cats bio:x}\n")
	write(t, filepath.Join(dir, "bad.yaml"), "- tag: a\n  value: 猫 (dogs\n")
	write(t, filepath.Join(dir, "posts.ndjson"), `{"data":{"id":"1","text":"a coop"}}`+"\n"+`{"data":{"id":"2","text":"b"}}`+"\n")
	for _, tt := range []struct {
		args        string
		code        int
		out, stderr string
	}{
		{"rules diff --rules bad.yaml", 2, "", "bad.yaml, line 1: X refuses the rule \"猫 (dogs\" (tag \"a\"): missing ')' for the '(' (at position 3)\n    猫 (dogs\n       ^\n"},
		{"rules test --rules rules.yaml --replay posts.ndjson", 0, "coop  1      50.0 %  1\n", "2 Posts read; 1 match no rule."},
		{"rules diff --tag coop", 3, "+  coop  coop OR #coop\n", "1 to add, 0 to delete."},
		{"rules sync --tag coop", 0, "+  coop", "Done."},
		{"rules diff --tag coop", 0, "", "The rules are in line.\n"},
		{"rules diff --tag fish --prune coop", 3, "-  coop", "1 to add, 1 to delete."},
		{"rules estimate --tag coop", 2, "", "1 request at $0.005: $0.005"},
		{"rules estimate --tag coop --yes", 0, "coop  0", "Asking X"},
		{"connections list", 0, "", "No connection is live.\n"},
		{"connections close", 2, "", "want ENDPOINT"},
		{"connections close --all", 0, "closed: 0\n", ""},
		{"check --tag coop --to file:out.ndjson", 0, "sink file    out.ndjson can be written to", ""},
		{"check --tag coop --to file:posts.ndjson/x", 1, "fail  sink file", ""},
		{"check --tag coop --json --to http://127.0.0.1:1/x", 1, `"verdict":"fail","what":"sink http"`, ""},
	} {
		p := command{dir: dir, args: append(strings.Fields(tt.args), "--api-url", x.URL)}.start(t)
		code := p.wait()
		if code != tt.code || !strings.Contains(p.stdout.String(), tt.out) || !strings.Contains(p.stderr.String(), tt.stderr) {
			t.Errorf("%s: exit code %d, want %d and %q, %q; stdout:\n%s\nstderr:\n%s", tt.args, code, tt.code, tt.out, tt.stderr, p.stdout.String(), p.stderr.String())
		}
	}
	if files, _ := os.ReadDir(dir); len(files) != 3 {
		t.Errorf("the folder holds %v, want that nothing was made", files)
	}
}

func TestRulesAreReadAgainOnSIGHUP(t *testing.T) {
	x := newServer(t)
	dir := t.TempDir()
	file := write(t, filepath.Join(dir, "rules.yaml"), "- {tag: my/a, value: alpha}\n")
	p := command{dir: dir, args: []string{"--api-url", x.URL, "--rules", file, "--prune", "my/", "--to", "file:out.ndjson"}}.start(t)
	p.eventually("the stream", func() bool { return x.Stats().Connected == 1 })
	for _, step := range []struct{ file, log, want string }{
		{"- {tag: my/b, value: (beta}\n", "the old ones stay", "my/a=alpha"},
		{"- {tag: my/b, value: beta}\n", "the rules are read again", "my/b=beta"},
	} {
		write(t, file, step.file)
		if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		p.eventually(step.log, func() bool { return strings.Contains(p.stderr.String(), step.log) })
		if got := strings.Join(rulesAt(t, x), " "); got != step.want {
			t.Errorf("rules at X = %q, want %q", got, step.want)
		}
	}
	p.stop(os.Interrupt)
	if n := x.Stats().Connects; n != 1 {
		t.Errorf("%d connections, want that the stream went on", n)
	}
}
