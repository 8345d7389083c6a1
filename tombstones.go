package tweetstream

import (
	"iter"
	"sync"
	"sync/atomic"

	"github.com/tweetstream-go/tweetstream/internal/dedupe"
)

// tombstones are the ids of the Posts that the log says are gone. A Post that
// is among them is taken in no more, and passes by the sinks that have not read
// it yet: one that waits for a sink to come back, or is replayed.
type tombstones struct {
	any atomic.Bool // nearly always false, and then all there is to look at

	mu  sync.RWMutex
	ids *dedupe.Window
}

// keptTombstones is how many of the newest are kept at the least.
const keptTombstones = 1_000_000

func newTombstones(deleted iter.Seq[string]) *tombstones {
	ts := &tombstones{ids: dedupe.New(keptTombstones)}
	if deleted != nil {
		for id := range deleted {
			ts.add(id)
		}
	}
	return ts
}

func (ts *tombstones) add(id string) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.ids.Add(id, true)
	ts.any.Store(true)
}

// has reports whether t is a Post that is gone.
func (ts *tombstones) has(t *Tweet) bool {
	if !ts.any.Load() || t.Deleted {
		return false
	}
	ts.mu.RLock()
	defer ts.mu.RUnlock()
	return ts.ids.Has(t.ID, true)
}

// sort divides tweets into those that are not gone, and those that are. If none
// is, left is the slice itself.
func (ts *tombstones) sort(tweets []*Tweet) (left, gone []*Tweet) {
	if !ts.any.Load() {
		return tweets, nil
	}
	for _, t := range tweets {
		if ts.has(t) {
			gone = append(gone, t)
		} else {
			left = append(left, t)
		}
	}
	if gone == nil {
		return tweets, nil
	}
	return left, gone
}
