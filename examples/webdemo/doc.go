// Webdemo shows Posts in a browser, as they come.
//
//	go run ./examples/webdemo
//
// needs nothing: the Posts come from a simulated X. Open the address that it
// prints; Ctrl-C ends it.
//
// It is one process that holds what would be two services, each with a Streamer
// of its own, coupled over HTTP:
//
//	simulated X → xstream → httpsink ── HTTP ──> httpsource ┬→ wshub → browsers
//	                                                        ├→ sqlsink → history in SQLite
//	                                                        ├→ figures
//	                                                        └→ filesink → --archive
//
// With --receive only the second one is there, and the first is a streamer in
// another process, which reads X itself or a simulator:
//
//	webdemo --receive
//	streamer --tag coop --to http://127.0.0.1:8080/tweets
//
// With --live the first one reads X itself, with the token in bearer.txt (or where
// --token-file, --token-env or --token-credential say):
//
//	webdemo --live --tag coop --checkpoint webdemo.state
//
// Each Post costs money, so that there is a budget, of 10,000 a UTC day ($50) unless
// --budget says otherwise; it is told at the start. When it is spent the stream is
// held until the day turns, and /stats says so. --checkpoint keeps what was
// counted, and how far was read, for the next start. The rule of each --tag stays at
// X: "streamer rules delete" takes it away.
//
// # The page
//
// The page shows Posts in columns: of everything, or of the rules of one tag, with
// a filter if wanted. Columns are kept in the browser. A panel has the figures, the
// pipeline with faults that can be injected into the simulator, the rules at X, and
// a search. The key ? lists all keys. It asks nobody but this server for anything,
// unless its user allows pictures from X.
//
// # Routes
//
//	GET    /              the page; /?pictures=x may load pictures from X
//	GET    /ws            the feed: a WebSocket with one message, as X sent it, a
//	                      frame; ?tag=coop and more filter it: see package wshub
//	GET    /posts         {"posts":["…"],"more":true}: messages out of the history,
//	                      newest first; ?tag=, lang=, word=, media=true and
//	                      sensitive=false filter, q= searches, before=ID and limit=
//	                      page on
//	GET    /export/ids    the same as application/x-ndjson: ids, 50,000 at the most
//	GET    /export/posts  whole messages, 500 at the most: X's policy
//	GET    /insights      Posts a minute by tag, top authors and hashtags
//	GET    /stats         figures of the pipeline
//	POST   /tweets        takes messages and shows them: application/json for one or
//	                      an array of them, application/x-ndjson for one a line
//	POST   /deleted       {"ids":["1"]}: Posts that are gone from X vanish; not with
//	                      --remote alone
//
// and, where it reads X itself:
//
//	GET    /rules         {"rules":[{"id","tag","value"}],"change":true}
//	POST   /rules         {"tag","value"} adds one; 422 {"error","pos"} says what is
//	                      wrong with it, and at which character
//	POST   /rules/try     {"value"} tries it on the newest 2,000 Posts of the history
//	DELETE /rules/ID      deletes one, but not the last
//	POST   /faults        {"fault":"reset"}: lets the simulated X fail, by reset,
//	                      stall, flood, disconnect, busy or garbage, or takes the
//	                      second service away, by sink-gone and sink-back
//
// To show a Post of your own:
//
//	curl --json '{"data":{"id":"1","text":"hello"}}' http://127.0.0.1:8080/tweets
//
// With --secret-file FILE only what is signed is taken, with one of the secrets in
// FILE (whsec_…), as streamer --http-secret-file FILE signs it:
//
//	webdemo --receive --secret-file secret.txt
//	streamer --tag coop --to http://127.0.0.1:8080/tweets --http-secret-file secret.txt
//
// This makes such a FILE; one that others can read is warned about:
//
//	umask 077; echo "whsec_$(openssl rand -base64 32)" >secret.txt
//
// # Settings
//
// Each flag can stand in a YAML file: webapp.yaml in the working directory, or
// the one that --config names. The command line goes before the file. Two files
// lie beside this one, by which webdemo and streamer find each other:
//
//	cd examples/webdemo
//	go run .                        # reads webapp.yaml: it waits for Posts
//	go run ../streamer --tag coop   # reads streamer.yaml: it posts them there
//
// or, from the root of the repository:
//
//	go run ./examples/webdemo --config examples/webdemo/webapp.yaml
//	go run ./examples/streamer --config examples/webdemo/streamer.yaml --tag coop
//
// The streamer reads X with the token in bearer.txt. To do without, start
// "streamer simulate" too, and give the other one --api-url http://127.0.0.1:8089.
//
// # What is kept
//
// The newest Posts, 100,000 or --keep, are kept in posts.sqlite, for those who open
// the page later and for the search; dead.ndjson beside it has what a sink did not
// get. They lie in the folder that --data names, for the next start (which counts
// those of the last hour again), or in a
// temporary one that is removed at the end; the start says where.
//
// # Who may see it
//
// It listens on this machine only. For any other address it wants --password-file,
// whose password is then asked for on every route (Basic authentication, with any
// user name), or --remote, with which whoever reaches the address may read and
// post, but not change the rules. A password goes over the wire as it is: put a server with TLS in front,
// and name it with --host. Requests for other hosts than those of --listen and
// --host are refused, and so are POSTs of pages of other origins.
//
// # Ending
//
// SIGINT, SIGTERM and the end of the terminal (SIGHUP) end it in order: what was
// received is delivered, and viewers are told (close code 1001). A second signal
// ends it at once. The exit code is 0 after a signal, 1 after a failure, 2 for wrong
// usage or settings, and 130 after a second signal.
package main
