package wshub

import "net/url"

// Filters returns how many filters the newest chunk of the log was asked for.
func Filters(h *Hub) int {
	c := h.frames.newest(0).chunk
	c.sieve.mu.Lock()
	defer c.sieve.mu.Unlock()
	return len(c.passed)
}

// Entering returns how many requests have a place, and are no viewers yet.
func Entering(h *Hub) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.entering
}

// AppendHeader is appendHeader, for tests.
var AppendHeader = appendHeader

// Forget makes the newest chunk of the log believe that no filter lets anything
// through: only what is not asked again stays so.
func Forget(h *Hub) {
	c := h.frames.newest(0).chunk
	c.sieve.mu.Lock()
	defer c.sieve.mu.Unlock()
	for _, passed := range c.passed {
		clear(passed)
	}
}

// Translate makes the newest chunk of the log believe that its messages are in
// this language: only what is not read again is.
func Translate(h *Hub, lang string) {
	c := h.frames.newest(0).chunk
	c.sieve.mu.Lock()
	defer c.sieve.mu.Unlock()
	for i := range c.facts {
		c.facts[i].lang = lang
	}
}

// Spoil changes the first message of the newest chunk where it is kept compressed:
// only what is not compressed again stays so. It reports whether it is kept.
func Spoil(h *Hub) bool {
	z := h.frames.newest(0).chunk.deflated.state.Load()
	if z == nil || len(z.index) == 0 {
		return false
	}
	clear(z.data[z.index[0].end-4 : z.index[0].end])
	return true
}

// Written returns how many messages go out in one write to a viewer who begins at
// the oldest of the hub.
func Written(h *Hub, query string) int {
	q, _ := url.ParseQuery(query)
	f, _ := parseFilter(q)
	v := h.newViewer(nil, admission{filter: f, first: h.frames.newest(maxReplay)})
	v.take(make([]byte, maxCopied))
	return v.frames
}

// Inflate is inflate, for tests.
var Inflate = inflate

// Hold keeps the hub from looking at its viewers while f runs.
func Hold(h *Hub, f func()) {
	for v := range h.viewers {
		v.mu.Lock()
		defer v.mu.Unlock()
	}
	f()
}

// Ahead returns how far the log is ahead of the workers.
func Ahead(h *Hub) int64 { return h.frames.end.Load() - h.reached() }

// Stall has the workers believe that they have written nothing yet.
func Stall(h *Hub) {
	for _, w := range h.workers {
		w.behind.Store(0)
	}
}
