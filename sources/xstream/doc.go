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
// bring Posts, and each Post is billed. [Prune] deletes them. [Source.SetRules]
// changes the rules of a stream that runs. Rules are looked through before they are
// sent, and X is asked by a dry run before any is deleted.
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
// # What comes of X's answers
//
//	the network, an end, a stall    again at once, then after 250 ms more each time, up to 16 s
//	5xx, a 200 that is no stream    after 5 s, doubling to 320 s
//	429                             when x-rate-limit-reset says, or after 60 s, doubling
//	429 TooManyConnections          after 60 s, doubling; with [TakeOver] the other one is closed
//	402                             held: asked after 5 minutes, doubling to an hour
//	UsageCapExceeded                held: Daily until the UTC day turns, else asked once an hour
//	401                             the token is asked for once more; if it is the same, the end
//	409                             declared rules are added again; without any, the end
//	400, 403, 404, a redirect       the end, but waited for as a 5xx if the answer is not X's own and a stream has stood
//
// Waits begin anew after a connection that stood for longer than a keep-alive
// takes, are lengthened by up to a tenth, go by X's clock, and no more than 45
// connects reach X in 15 minutes. While the source is held, [Stats] says why and
// sinks go on; [StopWhenHeld] ends it instead.
//
// # What is written down
//
// LOG.md, at the root of the module, names all messages of the log and what their
// keys mean. At level Error stands what somebody must act on, at Warn what costs
// time or Posts, at Info what is as it should be again, and at Debug what was said
// before. No line holds the token or a Post's text.
//
// Behaviour of X is taken from https://docs.x.com/x-api/posts/filtered-stream.
package xstream
