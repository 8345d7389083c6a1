package xstream

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Stats returns the figures at this moment.
func (s *Source) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

func (s *Source) count(f func(*Stats)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.stats)
}

// setHeld says what holds the source, "" that nothing does.
func (s *Source) setHeld(why string) {
	s.mu.Lock()
	before := s.stats.Held
	s.stats.Held = why
	s.mu.Unlock()
	if before != "" && why == "" {
		s.logger.Info("the source is held no more", "reason", before)
	}
}

// measure counts what one read brought.
func (c *connection) measure(lines [][]byte) {
	size, partial := 0, 0
	for _, line := range lines {
		size += len(line)
		// X puts it at the top only; in a text the quotes would be escaped.
		if bytes.Contains(line, []byte(`"errors":[`)) && bytes.HasPrefix(line, []byte(`{"data":`)) {
			partial++
		}
	}
	if partial > 0 {
		c.logger.Debug("X could not read a part of some Posts", "count", partial)
	}
	c.count(func(st *Stats) {
		st.Bytes += uint64(size)
		st.Partial += uint64(partial)
	})
}

// lag notes how old the newest Post is. It is called under the mutex.
func (c *connection) lag(st *Stats) {
	if len(c.tweets) == 0 {
		return
	}
	st.Lag = 0
	id, err := strconv.ParseUint(c.tweets[len(c.tweets)-1].ID, 10, 64)
	// Since November 2010 the upper bits of an id tell the time; ids before that
	// were counted up, to some 30 billion.
	if last := uint64(30_000_000_000); err == nil && id > last {
		st.Lag = c.clock().Sub(time.UnixMilli(int64(id>>22) + 1288834974657))
	}
}

// unknown names the members of a message that is JSON, but of no kind known here;
// "" if it is no such message, or a Post that is not whole.
func (s *Source) unknown(line []byte) string {
	var members map[string]json.RawMessage
	if json.Unmarshal(line, &members) != nil || members["data"] != nil || len(members) == 0 {
		return ""
	}
	names := slices.Sorted(maps.Keys(members))
	return s.clean(strings.Join(names[:min(len(names), 8)], " "))
}
