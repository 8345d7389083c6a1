package main

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sources/xstream"
)

// progress makes the line of figures of a run.
type progress struct {
	streamer interface{ Stats() tweetstream.Stats }
	note     func(tweetstream.Stats) string // of the source
	samples  []sample                       // of the last seconds, oldest first
}

type sample struct {
	at       time.Time
	received uint64
}

// rateOver is the time that the rate is an average of.
const rateOver = 5 * time.Second

// line returns the figures at now. It is called by one goroutine.
func (p *progress) line(now time.Time) string {
	st := p.streamer.Stats()
	var b strings.Builder
	fmt.Fprintf(&b, "received %d, %s", st.Received, p.rate(sample{now, st.Received}))
	if st.Repeats > 0 {
		fmt.Fprintf(&b, ", %d repeats", st.Repeats)
	}
	if note := p.note(st); st.Held != "" {
		b.WriteString(", held: " + st.Held)
	} else if note != "" {
		b.WriteString(", " + note)
	}
	for _, s := range st.Sinks {
		fmt.Fprintf(&b, " | %s: %d delivered, %d waiting, %d failed", s.Name, s.Delivered, s.Waiting, s.Failures)
		if n := lost(s); n > 0 {
			fmt.Fprintf(&b, ", %d lost", n)
		}
		if s.State != tweetstream.Running {
			fmt.Fprintf(&b, ", %s", s.State)
		}
	}
	return b.String()
}

// connection is the note of the stream.
func connection(x xstream.Stats) string {
	var notes []string
	switch {
	case x.Held != "":
		notes = append(notes, "held: "+x.Held)
	case !x.Connected:
		notes = append(notes, "not connected")
	}
	if len(x.OpenGaps) > 0 {
		notes = append(notes, fmt.Sprintf("%d gaps being recovered", len(x.OpenGaps)))
	}
	if x.LostGaps > 0 {
		notes = append(notes, fmt.Sprintf("%d gaps lost", x.LostGaps))
	}
	if x.Budget != (xstream.Reads{}) {
		notes = append(notes, dollars(x.Cost))
	}
	return strings.Join(notes, ", ")
}

// bought are the figures of what was asked for again, and of what it cost.
func bought(x xstream.Stats) []any {
	figures := []any{"recovered", x.Recovered, "gaps_recovered", x.RecoveredGaps, "gaps_lost", x.LostGaps}
	if x.Budget != (xstream.Reads{}) { // else it is a simulator, which sends no bill
		figures = append(figures, "read_day", x.Read.Day, "cost", dollars(x.Cost))
	}
	return figures
}

func dollars(x float64) string { return fmt.Sprintf("$%.2f", x) }

// rate returns how many Posts a second came of late.
func (p *progress) rate(now sample) string {
	p.samples = slices.DeleteFunc(p.samples, func(s sample) bool { return now.at.Sub(s.at) > rateOver })
	p.samples = append(p.samples, now)
	first := p.samples[0]
	elapsed := now.at.Sub(first.at).Seconds()
	if elapsed <= 0 {
		return "0/s"
	}
	rate := float64(now.received-first.received) / elapsed
	if rate > 0 && rate < 9.95 {
		return fmt.Sprintf("%.1f/s", rate)
	}
	return fmt.Sprintf("%.0f/s", rate)
}

func lost(s tweetstream.SinkStats) (n uint64) {
	for _, of := range s.Lost {
		n += of
	}
	return n
}

// figures returns what is logged at the end of a run.
func figures(st tweetstream.Stats, source []any, d time.Duration) []any {
	var sinks []any
	for _, s := range st.Sinks {
		sinks = append(sinks, slog.Group(s.Name, "delivered", s.Delivered, "waiting", s.Waiting, "failed", s.Failures, "lost", lost(s)))
	}
	all := append([]any{"after", d.Round(time.Millisecond), "received", st.Received, "repeats", st.Repeats}, source...)
	return append(all, slog.Group("sinks", sinks...))
}

// showsPosts reports whether the Posts themselves go to a terminal, where a line
// of figures would stand in their way.
func showsPosts(targets []target) bool {
	return slices.ContainsFunc(targets, func(t target) bool { return t.scheme == "stdout" }) && term.IsTerminal(int(os.Stdout.Fd()))
}
