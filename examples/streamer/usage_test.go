package main_test

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tweetstream-go/tweetstream/xtest"
)

const (
	rulesPath  = "/2/tweets/search/stream/rules"
	streamPath = "/2/tweets/search/stream"
)

func TestUsageErrors(t *testing.T) {
	tests := map[string]struct {
		args []string
		want string
	}{
		"unknown flag":         {[]string{"--nonsense"}, "unknown flag --nonsense"},
		"unknown command":      {[]string{"nonsense"}, "unexpected argument nonsense"},
		"word with a space":    {[]string{"--tag", "a b"}, "--rule TAG=VALUE"},
		"word with a hyphen":   {[]string{"--tag", "co-op"}, "--rule TAG=VALUE"},
		"operator":             {[]string{"--tag", "from:x"}, "--rule TAG=VALUE"},
		"OR":                   {[]string{"--tag", "OR"}, "--rule TAG=VALUE"},
		"quoted word":          {[]string{"--tag", `"coop"`}, "--rule TAG=VALUE"},
		"empty word":           {[]string{"--tag", ""}, "--rule TAG=VALUE"},
		"number":               {[]string{"--tag", "2024"}, "--rule TAG=VALUE"},
		"mention":              {[]string{"--tag", "@coop"}, "--rule TAG=VALUE"},
		"hashtag":              {[]string{"--tag", "#coop"}, "--tag coop looks for the word and the hashtag"},
		"emoji":                {[]string{"--tag", "coop🎉"}, "--rule TAG=VALUE"},
		"rule without tag":     {[]string{"--rule", "coop"}, "want TAG=VALUE"},
		"rule, empty tag":      {[]string{"--rule", "=coop"}, "want TAG=VALUE"},
		"rule, empty value":    {[]string{"--rule", "coop="}, "want TAG=VALUE"},
		"rule, control":        {[]string{"--rule", "a=b\ac"}, "has characters that no rule has"},
		"joiner at the end":    {[]string{"--tag", "a\u200c"}, "--rule TAG=VALUE"},
		"mark at the start":    {[]string{"--tag", "\u0301a"}, "--rule TAG=VALUE"},
		"one value, two tags":  {[]string{"--rule", "a=x", "--rule", "b=x"}, `has the tag "a" already`},
		"no scheme":            {[]string{"--to", "out.ndjson"}, "want [NAME=]URL, the URL one of file:PATH, stdout:"},
		"unknown scheme":       {[]string{"--to", "gopher://x"}, `there is no scheme "gopher": want one of file:PATH, stdout:`},
		"empty path":           {[]string{"--to", "file:"}, "the path is empty"},
		"file with a host":     {[]string{"--to", "file://host/x"}, "want file:PATH"},
		"stdout with a path":   {[]string{"--to", "stdout:x"}, "stdout: has nothing behind the colon"},
		"two of one scheme":    {[]string{"--to", "file:a", "--to", "file:b"}, `"file:a" and "file:b" would both be the sink "file"`},
		"two of one name":      {[]string{"--to", "a=file:a", "--to", "a=stdout:"}, `would both be the sink "a"`},
		"one file twice":       {[]string{"--to", "file:a", "--to", "b=file:./a"}, "are the same"},
		"name":                 {[]string{"--to", "Big=file:a"}, "a NAME is a lower-case letter"},
		"empty name":           {[]string{"--to", "=file:a"}, "a NAME is a lower-case letter"},
		"http without a host":  {[]string{"--to", "http:///x"}, "not a URL of a server"},
		"http without slashes": {[]string{"--to", "http:x"}, "not a URL of a server"},
		"http, bad port":       {[]string{"--to", "https://h:port/x"}, "not a URL of a server"},
		"http with a fragment": {[]string{"--to", "https://h/x#y"}, `"https://h/x#…": the URL has a fragment`},
		"password in clear":    {[]string{"--to", "http://u:p@example.com/x"}, `"http://…@example.com/x": credentials (Authorization) go over https only`},
		"a batch of none":      {[]string{"--to", "http://h/x", "--http-batch", "0"}, "--http-batch: want 1 to 100000"},
		"no secret file":       {[]string{"--to", "http://h/x", "--http-secret-file", "none"}, "--http-secret-file: open none"},
		"no secret variable":   {[]string{"--to", "http://h/x", "--http-secret-env", "NIX"}, "--http-secret-env: there is no secret"},
		"two secrets":          {[]string{"--to", "http://h/x", "--http-secret-env", "A", "--http-secret-file", "b"}, "want --http-secret-file or --http-secret-env, not both"},
		"one URL twice":        {[]string{"--to", "http://h/x", "--to", "b=http://h/x"}, "are the same"},
		"ws without a port":    {[]string{"--to", "ws://127.0.0.1/feed"}, "want ws://HOST:PORT/PATH"},
		"ws without a host":    {[]string{"--to", "ws://:8090/feed"}, "want ws://HOST:PORT/PATH"},
		"ws without slashes":   {[]string{"--to", "ws:8090"}, "want ws://HOST:PORT/PATH"},
		"ws, port too large":   {[]string{"--to", "ws://127.0.0.1:99999/"}, "want ws://HOST:PORT/PATH"},
		"ws with a password":   {[]string{"--to", "ws://u:p@127.0.0.1:0/"}, "ws: knows no user and password"},
		"ws, other query":      {[]string{"--to", "ws://127.0.0.1:0/?token=x"}, "there can be ?origin=URL only"},
		"ws, no origin":        {[]string{"--to", "ws://127.0.0.1:0/?origin=x"}, "Origins"},
		"ws for all":           {[]string{"--to", "ws://0.0.0.0:0/feed"}, "give --remote too"},
		"ws for all, v6":       {[]string{"--to", "b=ws://[::]:0/feed"}, "give --remote too"},
		"ws for a name":        {[]string{"--to", "ws://example.com:80/feed"}, "give --remote too"},
		"postgres, no slashes": {[]string{"--to", "postgres:x"}, "want postgres://USER@HOST:PORT/DATABASE"},
		"postgres, bad option": {[]string{"--to", "postgres://u@h/db?sslmode=x"}, "want postgres://USER@HOST:PORT/DATABASE"},
		"mysql, no database":   {[]string{"--to", "mysql://u@h"}, "want mysql://USER@HOST:PORT/DATABASE"},
		"mysql, bad option":    {[]string{"--to", "mysql://u@h/db?timeout=x"}, "want mysql://USER@HOST:PORT/DATABASE"},
		"mysql, bad port":      {[]string{"--to", "mysql://u@h:p/db"}, "want mysql://USER@HOST:PORT/DATABASE"},
		"sqlite, no path":      {[]string{"--to", "sqlite:"}, "want sqlite:PATH"},
		"sqlite, options":      {[]string{"--to", "sqlite:posts.db?mode=ro"}, "want sqlite:PATH"},
		"sqlite in memory":     {[]string{"--to", "sqlite::memory:"}, "want sqlite:PATH"},
		"one database twice":   {[]string{"--to", "mysql://u@h/db", "--to", "b=mysql://v:w@h/db?tls=true"}, "are the same"},
		"no password":          {[]string{"--to", "mysql://u@h/db", "--sql-password-env", "NIX"}, "--sql-password-env: there is no password in it"},
		"two passwords":        {[]string{"--to", "mysql://u@h/db", "--sql-password-env", "A", "--sql-password-file", "b"}, "want --sql-password-file or --sql-password-env, not both"},
		"wss":                  {[]string{"--to", "wss://127.0.0.1:0/feed"}, `there is no scheme "wss"`},
		"stream":               {[]string{"--stream", "firehose"}, "--stream must be one of"},
		"sample with a rule":   {[]string{"--stream", "sample", "--rule", "a=b"}, "--stream sample knows no rules: leave out --rule"},
		"sample with prune":    {[]string{"--stream", "sample", "--prune", "a"}, "leave out --prune"},
		"empty prefix":         {[]string{"--prune="}, "the PREFIX is empty"},
		"empty checkpoint":     {[]string{"--checkpoint="}, "--checkpoint: want the name of a file"},
		"empty dead letter":    {[]string{"--dead-letter="}, "--dead-letter: want the name of a file"},
		"dead letter, folder":  {[]string{"--dead-letter=dead/"}, "--dead-letter: want the name of a file"},
		"dead letter as sink":  {[]string{"--dead-letter", "a", "--to", "x=file:./a"}, "--dead-letter and the sink x are the same file"},
		"dead letter as state": {[]string{"--dead-letter", "a", "--checkpoint", "./a"}, "--checkpoint and --dead-letter are the same file"},
		"empty journal":        {[]string{"--journal="}, "--journal: want the name of a folder"},
		"journal, checkpoint":  {[]string{"--journal", "j", "--checkpoint", "c"}, "want --journal or --checkpoint, not both"},
		"journal alone":        {[]string{"journal"}, `expected one of "stat", "compact"`},
		"journal, no folder":   {[]string{"journal", "stat"}, "DIR"},
		"replay, journal":      {[]string{"replay", "x", "--journal", "j"}, "unknown flag --journal"},
		"nothing to replay":    {[]string{"replay"}, "FILE"},
		"replay, empty name":   {[]string{"replay", ""}, "FILE: the name is empty"},
		"replay, no pace":      {[]string{"replay", "x", "--pace", "0"}, "--pace: want more than 0"},
		"replay, endless pace": {[]string{"replay", "x", "--pace", "inf"}, "--pace: want more than 0"},
		"replay, sink":         {[]string{"replay", "x", "--sink", "A b"}, `--sink "A b": no sink has such a NAME`},
		"replay into itself":   {[]string{"replay", "x", "--dead-letter", "./x"}, "--dead-letter ./x is replayed"},
		"replay to itself":     {[]string{"replay", "y", "x", "--to", "file:x"}, "the sink file is a file that is replayed"},
		"replay its state":     {[]string{"replay", "x", "--checkpoint", "x"}, "--checkpoint x is replayed"},
		"replay stdin and x":   {[]string{"replay", "-", "x"}, "standard input (-) stands alone"},
		"replay, ws for all":   {[]string{"replay", "x", "--to", "ws://0.0.0.0:0/feed"}, "give --remote too"},
		"recover limits":       {[]string{"--recover", "15m"}, "--recover \"15m\": want TIME/POSTS"},
		"recover too far":      {[]string{"--recover", "200h/10"}, "the TIME up to 168h"},
		"recover backwards":    {[]string{"--recover=-5m/10"}, "want TIME/POSTS"},
		"recover no time":      {[]string{"--recover", "0s/10"}, "want TIME/POSTS"},
		"recover no Posts":     {[]string{"--recover", "15m/0"}, "want TIME/POSTS"},
		"backfill too short":   {[]string{"--backfill", "30s"}, "--backfill: want 1m to 5m, not 30s"},
		"backfill too long":    {[]string{"--backfill", "6m"}, "--backfill: want 1m to 5m, not 6m0s"},
		"backfill of nothing":  {[]string{"--backfill", "0s"}, "--backfill: want 1m to 5m, not 0s"},
		"budget":               {[]string{"--budget", "100"}, "--budget: want N/day or N/month"},
		"two budgets a day":    {[]string{"--budget", "1/day", "--budget", "2/day"}, "each once"},
		"a budget of none":     {[]string{"--budget", "0/day"}, "--budget: want N/day or N/month"},
		"cycle day 0":          {[]string{"--cycle-day", "0"}, "--cycle-day: want a day of the month"},
		"cycle day":            {[]string{"--cycle-day", "32"}, "--cycle-day: want a day of the month"},
		"price":                {[]string{"--price=-1"}, "--price: want dollars"},
		"price too high":       {[]string{"--price", "1001"}, "--price: want dollars"},
		"recover, no Posts":    {[]string{"recover", "--since", "2026-01-01T00:00:00Z", "--until", "2026-01-02T00:00:00Z", "--posts", "0"}, "--posts: want a number of Posts, not 0"},
		"recover to the dead":  {[]string{"recover", "--since", "2026-01-01T00:00:00Z", "--until", "2026-01-02T00:00:00Z", "--dead-letter", "a", "--to", "x=file:./a"}, "--dead-letter and the sink x are the same file"},
		"recover, budget":      {[]string{"recover", "--since", "2026-01-01T00:00:00Z", "--until", "2026-01-02T00:00:00Z", "--budget", "5"}, "--budget: want N/day or N/month"},
		"recover without time": {[]string{"recover"}, "--since=TIME"},
		"recover until before": {[]string{"recover", "--since", "2026-01-02T00:00:00Z", "--until", "2026-01-01T00:00:00Z"}, "--until is not after --since"},
		"API in the clear":     {[]string{"--api-url", "http://api.x.com"}, "--api-url: a bearer token goes over https only"},
		"API is no URL":        {[]string{"--api-url", "x"}, "--api-url: not a URL of a server"},
		"empty token file":     {[]string{"--token-file="}, "--token-file: want the name of a file"},
		"two tokens":           {[]string{"--token-file", "a", "--token-env", "B"}, "want --token-file or --token-env, not both"},
		"variable's name":      {[]string{"--token-env", "A-B"}, "--token-env: want the name of a variable"},
		"log format":           {[]string{"--log-format", "xml"}, "--log-format must be one of"},
		"log level":            {[]string{"--log-level", "loud"}, "--log-level must be one of"},
		"rules alone":          {[]string{"rules"}, `expected one of "list", "add", "delete"`},
		"nothing to add":       {[]string{"rules", "add"}, "TAG=VALUE"},
		"nothing to delete":    {[]string{"rules", "delete"}, "ID"},
		"an empty id":          {[]string{"rules", "delete", ""}, `"" is no id of a rule`},
		"no id":                {[]string{"rules", "delete", "cats"}, `"cats" is no id of a rule`},
		"no rule":              {[]string{"rules", "add", "cats"}, "want TAG=VALUE"},
		"simulate for all":     {[]string{"simulate", "--listen", ":0"}, "give --remote too"},
		"simulate for all, v6": {[]string{"simulate", "--listen", "[::]:0"}, "give --remote too"},
		"simulate, no port":    {[]string{"simulate", "--listen", "localhost"}, "want HOST:PORT"},
		"credential's name":    {[]string{"--token-credential", "../x"}, "--token-credential: want the name of a credential"},
		"three tokens":         {[]string{"--token-credential", "a", "--token-env", "B"}, "want --token-env or --token-credential, not both"},
		"simulate, fault":      {[]string{"simulate", "--faults", "2s:reset 5s:nonsense"}, `Faults: fault 2, "5s:nonsense": there is no fault "nonsense"`},
		"simulate, rate":       {[]string{"simulate", "--rate=-1"}, "Rate: want 0 to"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			p := command{dir: dir, args: tt.args}.start(t)
			code := p.wait()
			out := p.stderr.String()
			if code != 2 || !strings.HasPrefix(out, "streamer: ") || !strings.Contains(out, tt.want) {
				t.Errorf("exit code %d, stderr %q; want 2 and %q", code, out, tt.want)
			}
			if !strings.HasSuffix(out, "\nSee streamer --help.\n") || strings.Count(out, "\n") != 2 {
				t.Errorf("stderr is %q, want one line and a hint", out)
			}
			if files, _ := os.ReadDir(dir); len(files) > 0 {
				t.Errorf("it has made %v", files)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"run", "--help"}, {"rules", "add", "--help"}, {"replay", "--help"}, {"journal", "stat", "--help"}, {"simulate", "--help"}} {
		p := start(t, args...)
		if code := p.wait(); code != 0 || !strings.Contains(p.stdout.String(), "Usage: streamer") {
			t.Errorf("%v: exit code %d, stdout %q; want 0 and the usage", args, code, p.stdout.String())
		}
	}
}

// A failure is one line on stderr, behind what was logged, and names what to do.
// In none of them does the token stand.
func TestFailures(t *testing.T) {
	const canary = "CANARY0s3cret0CANARY"
	tests := map[string]struct {
		token     string // in bearer.txt; by default the canary, and "-" for no file
		env, args []string
		server    func(*xtest.Server)
		want      string
		code      int // by default 1
	}{
		"no token": {
			token: "-", args: []string{"--api-url", "https://127.0.0.1:1"},
			want: "file bearer.txt can't be read: no such file or directory: put the app's Bearer Token, from X's developer console, into that file, or say with --token-file, --token-env or --token-credential where it is\n",
		},
		"no token file":       {args: []string{"--token-file", "nix.txt"}, want: "file nix.txt can't be read: no such file"},
		"no token credential": {args: []string{"--token-credential", "nix"}, want: "systemd credential nix is not there: CREDENTIALS_DIRECTORY is not set"},
		"no token variable":   {args: []string{"--token-env", "NIX"}, want: "environment variable NIX is not set"},
		"a token's variable before the file of the settings": {
			env: []string{"TWEETSTREAM_TOKEN_FILE=nix.txt"}, args: []string{"--token-env", "NIX"}, want: "environment variable NIX is not set",
		},
		"empty token":   {token: " \n", want: "file bearer.txt holds no token"},
		"two lines":     {token: canary + "\n" + canary, want: "holds more than one line"},
		"strange token": {token: canary + "é", want: "holds characters that no bearer token has"},
		"refused": {
			server: func(x *xtest.Server) { x.Fail(rulesPath, -1, xtest.Problem(http.StatusUnauthorized)) },
			want:   "the token is refused (file bearer.txt)",
		},
		"refused, from the environment": {
			env: []string{"MY_TOKEN=" + canary}, args: []string{"--token-env", "MY_TOKEN"},
			server: func(x *xtest.Server) { x.Fail(rulesPath, -1, xtest.Problem(http.StatusUnauthorized)) },
			want:   "the token is refused (environment variable MY_TOKEN)",
		},
		"an answer that echoes the token": {
			server: func(x *xtest.Server) {
				x.Fail(rulesPath, -1, xtest.Response{Status: 400, Body: `{"title":"Bad ` + canary + `","detail":"Authorization: Bearer ` + canary + `"}`})
			},
			want: "X answers 400",
		},
		"a page that echoes the token": {
			server: func(x *xtest.Server) {
				x.Fail(streamPath, -1, xtest.Response{Status: 404, Body: "<html>" + canary + "</html>"})
			},
			want: "X answers 404",
		},
		"forbidden": {
			server: func(x *xtest.Server) { x.Fail(streamPath, -1, xtest.Problem(http.StatusForbidden)) },
			want:   "has no access to the stream",
		},
		"no rules":                  {args: []string{}, want: "the filtered stream needs a rule"},
		"invalid rule":              {args: []string{"--rule", "a=(b"}, want: `X refuses the rule "(b" (tag "a")`, code: 2},
		"a file below a file":       {args: []string{"--tag", "coop", "--to", "file:bearer.txt/x"}, want: `--to "file:bearer.txt/x": `},
		"the same as JSON":          {args: []string{"--rule", "a=b nosuch:c", "--log-format", "json"}, want: `\"a\"): Reference to invalid operator`},
		"rules list refused":        {args: []string{"rules", "list"}, server: func(x *xtest.Server) { x.Fail(rulesPath, -1, xtest.Problem(401)) }, want: "the token is refused"},
		"rules add refused":         {args: []string{"rules", "add", "a=lang:en"}, want: `X refuses the rule "lang:en" (tag "a")`},
		"rules delete of no rule":   {args: []string{"rules", "delete", "1"}, want: "X did not delete 1 of 1"},
		"a secret as a file name":   {args: []string{"--to", "http://h/x", "--http-secret-file", "whsec_" + canary}, want: "--http-secret-file: want the name of a file", code: 2},
		"a secret as a variable":    {args: []string{"--to", "http://h/x", "--http-secret-env", "whsec_" + canary}, want: "--http-secret-env: want the name of a variable", code: 2},
		"a secret that is none":     {args: []string{"--to", "http://h/x", "--http-secret-env", "S"}, env: []string{"S=" + canary}, want: "--http-secret-env: secret 1 ", code: 2},
		"the token as a file name":  {args: []string{"--token-file", "AAAAAAAAAAAAAAAAAAAAA" + canary}, want: "--token-file: want the name of a file", code: 2},
		"the token as a variable":   {args: []string{"--token-env", "AAAAAAAAAAAAAAAAAAAAA" + canary}, want: "--token-env: want the name of a variable", code: 2},
		"the token as a credential": {args: []string{"--token-credential", "AAAAAAAAAAAAAAAAAAAAA" + canary}, want: "--token-credential: want the name of a credential", code: 2},
		"the token as a flag":       {args: []string{"--token=" + canary}, want: "unknown flag --token", code: 2},
		"a password in the API URL": {args: []string{"--api-url", "http://u:" + canary + "@127.0.0.1:1"}, want: "--api-url: want no more than", code: 2},
		"a bad API URL with one":    {args: []string{"--api-url", "http://u:" + canary + "@ 127.0.0.1"}, want: "--api-url: not a URL", code: 2},
		"a password in a URL":       {args: []string{"--to", "http://u:" + canary + "@example.com/x?key=" + canary}, want: `"http://…@example.com/x?…"`, code: 2},
		"one with a slash in it":    {args: []string{"--to", "http://u:x/" + canary + "@example.com/"}, want: `"http://…@example.com/"`, code: 2},
		"one without slashes":       {args: []string{"--to", "https:u:" + canary + "@example.com"}, want: `"https:…@example.com"`, code: 2},
		"a secret path":             {args: []string{"--to", "https://h/" + canary + "0/x", "--to", "https://i/x"}, want: `"https://h/…/x"`, code: 2},
		"a secret fragment":         {args: []string{"--to", "https://h/#" + canary}, want: `"https://h/#…"`, code: 2},
		"of a database":             {args: []string{"--to", "mysql://u:" + canary + "@h"}, want: `"mysql://…@h"`, code: 2},
		"of a database, an option":  {args: []string{"--to", "postgres://h/db?password=" + canary + "&sslmode=x"}, want: `"postgres://h/db?…"`, code: 2},
		"of a database, twice":      {args: []string{"--to", "mysql://u:" + canary + "@h/db", "--sql-password-env", "S"}, env: []string{"S=" + canary}, want: "the URL of the sink mysql has a password too", code: 2},
		"a database that is gone":   {args: []string{"--tag", "coop", "--to", "postgres://u:" + canary + "@127.0.0.1:1/db"}, want: `--to "postgres://…@127.0.0.1:1/db": sqlsink: migrate: failed to connect to `},
		"a password in a sink":      {args: []string{"--to", "pg://u:" + canary + "@h/db?password=" + canary}, want: `"pg://…@h/db?…"`, code: 2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newServer(t)
			if tt.server != nil {
				tt.server(x)
			}
			c := command{dir: t.TempDir(), env: tt.env, args: tt.args}
			if tt.args == nil {
				c.args = []string{"--tag", "coop"}
			}
			if !strings.Contains(strings.Join(tt.args, " "), "--api-url") {
				c.env = append(c.env, "TWEETSTREAM_API_URL="+x.URL)
			}
			switch tt.token {
			case "-":
			case "":
				write(t, filepath.Join(c.dir, "bearer.txt"), canary+"\n")
			default:
				write(t, filepath.Join(c.dir, "bearer.txt"), tt.token)
			}
			p := c.start(t)
			code := p.wait()
			out := p.stderr.String()
			if want := max(tt.code, 1); code != want || strings.Count(out, tt.want) != 1 {
				t.Errorf("exit code %d, stderr:\n%s\nwant %d and, once, %q", code, out, want, tt.want)
			}
			if strings.Contains(out+p.stdout.String(), canary) {
				t.Errorf("the token is shown:\n%s", out)
			}
			lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
			for len(lines) > 1 && strings.HasPrefix(lines[len(lines)-1], "    ") { // the place in a rule
				lines = lines[:len(lines)-1]
			}
			last := lines[len(lines)-1]
			switch {
			case tt.code == 2:
			case strings.Contains(name, "JSON"):
				records(t, out)
			case !strings.HasPrefix(last, "streamer: ") || strings.Count(out, "streamer: ") != 1:
				t.Errorf("the last line is %q, want it and no other to say what failed", last)
			}
		})
	}
}

func TestSimulateFailures(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, args := range [][]string{
		{"simulate", "--listen", l.Addr().String()},
		{"simulate", "--listen", "127.0.0.1:0", "--replay", "nix.ndjson"},
	} {
		p := start(t, args...)
		if code := p.wait(); code != 1 || strings.Count(p.stderr.String(), "\n") != 1 {
			t.Errorf("%v: exit code %d, stderr %q; want 1 and one line", args, code, p.stderr.String())
		}
	}
}
