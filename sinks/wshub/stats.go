package wshub

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// Stats are the figures of a [Hub] at one moment.
type Stats struct {
	Viewers   int               // that are connected
	Delivered uint64            // messages that viewers' sockets have taken
	Bytes     uint64            // that viewers' sockets have taken
	CutOff    map[Reason]uint64 // viewers that the hub has got rid of, by reason
	Skipped   uint64            // times that a slow viewer went on at the newest message
	Refused   uint64            // requests that were not let in
	Lag       Lag
}

// Lag says how many bytes wait for viewers, with those that their sockets have no
// room for yet: for the one in the middle, for the one behind which only a
// hundredth of them are, and for the last.
type Lag struct{ P50, P99, Max int64 }

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
	skipped   atomic.Uint64

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
		Skipped:   h.figures.skipped.Load(),
		CutOff:    map[Reason]uint64{},
	}
	h.figures.mu.Lock()
	maps.Copy(s.CutOff, h.figures.cutOff)
	h.figures.mu.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	s.Viewers = len(h.viewers)
	end := h.frames.end.Load()
	lags := make([]int64, 0, len(h.viewers))
	for v := range h.viewers {
		v.mu.Lock()
		lags = append(lags, max(0, end-v.pos.Load())+int64(len(v.rest)))
		v.mu.Unlock()
	}
	if n := len(lags); n > 0 {
		slices.Sort(lags)
		s.Lag = Lag{P50: lags[n/2], P99: lags[n*99/100], Max: lags[n-1]}
	}
	return s
}
