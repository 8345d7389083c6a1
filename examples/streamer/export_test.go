package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sources/xstream"
)

// Console is a console on any writer.
type Console struct{ *console }

func NewConsole(w io.Writer, width int) Console {
	return Console{&console{w: w, width: func() int { return width }}}
}

func (c Console) Show(line string) { c.show(line) }

// Progress makes lines of figures that are given.
func Progress(st *tweetstream.Stats, x *xstream.Stats) func(now time.Time) string {
	return (&progress{streamer: fixed[tweetstream.Stats]{st}, note: func(tweetstream.Stats) string { return connection(*x) }}).line
}

// JournalNote is what the line says of a journal.
var JournalNote = journalNote

// Reread reads a file of rules again on each hangup, until ctx is done.
func Reread(ctx context.Context, file string, hangup <-chan os.Signal, source *xstream.Source, logger *slog.Logger) {
	(&declares{Rules: &file}).reread(ctx, hangup, source, &settings{}, logger)
}

// CheckFolder returns what a check finds of a folder.
func CheckFolder(dir string, least, want uint64) string {
	var r report
	checkFolder(&r, "", "x", dir, least, want)
	return fmt.Sprint(r.Findings[0].Verdict, " ", r.Findings[0].Text)
}

type fixed[T any] struct{ v *T }

func (f fixed[T]) Stats() T { return *f.v }
