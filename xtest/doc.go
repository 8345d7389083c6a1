// Package xtest is a simulated X (Twitter) API v2, in the manner of
// net/http/httptest: rules, the filtered and the sampled stream, and recent
// search, with made-up Posts that look real or the lines of a file.
//
//	x := xtest.NewServer(xtest.Rate(100))
//	defer x.Close()
//	// point the program under test at x.URL, with any bearer token
//
// # What it answers
//
//	GET, POST /2/tweets/search/stream/rules   add, delete by id or value or all, dry run, list
//	GET       /2/tweets/search/stream         Posts that match a rule, with matching_rules
//	GET       /2/tweets/sample/stream         all Posts, or a fraction of them
//	GET       /2/tweets/search/recent         what the filtered stream sent or would have sent, newest first
//
// Status codes, headers and bodies are X's: 401 without a bearer token, 409
// without rules, 429 TooManyConnections for a second stream, keep-alives of
// "\r\n" every 20 s, lines that end in "\r\n". Names of query parameters are
// checked; the fields and expansions asked for are not: a Post always carries
// all of them. Backfill is accepted and does nothing. Rate limits are counted
// in the x-rate-limit headers and not enforced; use [Server.Fail] for that.
//
// # Where Posts come from
//
// [Rate] makes Posts at a steady pace, from the first stream connection on and
// whether or not a stream is connected later, as on X: who is away misses them
// and finds them by recent search. They are made to match the rules in effect,
// so nearly all of them reach the filtered stream; [Topics] overrides that.
// [Server.Post] makes a single one. [Replay] plays a file instead, and
// [Server.Send] writes any bytes to the streams.
//
// # Rules
//
// Words, "quoted phrases", #hashtag, @mention, $cashtag, from:, to:, lang:,
// url:, conversation_id:, is:retweet|reply|quote|verified and
// has:media|images|videos|links|hashtags|mentions|cashtags, joined by spaces
// (and), OR, "-" (not) and parentheses; "and" binds tighter than OR. As on X a
// rule needs a clause that can stand alone: lang:, is: and has: can't, nor can
// a negation or a stop word. Words match whole words of the full text, whatever
// their case; a word with punctuation wants quotes.
//
// # Time
//
// All waiting uses package time, and with [InMemory] no socket is opened, so a
// whole test runs in a testing/synctest bubble. A bubble's clock begins in the
// year 2000, before X's ids do: there the server's own clock (ids, created_at,
// the Date and x-rate-limit-reset headers) begins on 2026-01-01 instead and runs
// at the same speed.
//
// # Slow readers
//
// Each stream has a queue of 32 MiB. A stream whose queue is full when the next
// made-up Post comes is told so (an operational-disconnect of type SlowReader)
// and ended. [Server.Post] and [Server.Send] first wait 5 s for room. A replay
// waits as long as it takes, and drops nothing.
package xtest
