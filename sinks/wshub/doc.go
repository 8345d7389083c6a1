// Package wshub shows Posts to browsers as they come, over WebSocket or as
// server-sent events, to thousands of them at a time.
//
//	hub, err := wshub.New()
//	…
//	http.Handle("/feed", hub)
//	s, err := tweetstream.New(src, tweetstream.WithSink("hub", hub))
//
// # What a viewer gets
//
// Each message of the stream is one text frame, byte for byte, in the order of
// the log. A new viewer begins with the newest messages ([Newest], or another
// number with ?replay=20); from there on, or from its handshake on, it gets each
// one, until its connection ends. A Post that was handed over twice comes once,
// as long as the hub still has it.
//
// Messages of the hub's own are told apart by their only key:
//
//	{"deleted":["1","2"]}           these Posts are gone: take them away
//	{"gap":{"after":"1","reason":"slow","missed":12}}
//	                                Posts behind this one do not come: they are
//	                                "gone", or the viewer was too "slow"
//	{"filter":"lang=en"}            the filter that is in force from here on
//
// # Coming back
//
// With ?since=ID, or a header Last-Event-ID, a viewer goes on behind the Post
// that it has seen last: among those that the hub keeps, half the bytes of
// [MaxLag], or out of a [History], given with [Resume], up to where the hub's own
// begin. Ids are looked up, never compared. What neither has any more is a gap,
// and the viewer is told.
//
// After a restart the hub has nothing. With a journal, plug it in as
// WithSink("hub", hub, tweetstream.Live(2000)): it begins with what it had.
//
// # Filters
//
// A viewer may ask for a part:
//
//	?tag=news&tag=sport  what matched a rule with one of these tags
//	?lang=en&lang=de     what X takes to be in one of these languages
//	?word=go&word=gopher what has one of these words, or phrases, in its full text
//	?sensitive=false     not what may be unfit for some
//
// All that are given must hold. While it is connected, it changes its filter with
// a message {"filter":"tag=news&lang=en"}, and the hub answers with the one that
// is in force, and an "error" if it is not what was asked for. All else that a
// viewer sends is not looked at, but must be WebSocket as RFC 6455 has it, and
// messages of at most 4 KiB, in no more than 50 frames a second.
//
// # Server-sent events
//
// [Hub.Events] hands the same messages to clients without WebSocket.
//
// # Who may look on
//
// By default a hub answers to loopback names only ([Hosts]) and to pages of its
// own host ([Origins]): a page on any website can reach 127.0.0.1, and a browser
// does not keep it from opening a WebSocket there. Programs that are no browsers
// send no Origin and may look on. All else is for [Authorize].
//
// Those who come are let in 100 at once, and then 500 a second for each processor,
// or as few as a quarter of that while those who are here do not have all that came:
// thousands who come back together would take their time. The others wait for their
// turn, with a place among [MaxViewers].
//
// A viewer has 10 seconds to take the answer to its handshake. How long it may take
// to send its request is not the hub's to say, which is called when that is read:
// set ReadHeaderTimeout of the [http.Server].
//
// # Slow viewers
//
// A message is made ready once, in a log that all viewers share, and a viewer is
// a place in it. So nobody waits for a viewer, and a slow one takes little
// memory of its own; what it lacks stays in memory, up to [MaxLag]. Then it is
// cut off or, with [SkipSlow], goes on at the newest message. With [Compress] a
// message is compressed once, too, for all who can read it so.
//
// # Close codes
//
//	1000, or its own  the viewer closed the connection
//	1001              the hub is closing; all messages have been sent, except to
//	                  those who were still reading the past
//	1002, 1007        what the viewer sent breaks the protocol, or can't be read
//	1008              the viewer sends too much
//	1009              the viewer's message is too large
//	1013              the viewer was too slow or silent; it may come again
//
// A viewer that does not take the close frame within 5 seconds gets none.
package wshub
