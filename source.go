package tweetstream

import "context"

// A Source brings tweets, and hands them to the Streamer with emit.
//
// Stream is called once by [Streamer.Run]. It blocks, and returns nil when the
// source has ended by itself or ctx is done, soon after that; an error means
// that it can't go on, and ends Run. Reconnecting is its own business. When it
// returns it has ended the goroutines that it started.
//
// from is the state that was last stored through emit, in an earlier run of the
// program, or nil: where to go on. Its bytes are the source's own. State comes
// back only with [WithJournal] or [WithCheckpoint].
//
// A source that can be made to wait without harm (a file, an HTTP request) says
// so with a method CanWait() bool; sinks then hold it back when the buffer is
// full, instead of dropping the oldest tweets (see [WhenFull]).
type Source interface {
	Stream(ctx context.Context, from []byte, emit Emit) error
}

// Emit hands tweets to the Streamer. It returns nil once the log holds tweets
// and state, together: in memory, or on disk with [WithJournal]. Until then it
// blocks, for as long as the log is full or can't be written. If ctx is done
// first, Emit returns its error, and the log may or may not come to hold them;
// emitting them again is harmless, for repeats are dropped.
//
// What one read brought goes in one call: a call costs the same for one tweet
// as for a hundred. tweets may be empty; a nil state keeps the stored one. Both
// may be used again after the return, but the tweets are shared with all sinks
// from then on. Calls may be concurrent. After Stream has returned, Emit fails.
type Emit func(ctx context.Context, tweets []*Tweet, state []byte) error
