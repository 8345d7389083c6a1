// Package dedupe remembers the newest ids of a stream.
package dedupe

import "strconv"

// Window remembers at least the newest n ids, and at most twice as many. The
// zero Window remembers none. It is not safe for concurrent use.
//
// It keeps two sets and forgets the older one as a whole when the newer one is
// full: a lookup in two maps costs less than keeping the ids in order.
type Window struct {
	n            int
	newer, older set
}

// New returns a window of n ids. Its memory grows with the ids that come.
func New(n int) *Window { return &Window{n: n} }

// Has reports whether id, or its tombstone, is remembered.
func (w *Window) Has(id string, tombstone bool) bool {
	if w.n == 0 {
		return false
	}
	k := keyOf(id, tombstone)
	return w.newer.has(k) || w.older.has(k)
}

// Add remembers id, or its tombstone. It reports whether that is new.
func (w *Window) Add(id string, tombstone bool) bool {
	if w.n == 0 {
		return true
	}
	if w.newer.len() >= w.n {
		w.newer, w.older = w.older, w.newer
		w.newer.clear()
	}
	k := keyOf(id, tombstone)
	return !w.older.has(k) && w.newer.add(k)
}

// Forget takes back an Add that reported true.
func (w *Window) Forget(id string, tombstone bool) {
	k := keyOf(id, tombstone)
	w.newer.remove(k)
	w.older.remove(k)
}

// key is an id as a number where it is one of X's, which are 63 bits long, so
// that a million of them need no million strings.
type key struct {
	num  uint64 // the id and, as the lowest bit, whether it is a tombstone's
	text string // any other id; num holds the lowest bit only
}

func keyOf(id string, tombstone bool) key {
	var bit uint64
	if tombstone {
		bit = 1
	}
	if n, err := strconv.ParseUint(id, 10, 63); err == nil && id[0] != '0' {
		return key{num: n<<1 | bit}
	}
	return key{num: bit, text: id}
}

type set struct {
	nums  map[uint64]struct{}
	texts map[key]struct{}
}

func (s *set) len() int { return len(s.nums) + len(s.texts) }

func (s *set) clear() {
	clear(s.nums)
	clear(s.texts)
}

func (s *set) has(k key) bool {
	if k.text != "" {
		_, ok := s.texts[k]
		return ok
	}
	_, ok := s.nums[k.num]
	return ok
}

// add reports whether k is new.
func (s *set) add(k key) bool {
	if s.nums == nil {
		s.nums, s.texts = map[uint64]struct{}{}, map[key]struct{}{}
	}
	before := s.len()
	if k.text != "" {
		s.texts[k] = struct{}{}
	} else {
		s.nums[k.num] = struct{}{}
	}
	return s.len() > before
}

func (s *set) remove(k key) {
	if k.text != "" {
		delete(s.texts, k)
		return
	}
	delete(s.nums, k.num)
}
