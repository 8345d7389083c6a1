package wshub

// Filters returns how many filters the newest chunk of the log was asked for.
func Filters(h *Hub) int {
	c := h.frames.newest(0).chunk
	c.sieve.mu.Lock()
	defer c.sieve.mu.Unlock()
	return len(c.passed)
}

// AppendHeader is appendHeader, for tests.
var AppendHeader = appendHeader
