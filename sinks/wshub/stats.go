package wshub

import (
	"maps"
	"sync"
	"sync/atomic"
)

// Stats are the figures of a [Hub] at one moment.
type Stats struct {
	Viewers   int               // that are connected
	Delivered uint64            // messages that viewers' sockets have taken
	Bytes     uint64            // that viewers' sockets have taken
	CutOff    map[Reason]uint64 // viewers that the hub has got rid of, by reason
	Refused   uint64            // requests that were not let in
	Lag       int64             // bytes of the log that wait for the viewer who is farthest behind
}

// A Reason says why a viewer was cut off.
type Reason string

const (
	Slow       Reason = "slow"       // it fell behind by more than MaxLag, or took nothing for 10 s
	Silent     Reason = "silent"     // it did not answer a ping
	Misbehaved Reason = "misbehaved" // what it sent is not WebSocket, or too large
)

// figures is what Stats is made of.
type figures struct {
	delivered atomic.Uint64
	bytes     atomic.Uint64
	refused   atomic.Uint64

	mu     sync.Mutex
	cutOff map[Reason]uint64
}

func (f *figures) cut(r Reason) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cutOff == nil {
		f.cutOff = map[Reason]uint64{}
	}
	f.cutOff[r]++
}

// Stats returns the figures as they are now. It may be called at any time, also
// after Close.
func (h *Hub) Stats() Stats {
	s := Stats{
		Delivered: h.figures.delivered.Load(),
		Bytes:     h.figures.bytes.Load(),
		Refused:   h.figures.refused.Load(),
		CutOff:    map[Reason]uint64{},
	}
	h.figures.mu.Lock()
	maps.Copy(s.CutOff, h.figures.cutOff)
	h.figures.mu.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	s.Viewers = len(h.viewers)
	end := h.frames.end.Load()
	for v := range h.viewers {
		s.Lag = max(s.Lag, end-v.pos.Load())
	}
	return s
}
