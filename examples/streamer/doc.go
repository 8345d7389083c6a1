// Streamer takes Posts off the X API v2 stream and hands them to sinks.
//
//	streamer [run] [--tag WORD]… [--rule TAG=VALUE]… [--to [NAME=]URL]…
//	streamer replay FILE… [--to [NAME=]URL]… [--sink NAME] [--pace N]
//	streamer journal stat|compact DIR
//	streamer rules list|add TAG=VALUE…|delete ID…
//	streamer rules diff|sync|test|estimate [--rules FILE]
//	streamer check
//	streamer connections list|close [ENDPOINT|--all]
//	streamer recover --since TIME --until TIME [--posts N] [--to [NAME=]URL]…
//	streamer simulate [--listen ADDR] [--rate N] [--replay FILE] [--faults SCRIPT]
//
// To try it out, without an account at X:
//
//	streamer simulate
//	streamer --api-url http://127.0.0.1:8089 --tag coop --to file:coop.ndjson
//
// To read X itself, put the app's Bearer Token into bearer.txt, and leave out
// --api-url. Each Post that X sends is billed.
//
// # Rules
//
// --tag coop declares the rule "coop OR #coop" under the tag coop; --rule declares
// any rule, under the tag that stands before the first "=". Rules that are missing
// at X are added at the start. They stay there when the program ends: those that
// are not declared any more are named in the log, and deleted by rules delete, or
// by --prune if their tag begins with a prefix.
//
// --rules FILE declares those of a YAML file, beside --tag and --rule:
//
//   - tag: coop
//     value: "coop OR #coop lang:en"
//     note: what it is for; X does not get this
//
// On SIGHUP run reads the file again and changes the rules at X while the stream
// goes on; X goes by them some 20 s later. If the file or X refuses one, the old
// rules stay.
//
// rules diff shows what rules sync would add and delete (--prune), and rules sync
// does it, after X has said that it takes what is new. The exit code of diff is 0
// if there is nothing to do, 3 if there is. rules test --replay FILE tries rules on
// an archive without asking X, as far as what they look at is in the Posts. rules
// estimate asks X how many Posts a day each rule would bring, at $0.005 a
// question; --yes agrees to that.
//
// # Check
//
// streamer check takes the flags of run, looks at the token, the rules, other
// connections, usage, sinks and folders, and says what run would do. It asks X for
// what is free only, posts nothing and changes nothing; its exit code is 1 if
// something would fail. connections close ends a connection that is in the way.
//
// # Sinks
//
//	file:PATH   a file of NDJSON, each message as X sent it
//	stdout:     the same on standard output; what is done without --to
//	http://…    a POST of each message (application/json) to this URL; or https://…
//	ws://HOST:PORT/PATH
//	            a WebSocket that shows the messages to whoever connects to it
//	postgres://USER@HOST:PORT/DATABASE, mysql://USER@HOST:PORT/DATABASE
//	            tables that are made at the start, each Post once; MariaDB is mysql too
//	sqlite:PATH the same in a file
//
// --sql-password-file FILE or --sql-password-env NAME has the password of the
// postgres: and mysql: sinks. Behind a ? stand the options of the driver: for
// postgres: those of libpq (sslmode=verify-full), for mysql: those of
// github.com/go-sql-driver/mysql (tls=true).
//
// A user and password in an http: URL become Basic authentication, over https or
// to this machine only. On the command line others on the machine may see them: a
// settings file is the better place.
//
// --http-secret-file FILE signs what is posted, as https://www.standardwebhooks.com
// has it, with the secrets in FILE (whsec_…): one, or several in lines of their own
// while they are changed. A FILE that others can read is warned about.
// --http-secret-env NAME takes them from an environment variable instead.
// --http-batch N posts up to N messages at once, one a line (application/x-ndjson).
// All of these are for all http: sinks.
//
// ws: is served by the streamer itself, on this machine only unless --remote says
// otherwise. A viewer begins with the newest messages; ?tag=coop shows it those of
// a tag. Pages of other origins can't read it, but for those that are named, as in
// ws://127.0.0.1:8090/feed?origin=http://localhost:3000.
//
// A sink has a NAME, for logs and figures; by default its scheme. A "=" is the end
// of a NAME only if no colon comes before it: file:a=b.ndjson has none.
//
// # What is not lost
//
// --checkpoint FILE keeps how far the stream was read: the next run goes on there,
// as far as X's plan allows.
//
// --journal DIR keeps that too, and the Posts themselves until all sinks have them:
// nothing that was received is lost by a crash, and a sink may be down for as long
// as the disk can hold what waits for it (8 GiB, and 512 MiB of the disk stay
// free). When it is full, the stream is held. A sink is known to the journal by its
// NAME: under the same NAME it goes on where it was. A second streamer with the
// same DIR stands by, and takes over when the first has ended; a file: or ws: sink
// and the --dead-letter of each must be its own. streamer journal stat reads it all,
// and shows what waits for whom and how much is damaged; streamer journal compact
// makes the file smaller. Both are for while no streamer has the journal.
//
// --dead-letter FILE keeps the Posts that a sink will not get, each with the sink's
// NAME and the reason: those that it refuses, that were dropped because it was down
// for too long, or that were left when the program ended. Without it the log names
// the first and the last of them and how many. The file is rotated (FILE with a
// time in its name), and may grow to 1 GiB and 30 days; what is dropped then is
// named in the log. It is written to by one streamer at a time. If the disk is
// full, the sink waits.
//
// # Replay
//
// streamer replay hands the Posts of files to sinks, and ends when all is
// delivered:
//
//	streamer replay dead.ndjson --sink http --to https://example.com/posts
//	streamer replay posts.ndjson.gz more.ndjson --to ws://127.0.0.1:8090/ --pace 10
//
// A FILE is an archive, such as a file: sink writes, or a dead letter, which stands
// for its segments too. It may be compressed, and written to by another streamer.
// --sink takes the letters of one sink only. --pace 1 keeps the pace at which the
// Posts came, --pace 10 is ten times as fast. With --checkpoint FILE, a replay that
// was stopped goes on where it was, and one that had ended brings what has come
// since.
//
// The exit code is 0 only if all was delivered. It is 1 if a line can't be read
// (the log has its number), if a sink did not get a Post (with --dead-letter FILE
// it is kept there), and if the replay was stopped before its end, also by a
// signal. A FILE can't be the --dead-letter of its own replay.
//
// # Gaps and costs
//
// What X sends while the stream is not there is asked for again, by recent search
// and at most 15 minutes and 1,000 Posts of it; --recover sets other limits. On
// plans that have it, --backfill 5m lets X send it again itself, up to 5 minutes of
// it. With --checkpoint or --journal that is done after a restart too. A gap that
// stays is named in the log with the command that fills it: recover, which buys at
// most --posts. Of either limit of Posts, X's pages may bring up to 9 more.
//
// Each Post that X sends is billed, once a UTC day. When the --budget is spent the
// stream is closed until the day turns, or with N/month the billing cycle, which
// begins on --cycle-day. At X itself the budget is 10000/day unless another is
// given, or none. What was read is counted in the --checkpoint; --price is for the
// costs that the log names.
//
// While X has no credits left, at a usage cap, and when the budget is spent, the
// stream is held and the sinks go on; with --stop-when-held the program ends.
//
// # Connections
//
// X allows one connection with a token. When another is in the way, mostly one of
// this program that X has not noticed the end of, X is asked again and again; with
// --take-over the other one is closed. --gzip compresses the stream, for lines that
// are slow or paid for by the byte.
//
// # Settings
//
// Each flag can be set on the command line, by an environment variable
// (TWEETSTREAM_API_URL for --api-url), or in a YAML file: streamer.yaml in the
// working directory, or the one that --config names. The first of these that sets
// a flag counts; lists are not put together. In the environment, the parts of a
// list stand between ";", or in lines of their own if one of them holds a ";". An
// empty variable sets nothing. Paths go from the working directory. They are for
// run; other commands take those of their flags from it, but replay has
// --checkpoint and --dead-letter on the command line only.
//
//	# streamer.yaml
//	api-url: http://127.0.0.1:8089
//	tag: [coop, union]
//	rule:
//	  - "cats=cats OR #cats lang:en"   # in quotes: # begins a comment
//	to:
//	  - file:posts.ndjson
//	  - copy=file:copy.ndjson
//	checkpoint: streamer.state
//	dead-letter: dead.ndjson
//
// # Token
//
// It is read from bearer.txt, or from where --token-file, --token-env or
// --token-credential says; the last is for a service of systemd with
// LoadCredential=NAME:PATH. For a simulator on this machine (--api-url
// http://127.0.0.1:…) none is needed.
//
// # Faults
//
// The simulator does what X does on a bad day, so that the program and its sinks
// can be tried:
//
//	streamer simulate --faults "2s:reset 5s:stall=30s 9s:503x3 1m:402x10"
//
// Each fault is [AT:]NAME[=ARG][@ENDPOINT][xN], AT being the time since the first
// request. While the simulator runs, more can be posted to it from the same
// machine; AT is then the time since that:
//
//	curl -d "disconnect=SlowReader 10s:flood=5000" http://127.0.0.1:8089/_faults
//
// The faults are: clean, reset, halfline, disconnect[=TYPE], disconnect-bare[=TYPE],
// stall[=D], nokeepalive[=D], slow[=BYTES], garbage, unknown, bigline[=MB] and
// flood[=N] of the stream that is connected; as answers to the next requests a
// status from 400 to 599, toomany, cap=daily, cap=monthly, html, html200, redirect,
// empty and nostream, with ok for no more of them; lag=D, search-late=D, backfill=on,
// backfill=400, backfill=403, limits=on, limits=off and limits=none until they are set
// again; and with --tls the handshakes tls-cut, tls-badcert and tls-stall[=D]. The
// manual of package xtest says what each does.
//
// --tls FILE serves https, with a certificate of its own that is written into FILE:
//
//	streamer simulate --tls sim.pem --faults "tls-badcertx3 30s:reset 30s:tls-stall"
//	SSL_CERT_FILE=sim.pem TOKEN=any streamer --api-url https://127.0.0.1:8089 --token-env TOKEN --tag coop
//
// # Ending
//
// SIGINT, SIGTERM and the end of the terminal (SIGHUP, unless run has --rules, which
// it reads again) stop the stream; the sinks then get what was received. A second
// signal ends the program at once. The exit code is 0 after a signal (but see
// Replay), 1 after a failure, 3 after a rules diff that found something to do, 2 for
// wrong usage or settings, and 130 after a second signal.
//
// The log goes to stderr. If that is a terminal, its last line shows the figures.
package main
