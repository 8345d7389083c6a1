// Package xstream is the [tweetstream.Source] of the X API v2: the filtered
// stream and the sampled stream.
//
// It reads the stream by itself, as raw lines of any length up to 4 MiB, and
// never decodes a Post: what X sent goes on byte for byte. It reconnects for as
// long as it runs, by X's own policy, and notices a connection that died without
// a word. What ends it is what only people can mend: a token that X refuses, a
// plan without the stream, a rule that is no rule. Such an [*Error] says what to
// do.
//
// Rules are declared with [Rules]: those that are missing at X are added at each
// start, and rules there that nobody declared are named in the log, for they
// bring Posts, and each Post is billed. [Prune] deletes them.
//
// What X sent while no connection stood is asked for again, beside the stream and
// after a restart too, if the log keeps the source's state: see [Recover] and
// [Backfill]. What can't be had, or would cost too much, is logged as a gap with
// its bounds, once. [Source.Recovery] fills one by hand.
//
// Each Post that X sends costs money. [Budget] closes the stream before it costs
// more than was meant, until the day or the month turns; against X itself there
// is one by default. A Source counts as X bills, each Post once a UTC day, and
// for each rule's tag: see [Stats].
//
// Behaviour of X is taken from https://docs.x.com/x-api/posts/filtered-stream.
package xstream
