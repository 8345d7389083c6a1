package boltjournal

import (
	"math"
	"slices"
	"time"
)

const (
	// forgetAfter is how long a name that nobody uses holds the journal.
	forgetAfter = 7 * 24 * time.Hour
	// forgetGrace is how long a session must have lasted before it forgets a
	// name: the sinks of this program have said theirs by then.
	forgetGrace = time.Minute
	// refresh is how often the names of this session are noted as used.
	refresh = time.Hour
)

// putCursors stores cursors, notes which names are in use, and forgets those that
// have not been for long.
func (j *Journal) putCursors(w *writing, group []*request) error {
	for _, r := range group {
		for name, pos := range r.cursors {
			if err := w.putCursor(name, cursor{pos, w.now}); err != nil {
				return err
			}
			if j.inUse == nil {
				j.inUse = map[string]bool{}
				j.began, j.seen = time.Now(), time.Now()
			}
			j.inUse[name] = true
		}
	}
	// The difference of two times of this process knows nothing of a clock that
	// is set meanwhile.
	if j.inUse == nil || time.Since(j.began) < forgetGrace {
		return nil
	}
	again := time.Since(j.seen) >= refresh
	if again {
		j.seen = time.Now()
	}
	for name, c := range w.state.cursors {
		switch idle := time.Duration(w.now-c.seen) * time.Second; {
		case j.inUse[name]:
			if again {
				if err := w.putCursor(name, cursor{c.pos, w.now}); err != nil {
					return err
				}
			}
		case w.now-c.seen >= int64(forgetAfter/time.Second):
			if err := w.forget(name); err != nil {
				return err
			}
			j.logger.Warn("a sink's cursor is forgotten: no program has used its name for long",
				"journal", j.path, "sink", name, "cursor", c.pos, "unused", idle)
		}
	}
	return nil
}

// passed reports whether all sinks have passed the oldest chunk, and another one
// follows. Without sinks all is passed where a history is kept, and nothing
// otherwise.
func (w *writing) passed() bool {
	s := w.state
	if len(s.chunks) < 2 {
		return false
	}
	if len(s.cursors) == 0 {
		return w.age > 0 || w.history > 0
	}
	low := uint64(math.MaxUint64)
	for _, c := range s.cursors {
		low = min(low, c.pos)
	}
	return s.chunks[1].first <= low
}

// droppable is passed, but for a chunk that is damaged.
func (j *Journal) droppable(w *writing) bool {
	return w.passed() && !j.stuck[w.state.chunks[0].first]
}

// retain drops what all sinks have passed and history does not keep.
func (j *Journal) retain(w *writing) error {
	for j.droppable(w) && !w.kept() {
		if err := w.drop(); err != nil {
			return err
		}
	}
	return w.dropIDs()
}

// kept reports whether history keeps the oldest chunk, which is passed.
func (w *writing) kept() bool {
	if w.age == 0 && w.history == 0 {
		return false
	}
	oldest := w.state.chunks[0]
	// Of a clock that was set back nothing is too old.
	if w.age > 0 && w.now-oldest.stored >= int64(w.age/time.Second) {
		return false
	}
	var size uint64
	low := uint64(math.MaxUint64)
	for _, c := range w.state.cursors {
		low = min(low, c.pos)
	}
	for i, c := range w.state.chunks {
		if i+1 < len(w.state.chunks) && w.state.chunks[i+1].first <= low {
			size += c.bytes
		}
	}
	return w.history == 0 || size <= uint64(w.history)
}

// setAside is called when a transaction could not be put together, for the file
// is damaged. Where a chunk was to be dropped, it is likely there; it stays, and
// all behind it, until the journal is salvaged. It reports whether it is worth
// another try.
func (j *Journal) setAside() bool {
	s := j.current.Load()
	if len(s.chunks) == 0 {
		return false
	}
	first := s.chunks[0].first
	if j.stuck[first] {
		return false
	}
	if j.stuck == nil {
		j.stuck = map[uint64]bool{}
	}
	j.stuck[first] = true
	j.logger.Error("the journal is damaged: what begins here can't be dropped, nor what follows, until it is salvaged",
		"journal", j.path, "from", first)
	return true
}

// span is a range of positions, without its end.
type span struct{ from, to uint64 }

// spans are sorted and do not touch.
type spans []span

// add adds a span and reports how many positions are new.
func (s *spans) add(x span) uint64 {
	before := s.count()
	i, _ := slices.BinarySearchFunc(*s, x.from, func(y span, from uint64) int {
		if y.to < from {
			return -1
		}
		return 1
	})
	end := i
	for end < len(*s) && (*s)[end].from <= x.to {
		x.from, x.to = min(x.from, (*s)[end].from), max(x.to, (*s)[end].to)
		end++
	}
	*s = slices.Replace(*s, i, end, x)
	return s.count() - before
}

func (s spans) count() (n uint64) {
	for _, x := range s {
		n += x.to - x.from
	}
	return n
}
