// Package sinktest tests whether a [tweetstream.Sink] keeps to its contract, in
// the manner of testing/slogtest: for those who write a sink of their own.
//
//	func TestDiary(t *testing.T) {
//		sinktest.Run(t, func(t *testing.T) sinktest.Subject {
//			d := newDiary(t.TempDir())
//			return sinktest.Subject{Sink: d, Stored: d.read}
//		})
//	}
//
// Only the Sink is needed. What else a [Subject] offers, the suite uses: it can
// look for lost Posts only where it can read them back, and see an outage only
// where it can make one. What is left out for want of that is skipped, and says
// so; go test -v shows it.
//
// # What is asked
//
//	defaults             New takes what Defaults gives
//	delivers all         batches of 1, 2, 100 and 1,000, in order and byte for byte
//	keeps no slice       the batch is written over once Deliver has returned
//	changes no tweet     all sinks share them
//	again                a batch twice, batches that overlap, an id twice in a batch
//	context done         Deliver and Delete return soon, and blame no Post
//	context ends a hang  the same, while the other end does not answer
//	outage               an error, of no Post; afterwards all is there
//	names                a TweetError is of a Post of the batch, once; the others are delivered
//	silent errors        no Post's text in an error
//	hostile Posts        are stored whole or refused for good, and do no harm to others
//	deletes              of a Deleter: once, again, and of what is not there
//	parallel             calls at the same time
//	a run                a Streamer delivers all, also after an outage
//	a run that stops     and while it is being stopped
//
// # How to read a failure
//
// A failure says what the sink did, the sentence of the contract that this
// breaks (of package tweetstream, most of them at [tweetstream.Sink]), and what
// to do about it. Begin with the first one: a sink that loses Posts fails in
// many places.
//
// Posts of the suite have ids that begin with 19 and grow; those of "hostile
// Posts" are named by what is strange about them, and their bytes are not shown.
//
// A sink that keeps to the contract need not be a good one: whether a Post lasts
// once Deliver has returned nil, through a crash or a loss of power, is not asked
// here. Run the suite with -race, which sees more.
package sinktest
