package tweetstream

import (
	"context"
	"iter"
)

// A Journal is a store on disk behind the buffer in memory: what it holds
// outlives the process, and sinks that fell behind read from it. It is a plain
// store that never waits for tweets: waiting is the Streamer's. Opening and
// closing it is the business of who made it; taking the lock that keeps other
// processes out is Start's, so that a program can wait in standby.
//
// Positions are numbers that grow by one with each tweet. A cursor is the next
// position to read. Methods may be called by several goroutines at once.
type Journal interface {
	// Start takes the journal's lock, waiting for it if need be, and returns
	// what the journal holds. It is called once, before all others.
	Start(ctx context.Context) (JournalState, error)

	// Append stores tweets and, if it is not nil, the source's state, and
	// returns the position after the last of them. Both are durable on return,
	// or, with an error, neither was stored; the Streamer then tries again.
	// The slices must not be kept.
	Append(ctx context.Context, tweets []*Tweet, state []byte) (next uint64, err error)

	// Read copies entries into dst, from the position from on, or from the
	// oldest kept if that is later. It returns how many, 0 at the end.
	Read(ctx context.Context, from uint64, dst []Entry) (int, error)

	// Commit stores the cursors of the sinks named, and leaves all others as
	// they are. Entries that all cursors have passed may be dropped.
	Commit(ctx context.Context, cursors map[string]uint64) error
}

// JournalState is what a [Journal] holds when it is started.
type JournalState struct {
	Next    uint64            // the position of the next tweet to be appended
	State   []byte            // the source's state; nil if none was stored
	Cursors map[string]uint64 // by the name of the sink

	// Newest yields the ids of the newest tweets, oldest first, and whether
	// each is a tombstone: for the window of repeats. It may be nil.
	Newest iter.Seq2[string, bool]

	// Deleted yields the ids of all tombstones that the journal holds, in their
	// order. It may be nil.
	Deleted iter.Seq[string]
}

// An Entry is a tweet at its position in a [Journal].
type Entry struct {
	Pos   uint64
	Tweet *Tweet
}
