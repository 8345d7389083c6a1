// Package wshub shows Posts to browsers as they come, over WebSocket, to
// thousands of them at a time.
//
//	hub, err := wshub.New()
//	…
//	http.Handle("/feed", hub)
//	s, err := tweetstream.New(src, tweetstream.WithSink("hub", hub))
//
// # What a viewer gets
//
// Each message of the stream is one text frame, byte for byte, in the order of
// the log. A new viewer begins with the newest messages ([Newest]); from there
// on, or from its handshake on, it gets each one, until its connection ends. A
// message that was handed over twice, because the process that sent it did not
// know the first time, comes twice: a page goes by the Post's id.
//
// With ?tag=news a viewer gets those Posts only that matched a rule with this
// tag. Given again, as in ?tag=news&tag=sport, it gets those that match any of
// them.
//
// What a viewer sends is not looked at, but must be WebSocket as RFC 6455 has
// it, and messages of at most 4 KiB. There is no compression.
//
// # Who may look on
//
// By default a hub answers to loopback names only ([Hosts]) and to pages of its
// own host ([Origins]): a page on any website can reach 127.0.0.1, and a browser
// does not keep it from opening a WebSocket there. Programs that are no browsers
// send no Origin and may look on. All else is for [Authorize].
//
// # Slow viewers
//
// A message is made ready once, in a log that all viewers share, and a viewer is
// a place in it. So nobody waits for a viewer, and a slow one takes little
// memory of its own; what it lacks stays in memory, up to [MaxLag]. Then it is
// cut off.
//
// # Close codes
//
//	1000, or its own  the viewer closed the connection
//	1001              the hub is closing; all messages have been sent
//	1002, 1007        what the viewer sent breaks the protocol, or is not UTF-8
//	1009              the viewer's message is too large
//	1013              the viewer was too slow or silent; it may come again
//
// A viewer that does not take the close frame within 5 seconds gets none.
package wshub
