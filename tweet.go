package tweetstream

import (
	"bytes"
	"encoding/json"
	"slices"
	"sync/atomic"
	"time"
)

// Tweet is one message of the stream: a Post with all that X sent along with
// it. All sinks share one Tweet, so treat it as read-only; a [Transform] makes
// a changed copy with [Tweet.WithRaw]. A Tweet may be kept for as long as it is
// needed: its memory is never used again.
//
// A Tweet is made by [ParseTweet], or as a literal with at least ID and Raw. It
// must not be copied by value.
type Tweet struct {
	// ID is the Post's id: digits, on X.
	ID string

	// Raw is the whole message as X sent it (data, includes, matching_rules):
	// one line of valid UTF-8, without its line break.
	Raw json.RawMessage

	// Rules are the rules that the Post matched. The sampled stream has none.
	Rules []Rule

	// Received is when this process had read the message. The Streamer sets it
	// if the source left it zero.
	Received time.Time

	// Recovered says that the source asked for this Post again after a gap.
	Recovered bool

	// Deleted says that this is a tombstone: the Post named by ID is gone from
	// X. Only sinks that are a [Deleter] are handed tombstones.
	Deleted bool

	content atomic.Pointer[decoded]
}

// Rule is a rule of the filtered stream that a Post matched.
type Rule struct {
	ID    string // X's id of the rule
	Tag   string // the rule's tag; X allows rules without one
	Value string // the rule itself, where the source knows it
}

// decoded is what Content keeps.
type decoded struct {
	content *Content
	err     error
}

// WithRaw returns a copy of t whose message is raw, with the same id and rules;
// raw belongs to the copy from then on. Its Content is decoded anew.
func (t *Tweet) WithRaw(raw json.RawMessage) *Tweet {
	return &Tweet{
		ID:        t.ID,
		Raw:       raw,
		Rules:     t.Rules,
		Received:  t.Received,
		Recovered: t.Recovered,
		Deleted:   t.Deleted,
	}
}

// Equal reports whether t and u carry the same message, byte for byte, and the
// same facts about it. It serves go-cmp.
func (t *Tweet) Equal(u *Tweet) bool {
	if t == nil || u == nil {
		return t == u
	}
	return t.ID == u.ID &&
		bytes.Equal(t.Raw, u.Raw) &&
		slices.Equal(t.Rules, u.Rules) &&
		t.Received.Equal(u.Received) &&
		t.Recovered == u.Recovered &&
		t.Deleted == u.Deleted
}

// Content returns the decoded Post. It is decoded at the first call and kept:
// all sinks share it, so treat it as read-only. It is safe for concurrent use.
//
// Content is tolerant: a field of a shape that nobody expects is left at its
// zero value. The error is not nil only if Raw is not JSON or has no data.
func (t *Tweet) Content() (*Content, error) {
	d := t.content.Load()
	if d == nil {
		c, err := decodeContent(t.Raw)
		// Two sinks that decode at the same moment do it twice; both then go
		// on with the same Content.
		t.content.CompareAndSwap(nil, &decoded{c, err})
		d = t.content.Load()
	}
	return d.content, d.err
}
