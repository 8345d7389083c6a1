package main

import (
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// A console is standard error: log lines, and, if it is a terminal, one line
// below them that is refreshed in place.
type console struct {
	w     io.Writer
	width func() int // of the terminal; nil if it is none

	mu   sync.Mutex
	line string // as it is shown at the moment
}

// newConsole returns the console on f.
func newConsole(f *os.File) *console {
	c := &console{w: f}
	if fd := int(f.Fd()); term.IsTerminal(fd) && os.Getenv("TERM") != "dumb" {
		c.width = func() int {
			width, _, err := term.GetSize(fd)
			if err != nil || width <= 0 {
				return 80
			}
			return width
		}
	}
	return c
}

// toLineStart goes to the start of the terminal's line and clears it.
const toLineStart = "\r\x1b[K"

// Write writes whole lines above the line that is refreshed.
func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.line == "" {
		return c.w.Write(p)
	}
	out := append([]byte(toLineStart), p...)
	if _, err := c.w.Write(append(out, c.line...)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// show sets the line that is refreshed; an empty one takes it away. If the
// console is no terminal it does nothing.
func (c *console) show(line string) {
	if c.width == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	// A full line would make the terminal begin another, and so would the ^C that
	// it shows when that is typed.
	if runes, most := []rune(line), max(0, c.width()-len("^C")-1); len(runes) > most {
		line = string(runes[:most])
	}
	if line == c.line {
		return
	}
	c.line = line
	_, _ = io.WriteString(c.w, toLineStart+line) // there is nowhere else to say it
}

// refreshEvery is how often the line is refreshed.
const refreshEvery = 500 * time.Millisecond

// refresh shows what line returns, again and again, until stop is called.
func (c *console) refresh(line func(now time.Time) string) (stop func()) {
	if c.width == nil {
		return func() {}
	}
	done := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		t := time.NewTicker(refreshEvery)
		defer t.Stop()
		for {
			select {
			case <-done:
				c.show("")
				return
			case now := <-t.C:
				c.show(line(now))
			}
		}
	})
	return func() {
		close(done)
		running.Wait()
	}
}
