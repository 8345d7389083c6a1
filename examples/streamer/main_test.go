package main_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sources/xstream"
	"github.com/tweetstream-go/tweetstream/xtest"
)

// binary is the program under test, which is run as its users run it.
var binary string

func TestMain(m *testing.M) {
	// Where the tests are run by nohup, the program is not to inherit that it
	// ignores the end of its terminal: a signal that is caught here is not ignored
	// there.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "streamer")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "streamer.exe")
		args := []string{"build", "-o", binary}
		if raceEnabled {
			args = append(args, "-race")
		}
		if out, err := exec.Command("go", append(args, ".")...).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// patience is for what happens at once unless something is broken.
const patience = 60 * time.Second

// command describes a run of the program.
type command struct {
	dir    string // by default a new one
	env    []string
	args   []string
	stdout *os.File // by default it is collected
	stderr *os.File
	nohup  bool // without a terminal to lose
}

// process is a run of the program.
type process struct {
	t              *testing.T
	cmd            *exec.Cmd
	stdout, stderr buffer
	ended          chan struct{}
}

func (c command) start(t *testing.T) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(binary, c.args...), ended: make(chan struct{})}
	if c.nohup {
		p.cmd = exec.Command("sh", append([]string{"-c", `trap "" HUP; exec "$0" "$@"`, binary}, c.args...)...)
	}
	if p.cmd.Dir = c.dir; c.dir == "" {
		p.cmd.Dir = t.TempDir()
	}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "TWEETSTREAM_") {
			p.cmd.Env = append(p.cmd.Env, v)
		}
	}
	p.cmd.Env = append(p.cmd.Env, "GORACE=atexit_sleep_ms=0")
	p.cmd.Env = append(p.cmd.Env, c.env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	if c.stdout != nil {
		p.cmd.Stdout = c.stdout
	}
	if c.stderr != nil {
		p.cmd.Stderr = c.stderr
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.ended
	})
	return p
}

// start runs the program with args.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	return command{args: args}.start(t)
}

// wait returns the exit code.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		p.t.Fatalf("%v goes on; stderr:\n%s", p.cmd.Args[1:], p.stderr.String())
		return -1
	}
}

// stop sends a signal and checks that the program ends well.
func (p *process) stop(sig os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
	if code := p.wait(); code != 0 {
		p.t.Fatalf("exit code after %v = %d, want 0; stderr:\n%s", sig, code, p.stderr.String())
	}
}

// eventually waits for a condition, which the process may not outlive.
func (p *process) eventually(what string, ok func() bool) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); {
		select {
		case <-p.ended:
			if ok() {
				return
			}
			p.t.Fatalf("the program has ended before %s; stderr:\n%s", what, p.stderr.String())
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("never: %s; stderr:\n%s", what, p.stderr.String())
		}
	}
}

var address = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

// simulate starts the simulator and returns its URL.
func simulate(t *testing.T, args ...string) (*process, string) {
	t.Helper()
	p := start(t, append([]string{"simulate", "--listen", "127.0.0.1:0"}, args...)...)
	p.eventually("the simulator's URL", func() bool { return address.MatchString(p.stderr.String()) })
	return p, address.FindString(p.stderr.String())
}

// buffer is a bytes.Buffer for two goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// read returns a file, empty if there is none.
func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return data
}

func write(t *testing.T, path, data string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// ids returns the ids of a file's Posts.
func ids(t *testing.T, ndjson []byte) []string {
	t.Helper()
	var ids []string
	for line := range bytes.Lines(ndjson) {
		tweet, err := tweetstream.ParseTweet(bytes.TrimSuffix(line, []byte("\n")))
		if err != nil {
			t.Fatalf("ParseTweet() = %v for %.100q", err, line)
		}
		ids = append(ids, tweet.ID)
	}
	return ids
}

// newServer starts a simulated X in this process.
func newServer(t *testing.T, opts ...xtest.Option) *xtest.Server {
	t.Helper()
	x := xtest.NewServer(opts...)
	t.Cleanup(x.Close)
	return x
}

// rulesAt returns the rules at x, as TAG=VALUE.
func rulesAt(t *testing.T, x *xtest.Server) []string {
	t.Helper()
	source, err := xstream.New(xstream.Token("any"), xstream.BaseURL(x.URL))
	if err != nil {
		t.Fatal(err)
	}
	rules, err := source.ListRules(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, r := range rules {
		texts = append(texts, r.Tag+"="+r.Value)
	}
	return texts
}
