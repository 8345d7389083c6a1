package main_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/gobwas/ws"
	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/xtest"
)

const jsonType = "application/json"

func TestRoutes(t *testing.T) {
	d := serve(t, "--receive")
	for _, tt := range []struct {
		request
		status int
		kind   string
	}{
		{request{method: "GET", path: "/"}, 200, "text/html; charset=utf-8"},
		{request{method: "HEAD", path: "/"}, 200, "text/html; charset=utf-8"},
		{request{method: "GET", path: "/main.js"}, 200, "text/javascript; charset=utf-8"},
		{request{method: "GET", path: "/style.css"}, 200, "text/css; charset=utf-8"},
		{request{method: "GET", path: "/icon.svg"}, 200, "image/svg+xml"},
		{request{method: "GET", path: "/stats"}, 200, jsonType},
		{request{method: "GET", path: "/insights"}, 200, jsonType},
		{request{method: "GET", path: "/posts?q=tea&tag=x&lang=en&word=a&media=true&sensitive=false&before=9&limit=3"}, 200, jsonType},
		{request{method: "GET", path: "/posts?before=x"}, 400, jsonType},
		{request{method: "GET", path: "/posts?limit=201"}, 400, jsonType},
		{request{method: "GET", path: "/posts?q=!"}, 400, jsonType},
		{request{method: "GET", path: "/export/ids"}, 200, "application/x-ndjson"},
		{request{method: "GET", path: "/export/all"}, 404, ""},
		{request{method: "GET", path: "/rules"}, 404, ""},
		{request{method: "POST", path: "/faults"}, 404, ""},
		{request{"POST", "/deleted", `{"ids":["x"]}`, map[string]string{"Content-Type": jsonType}}, 400, jsonType},
		{request{"POST", "/deleted", `{"ids":["1"]}`, map[string]string{"Content-Type": "text/plain"}}, 415, jsonType},
		{request{method: "GET", path: "/index.html"}, 404, ""},
		{request{method: "GET", path: "/page/main.js"}, 404, ""},
		{request{method: "GET", path: "/favicon.ico"}, 404, ""},
		{request{method: "GET", path: "/ws/x"}, 404, ""},
		{request{method: "POST", path: "/"}, 405, ""},
		{request{method: "DELETE", path: "/main.js"}, 405, ""},
		{request{method: "GET", path: "/tweets"}, 405, ""},
		{request{method: "PUT", path: "/tweets"}, 405, ""},
		{request{method: "POST", path: "/ws"}, 405, ""},
		{request{method: "POST", path: "/stats"}, 405, ""},
		{request{"POST", "/tweets", `{"data":{"id":"1"}}`, map[string]string{"Content-Type": jsonType}}, 204, ""},
		{request{"POST", "/tweets", `{"data":{}}`, map[string]string{"Content-Type": jsonType}}, 400, ""},
		{request{"POST", "/tweets", `{"data":{"id":"1"}}`, map[string]string{"Content-Type": "text/plain"}}, 415, ""},
	} {
		resp, body := d.do(tt.request)
		if resp.StatusCode != tt.status || tt.kind != "" && resp.Header.Get("Content-Type") != tt.kind {
			t.Errorf("%s %s: %d, %q; want %d, %q", tt.method, tt.path, resp.StatusCode, resp.Header.Get("Content-Type"), tt.status, tt.kind)
		}
		if tt.status == 200 && tt.method == "GET" && tt.path != "/export/ids" && body == "" {
			t.Errorf("%s %s: no body", tt.method, tt.path)
		}
		for name, want := range map[string]string{
			"Content-Security-Policy":      "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types worker",
			"X-Content-Type-Options":       "nosniff",
			"Referrer-Policy":              "no-referrer",
			"Cross-Origin-Opener-Policy":   "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := resp.Header.Get(name); got != want {
				t.Errorf("%s %s: %s is %q, want %q", tt.method, tt.path, name, got, want)
			}
		}
		for name := range resp.Header {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("%s %s: %s is set", tt.method, tt.path, name)
			}
		}
	}
	resp, _ := d.do(request{method: "GET", path: "/main.js"})
	again, body := d.do(request{method: "GET", path: "/main.js", header: map[string]string{"If-None-Match": resp.Header.Get("ETag")}})
	if again.StatusCode != http.StatusNotModified || body != "" {
		t.Errorf("the same file again: status %d, want 304", again.StatusCode)
	}
}

// Requests with the name of another host, and those of pages of other origins,
// are refused on each route.
func TestForeignRequests(t *testing.T) {
	d := serve(t, "--receive", "--host", "posts.example.com")
	addr := strings.TrimPrefix(d.url, "http://")
	_, port, _ := net.SplitHostPort(addr)
	routes := []request{
		{method: "GET", path: "/"}, {method: "GET", path: "/main.js"}, {method: "GET", path: "/stats"}, {method: "GET", path: "/ws"},
		{method: "GET", path: "/none"}, {method: "POST", path: "/tweets", body: `{"data":{"id":"1"}}`},
		{method: "GET", path: "/posts"}, {method: "GET", path: "/export/posts"}, {method: "GET", path: "/insights"}, {method: "POST", path: "/deleted", body: `{"ids":["1"]}`},
	}
	for _, host := range []string{"evil.example", "evil.example:" + port, "127.0.0.1.evil.example", "posts.example.com.evil.example", "192.0.2.1", "[2001:db8::1]:80", "localhost.evil.example:" + port} {
		for _, r := range routes {
			r.header = map[string]string{"Host": host, "Content-Type": jsonType}
			if resp, body := d.do(r); resp.StatusCode != http.StatusMisdirectedRequest || strings.Contains(body, "services") {
				t.Errorf("%s %s with Host %s: status %d, want 421", r.method, r.path, host, resp.StatusCode)
			}
		}
		_, err := d.dial("/ws", http.Header{"Host": {host}})
		var status ws.StatusError
		if !errors.As(err, &status) || int(status) != http.StatusMisdirectedRequest {
			t.Errorf("/ws with Host %s: %v, want 421", host, err)
		}
	}
	for _, host := range []string{addr, "localhost:" + port, "localhost", "LOCALHOST", "[::1]:" + port, "posts.example.com"} {
		if resp, _ := d.do(request{method: "GET", path: "/", header: map[string]string{"Host": host}}); resp.StatusCode != 200 {
			t.Errorf("Host %s: status %d, want 200", host, resp.StatusCode)
		}
	}
	for name, header := range map[string]map[string]string{
		"other site":       {"Origin": "http://evil.example"},
		"other port":       {"Origin": "http://127.0.0.1:1"},
		"null":             {"Origin": "null"},
		"cross-site fetch": {"Sec-Fetch-Site": "cross-site"},
		"same-site fetch":  {"Sec-Fetch-Site": "same-site", "Origin": d.url},
	} {
		header["Content-Type"] = jsonType
		if resp, _ := d.do(request{"POST", "/tweets", `{"data":{"id":"1"}}`, header}); resp.StatusCode != http.StatusForbidden {
			t.Errorf("POST, %s: status %d, want 403", name, resp.StatusCode)
		}
		if origin := header["Origin"]; origin != "" && origin != d.url {
			_, err := d.dial("/ws", http.Header{"Origin": {origin}})
			var status ws.StatusError
			if !errors.As(err, &status) || int(status) != http.StatusForbidden {
				t.Errorf("/ws, %s: %v, want 403", name, err)
			}
		}
	}
	if got := d.stats().Services[0].Received; got != 0 {
		t.Errorf("%d Posts were taken, want none", got)
	}
	if resp, _ := d.do(request{"POST", "/tweets", `{"data":{"id":"1"}}`, map[string]string{"Content-Type": jsonType, "Origin": d.url, "Sec-Fetch-Site": "same-origin"}}); resp.StatusCode != 204 {
		t.Errorf("POST of the page's own origin: status %d, want 204", resp.StatusCode)
	}
	if _, err := d.dial("/ws", http.Header{"Origin": {d.url}}); err != nil {
		t.Errorf("/ws of the page's own origin: %v", err)
	}
}

type stats struct {
	Viewers  int
	Services []struct {
		Name     string
		Received int
		Sinks    []struct {
			Name, State                        string
			Delivered, Waiting, Failures, Lost int
		}
	}
}

func (d *demo) stats() (st stats) {
	d.t.Helper()
	_, body := d.do(request{method: "GET", path: "/stats"})
	if err := json.Unmarshal([]byte(body), &st); err != nil {
		d.t.Fatal(err)
	}
	return st
}

// What is posted comes out of /ws byte for byte, to those who are there and those
// who come later, and stands in the archive; a repeat does not.
func TestPostIsShown(t *testing.T) {
	archive := filepath.Join(t.TempDir(), "archive.ndjson")
	d := serve(t, "--receive", "--archive", archive)
	there, coop := d.view("/ws"), d.view("/ws?tag=coop")
	messages := []string{
		`{"data":{"id":"1","text":"<b>&amp; \u00e9 𝒳"},"matching_rules":[{"id":"9","tag":"coop"}]}`,
		`{ "data" : {"text":"spaces", "id":"2"} , "unknown": 1e400 }`,
		`{"data":{"id":"3","text":"` + strings.Repeat("long ", 100_000) + `"},"matching_rules":[{"id":9007199254740993,"tag":null},{"id":"9","tag":"coop"}]}`,
	}
	for _, m := range append(slices.Clone(messages), messages[0]) {
		if status := d.post(m); status != 204 {
			t.Fatalf("status %d, want 204", status)
		}
	}
	later := d.view("/ws")
	for i, want := range messages {
		if got := there.next(); got != want {
			t.Errorf("message %d differs: %.100q, want %.100q", i, got, want)
		}
		if got := later.next(); got != want {
			t.Errorf("message %d differs for who comes later: %.100q, want %.100q", i, got, want)
		}
	}
	if got := []string{coop.next(), coop.next()}; got[0] != messages[0] || got[1] != messages[2] {
		t.Errorf("with a tag there are %.60q", got)
	}
	if st := d.stats(); st.Viewers != 3 || st.Services[0].Received != 4 || len(st.Services) != 1 {
		t.Errorf("stats are %+v", st)
	}
	d.stop(os.Interrupt)
	data, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Join(messages, "\n")+"\n", string(data)); diff != "" {
		t.Errorf("archive (-want +got):\n%.2000s", diff)
	}
}

// Real messages come through byte for byte.
func TestSamples(t *testing.T) {
	path := os.Getenv("TWEETSTREAM_SAMPLES")
	if path == "" {
		t.Skip("TWEETSTREAM_SAMPLES names no file of real messages")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d := serve(t, "--receive")
	v := d.view("/ws")
	lines := bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
	shown := map[string]bool{}
	for i, line := range lines {
		tweet, err := tweetstream.ParseTweet(line)
		if err != nil {
			t.Fatal(err)
		}
		if status := d.post(string(line)); status != 204 {
			t.Fatalf("line %d: status %d, want 204", i+1, status)
		}
		if shown[tweet.ID] {
			continue
		}
		shown[tweet.ID] = true
		if got := v.next(); got != string(line) {
			t.Errorf("line %d comes out otherwise", i+1)
		}
	}
	t.Logf("%d lines, %d Posts", len(lines), len(shown))
}

// The simulator and both services: nothing is lost between the stream and the
// archive, and viewers are told when it ends.
func TestSimulated(t *testing.T) {
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			archive := filepath.Join(t.TempDir(), "archive.ndjson")
			d := serve(t, "--rate", "200", "--tag", "tea", "--tag", "été", "--archive", archive)
			v := d.view("/ws")
			for range 100 {
				tweet, err := tweetstream.ParseTweet([]byte(v.next()))
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range tweet.Rules {
					if r.Tag != "tea" && r.Tag != "été" {
						t.Fatalf("a Post of the rule %q", r.Tag)
					}
				}
			}
			d.eventually("100 Posts went through", func() bool { return d.stats().Services[0].Received >= 100 })
			if err := d.cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			if code := v.closeCode(); code != ws.StatusGoingAway {
				t.Errorf("viewers are told %d, want 1001", code)
			}
			if code := d.wait(); code != 0 {
				t.Errorf("exit code %d, want 0; stderr:\n%s", code, d.stderr.String())
			}
			data, err := os.ReadFile(archive)
			if err != nil || bytes.Count(data, []byte("\n")) < 100 {
				t.Errorf("%d lines in the archive, %v; want 100 or more", bytes.Count(data, []byte("\n")), err)
			}
			if got := d.stderr.String(); strings.Count(got, "\n") != 4 {
				t.Errorf("stderr is more than the greeting:\n%s", got)
			}
		})
	}
}

// A streamer in a process of its own feeds it: by flags, and with the settings
// that are shipped.
func TestFedByStreamer(t *testing.T) {
	for _, by := range []string{"flags", "settings"} {
		t.Run(by, func(t *testing.T) {
			x := xtest.NewServer(xtest.Rate(100))
			defer x.Close()
			d := serve(t, "--receive")
			args := []string{"--api-url", x.URL, "--tag", "coop"}
			dir := t.TempDir()
			if by == "flags" {
				args = append(args, "--to", d.url+"/tweets")
			} else {
				// The shipped file, but for the port, which may be taken.
				text, err := os.ReadFile("streamer.yaml")
				if err != nil {
					t.Fatal(err)
				}
				const there = "http://127.0.0.1:8080/tweets"
				if bytes.Count(text, []byte(there)) != 1 {
					t.Fatalf("streamer.yaml does not post to %s", there)
				}
				if err := os.WriteFile(filepath.Join(dir, "streamer.yaml"), bytes.Replace(text, []byte(there), []byte(d.url+"/tweets"), 1), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			v := d.view("/ws")
			s := start(t, streamer, dir, args...)
			var got []string
			for range 50 {
				tweet, err := tweetstream.ParseTweet([]byte(v.next()))
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, tweet.ID)
			}
			s.stop(os.Interrupt)
			d.stop(os.Interrupt)
			if diff := cmp.Diff(x.IDs()[:len(got)], got); diff != "" {
				t.Errorf("Posts (-sent +shown):\n%s", diff)
			}
		})
	}
}

// The settings that are shipped say what the comment of the package says.
func TestShippedSettings(t *testing.T) {
	text, err := os.ReadFile("webapp.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, by := range []string{"flag", "working directory"} {
		dir, args := t.TempDir(), []string{"--listen", "127.0.0.1:0"}
		if by == "flag" {
			path, err := filepath.Abs("webapp.yaml")
			if err != nil {
				t.Fatal(err)
			}
			args = append(args, "--config", path)
		} else if err := os.WriteFile(filepath.Join(dir, "webapp.yaml"), text, 0o600); err != nil {
			t.Fatal(err)
		}
		p := start(t, webdemo, dir, args...)
		p.eventually("it waits for a streamer", func() bool { return strings.Contains(p.stderr.String(), "streamer --tag coop --to http://127.0.0.1:") })
		p.stop(os.Interrupt)
	}
	if !strings.Contains(string(text), "\nlisten: 127.0.0.1:8080\n") {
		t.Error("webapp.yaml does not listen where streamer.yaml posts")
	}
}

func TestSecretFile(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret.txt")
	if err := os.WriteFile(secret, []byte("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(secret, 0o644); err != nil {
		t.Fatal(err)
	}
	d := serve(t, "--secret-file", secret, "--rate", "200")
	if status := d.post(`{"data":{"id":"1"}}`); status != http.StatusUnauthorized {
		t.Errorf("a message that is not signed: status %d, want 401", status)
	}
	d.eventually("the simulated Posts come, which are signed", func() bool { return d.stats().Services[0].Received > 20 })
	d.stop(os.Interrupt)
	if out := d.stderr.String(); strings.Count(out, "other users of this machine can read the secret") != 1 || strings.Contains(out, "MfKQ9r8") {
		t.Errorf("stderr: %s", out)
	}
}

func TestPassword(t *testing.T) {
	const secret = "correct horse battery"
	file := filepath.Join(t.TempDir(), "password.txt")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	// With a password every address will do.
	d := serve(t, "--receive", "--listen", "0.0.0.0:0", "--password-file", file)
	basic := func(password string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte("any:"+password))
	}
	for _, r := range []request{
		{method: "GET", path: "/"}, {method: "GET", path: "/main.js"}, {method: "GET", path: "/stats"}, {method: "GET", path: "/ws"},
		{method: "GET", path: "/none"}, {method: "POST", path: "/tweets", body: `{"data":{"id":"1"}}`},
	} {
		for name, value := range map[string]string{"none": "", "wrong": basic("wrong"), "part": basic(secret[:10]), "empty": basic(""), "bearer": "Bearer " + secret} {
			r.header = map[string]string{"Authorization": value, "Content-Type": jsonType}
			resp, _ := d.do(r)
			if resp.StatusCode != 401 || !strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), "Basic ") {
				t.Errorf("%s %s, password %s: status %d, want 401", r.method, r.path, name, resp.StatusCode)
			}
		}
	}
	resp, _ := d.do(request{"POST", "/tweets", `{"data":{"id":"1"}}`, map[string]string{"Content-Type": jsonType, "Authorization": basic(secret)}})
	if resp.StatusCode != 204 {
		t.Errorf("POST with the password: status %d, want 204", resp.StatusCode)
	}
	v, err := d.dial("/ws", http.Header{"Authorization": {basic(secret)}})
	if err != nil {
		t.Fatal(err)
	}
	if got := v.next(); got != `{"data":{"id":"1"}}` {
		t.Errorf("/ws with the password shows %q", got)
	}
	d.stop(os.Interrupt)
	if strings.Contains(d.stderr.String(), secret) {
		t.Error("the password is shown")
	}
}

func TestUsageErrors(t *testing.T) {
	short := filepath.Join(t.TempDir(), "short.txt")
	if err := os.WriteFile(short, []byte("short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	tests := map[string]struct {
		args []string
		file string // webapp.yaml
		want string
		code int // by default 2
	}{
		"for all":             {args: []string{"--listen", ":0"}, want: "give --password-file, or, if everybody there may read and post, --remote"},
		"for all, v6":         {args: []string{"--listen", "[::]:0"}, want: "--remote"},
		"for the network":     {args: []string{"--listen", "192.0.2.1:0"}, want: "--remote"},
		"a name":              {args: []string{"--listen", "example.com:0"}, want: "--remote"},
		"no port":             {args: []string{"--listen", "127.0.0.1"}, want: "want HOST:PORT"},
		"rate":                {args: []string{"--rate", "0"}, want: "--rate 0: want more than 0"},
		"rate, no number":     {args: []string{"--rate", "many"}, want: "--rate"},
		"tag":                 {args: []string{"--tag", "a b"}, want: `--tag "a b": want a plain word`},
		"tag and receive":     {args: []string{"--tag", "a", "--receive"}, want: "--receive turns off"},
		"rate and receive":    {args: []string{"--rate", "5", "--receive"}, want: "--receive turns off"},
		"no such settings":    {args: []string{"--config", "nix.yaml"}, want: "nix.yaml"},
		"unknown key":         {file: "listn: x\n", want: `webapp.yaml: unknown key "listn": want api-url, archive, budget,`},
		"no value":            {file: "archive:\n", want: "webapp.yaml: archive: has no value"},
		"list for a value":    {file: "listen: [a]\n", want: "listen: want one value"},
		"number for a text":   {file: "tag: [5]\n", want: "tag: want texts"},
		"no YAML":             {file: "tag: [\n", want: "webapp.yaml: line"},
		"no boolean":          {file: "receive: perhaps\n", want: "receive"},
		"all, in the file":    {file: "listen: 0.0.0.0:0\n", want: "--remote"},
		"no password file":    {args: []string{"--password-file", "nix.txt"}, want: "--password-file: open nix.txt", code: 1},
		"short password":      {args: []string{"--password-file", short}, want: "want one line of at least 12 characters", code: 1},
		"no secret file":      {args: []string{"--secret-file", "nix.txt"}, want: "--secret-file: open nix.txt"},
		"no secret":           {args: []string{"--secret-file", short}, want: "secret 1 "},
		"a secret for a file": {args: []string{"--secret-file", "whsec_c2hvcnQ="}, want: "--secret-file: want the name of a file"},
		"taken":               {args: []string{"--listen", taken.Addr().String()}, want: "--listen: listen tcp", code: 1},
		"archive is a folder": {args: []string{"--archive", os.TempDir()}, want: "--archive: filesink", code: 1},
		"host with a port":    {args: []string{"--host", "example.com:80"}, want: `--host "example.com:80": want a name or an address, without a port`},
		"any host":            {args: []string{"--host", "*"}, want: "--host"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if tt.file != "" {
				if err := os.WriteFile(filepath.Join(dir, "webapp.yaml"), []byte(tt.file), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			args := tt.args
			if tt.code == 1 && name != "taken" {
				args = append([]string{"--listen", "127.0.0.1:0"}, args...)
			}
			p := start(t, webdemo, dir, args...)
			want := 2
			if tt.code != 0 {
				want = tt.code
			}
			code, out := p.wait(), p.stderr.String()
			if code != want || !strings.HasPrefix(out, "webdemo: ") || !strings.Contains(out, tt.want) {
				t.Errorf("exit code %d, stderr %q; want %d and %q", code, out, want, tt.want)
			}
			if strings.Contains(out, "page is at") {
				t.Errorf("it has served before: %s", out)
			}
		})
	}
	if files, err := filepath.Glob("*.ndjson"); err != nil || len(files) > 0 {
		t.Errorf("there are %v, %v", files, err)
	}
}

// Without --archive nothing is left behind.
func TestNoLitter(t *testing.T) {
	dir := t.TempDir()
	p := start(t, webdemo, dir, "--listen", "127.0.0.1:0", "--rate", "100")
	p.eventually("it serves", func() bool { return address.MatchString(p.stderr.String()) })
	p.stop(os.Interrupt)
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		t.Errorf("it leaves %v behind, %v", files, err)
	}
	for _, want := range []string{"http://127.0.0.1:", fmt.Sprint(100), "coop, golang, coffee"} {
		if !strings.Contains(p.stderr.String(), want) {
			t.Errorf("the greeting lacks %q:\n%s", want, p.stderr.String())
		}
	}
}
