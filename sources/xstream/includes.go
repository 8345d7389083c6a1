package xstream

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// includes are the objects that came along with the Posts of a page, by kind:
// users, tweets, media and so on.
type includes map[string][]included

type included struct {
	raw  json.RawMessage
	keys []string // by which others refer to it
	refs []string // to which it refers; of a Post only
}

func (in includes) add(kind string, raw json.RawMessage) {
	var objects []json.RawMessage
	if json.Unmarshal(raw, &objects) != nil {
		return // a shape that nobody knows
	}
	for _, o := range objects {
		var members map[string]any
		if json.Unmarshal(o, &members) != nil {
			continue
		}
		i := included{raw: o}
		for _, name := range []string{"id", "media_key", "username", "resource_id"} {
			if key, ok := members[name].(string); ok && key != "" {
				i.keys = append(i.keys, strings.ToLower(key))
			}
		}
		if isPosts(kind) {
			collect(members, func(s string) { i.refs = append(i.refs, s) })
		}
		in[kind] = append(in[kind], i)
	}
}

// isPosts tells Posts that others refer to; the name has been seen in both
// spellings.
func isPosts(kind string) bool { return kind == "tweets" || kind == "posts" }

// of returns the includes that a Post has on the stream: what it refers to
// itself, and what the Posts do that it refers to.
func (in includes) of(post json.RawMessage) []byte {
	if len(in) == 0 {
		return nil
	}
	var members map[string]any
	if json.Unmarshal(post, &members) != nil {
		return nil
	}
	refs := map[string]bool{}
	collect(members, func(s string) { refs[s] = true })
	own := map[string][]json.RawMessage{}
	pick := func(kind string, seen func(included)) {
		for _, i := range in[kind] {
			if slices.ContainsFunc(i.keys, func(k string) bool { return refs[k] }) {
				own[kind] = append(own[kind], i.raw)
				seen(i)
			}
		}
	}
	// Of what those refer to in turn, the stream brings users and media.
	var further []string
	for kind := range in {
		if isPosts(kind) {
			pick(kind, func(i included) { further = append(further, i.refs...) })
		}
	}
	for kind := range in {
		if !isPosts(kind) && kind != "users" && kind != "media" {
			pick(kind, func(included) {})
		}
	}
	for _, s := range further {
		refs[s] = true
	}
	pick("users", func(included) {})
	pick("media", func(included) {})
	if len(own) == 0 {
		return nil
	}
	b := []byte("{")
	for n, kind := range slices.Sorted(maps.Keys(own)) {
		if n > 0 {
			b = append(b, ',')
		}
		b = append(append(b, quote(kind)...), ':')
		b = append(append(append(b, '['), bytes.Join(raws(own[kind]), []byte(","))...), ']')
	}
	return append(b, '}')
}

func raws(objects []json.RawMessage) [][]byte {
	all := make([][]byte, len(objects))
	for i, o := range objects {
		all[i] = o
	}
	return all
}

// ownMembers are members of a Post that hold no reference to what comes along
// with it, though they hold texts and ids.
var ownMembers = []string{"id", "text", "conversation_id", "edit_history_tweet_ids", "edit_history_post_ids", "context_annotations", "annotations", "source", "lang", "created_at"}

// collect calls f for all texts in the members of a Post by which it may refer
// to something, in lower case.
func collect(members map[string]any, f func(string)) {
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			f(strings.ToLower(v))
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			for name, e := range v {
				if name != "annotations" && name != "text" {
					walk(e)
				}
			}
		}
	}
	for name, v := range members {
		if !slices.Contains(ownMembers, name) {
			walk(v)
		}
	}
}
