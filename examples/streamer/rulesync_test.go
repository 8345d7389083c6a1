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
	write(t, filepath.Join(dir, "lines.yaml"), "- tag: ' two '\n  value: |\n    big\n    cats\n  note: 2024\n- tag: coop\n  value: 'coop OR #coop' # as --tag has it\n- {tag: coop, value: 'coop OR #coop'}\n")
	write(t, filepath.Join(dir, "bad.yaml"), "- tag: a\n  value: 猫 (dogs\n")
	write(t, filepath.Join(dir, "posts.ndjson"), `{"data":{"id":"1","text":"a coop"}}`+"\n"+`{"data":{"id":"2","text":"b"}}`+"\n")
	write(t, filepath.Join(dir, "more.ndjson"), `{"letter":1,"id":"9","sink":"s","reason":"rejected","deleted":true,"raw":{"data":{"id":"9","text":"coop"}}}`+"\n"+
		strings.Repeat(`{"data":{"id":"3","text":"coop"}}`+"\n", 4))
	write(t, filepath.Join(dir, "torn.ndjson"), `{"data":{"id":"1","text":"a coop"}}`+"\n"+`{"data":{"id":"2","te`+"\n"+`{"data":{"id":"3","text":7},"includes":[]}`+"\n")
	for _, tt := range []struct {
		args        string
		code        int
		out, stderr string
	}{
		{"rules diff --rules bad.yaml", 2, "", "bad.yaml, line 1: X refuses the rule \"猫 (dogs\" (tag \"a\"): missing ')' for the '(' (at position 3)\n    猫 (dogs\n       ^\n"},
		{"rules diff --rules none.yaml", 2, "", "--rules none.yaml: no such file"},
		{"rules diff --rules lines.yaml --tag coop", 3, "+  coop  coop OR #coop\n+  two   big cats\n", "2 to add, 0 to delete."},
		{"rules diff", 2, "", "no rules are declared"},
		{"rules sync", 2, "", "no rules are declared"},
		{"rules test --replay posts.ndjson", 2, "", "no rules are declared"},
		{"rules estimate", 2, "", "no rules are declared"},
		{"rules diff --tag coop --prune=", 2, "", "the PREFIX is empty"},
		{"rules diff --rule c=coca-cola", 3, "", "The rule with the tag \"c\": a word has no '-' in it: put quotes around what has punctuation (at position 5)\n    coca-cola\n        ^\n"},
		{"rules test --rules rules.yaml --replay posts.ndjson", 0, "coop  1      50.0 %  1\n", "2 Posts read; 1 match no rule."},
		{"rules test --rules rules.yaml --replay posts.ndjson", 0, "cats  -      -       can't be tried here: Reference to invalid operator 'bio'\n", ""},
		{"rules test --tag coop --replay posts.ndjson --replay more.ndjson", 0, "coop  5      83.3 %  1 3 3\n", "6 Posts read; 1 match no rule."},
		{"rules test --tag coop --replay posts.ndjson --json", 0, `{"tag":"coop","value":"coop OR #coop","posts":1,"of":2,"examples":["1"]}` + "\n", ""},
		{"rules test --tag coop --replay torn.ndjson", 1, "coop  1", "streamer: 2 messages can't be read\n"},
		{"rules test --rule c=coca-cola --replay posts.ndjson", 0, "", "    coca-cola\n        ^\n2 Posts read"},
		{"rules diff --tag coop", 3, "+  coop  coop OR #coop\n", "1 to add, 0 to delete."},
		{"rules sync --tag coop", 0, "+  coop", "1 to add, 0 to delete.\nDone."},
		{"rules sync --tag coop", 0, "", "The rules are in line.\n"},
		{"rules diff --tag coop", 0, "", "The rules are in line.\n"},
		{"rules diff --tag coop --json", 0, `{"add":[],"delete":[],"undeclared":[]}` + "\n", ""},
		{"rules diff --tag fish --json", 3, `{"add":[{"tag":"fish","value":"fish OR #fish"}],"delete":[],"undeclared":[{"id":"`, ""},
		{"rules diff --tag fish --prune coop", 3, "-  coop", "1 to add, 1 to delete."},
		{"rules diff --tag fish", 3, "not declared: stays, and its Posts are billed\n", "1 to add, 0 to delete."},
		{"rules sync --rule one=x", 0, "+  one", "Done."},
		{"rules diff --rule two=x", 0, `declared with the tag "two": delete it, or prune its tag`, "The rules are in line."},
		{"rules estimate --tag coop", 2, "", "1 request at $0.005: $0.005"},
		{"connections list", 0, "", "No connection is live.\n"},
		{"connections close", 2, "", "want ENDPOINT"},
		{"connections close --all filtered_stream", 2, "", "want ENDPOINT"},
		{"connections close no/name", 2, "", `"no/name" is no name of an endpoint`},
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
		if strings.Contains(p.stderr.String(), "Done.") != strings.Contains(tt.stderr, "Done.") {
			t.Errorf("%s: stderr:\n%s", tt.args, p.stderr.String())
		}
	}
	if files, _ := os.ReadDir(dir); len(files) != 6 {
		t.Errorf("the folder holds %v, want that nothing was made", files)
	}
}

// What is wrong with a file is named with its line, and in a rule with its place,
// before X is asked.
func TestRulesFileRefused(t *testing.T) {
	dir := t.TempDir()
	for file, want := range map[string]string{
		"":                                "rules.yaml, line 1: there is no rule: want a list of {tag, value, note}",
		"[]":                              "rules.yaml, line 1: there is no rule",
		"- {tag: a":                       "rules.yaml, line 1: ",
		"\ntag: a":                        "rules.yaml, line 2: want a list",
		"- tag":                           "line 1: want a rule of the form",
		"- {tag: a, value: b, colour: c}": `line 1: unknown key "colour": want tag, value, note`,
		"- {tag: a, value: b, value: c}":  "line 1: value is given twice",
		"- {tag: a, value: [b]}":          "line 1: value: want one text",
		"- {tag: 2024, value: a}":         "line 1: tag: want a text: put 2024 in quotes",
		"- tag: a\n  value: cats #dogs":   "line 1: value: what stands behind # is a comment in YAML",
		"- {value: a}":                    "line 1: a rule has a tag, which its Posts bear",
		"- {tag: a, note: b}":             `line 1: the rule with the tag "a" has no value`,
		"- {tag: a, value: \"b\\ac\"}":    "line 1: has characters that no rule has",
		"- {tag: a, value: x}\n- {tag: b, value: x}":                         `rules.yaml, line 2: the same rule has the tag "a" already`,
		"- {tag: flag, value: x OR y}":                                       `line 1: the same rule has the tag "f" already`,
		"- {tag: a, value: b}\n- {tag: c, value: (d}\n- {tag: e, value: f)}": "",
	} {
		write(t, filepath.Join(dir, "rules.yaml"), file)
		p := command{dir: dir, args: []string{"rules", "diff", "--api-url", "http://127.0.0.1:1", "--rule", "f=x OR y", "--rules", "rules.yaml"}}.start(t)
		code, said := p.wait(), p.stderr.String()
		if code != 2 || !strings.HasPrefix(said, "streamer: --rules rules.yaml, line ") || !strings.Contains(said, want) {
			t.Errorf("%q: exit code %d, want 2 and %q; stderr:\n%s", file, code, want, said)
		}
		if want == "" && (!strings.Contains(said, "line 2: X refuses") || !strings.Contains(said, "; line 3: X refuses") || !strings.Contains(said, "    (d\n    ^\n    f)\n     ^\nSee streamer --help.\n")) {
			t.Errorf("not all that is wrong with %q is shown:\n%s", file, said)
		}
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
