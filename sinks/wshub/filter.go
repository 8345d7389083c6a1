package wshub

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"unique"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/internal/rulelang"
)

// Limits of a filter, beyond what X allows for tags.
const (
	maxValues   = 100
	maxValueLen = 512
)

// filter lets through the messages that have what it asks for: one of the tags
// (no tags: any), one of the languages, one of the words. It never changes.
type filter struct {
	key       unique.Handle[string] // the same for filters that let through the same
	tags      []tag
	langs     []string
	words     []string // as package rulelang folds them
	sensitive bool     // those that may be unfit for some, too
}

// parseFilter reads a viewer's filter out of its query. Without one it is nil.
func parseFilter(query url.Values) (*filter, error) {
	f := &filter{sensitive: true}
	said := url.Values{}
	for _, name := range []string{"tag", "lang", "word", "sensitive"} {
		values := query[name]
		if len(values) == 0 {
			continue
		}
		if len(values) > maxValues {
			return nil, fmt.Errorf("%s is given more than %d times", name, maxValues)
		}
		values = slices.Compact(slices.Sorted(slices.Values(values)))
		for _, v := range values {
			if len(v) > maxValueLen {
				return nil, fmt.Errorf("a %s is too long", name)
			}
			switch name {
			case "tag":
				f.tags = append(f.tags, unique.Make(v))
			case "lang":
				f.langs = append(f.langs, strings.ToLower(v))
			case "word":
				folded := rulelang.Fold(v)
				if strings.TrimSpace(folded) == "" {
					return nil, errors.New("a word has no letters")
				}
				f.words = append(f.words, folded)
			case "sensitive":
				if len(values) > 1 || v != "true" && v != "false" {
					return nil, errors.New("sensitive is neither true nor false")
				}
				f.sensitive = v == "true"
			}
		}
		said[name] = values
	}
	if f.sensitive {
		said.Del("sensitive")
	}
	if len(said) == 0 {
		return nil, nil
	}
	f.key = unique.Make(said.Encode())
	return f, nil
}

// match reports whether f lets a message through. content is called when more
// than the tags must be known.
func (f *filter) match(tags []tag, content func() facts) bool {
	if len(f.tags) > 0 && !slices.ContainsFunc(tags, func(t tag) bool { return slices.Contains(f.tags, t) }) {
		return false
	}
	if f.sensitive && len(f.langs)+len(f.words) == 0 {
		return true
	}
	c := content()
	return c.known && (f.sensitive || !c.sensitive) &&
		(len(f.langs) == 0 || slices.Contains(f.langs, c.lang)) &&
		(len(f.words) == 0 || slices.ContainsFunc(f.words, func(w string) bool { return strings.Contains(c.words, w) }))
}

// facts are what filters look at in a Post besides its tags.
type facts struct {
	asked     bool // they were worked out
	known     bool // it is a Post
	sensitive bool
	lang      string
	words     string // of the full text, as package rulelang folds them
}

// factsOf reads a message. What is no Post has no facts, and passes no filter
// that asks for any.
func factsOf(raw []byte) facts {
	t, err := tweetstream.ParseTweet(raw)
	if err != nil {
		return facts{asked: true}
	}
	c, err := t.Content()
	if err != nil {
		return facts{asked: true}
	}
	return facts{
		asked:     true,
		known:     true,
		sensitive: c.Sensitive || c.Original().Sensitive,
		lang:      strings.ToLower(c.Lang),
		words:     rulelang.Fold(c.FullText),
	}
}

// sieve keeps, for one chunk, what filters let through, so that each of them is
// asked once for each message, however many viewers have it.
type sieve struct {
	mu     sync.Mutex
	passed map[unique.Handle[string]][]bool // by the filter's key; frames from the first on
	facts  []facts                          // of frames, where they were asked for
}

// run returns the first frames of v, from i on, that f lets through: from begin
// up to end. Both are the end of v if there are none.
func (c *chunk) run(f *filter, v *view, i int) (begin, end int) {
	passed := c.sift(f, v)
	for i < len(passed) && !passed[i] {
		i++
	}
	for end = i; end < len(passed) && passed[end]; {
		end++
	}
	return i, end
}

// sift says of each frame of v whether f lets it through.
func (c *chunk) sift(f *filter, v *view) []bool {
	c.sieve.mu.Lock()
	defer c.sieve.mu.Unlock()
	passed := c.passed[f.key]
	if len(passed) < len(v.index) {
		for i := len(passed); i < len(v.index); i++ {
			passed = append(passed, v.index[i].notice || f.match(v.index[i].tags, func() facts { return c.factsAt(v, i) }))
		}
		if c.passed == nil {
			c.passed = map[unique.Handle[string]][]bool{}
		}
		c.passed[f.key] = passed
	}
	return passed[:len(v.index)]
}

// factsAt returns the facts of frame i, which are worked out once. The caller
// holds the sieve's mu.
func (c *chunk) factsAt(v *view, i int) facts {
	if len(c.facts) <= i {
		c.facts = append(c.facts, make([]facts, i+1-len(c.facts))...)
	}
	if !c.facts[i].asked {
		c.facts[i] = factsOf(v.payload(i))
	}
	return c.facts[i]
}

// forget drops the facts of messages that were deleted.
func (c *chunk) forget(frames []int) {
	c.sieve.mu.Lock()
	defer c.sieve.mu.Unlock()
	for _, i := range frames {
		if i < len(c.facts) {
			c.facts[i] = facts{}
		}
	}
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
