package wshub

import (
	"errors"
	"net/url"
	"slices"
	"unique"

	"github.com/tweetstream-go/tweetstream"
)

// filter lets through the messages that have one of its tags.
type filter struct{ tags []tag }

// Limits of ?tag=, beyond what X allows for tags.
const (
	maxTags   = 100
	maxTagLen = 512
)

// parseFilter reads the filter of a viewer out of its query. Without one it is
// nil.
func parseFilter(query url.Values) (*filter, error) {
	names := query["tag"]
	if len(names) == 0 {
		return nil, nil
	}
	if len(names) > maxTags {
		return nil, errors.New("too many tags")
	}
	f := &filter{tags: make([]tag, 0, len(names))}
	for _, name := range names {
		if len(name) > maxTagLen {
			return nil, errors.New("a tag is too long")
		}
		f.tags = append(f.tags, unique.Make(name))
	}
	return f, nil
}

// match reports whether a message with these tags is let through.
func (f *filter) match(tags []tag) bool {
	return slices.ContainsFunc(tags, func(t tag) bool { return slices.Contains(f.tags, t) })
}

// prefix returns how many frames at the beginning of index are let through.
func (f *filter) prefix(index []frame) int {
	for i := range index {
		if !f.match(index[i].tags) {
			return i
		}
	}
	return len(index)
}

// tagsOf returns the tags of the rules that a Post matched.
func tagsOf(rules []tweetstream.Rule) []tag {
	if len(rules) == 0 {
		return nil
	}
	tags := make([]tag, 0, len(rules))
	for _, r := range rules {
		if r.Tag != "" {
			tags = append(tags, unique.Make(r.Tag))
		}
	}
	return tags
}
