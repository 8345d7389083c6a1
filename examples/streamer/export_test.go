package main

import (
	"io"
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

type fixed[T any] struct{ v *T }

func (f fixed[T]) Stats() T { return *f.v }
