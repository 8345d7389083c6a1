package tweetstream

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
	"strings"
)

// nilTransform is what New says of a Transform that is nil, as those are that
// the functions below return when they are given what can't be.
const nilTransform = "a transform is nil: Keep and Not want a function, Tagged and Languages at least one name, Sample a rate of 0 to 1"

// Keep returns a Transform that drops the tweets for which keep returns false.
func Keep(keep func(*Tweet) bool) Transform {
	if keep == nil {
		return nil
	}
	return func(_ context.Context, t *Tweet) (*Tweet, error) {
		if !keep(t) {
			return nil, nil
		}
		return t, nil
	}
}

// Not returns a Transform that drops what keep would keep, and keeps what it
// would drop, as in Not(Reposts). What keep fails on does not pass either.
func Not(keep Transform) Transform {
	if keep == nil {
		return nil
	}
	return func(ctx context.Context, t *Tweet) (*Tweet, error) {
		switch kept, err := keep(ctx, t); {
		case err != nil:
			return nil, err
		case kept != nil:
			return nil, nil
		}
		return t, nil
	}
}

// Tagged returns a Transform that keeps the tweets which matched a rule with one
// of these tags.
func Tagged(tags ...string) Transform {
	if len(tags) == 0 {
		return nil
	}
	return Keep(func(t *Tweet) bool {
		return slices.ContainsFunc(t.Rules, func(r Rule) bool { return slices.Contains(tags, r.Tag) })
	})
}

// Languages returns a Transform that keeps the Posts in one of these languages,
// by X's guess ([Content.Lang]): BCP 47 tags, such as "en", in any case. A Post
// without a language is "und". It fails on a Post that can't be decoded.
func Languages(tags ...string) Transform {
	if len(tags) == 0 {
		return nil
	}
	return keepContent(func(c *Content) bool {
		lang := c.Lang
		if lang == "" {
			lang = "und"
		}
		return slices.ContainsFunc(tags, func(tag string) bool { return strings.EqualFold(tag, lang) })
	})
}

// Reposts is a Transform that keeps only reposts; Not(Reposts) drops them. It
// fails on a Post that can't be decoded.
func Reposts(ctx context.Context, t *Tweet) (*Tweet, error) { return reposts(ctx, t) }

// Replies is a Transform that keeps only Posts that answer another, or a user;
// Not(Replies) drops them. It fails on a Post that can't be decoded.
func Replies(ctx context.Context, t *Tweet) (*Tweet, error) { return replies(ctx, t) }

// Sensitive is a Transform that keeps only Posts that X, or their author, has
// marked as unfit for some, and those that repost, quote or answer one, where X
// sent that along; Not(Sensitive) drops them. It fails on a Post that can't be
// decoded.
func Sensitive(ctx context.Context, t *Tweet) (*Tweet, error) { return sensitive(ctx, t) }

var (
	reposts   = keepContent((*Content).IsRepost)
	replies   = keepContent((*Content).IsReply)
	sensitive = keepContent(isSensitive)
)

// keepContent is Keep by what a Post says. What can't be decoded can't be
// judged, and does not pass.
func keepContent(keep func(*Content) bool) Transform {
	return func(_ context.Context, t *Tweet) (*Tweet, error) {
		c, err := t.Content()
		if err != nil {
			return nil, err
		}
		if !keep(c) {
			return nil, nil
		}
		return t, nil
	}
}

func isSensitive(c *Content) bool {
	return c.Sensitive || slices.ContainsFunc(c.References, func(r Reference) bool {
		return r.Post != nil && r.Post.Sensitive
	})
}

// Sample returns a Transform that keeps a part of the tweets: at a rate of 0.1
// about one in ten, at 1 all. It goes by the id, so that all sinks and all
// processes with the same rate keep the same ones.
func Sample(rate float64) Transform {
	if !(rate >= 0 && rate <= 1) {
		return nil
	}
	return Keep(func(t *Tweet) bool {
		h := fnv.New64a()
		_, _ = h.Write([]byte(t.ID))
		// The bits of ids that are close to each other differ little: they are
		// mixed as in the generator SplitMix64, https://prng.di.unimi.it/splitmix64.c
		x := h.Sum64()
		x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
		x = (x ^ x>>27) * 0x94d049bb133111eb
		x ^= x >> 31
		return float64(x>>11)/(1<<53) < rate
	})
}

// maskedText stands for the text of a Post that was masked.
const maskedText = "[sensitive]"

// MaskSensitive is a Transform that takes text, links and media out of those
// messages in which any Post is marked as unfit for some, and out of all Posts in
// them. What is left says who posted when, what it refers to, and the rules that
// it matched; the text is "[sensitive]". It fails on a Post that can't be
// decoded.
func MaskSensitive(_ context.Context, t *Tweet) (*Tweet, error) {
	c, err := t.Content()
	if err != nil {
		return nil, err
	}
	marked, err := holdsMark(t.Raw)
	if err != nil {
		return nil, err
	}
	if !marked && !isSensitive(c) {
		return t, nil
	}
	raw, err := masked(t.Raw)
	if err != nil {
		return nil, err
	}
	return t.WithRaw(raw), nil
}

// holdsMark reports whether possibly_sensitive stands anywhere in a message, and
// is not false: in whatever Post, and be it said twice.
func holdsMark(raw json.RawMessage) (bool, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	named := false // the token before was the name
	for {
		token, err := d.Token()
		if err == io.EOF {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("mask: %w", err)
		}
		if named && token != false && token != nil {
			return true, nil
		}
		name, ok := token.(string)
		named = ok && strings.EqualFold(name, "possibly_sensitive")
	}
}

// What a masked message still has: names that are not known yet may hold text.
var (
	maskedMessage  = []string{"data", "includes", "matching_rules"}
	maskedIncludes = []string{"users", "tweets", "posts"}
	maskedPost     = []string{
		"id", "text", "author_id", "created_at", "lang", "possibly_sensitive", "conversation_id", "in_reply_to_user_id",
		"referenced_tweets", "referenced_posts", "edit_history_tweet_ids", "edit_history_post_ids", "edit_controls",
		"public_metrics", "reply_settings", "withheld",
	}
	maskedInside = []string{ // of the members above
		"id", "type", "copyright", "country_codes", "scope", "editable_until", "edits_remaining", "is_edit_eligible",
		"retweet_count", "repost_count", "reply_count", "like_count", "quote_count", "bookmark_count", "impression_count",
	}
)

func masked(raw json.RawMessage) (json.RawMessage, error) {
	message, err := members(raw, maskedMessage)
	if err != nil {
		return nil, err
	}
	if message["data"], err = maskPost(message["data"]); err != nil {
		return nil, err
	}
	if message["includes"] == nil {
		return marshal(message)
	}
	includes, err := members(message["includes"], maskedIncludes)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"tweets", "posts"} {
		if includes[name] == nil {
			continue
		}
		var list []json.RawMessage
		if err := json.Unmarshal(includes[name], &list); err != nil {
			return nil, fmt.Errorf("mask: includes.%s: %w", name, err)
		}
		for i := range list {
			if list[i], err = maskPost(list[i]); err != nil {
				return nil, err
			}
		}
		if includes[name], err = marshal(list); err != nil {
			return nil, err
		}
	}
	if message["includes"], err = marshal(includes); err != nil {
		return nil, err
	}
	return marshal(message)
}

func maskPost(raw json.RawMessage) (json.RawMessage, error) {
	post, err := members(raw, maskedPost)
	if err != nil {
		return nil, err
	}
	for name, member := range post {
		if post[name], err = maskInside(member); err != nil {
			return nil, err
		}
	}
	post["text"] = json.RawMessage(`"` + maskedText + `"`)
	return marshal(post)
}

// maskInside leaves those members of what a Post holds that can be no text.
func maskInside(raw json.RawMessage) (json.RawMessage, error) {
	switch raw[0] {
	case '{':
		object, err := members(raw, maskedInside)
		if err != nil {
			return nil, err
		}
		return marshal(object)
	case '[':
		var list []json.RawMessage
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, fmt.Errorf("mask: %w", err)
		}
		for i := range list {
			var err error
			if list[i], err = maskInside(list[i]); err != nil {
				return nil, err
			}
		}
		return marshal(list)
	}
	return raw, nil
}

// members returns those members of a JSON object that have one of the names.
func members(raw json.RawMessage, names []string) (map[string]json.RawMessage, error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(raw, &object); err != nil {
		return nil, fmt.Errorf("mask: %w", err)
	}
	if object == nil {
		object = map[string]json.RawMessage{}
	}
	for name := range object {
		if !slices.Contains(names, name) {
			delete(object, name)
		}
	}
	return object, nil
}

// marshal is json.Marshal without its escapes for HTML, which change what X sent.
func marshal(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
