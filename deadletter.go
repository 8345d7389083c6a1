package tweetstream

import (
	"context"
	"time"
)

// A DeadLetter keeps tweets that a sink will not get. It returns nil once they
// are kept for good; only then does the sink go on to other tweets. On an error
// it is called again with the same letters, for as long as it takes. It may be
// called by several goroutines at once, and must not keep the slice.
type DeadLetter func(ctx context.Context, letters []Letter) error

// A Letter is one tweet in a [DeadLetter], and why it is there.
type Letter struct {
	Tweet  *Tweet
	Sink   string // the name of the sink; empty if a global transform failed
	Reason Reason
	Error  string // the last error, fit to be shown: cut, and without the Post's text
	Tries  int    // how often its delivery was tried
	First  time.Time
	Last   time.Time // of the tries; the time of the loss if there were none
}

// A Reason says why a sink did not get a tweet.
type Reason string

const (
	Rejected        Reason = "rejected"         // the sink said [Permanent], or took others and never this one
	GaveUp          Reason = "gave up"          // failed for longer than [GiveUp] allows
	Overflowed      Reason = "overflowed"       // dropped from the full buffer, the oldest first
	ShutDown        Reason = "shut down"        // still waiting when the drain time was over
	TransformFailed Reason = "transform failed" // a [Transform] returned an error, so that the tweet did not pass
)
