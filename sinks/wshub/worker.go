package wshub

import (
	"errors"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// worker writes to a share of the viewers, in rounds: each viewer that lacks
// something gets one write, which never waits. What comes in during one round
// goes out together in the next, so that under load writes are large, and
// without load nothing waits for anything.
//
// A viewer whose socket is full leaves the rounds: a goroutine of its own, see
// [Hub.catchUp], waits for it and hands it back when it has caught up.
type worker struct {
	hub    *Hub
	awake  chan struct{} // holds a token when there may be something to write
	behind atomic.Int64  // up to where it has brought the log to all who are not busy

	mu     sync.Mutex
	kicked []*viewer // new viewers, and those that must be looked at

	// The rest is the worker's own.
	viewers []*viewer
	seen    int64 // the end of the log when the last round began
	out     *attempt
	buf     []byte
}

func newWorker(h *Hub) *worker {
	w := &worker{hub: h, awake: make(chan struct{}, 1), out: newAttempt()}
	w.behind.Store(h.frames.end.Load())
	return w
}

// kick has the worker look at v soon.
func (w *worker) kick(v *viewer) {
	w.mu.Lock()
	w.kicked = append(w.kicked, v)
	w.mu.Unlock()
	signal(w.awake)
}

// run works until the hub is done.
func (w *worker) run() {
	defer w.hub.running.Done()
	for {
		select {
		case <-w.awake:
		case <-w.hub.done:
			return
		}
		for more := false; ; {
			more = w.look() || more
			end := w.hub.frames.end.Load()
			if !more && end == w.seen {
				break
			}
			w.seen = end
			more = w.round()
		}
	}
}

// look serves those who asked for it: it takes in new viewers, forgets those who
// have left, and writes what is not of the log. It reports whether any of them
// lacks more.
func (w *worker) look() (more bool) {
	w.mu.Lock()
	kicked := w.kicked
	w.kicked = nil
	w.mu.Unlock()
	for _, v := range kicked {
		switch w.step(v) {
		case gone:
			w.forget(v)
		case lacking:
			more = true
		}
	}
	return more
}

// adopt takes a viewer into the rounds.
func (w *worker) adopt(v *viewer) {
	if v.slot == 0 {
		w.viewers = append(w.viewers, v)
		v.slot = len(w.viewers)
	}
}

// forget takes a viewer that has left out of the rounds: the last one takes its
// place, because thousands may leave at once.
func (w *worker) forget(v *viewer) {
	if v.slot == 0 {
		return
	}
	end := len(w.viewers) - 1
	last := w.viewers[end]
	w.viewers[v.slot-1], last.slot = last, v.slot
	w.viewers[end], v.slot = nil, 0
	w.viewers = w.viewers[:end]
}

// round goes through all viewers once, and reports whether one lacks more. Deliver
// waits for it even where all are busy: who is too far behind is found here.
func (w *worker) round() (more bool) {
	behind := w.seen
	for _, v := range w.viewers {
		if w.step(v) == lacking {
			behind = min(behind, v.pos.Load())
			more = true
		}
	}
	w.behind.Store(behind)
	signal(w.hub.moved)
	return more
}

// What step has found.
type state int

const (
	settled state = iota // it has all there is, or is not for the worker to write to
	lacking              // it gets more in the next round
	gone
)

// step writes the next piece to v, as far as its socket takes it.
func (w *worker) step(v *viewer) state {
	v.mu.Lock()
	if v.gone {
		v.mu.Unlock()
		return gone
	}
	w.adopt(v)
	if v.busy {
		if w.hub.frames.end.Load()-v.pos.Load() > w.hub.maxLag {
			v.slow()
		}
		v.wake()
		v.mu.Unlock()
		return settled
	}
	defer v.mu.Unlock()
	if v.filter != nil && w.buf == nil {
		w.buf = make([]byte, maxCopied)
	}
	taken, copied := v.take(w.buf)
	if !taken {
		return settled
	}
	p := v.rest[:min(len(v.rest), maxWrite)]
	n, err := w.out.try(v.socket, p)
	over := v.wrote(n)
	switch {
	case err != nil || over:
		v.broken()
		_ = v.conn.Close() // a socket is closed at once
		return settled
	case n < len(p):
		if copied {
			v.rest = slices.Clone(v.rest)
		}
		v.busy = true
		w.hub.writer(v)
		return settled
	}
	return lacking
}

// catchUp writes to one viewer and waits for it, until it has all there is. Then
// it hands it back to the worker or, if there is no socket that the worker could
// use, waits for more. It reads the past for a viewer who has one.
func (h *Hub) catchUp(v *viewer) {
	out := newAttempt()
	moved := time.Now() // when it last took anything
	for {
		v.mu.Lock()
		if v.gone {
			v.mu.Unlock()
			return
		}
		taken, _ := v.take(nil)
		switch {
		case !taken && v.past != nil:
			v.mu.Unlock()
			h.recall(v)
			moved = time.Now()
			continue
		case !taken && v.socket != nil:
			// From here on the worker sees that v is free. What was published
			// before this moment was taken.
			v.busy = false
			_ = v.conn.SetWriteDeadline(time.Time{})
			v.mu.Unlock()
			return
		case !taken:
			v.mu.Unlock()
			v.await()
			moved = time.Now()
			continue
		}
		left := h.maxAge - (h.frames.now() - v.at)
		if left <= 0 {
			v.slow()
			left = h.maxAge
		}
		p := v.rest[:min(len(v.rest), v.maxWrite())]
		deadline := v.deadline
		if deadline.IsZero() {
			deadline = time.Now().Add(min(writeTimeout-time.Since(moved), left))
		}
		_ = v.conn.SetWriteDeadline(deadline)
		v.mu.Unlock()

		n, err := v.write(out, p)
		if n > 0 {
			moved = time.Now()
		}

		v.mu.Lock()
		over := v.wrote(n)
		if errors.Is(err, os.ErrDeadlineExceeded) && v.deadline.IsZero() && !v.events {
			if time.Since(moved) >= writeTimeout {
				v.stuck() // it has closeWait to take the close frame
			} else {
				v.slow()
			}
			err = nil
		}
		if err != nil || over {
			if v.events && errors.Is(err, os.ErrDeadlineExceeded) && !time.Now().Before(deadline) {
				// Its answer can't be written to any more, and package net/http
				// has ended the request over it.
				v.gone = false
				v.stuck()
			}
			v.broken()
		}
		v.mu.Unlock()
		if err != nil || over {
			_ = v.conn.Close()
			return
		}
	}
}

// await waits until there may be something to write to a viewer without a
// socket. One of events has no reader that would send it pings.
func (v *viewer) await() {
	if !v.events {
		<-v.more // comes when it is gone, too
		return
	}
	silence := time.NewTimer(v.hub.ping)
	defer silence.Stop()
	select {
	case <-v.more:
	case <-silence.C:
		v.mu.Lock()
		v.ping = true
		v.mu.Unlock()
	}
}

func (v *viewer) maxWrite() int {
	if v.events {
		return maxEventWrite
	}
	return maxWrite
}

// write writes at least a part of p, and waits for that.
func (v *viewer) write(out *attempt, p []byte) (int, error) {
	if v.socket != nil {
		return out.await(v.socket, p)
	}
	return v.conn.Write(p)
}
