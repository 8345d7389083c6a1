// Package tweetstream takes Posts off the stream of the X API in real time and
// hands each one to every sink that a program plugs in.
//
//	src, err := xstream.New(xstream.TokenFile("bearer.txt"), xstream.Rules(tweetstream.Rule{Tag: "coop", Value: "coop OR #coop"}))
//	…
//	s, err := tweetstream.New(src, tweetstream.WithSink("mine", mySink))
//	…
//	err = s.Run(ctx)
//
// This comment is the contract: what a [Streamer] promises to a program, to its
// sinks and to its sources. The source of X itself is package sources/xstream;
// the sinks that come along are below sinks/; package xtest is an X to test
// against.
//
// # A log and its readers
//
// The [Source] appends to a log. Each [Sink] reads the log at its own cursor: it
// gets every tweet from the moment Run began, in the order of the log, and a slow
// or dead sink holds back nobody but itself. The log is in memory ([WithBuffer]),
// or on disk behind that with [WithJournal], for which package
// journal/boltjournal is there.
//
//	source → repeats dropped → transforms → log ┬→ cursor → batch → try → sink
//	                                            ├→ cursor → batch → try → sink
//	                                            └→ …          given up → dead letter
//
// Waiting, batching, time-outs, retry, panics, overflow and figures belong to the
// Streamer, so that a sink is one method that tries once.
//
// # Delivery
//
// Every tweet that a source has emitted reaches every sink at least once, or is
// counted under one of five reasons and named: in the dead letter
// ([WithDeadLetter], package deadletter) or, without one, in a line of [WithLogger]
// with the first id, the last id and how many. The reasons are [Rejected],
// [GaveUp], [Overflowed], [ShutDown] and [TransformFailed]. There is no other end
// for a tweet, but for those that a transform drops because it was told to, and
// repeats.
//
// At least once means that a tweet may come again: after a Deliver that failed
// half-way, or after a crash. Within one run the same id is dropped when it comes
// from the source a second time ([WithDedup]).
//
// # Order
//
// A sink gets tweets in the order of the log, batch after batch. Three things
// give that up: [Parallel]; a tweet that a sink has named in a [TweetError], which
// comes again behind the others of its batch; and a tweet that fails again and
// again, which others pass by, one at a time, to find out whose fault it is.
//
// # Deletes
//
// A tombstone ([Tweet].Deleted) says that X has taken a Post away. Tombstones
// stand in the order of the log and reach the sinks that are a [Deleter]. From
// then on the Post comes back to nobody: a sink that has not read it yet, or tries
// it again, passes by it, and a replay of it is dropped; SinkStats and Stats count
// both. The newest million tombstones are kept in mind.
//
// # By hand
//
// [Streamer.Pause] keeps tweets from one sink, [Streamer.Resume] lets it go on,
// and with a journal [Streamer.Seek] moves it to another place in the log.
//
// # Errors
//
// What a failed Deliver leads to is told by its error, see [Sink]. An error that
// says nothing is taken for the sink's: the same batch comes again after a wait,
// for ever, while the state of the sink is [Retrying] and, from the fifth failure
// on, [Outage]. Every fifth time its tweets are tried one by one, and with them,
// if none passes, the next one of the log. A tweet that fails while others pass is
// tried five times more, and then given up as [Rejected]; where none passes, it is
// an outage, and nothing is given up unless [GiveUp] says so.
//
// A panic is an error like any other. A Deliver that does not return though its
// context is done makes the sink [Stuck]; it gets no other call before it returns.
//
// # Backpressure
//
// In memory a full buffer drops the oldest tweets of the sink that is behind:
// X would cut off a source that waits. A source that can wait is made to wait
// instead; see [WhenFull]. With a journal nothing is dropped; when the journal
// can't be written the source waits, and Stats and the log say so.
//
// # Shutdown
//
// When the context of Run is done, the source stops at once, and sinks go on with
// what is in the log for the drain time ([WithDrain]). What is left then stays in
// the journal, or is named as [ShutDown]. When a source ends by itself, Run
// returns when all is delivered.
//
// # What is written down
//
// No token and no Post's text stands in a log line, an error or [Stats], also not
// by way of an error that a driver or a server made: such text is cut, and what
// it has in common with the Posts at hand is taken out. In log lines the keys are
// sink, reason, count, first and last (ids), error, wait, after and since.
//
// # Writing a sink
//
// A sink has one method:
//
//	func (s *mySink) Deliver(ctx context.Context, tweets []*tweetstream.Tweet) error
//
// or is a [SinkFunc]. It tries once and says what happened; it need not be safe
// for concurrent use. Each tweet has the message as X sent it in Raw, and decoded
// in Content. Package sinktest tells whether a sink keeps to this contract, and
// xtest.Run streams a simulated X through a whole pipeline.
package tweetstream
