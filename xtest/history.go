package xtest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/tweetstream-go/tweetstream/internal/rulelang"
)

const (
	historyPosts = 100_000
	historyBytes = 128 << 20
	historyIDs   = 1_000_000
)

// entry is a Post as recent search finds it.
type entry struct {
	id       uint64
	at       time.Time
	data     []byte // JSON of the Post
	includes []byte // JSON of its includes, or nil
	fault    []byte // JSON of what X could not read for it, or nil
	doc      *rulelang.Doc
	streamed *rulelang.Doc // what the stream looks at, which is more; nil if it is not
}

// seen is what the stream looks at.
func (e *entry) seen() *rulelang.Doc {
	if e.streamed != nil {
		return e.streamed
	}
	return e.doc
}

// history keeps the newest Posts for search, ordered by id: as many as limit says,
// or if that is below 0, 100,000 of them or 128 MiB.
type history struct {
	limit int // set before the first Post

	mu      sync.Mutex
	entries []entry
	bytes   int
	ids     []uint64 // of those that matched a rule
}

func (h *history) add(e entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := len(h.entries)
	for i > 0 && h.entries[i-1].id >= e.id { // mostly not at all: ids increase
		i--
	}
	if i < len(h.entries) && h.entries[i].id == e.id {
		return
	}
	if i == len(h.entries) {
		h.entries = append(h.entries, e)
	} else {
		h.entries = slices.Insert(h.entries, i, e)
	}
	h.bytes += len(e.data) + len(e.includes)
	drop := 0
	posts, bytes := h.limit, math.MaxInt
	if h.limit < 0 {
		posts, bytes = historyPosts, historyBytes
	}
	for len(h.entries)-drop > posts || h.bytes > bytes {
		h.bytes -= len(h.entries[drop].data) + len(h.entries[drop].includes)
		h.entries[drop] = entry{}
		drop++
	}
	h.entries = h.entries[drop:] // append moves them to a new array now and then
}

// matched notes the id of a Post that a rule in effect matched.
func (h *history) matched(id uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.ids) >= historyIDs {
		h.ids = slices.Delete(h.ids, 0, historyIDs/10)
	}
	h.ids = append(h.ids, id)
}

// newest calls f for Posts from the newest to the oldest, until it returns false.
// f must not call the history.
func (h *history) newest(f func(*entry) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := len(h.entries) - 1; i >= 0; i-- {
		if !f(&h.entries[i]) {
			return
		}
	}
}

// IDs returns the ids of the made-up Posts, of [Rate] and [Server.Post], that
// matched a rule in effect when they were made, in that order: what a program
// must have received, or recovered, that missed nothing. Of more than a million
// the newest are known.
func (s *Server) IDs() []string {
	s.history.mu.Lock()
	defer s.history.mu.Unlock()
	var ids []string
	for _, id := range s.history.ids {
		ids = append(ids, strconv.FormatUint(id, 10))
	}
	return ids
}

// Data returns a Post as the member "data" of its message holds it, on the streams
// and in answers of search; nil if there is no such Post, or it has become too old
// for search, see [History]. The caller must not change it.
func (s *Server) Data(id string) []byte {
	n, err := strconv.ParseUint(id, 10, 64)
	if err != nil {
		return nil
	}
	s.history.mu.Lock()
	defer s.history.mu.Unlock()
	entries := s.history.entries
	i, ok := slices.BinarySearchFunc(entries, n, func(e entry, id uint64) int { return cmp.Compare(e.id, id) })
	if !ok {
		return nil
	}
	return entries[i].data
}

// parseEntry reads a Post that was sent by hand. What is not one is not found by
// search.
func parseEntry(raw []byte) (entry, bool) {
	var m struct {
		Data     json.RawMessage   `json:"data"`
		Includes json.RawMessage   `json:"includes"`
		Errors   []json.RawMessage `json:"errors"`
	}
	var p struct {
		ID        string    `json:"id"`
		CreatedAt time.Time `json:"created_at"`
	}
	if json.Unmarshal(raw, &m) != nil || json.Unmarshal(m.Data, &p) != nil {
		return entry{}, false
	}
	id, err := strconv.ParseUint(p.ID, 10, 64)
	if err != nil {
		return entry{}, false
	}
	doc, err := rulelang.PostDoc(m.Data, m.Includes)
	if err != nil {
		return entry{}, false
	}
	at := p.CreatedAt
	if at.IsZero() {
		at = snowflakeTime(id)
	}
	e := entry{id: id, at: at, data: bytes.Clone(m.Data), includes: bytes.Clone(m.Includes), doc: doc}
	if len(m.Errors) > 0 {
		e.fault = bytes.Clone(m.Errors[0])
	}
	return e, true
}
