package chaos_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tweetstream-go/tweetstream/xtest"
)

// binary is the program under test, which is run as its users run it.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "chaos")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "streamer.exe")
		build := exec.Command("go", "build", "-o", binary, "./streamer")
		build.Dir = filepath.Join("..", "..", "examples") // a module of its own
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// service is the streamer with a supervisor, which starts it again whenever it has
// ended.
type service struct {
	t    *testing.T
	x    *xtest.Server
	logs string // the folder of them, one a life
	args []string

	mu      sync.Mutex
	process *exec.Cmd // nil between two lives
	lives   int
	killed  int // lives that were ended by kill
	failed  int // lives that ended by themselves, with code 1
	ending  bool
	ended   chan struct{}
}

// supervise starts the program, and again until end.
func supervise(t *testing.T, x *xtest.Server, args ...string) *service {
	t.Helper()
	s := &service{t: t, x: x, logs: t.TempDir(), args: args, ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		for s.live() {
		}
	}()
	t.Cleanup(func() {
		s.mu.Lock()
		s.ending = true
		s.mu.Unlock()
		s.signal(os.Kill)
		<-s.ended
	})
	return s
}

// live starts the program and waits for its end. It reports whether the program
// is to be started again.
func (s *service) live() (again bool) {
	// X notices the end of a connection at once; how its TooManyConnections is
	// met is among the faults.
	for deadline := time.Now().Add(10 * time.Second); s.x.Stats().Connected > 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	s.mu.Lock()
	if s.ending {
		s.mu.Unlock()
		return false
	}
	s.lives++
	log, err := os.Create(s.log())
	if err != nil {
		s.mu.Unlock()
		s.t.Error(err)
		return false
	}
	defer log.Close()
	p := exec.Command(binary, s.args...)
	p.Dir, p.Stderr = s.logs, log
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "TWEETSTREAM_") {
			p.Env = append(p.Env, v)
		}
	}
	if err = p.Start(); err == nil {
		s.process = p
	}
	s.mu.Unlock()
	if err != nil {
		s.t.Error(err)
		return false
	}
	err = p.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.process = nil
	var exit *exec.ExitError
	switch {
	case s.ending && err == nil:
	case errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL:
		s.killed++
	case errors.As(err, &exit) && exit.ExitCode() == 1:
		s.failed++
	default:
		s.t.Errorf("life %d ends with %v", s.lives, err)
	}
	return !s.ending
}

func (s *service) signal(sig os.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		_ = s.process.Process.Signal(sig)
	}
}

// end ends the program as a supervisor does.
func (s *service) end() {
	s.t.Helper()
	for begin := time.Now(); !s.terminate(); time.Sleep(5 * time.Millisecond) {
		if time.Since(begin) > 30*time.Second {
			s.t.Fatalf("the streamer does not come up:\n%s", s.lastLog())
		}
	}
	select {
	case <-s.ended:
	case <-time.After(time.Minute):
		s.t.Errorf("the streamer does not end:\n%s", s.lastLog())
	}
}

// terminate sends SIGTERM to the life at hand, if it has said something: one that
// has only just been started does not catch signals yet.
func (s *service) terminate() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return false // between two lives
	}
	if info, err := os.Stat(s.log()); err != nil || info.Size() == 0 {
		return false
	}
	s.ending = true
	_ = s.process.Process.Signal(syscall.SIGTERM)
	return true
}

// log is the path of the log of the life at hand. The caller holds mu.
func (s *service) log() string {
	return filepath.Join(s.logs, fmt.Sprintf("%04d.log", s.lives))
}

// record is what the log of a life says.
type record struct {
	Life  int    `json:"-"`
	Level string `json:"level"`
	Msg   string `json:"msg"`
	New   int    `json:"new"`
	Posts int    `json:"posts"`
	line  string
}

// records returns all that was logged in all lives.
func (s *service) records() (all []record) {
	s.t.Helper()
	names, err := filepath.Glob(filepath.Join(s.logs, "*.log"))
	if err != nil {
		s.t.Fatal(err)
	}
	slices.Sort(names)
	for i, name := range names {
		f, err := os.Open(name)
		if err != nil {
			s.t.Fatal(err)
		}
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			r := record{Life: i + 1, line: lines.Text()}
			_ = json.Unmarshal(lines.Bytes(), &r) // what is no record is kept as a line
			all = append(all, r)
		}
		_ = f.Close()
	}
	return all
}

// lastLog returns the end of the log of the life at hand.
func (s *service) lastLog() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := os.Open(s.log())
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil {
		_, _ = f.Seek(max(0, info.Size()-8000), io.SeekStart)
	}
	text, _ := io.ReadAll(f)
	return string(text)
}
