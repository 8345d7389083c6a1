// Package replay reads files of Posts and hands them to sinks again: archives of
// the stream, and the dead letters of package deadletter.
//
//	src, err := replay.Open("dead.ndjson", replay.Sink("pg"))
//	…
//	s, err := tweetstream.New(src, tweetstream.WithSink("pg", sink))
//	…
//	err = s.Run(ctx)
//
// # Files
//
// A file has one message a line, as X sends it and filesink writes it, or one
// letter; both may stand in one file. It may be compressed with gzip, whatever its
// name is. "-" is standard input. Files are never in memory as a whole.
//
// A file whose name is that of a dead letter stands for its segments too: for
// dead.ndjson, dead-20260102T150405.678Z.ndjson and the like, oldest first, and
// then the file itself. It may be written to and rotated meanwhile: it is read up
// to what was its end when that was reached.
//
// A letter brings back its tweet as it was: the message byte for byte, Received,
// Recovered, Rules, and Deleted for a tombstone. A message is what
// [tweetstream.ParseTweet] makes of it.
//
// # Lines that can't be read
//
// A line that is neither a message nor a letter is left out, as is a message of
// more than 4 MiB, a line of more than 8 MiB (letters are longer than their
// messages), a line with zeros in it (a crash has left them, and its Posts came
// again), and a last line that is not ended and not whole. Each of them is counted
// in [Stats] and named in the log: by the file, its number and the reason, and
// never by what it says. Empty lines count as lines and are no more than that.
//
// A file that can't be read on, such as a damaged gzip, ends Stream with an error,
// after what was read from it.
//
// # Going on where it was
//
// With a checkpoint or a journal a replay that was stopped goes on behind the last
// line that is in the log. The state knows a file by its first line and by the line
// that was read last, so that it may be renamed, compressed or appended to in
// between. If none of the files is the one of the state, the replay begins at the
// beginning and says so: a repeat is harmless. A state that another source has
// stored is an error. Standard input always begins at the beginning.
package replay
