// Package httpsource is a [tweetstream.Source] that takes Posts over HTTP: what
// package sinks/httpsink posts, and any single message that somebody posts by
// hand.
//
//	src, err := httpsource.New()
//	…
//	http.Handle("/tweets", src)
//
// # What it takes
//
// A POST with Content-Type application/json is one message, in whatever layout.
// One with application/x-ndjson is a batch, one message a line; it is stored
// whole or refused whole. A message is as the stream of X has it: an object with
// data and, in it, id. It may lack everything else; without matching_rules it has
// no rules. Bytes that are no UTF-8 become U+FFFD.
//
// # What it answers
//
//	204  the log has all of it: in memory, or on disk with a journal
//	400  a message is no JSON, or has no id
//	401  Authorize refused the request
//	403  it was made by a page of another site
//	405  it is no POST
//	408  the body did not come, or not as a whole
//	413  the body, or a message in it, is over the limit
//	415  another Content-Type, or a body that is compressed
//	421  it was sent to another Host than those of Hosts
//	503  try again: the log did not take it within 5 s, Stream does not run,
//	     or too many requests are under way; with Retry-After
//
// An answer other than 204 has a body of application/json: error, and for each
// message that is refused, up to a hundred of them, its line and why. Nothing in
// it is taken from the request.
//
// A message whose id came before is answered like any other: the Streamer drops
// the repeat. So a sender that got no answer sends again, and need not know
// whether it was heard.
//
// # Who may send
//
// A page on any website can make a browser send requests to 127.0.0.1, or to a
// name that it lets point there. Such requests are refused: those of other
// origins, by [http.CrossOriginProtection], and those with a Host that is not on
// the list ([Hosts]). Whoever serves more than this machine itself wants
// [Authorize], and TLS.
//
// A request has 30 s to send its body, whatever the time-outs of the server are;
// how many are read at once, and how much they may hold in memory, is limited. The
// limits for headers and idle connections are the server's: set its
// ReadHeaderTimeout and IdleTimeout.
package httpsource
