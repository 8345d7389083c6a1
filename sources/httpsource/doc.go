// Package httpsource is a [tweetstream.Source] that takes Posts over HTTP: what
// package sinks/httpsink posts, the webhooks of X itself ([XWebhook]), and any
// single message that somebody posts by hand.
//
//	src, err := httpsource.New()
//	…
//	http.Handle("/tweets", src)
//
// # What it takes
//
// A POST with Content-Type application/json is one message, in whatever layout, or
// an array of messages. One with application/x-ndjson has one message a line. A
// batch is stored whole or refused whole. A message is as the stream of X has it: an object with
// data and, in it, id. It may lack everything else; without matching_rules it has
// no rules. Bytes that are no UTF-8 become U+FFFD. A body may be compressed with
// gzip; limits are for what it unpacks to.
//
// # What it answers
//
//	204  the log has all of it: in memory, or on disk with a journal; to X 200
//	400  a message is no JSON, or has no id
//	401  Authorize refused the request, or its signature is missing, wrong, or
//	     of another time
//	403  it was made by a page of another site
//	405  it is no POST
//	408  the body did not come, or not as a whole
//	413  the body, or a message in it, is over the limit
//	415  another Content-Type, or a body that is compressed otherwise
//	421  it was sent to another Host than those of Hosts
//	429  more come than MaxRate allows; with Retry-After
//	503  try again: the log did not take it within 5 s, Stream does not run,
//	     or too many requests are under way; with Retry-After
//
// Any other answer than 204 and 200 has a body of application/json: error, and for
// each message of a batch that is refused, up to a hundred of them, its line,
// counted from 1, or its index in the array, counted from 0, and why. Nothing in it
// is taken from the request.
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
// [Secret] or [Authorize], and TLS.
//
// A signed request that was taken is answered, and not taken again: who listens on
// the way can't have it taken twice. The Streamer knows the newest ids as well, and
// with a journal that outlives a restart; the newest requests are part of the
// source's state besides, which a checkpoint keeps. Signatures of X tell no time,
// so that these are all there is against an old one.
//
// # X
//
// X wants an answer within ten seconds: it has one within eight, which is 503 when
// the log does not take the Post. A challenge that could be a message is refused,
// for its answer would be the signature of that message.
//
// # Limits
//
// A request has 30 s to send its body, whatever the time-outs of the server are;
// how many are read at once, and how much they may hold in memory, is limited. The
// limits for headers and idle connections are the server's: set its
// ReadHeaderTimeout and IdleTimeout.
//
// [MaxRequests] and [MaxRate] are for all senders together, and keep the process
// up. They do not keep one sender from taking the places of others: limits for each
// address are for a proxy in front, such as limit_conn and limit_req of nginx, for
// behind it all have one.
package httpsource
