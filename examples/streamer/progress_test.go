package main_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream"
	main "github.com/tweetstream-go/tweetstream/examples/streamer"
	"github.com/tweetstream-go/tweetstream/journal/boltjournal"
	"github.com/tweetstream-go/tweetstream/sources/xstream"
)

func TestProgressLine(t *testing.T) {
	var st tweetstream.Stats
	var x xstream.Stats
	line := main.Progress(&st, &x)
	now := time.Unix(1e9, 0)
	check := func(want string) {
		t.Helper()
		if diff := cmp.Diff(want, line(now)); diff != "" {
			t.Errorf("line (-want +got):\n%s", diff)
		}
	}
	check("received 0, 0/s, not connected")

	x.Connected = true
	st.Received = 3
	st.Sinks = []tweetstream.SinkStats{{Name: "file", State: tweetstream.Running, Delivered: 2, Waiting: 1}}
	now = now.Add(time.Second)
	check("received 3, 3.0/s | file: 2 delivered, 1 waiting, 0 failed")

	st.Received = 1003
	st.Repeats = 4
	st.Held = "the disk is full"
	st.Sinks = append(st.Sinks, tweetstream.SinkStats{
		Name: "b", State: tweetstream.Outage, Failures: 7,
		Lost: map[tweetstream.Reason]uint64{tweetstream.Overflowed: 2, tweetstream.Rejected: 1},
	})
	now = now.Add(time.Second)
	check("received 1003, 502/s, 4 repeats, held: the disk is full | file: 2 delivered, 1 waiting, 0 failed | b: 0 delivered, 0 waiting, 7 failed, 3 lost, outage")

	x = xstream.Stats{Budget: xstream.Reads{Day: 5}, Held: "out of credits at X", OpenGaps: make([]xstream.Gap, 2), LostGaps: 1, Cost: 1.5}
	st.Held, st.Sinks = "", nil
	check("received 1003, 502/s, 4 repeats, held: out of credits at X, 2 gaps being recovered, 1 gaps lost, $1.50")
	x = xstream.Stats{Connected: true}

	// The rate is that of the last seconds.
	for range 10 {
		now = now.Add(time.Second)
		line(now)
	}
	check("received 1003, 0/s, 4 repeats")
}

func TestJournalNote(t *testing.T) {
	running := tweetstream.Stats{Sinks: []tweetstream.SinkStats{{Name: "s"}}}
	for want, tt := range map[string]struct {
		st tweetstream.Stats
		j  boltjournal.Stats
	}{
		"standby: another process may have the journal": {},
		"":                   {running, boltjournal.Stats{Used: 70, Limit: 100}},
		"journal 71 % full":  {running, boltjournal.Stats{Used: 71, Limit: 100}},
		"journal: 2 damaged": {running, boltjournal.Stats{Damaged: 2}},
		"journal 100 % full": {running, boltjournal.Stats{Used: 8 << 30, Limit: 8 << 30, Damaged: 1}},
	} {
		if got := main.JournalNote(tt.st, tt.j); got != want {
			t.Errorf("JournalNote(%v) = %q, want %q", tt.j, got, want)
		}
	}
}

// screen returns what a terminal shows that was sent s, line by line.
func screen(t *testing.T, s string) []string {
	t.Helper()
	lines := []string{""}
	for s != "" {
		last := &lines[len(lines)-1]
		switch {
		case strings.HasPrefix(s, "\r\x1b[K"):
			*last, s = "", s[len("\r\x1b[K"):]
		case strings.HasPrefix(s, "\r\n"), strings.HasPrefix(s, "\n"):
			lines, s = append(lines, ""), s[strings.Index(s, "\n")+1:]
		case s[0] < ' ':
			t.Fatalf("a control character: %.20q", s)
		default:
			*last, s = *last+s[:1], s[1:]
		}
	}
	return lines
}

func TestConsole(t *testing.T) {
	var out strings.Builder
	c := main.NewConsole(&out, 13)
	fmt.Fprintln(c, "first")
	c.Show("äbcdefghijklmnop")
	fmt.Fprintln(c, "second, which is longer than the terminal is wide")
	c.Show("new")
	want := []string{"first", "second, which is longer than the terminal is wide", "new"}
	if diff := cmp.Diff(want, screen(t, out.String())); diff != "" {
		t.Errorf("screen (-want +got):\n%s", diff)
	}
	if !strings.Contains(out.String(), "äbcdefghij") || strings.Contains(out.String(), "äbcdefghijk") {
		t.Errorf("a line of 16 in a terminal of 13 is not cut to 10: %q", out.String())
	}
	c.Show("")
	if diff := cmp.Diff(append(want[:2], ""), screen(t, out.String())); diff != "" {
		t.Errorf("screen after the end (-want +got):\n%s", diff)
	}
}

func TestConsoleConcurrent(t *testing.T) {
	var out strings.Builder
	c := main.NewConsole(&out, 80)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 100 {
				fmt.Fprintf(c, "log %d\n", i)
				c.Show(fmt.Sprintf("line %d %d", i, j))
			}
		})
	}
	wg.Wait()
	c.Show("")
	lines := screen(t, out.String())
	if len(lines) != 401 {
		t.Errorf("%d lines on the screen, want 401", len(lines))
	}
	for _, line := range lines[:len(lines)-1] {
		if !strings.HasPrefix(line, "log ") || len(line) != len("log 0") {
			t.Fatalf("a garbled line: %q", line)
		}
	}
}
