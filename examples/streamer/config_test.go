package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream/xtest"
)

// A flag goes before the environment, the environment before the file. What is in
// effect is seen at the simulated X: which one was asked, and for which rules.
func TestPrecedence(t *testing.T) {
	const file = `
api-url: FILE
tag: [ofile, other]
rule:
  - 'rfile=a #b "c; d, e"'
`
	tests := map[string]struct {
		args, env []string
		file      string
		asked     string
		rules     []string
	}{
		"file": {
			file: file, asked: "FILE",
			rules: []string{"ofile=ofile OR #ofile", "other=other OR #other", `rfile=a #b "c; d, e"`},
		},
		"environment before file": {
			env:  []string{"TWEETSTREAM_API_URL=ENV", "TWEETSTREAM_TAG=eins; zwei;", "TWEETSTREAM_RULE=renv=x y"},
			file: file, asked: "ENV",
			rules: []string{"eins=eins OR #eins", "zwei=zwei OR #zwei", "renv=x y"},
		},
		"an empty variable sets nothing": {
			env:  []string{"TWEETSTREAM_API_URL=", "TWEETSTREAM_TAG=", "TWEETSTREAM_RULE=\na=\"x; y\"\n\nb=\"z, z\"\n"},
			file: file, asked: "FILE",
			rules: []string{"ofile=ofile OR #ofile", "other=other OR #other", `a="x; y"`, `b="z, z"`},
		},
		"flag before both": {
			args: []string{"--api-url", "FLAG", "--tag", "flag", "--rule", `r="x, y"`},
			env:  []string{"TWEETSTREAM_API_URL=ENV", "TWEETSTREAM_TAG=eins"},
			file: file, asked: "FLAG",
			rules: []string{"flag=flag OR #flag", `r="x, y"`},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			servers := map[string]*xtest.Server{}
			var replace []string
			for _, s := range []string{"FILE", "ENV", "FLAG"} {
				servers[s] = newServer(t)
				replace = append(replace, s, servers[s].URL)
			}
			urls := strings.NewReplacer(replace...)
			// The names of the servers stand in names of variables too.
			value := func(v string) string {
				k, v, ok := strings.Cut(v, "=")
				if !ok {
					return urls.Replace(k)
				}
				return k + "=" + urls.Replace(v)
			}
			c := command{dir: t.TempDir()}
			for _, a := range tt.args {
				c.args = append(c.args, value(a))
			}
			for _, e := range tt.env {
				c.env = append(c.env, value(e))
			}
			write(t, filepath.Join(c.dir, "streamer.yaml"), urls.Replace(tt.file))
			p := c.start(t)
			p.eventually("the stream is connected", func() bool { return servers[tt.asked].Stats().Connected == 1 })
			p.stop(os.Interrupt)
			if diff := cmp.Diff(tt.rules, rulesAt(t, servers[tt.asked])); diff != "" {
				t.Errorf("rules (-want +got):\n%s", diff)
			}
		})
	}
}

// --config, or its variable, is read in place of streamer.yaml; sinks come from
// all levels too.
func TestConfigFile(t *testing.T) {
	for _, by := range []string{"flag", "variable"} {
		t.Run(by, func(t *testing.T) {
			x := newServer(t)
			dir := t.TempDir()
			write(t, filepath.Join(dir, "streamer.yaml"), "nonsense: here\n")
			write(t, filepath.Join(dir, "other.yaml"), "api-url: "+x.URL+"\ntag: coop\nto: [file:from-file.ndjson, b=file:b.ndjson]\nlog-level: warn\n")
			c := command{dir: dir, args: []string{"--config", "other.yaml"}}
			if by == "variable" {
				c.args, c.env = nil, []string{"TWEETSTREAM_CONFIG=other.yaml", "TWEETSTREAM_TO=file:from-env,1.ndjson;c=file:c.ndjson"}
			}
			p := c.start(t)
			p.eventually("the stream is connected", func() bool { return x.Stats().Connected == 1 })
			p.stop(os.Interrupt)
			if p.stderr.String() != "" {
				t.Errorf("it logs at level warn:\n%s", p.stderr.String())
			}
			made, _ := filepath.Glob(filepath.Join(dir, "*.ndjson"))
			for i := range made {
				made[i] = filepath.Base(made[i])
			}
			want := map[string][]string{
				"flag":     {"b.ndjson", "from-file.ndjson"},
				"variable": {"c.ndjson", "from-env,1.ndjson"},
			}[by]
			if diff := cmp.Diff(want, made); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
		})
	}
}

func TestConfigRefused(t *testing.T) {
	tests := map[string]struct{ file, want string }{
		"unknown key":        {"tag: x\ntags: [y]\n", `streamer.yaml: line 2: unknown key "tags"`},
		"key of simulate":    {"rate: 5\n", `unknown key "rate"`},
		"config":             {"config: x\n", `unknown key "config"`},
		"twice":              {"tag: x\ntag: y\n", "line 2: tag is given twice"},
		"mapping for list":   {"to: {file: x}\n", "line 1: to: want a list of texts"},
		"list for scalar":    {"api-url: [a]\n", "api-url: want one text"},
		"number for text":    {"\ntag: [2024]\n", "line 2: tag: want a text: put 2024 in quotes"},
		"nothing":            {"prune:\n", "prune: has no value"},
		"bad choice":         {"stream: all\n", `streamer.yaml: line 1: stream: want filtered or sample, not "all"`},
		"rule cut by #":      {"rule:\n  - cats=cats OR #cats\n", "rule: what stands behind # is a comment in YAML"},
		"no mapping":         {"- tag\n", "line 1: want NAME: VALUE"},
		"no YAML":            {"tag: [\n", "streamer.yaml: line"},
		"value in the file":  {"tag: a b\n", `--tag (streamer.yaml, line 1) "a b": no plain word`},
		"sink in the file":   {"to: htp://x\n", `--to (streamer.yaml, line 1) "htp://x": there is no scheme "htp"`},
		"level of the other": {"log-level: loud\n", "log-level: want debug or info or warn or error"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := command{dir: t.TempDir()}
			write(t, filepath.Join(c.dir, "streamer.yaml"), tt.file)
			p := c.start(t)
			if code := p.wait(); code != 2 || !strings.Contains(p.stderr.String(), tt.want) {
				t.Errorf("exit code %d, stderr %q; want 2 and %q", code, p.stderr.String(), tt.want)
			}
		})
	}
}

func TestEnvironmentRefused(t *testing.T) {
	tests := map[string]struct {
		env, args []string
		want      string
	}{
		"bad choice":       {env: []string{"TWEETSTREAM_LOG_FORMAT=xml"}, want: `TWEETSTREAM_LOG_FORMAT: want text or json, not "xml"`},
		"bad word":         {env: []string{"TWEETSTREAM_TAG=a,b"}, want: `--tag (TWEETSTREAM_TAG) "a,b"`},
		"sample and a tag": {env: []string{"TWEETSTREAM_TAG=a"}, args: []string{"--stream", "sample"}, want: "leave out --tag (TWEETSTREAM_TAG)"},
		"no such file":     {env: []string{"TWEETSTREAM_CONFIG=nix.yaml"}, want: "nix.yaml: no such file"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := command{env: tt.env, args: tt.args}.start(t)
			if code := p.wait(); code != 2 || !strings.Contains(p.stderr.String(), tt.want) {
				t.Errorf("exit code %d, stderr %q; want 2 and %q", code, p.stderr.String(), tt.want)
			}
		})
	}
}
