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
//	GET       /2/tweets/search/recent         what the filtered stream sent or would have sent, newest first; but
//	                                          no reposts, and no quotes for the sake of what they quote
//	GET       /2/tweets/counts/recent         how many of these there were, by minute, hour or day
//	GET       /2/connections                  the streams that are connected
//	DELETE    /2/connections/all              or /filtered_stream, /sample_stream: ends them
//	GET       /2/usage/tweets                 how many messages were sent, and found by search
//
// Status codes, headers and bodies are X's: 401 without a bearer token, 409
// without rules, 429 TooManyConnections for a second stream, keep-alives of
// "\r\n" every 20 s, lines that end in "\r\n". Names of query parameters are
// checked; the fields and expansions asked for are not: a Post always carries
// all of them. backfill_minutes brings the Posts of that time, with repeats and
// not in order; [NoBackfill] refuses it. Rate limits are counted in the
// x-rate-limit headers, and enforced with [EnforceLimits]. A stream is compressed
// for who accepts gzip.
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
// url:, conversation_id:, is:retweet|reply|quote|verified, -is:nullcast,
// has:media|images|videos|links|hashtags|mentions|cashtags|geo and sample:, which
// search does not know, joined by spaces (and), OR, "-" (not) and parentheses;
// "and" binds tighter than OR. As on X a rule needs a clause that can stand alone:
// lang:, is:, has: and sample: can't, nor can a negation or a stop word. Words match whole words of the full text, whatever
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
// # Faults
//
// A script says what goes wrong, and when: with [Faults] from the first request
// on, by [Server.Inject] from that moment on, and while a server runs by
//
//	curl -d '2s:reset 5s:stall=30s 9s:503x3' http://127.0.0.1:8089/_faults
//
// from the same machine (X has no such path). Each fault is
// [AT:]NAME[=ARG][@ENDPOINT][xN]. These happen to the streams that are connected
// then, and to none that connects later:
//
//	clean, reset, halfline      ends them: in good order, by a cut, in mid-message
//	disconnect[=TYPE]           with X's operational-disconnect, such as =SlowReader
//	disconnect-bare[=TYPE]      with the other form of it
//	stall[=D], nokeepalive[=D]  nothing is sent for D; no keep-alives are sent
//	slow[=N]                    N bytes a second, by default 16; slow=0 or clean ends it
//	garbage, unknown            a line that is no JSON; a message of a new kind
//	bigline[=N]                 a message of N MB, by default 12
//	flood[=N]                   N made-up Posts at once, by default 1000
//
// These answer the next request, or the next N of them with xN, or all with x*. It
// is one for a stream, unless @rules, @search, @counts, @connections or @usage says
// else:
//
//	400 … 599                   X's own answer with this status
//	toomany                     429 TooManyConnections
//	cap=daily, cap=monthly      429 UsageCapExceeded; =daily-403 with X's other status
//	html, html200, redirect     what proxies answer: 502, 200 and 302
//	empty, nostream             a 200 that ends at once; one that brings an error only
//	ok                          forgets the answers, and handshakes, that are planned
//
// These happen to the next handshake, or the next N, of a server with [TLS]:
//
//	tls-cut                     the connection is cut
//	tls-badcert                 the certificate is one for another host, of nobody's
//	tls-stall[=D]               nothing comes for D, or for ever
//
// And these last until they are set again:
//
//	lag=D                       streams get Posts only D after they were made; search does not wait
//	search-late=D               search finds Posts only D after they were made
//	backfill=on, =400, =403     backfill works, or is refused
//	limits=on, limits=off       rate limits are enforced or not
//	limits=none                 nor do headers tell of them: a program does not wait
//
// [Server.Fail] gives answers that are not among these.
//
// # Slow readers
//
// Each stream has a queue of 32 MiB. A stream whose queue is full when the next
// made-up Post comes is told so (an operational-disconnect of type SlowReader)
// and ended. [Server.Post] and [Server.Send] first wait 5 s for room. A replay
// waits as long as it takes, and drops nothing.
package xtest
