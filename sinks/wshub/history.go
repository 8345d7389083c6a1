package wshub

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/tweetstream-go/tweetstream"
)

// A History is a store of the Posts that the hub has shown, for viewers who come
// back after what the hub keeps itself: a sink of package sqlsink, or what
// [JournalHistory] makes of a journal. See [Resume].
type History interface {
	// After returns Posts that stand behind the one with this id, in the order
	// in which the hub gets them, oldest first, max at the most. None, without
	// an error, says that there are none yet. A store that does not have the id
	// returns ErrUnknown. What lies between two Posts of an answer was deleted
	// or never stored: to the hub there is no hole.
	//
	// After is called by some goroutines at once, for what viewers have sent:
	// id is any text of up to 128 bytes. When ctx is done, nobody waits for it
	// any more.
	After(ctx context.Context, id string, max int) ([]*tweetstream.Tweet, error)
}

// ErrUnknown is what a [History] returns for an id that it does not have. It is
// that of package database/sql, so that the sink of a database is a History.
var ErrUnknown = sql.ErrNoRows

const (
	// historyPage is how many Posts are asked for at a time.
	historyPage = 100

	// historyReaders is how many viewers' questions a History is asked at once.
	historyReaders = 4

	// seamWait is how long a viewer who has come to the end of the history waits
	// for it and the ring to meet: a store may be some seconds behind the hub,
	// and after a restart the hub is behind the store.
	seamWait = 3 * time.Second

	// historyTimeout is how long an answer of a History may take.
	historyTimeout = 15 * time.Second
)

// past is what a viewer reads before it goes on in the log.
type past struct {
	since string    // the last that it has
	wait  time.Time // until when the ring and the history may take to meet; zero before that
	pause time.Duration
	known bool // the history has had since
}

// The reasons of a gap.
const (
	gapGone = "gone" // neither the hub nor its history has the Post any more
	gapSlow = "slow" // the viewer was too slow
)

// gap is what a viewer is told about Posts that it does not get.
type gap struct {
	After  string `json:"after,omitempty"` // the last Post before it, if known
	Missed int64  `json:"missed,omitempty"`
	Reason string `json:"reason"`
}

func (g *gap) message() []byte {
	b, _ := json.Marshal(map[string]*gap{"gap": g}) // it has nothing that can't be marshalled
	return b
}

// resume returns where a viewer goes on who has seen this Post last: in the ring
// or, with what lies between, in the history.
func (h *Hub) resume(since string) (cursor, *past, *gap) {
	if at, ok, _ := h.frames.find(since); ok {
		at.frame++
		return at, nil, nil
	}
	// A ring that nothing has left yet may still be filled, after a restart.
	if h.history == nil && !h.frames.whole() {
		return h.frames.newest(maxReplay), nil, &gap{After: since, Reason: gapGone}
	}
	return cursor{}, &past{since: since}, nil
}

// recall takes a step in the past of a viewer: it asks the history for more, or
// finds the place in the ring where the viewer goes on. It waits for either, and
// is called by the goroutine that writes to the viewer.
func (h *Hub) recall(v *viewer) {
	v.mu.Lock()
	p, f := v.past, v.filter
	v.mu.Unlock()
	if p == nil {
		return
	}
	if at, ok, _ := h.frames.find(p.since); ok {
		at.frame++
		v.present(at, nil, 0)
		return
	}
	tweets, err := h.ask(v.ctx, p.since)
	if v.ctx.Err() != nil {
		return
	}
	if err == nil {
		p.known = true
	}
	var out []byte
	frames := 0
	for _, t := range tweets {
		at, ok, gone := h.frames.find(t.ID)
		if ok {
			v.present(at, out, frames)
			return
		}
		p.since, p.wait, p.pause = t.ID, time.Time{}, 0
		if gone || t.Deleted || refusal(t) != nil {
			continue
		}
		if f != nil && !f.match(tagsOf(t.Rules), func() facts { return factsOf(t.Raw) }) {
			continue
		}
		if v.events {
			out = appendEvent(out, t.ID, t.Raw)
		} else {
			out = append(out, textFrame(t.Raw)...)
		}
		frames++
	}
	if len(tweets) > 0 {
		v.send(out, frames)
		return
	}
	if err != nil && !errors.Is(err, ErrUnknown) {
		h.logger.Warn("the history can't be read", "error", err)
	}

	// The end of the history, and the ring does not have its last Post: either
	// the ring is going to get it, or the history what is in the ring, or the
	// ring begins right behind it.
	now := time.Now()
	switch {
	case h.frames.count() == 0:
		p.wait = time.Time{} // nothing is missed by waiting
	case p.wait.IsZero():
		p.wait = now.Add(seamWait)
	case now.After(p.wait):
		at, whole := h.frames.newest(maxReplay), h.frames.whole()
		if !p.known || !whole {
			v.mu.Lock()
			v.missed(gap{After: p.since, Reason: gapGone})
			v.mu.Unlock()
		}
		v.present(at, nil, 0)
		return
	}
	p.pause = min(max(2*p.pause, 20*time.Millisecond), time.Second/2)
	select {
	case <-time.After(p.pause):
	case <-v.ctx.Done():
	}
}

// ask asks the history, when it is this viewer's turn.
func (h *Hub) ask(ctx context.Context, since string) ([]*tweetstream.Tweet, error) {
	if h.history == nil {
		return nil, ErrUnknown
	}
	select {
	case h.asking <- struct{}{}:
		defer func() { <-h.asking }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	return h.history.After(ctx, since, historyPage)
}

// send has messages of the past written next. The caller writes to the viewer.
func (v *viewer) send(out []byte, frames int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.past == nil || len(out) == 0 {
		return
	}
	v.rest, v.frames, v.at = out, frames, v.hub.frames.now()
}

// present has the viewer go on in the log, after messages of the past.
func (v *viewer) present(at cursor, out []byte, frames int) {
	v.send(out, frames)
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.past == nil {
		return
	}
	v.past, v.cur = nil, at
	v.stop()
	v.joined = v.hub.frames.now()
	v.pos.Store(v.cur.pos())
}
