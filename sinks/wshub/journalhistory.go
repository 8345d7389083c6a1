package wshub

import (
	"context"
	"sync"

	"github.com/tweetstream-go/tweetstream"
)

// journalReach is how many of a journal's newest Posts an id is looked for in.
const journalReach = 200_000

// JournalHistory returns a [History] of what a journal keeps, which must have
// been started. An id is looked for from the newest Post backwards, among the
// newest 200,000; where they stand is then remembered, in some 100 bytes a Post.
func JournalHistory(j tweetstream.Journal) History { return &journalHistory{journal: j} }

type journalHistory struct {
	journal tweetstream.Journal

	mu      sync.Mutex
	known   map[string]uint64   // the positions of Posts, from lo up to hi
	deleted map[string]struct{} // of these Posts, those that are gone
	lo, hi  uint64
}

func (h *journalHistory) After(ctx context.Context, id string, max int) ([]*tweetstream.Tweet, error) {
	pos, err := h.find(ctx, id)
	if err != nil {
		return nil, err
	}
	entries := make([]tweetstream.Entry, max)
	for from := pos + 1; ; {
		n, err := h.journal.Read(ctx, from, entries)
		if n == 0 || err != nil {
			return nil, err
		}
		var tweets []*tweetstream.Tweet
		h.mu.Lock()
		for _, e := range entries[:n] {
			if _, gone := h.deleted[e.Tweet.ID]; !gone && !e.Tweet.Deleted {
				tweets = append(tweets, e.Tweet)
			}
		}
		h.mu.Unlock()
		if len(tweets) > 0 {
			return tweets, nil
		}
		from = entries[n-1].Pos + 1
	}
}

// find returns the position of a Post. It reads what it has not seen yet: up to
// the end, for tombstones, and back to the Post.
func (h *journalHistory) find(ctx context.Context, id string) (uint64, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	end, err := h.end(ctx)
	if err != nil {
		return 0, err
	}
	if h.known == nil || end-h.hi > journalReach || h.hi-h.lo > 2*journalReach {
		h.known, h.deleted, h.lo, h.hi = map[string]uint64{}, map[string]struct{}{}, end, end
	}
	if err := h.learn(ctx, h.hi, end); err != nil {
		return 0, err
	}
	h.hi = end
	for {
		if pos, ok := h.known[id]; ok {
			return pos, nil
		}
		if h.lo == 0 || h.hi-h.lo >= journalReach {
			return 0, ErrUnknown
		}
		from := h.lo - min(h.lo, 1000)
		if err := h.learn(ctx, from, h.lo); err != nil {
			return 0, err
		}
		h.lo = from
	}
}

// learn reads entries from one position up to another.
func (h *journalHistory) learn(ctx context.Context, from, to uint64) error {
	entries := make([]tweetstream.Entry, 1000)
	for from < to {
		n, err := h.journal.Read(ctx, from, entries[:min(to-from, 1000)])
		if n == 0 || err != nil {
			return err
		}
		for _, e := range entries[:n] {
			switch {
			case e.Pos >= to: // what was asked for is not kept any more
			case e.Tweet.Deleted:
				h.deleted[e.Tweet.ID] = struct{}{}
			default:
				h.known[e.Tweet.ID] = e.Pos
			}
		}
		from = entries[n-1].Pos + 1
	}
	return nil
}

// end returns the position behind the newest entry.
func (h *journalHistory) end(ctx context.Context) (uint64, error) {
	var one [1]tweetstream.Entry
	beyond := func(pos uint64) (bool, error) {
		n, err := h.journal.Read(ctx, pos, one[:])
		return n == 0, err
	}
	// Somewhere from lo up to hi, which is beyond.
	lo, step := h.hi, uint64(1)
	for {
		over, err := beyond(lo)
		if err != nil {
			return 0, err
		}
		if over {
			break
		}
		lo, step = max(lo, one[0].Pos)+step, 2*step
	}
	hi := lo
	lo = max(h.hi, hi-min(hi, step/2))
	for lo < hi {
		mid := lo + (hi-lo)/2
		over, err := beyond(mid)
		if err != nil {
			return 0, err
		}
		if over {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo, nil
}
