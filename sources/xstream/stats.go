package xstream

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
)

// Stats are figures of a [Source] since it was made.
type Stats struct {
	Connected    bool
	Connects     uint64    // connections that X accepted
	Disconnects  uint64    // of these, ended by X or the network
	Stalls       uint64    // of these, found dead
	Posts        uint64    // messages taken for Posts, repeats among them
	Malformed    uint64    // messages that are neither a Post nor anything known
	Oversized    uint64    // messages over 4 MiB, skipped
	Repaired     uint64    // Posts with bytes that were no UTF-8
	LastReceived time.Time // when the stream last brought a byte

	// Ends counts the connections that ended, and the attempts that came to none,
	// by reason: dial, refused, no_stream, closed, operational, reset and stall. It
	// is to be read only.
	Ends    map[string]uint64
	Unknown uint64        // messages of a kind that is not known here
	Partial uint64        // Posts that came with an error about a part of them
	Bytes   uint64        // of the messages, without keep-alives and line breaks
	Lag     time.Duration // how old the newest Post of the last read was then, by X's clock; 0 if its id does not tell

	// Held says what holds the source back that only money, a person or the
	// calendar mends, such as "out of credits at X". It is empty while nothing
	// does.
	Held string

	Recovered     uint64 // Posts that were asked for again after a gap
	Known         uint64 // of these, read before on the same day
	RecoveredGaps uint64
	LostGaps      uint64 // and parts of gaps
	OpenGaps      []Gap  // that are being recovered
	LastGaps      []Gap  // that were recovered or lost, the newest last; ten at the most

	Read   Reads               // as X bills it, of this day and this cycle
	Budget Reads               // see [Budget]; a zero is no limit
	Cost   float64             // of what was read on this day, in dollars
	Usage  Usage               // by all programs of the app's project, if there is a budget
	Tags   map[string]TagStats // by the tags of rules
}

// Stats returns the figures at this moment.
func (s *Source) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Read, st.Budget = s.budget.now().reads, s.budget.limit
	st.Cost = s.budget.cost(st.Read.Day)
	st.Tags = make(map[string]TagStats, len(s.tags))
	for tag, f := range s.tags {
		st.Tags[tag] = *f
	}
	return st
}

// Gap is a time in which X sent Posts that did not come, by X's clock.
type Gap struct {
	Since, Until time.Time

	// Posts is how many were bought to fill it or, if it is lost, how many it
	// would have had by the rate before it; -1 if that is not known.
	Posts int

	Lost    string   // why it stays; empty if it does not
	Without []string // what search did not give, by tag and reason
}

// TagStats are figures of the rules with one tag.
type TagStats struct {
	Posts  uint64 // that matched, repeats among them
	Billed uint64 // of these, read for the first time on their day

	// Cost is theirs, in dollars. A Post that matched several rules is counted
	// for each of them, though X bills it once.
	Cost float64

	Last time.Time // when the newest was received
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
		if isPartial(line) {
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

// isPartial reports whether a Post came with errors about a part of it. X puts
// them behind all else, or before the matching rules. To look for them in the whole
// line would cost a tenth of all that a Post costs.
func isPartial(line []byte) bool {
	line, post := bytes.CutPrefix(line, []byte(`{"data":`))
	line, list := bytes.CutSuffix(line, []byte(`]}`))
	if !post || !list {
		return false
	}
	open := bytes.LastIndexByte(line, '[')
	switch head := line[:max(open, 0)]; {
	case bytes.HasSuffix(head, []byte(`,"errors":`)):
		return true
	case bytes.HasSuffix(head, []byte(`},"matching_rules":`)):
		return false // what comes before is an object
	}
	return bytes.Contains(line, []byte(`,"errors":[`)) // a text escapes its quotes
}

// lag notes how old the newest Post is. It is called under the mutex.
func (c *connection) lag(st *Stats) {
	if len(c.tweets) == 0 {
		return
	}
	st.Lag = 0
	if made := idTime(c.tweets[len(c.tweets)-1].ID); !made.IsZero() {
		st.Lag = c.clock().Sub(made)
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
