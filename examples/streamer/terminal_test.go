//go:build unix

package main_test

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/creack/pty"

	"github.com/tweetstream-go/tweetstream/xtest"
)

var timeOfDay = regexp.MustCompile(`^time=\d\d:\d\d:\d\d `)

// On a terminal a line of figures is refreshed below the log, fits, and is gone
// at the end.
func TestTerminal(t *testing.T) {
	const width = 60
	terminal, stderr, err := pty.Open()
	if err != nil {
		t.Skip(err)
	}
	defer terminal.Close()
	if err := pty.Setsize(stderr, &pty.Winsize{Rows: 24, Cols: width}); err != nil {
		t.Fatal(err)
	}
	x := newServer(t, xtest.Rate(100))
	out := filepath.Join(t.TempDir(), "out.ndjson")
	p := command{
		args:   []string{"--api-url", x.URL, "--tag", "coop", "--to", "file:" + out},
		env:    []string{"TERM=xterm"},
		stderr: stderr,
	}.start(t)
	stderr.Close()
	var shown buffer
	end := make(chan struct{})
	go func() {
		io.Copy(&shown, terminal) // until the program ends
		close(end)
	}()
	p.eventually("figures are shown twice", func() bool { return strings.Count(shown.String(), "\r\x1b[Kreceived ") >= 2 })
	p.stop(os.Interrupt)
	<-end

	for part := range strings.SplitSeq(shown.String(), "\r\x1b[K") {
		line := part[strings.LastIndex(part, "\n")+1:]
		if n := utf8.RuneCountInString(line); n+len("^C") >= width {
			t.Errorf("a line of %d on a terminal of %d: %q", n, width, line)
		}
	}
	lines := screen(t, shown.String())
	for _, line := range lines[:len(lines)-1] {
		if !timeOfDay.MatchString(line) {
			t.Errorf("a garbled line: %q", line)
		}
	}
	if last := lines[len(lines)-1]; last != "" {
		t.Errorf("at the end there is %q, want nothing", last)
	}
}

// Posts that go to the terminal are not mixed with figures.
func TestPostsOnTerminal(t *testing.T) {
	terminal, tty, err := pty.Open()
	if err != nil {
		t.Skip(err)
	}
	defer terminal.Close()
	x := newServer(t, xtest.Rate(100))
	p := command{args: []string{"--api-url", x.URL, "--tag", "coop"}, env: []string{"TERM=xterm"}, stdout: tty, stderr: tty}.start(t)
	tty.Close()
	var shown buffer
	end := make(chan struct{})
	go func() {
		io.Copy(&shown, terminal)
		close(end)
	}()
	p.eventually("100 Posts are shown", func() bool { return strings.Count(shown.String(), "matching_rules") >= 100 })
	p.stop(os.Interrupt)
	<-end
	if strings.Contains(shown.String(), "\x1b") {
		t.Error("control sequences between the Posts")
	}
}
