package sqlsink

import (
	"bytes"
	"encoding/json"
)

// scrub returns a message without the Posts and users that are gone, in what X
// sent along with it. All other bytes stay. What is no JSON stays as it is.
func scrub(raw []byte, posts, authors map[int64]bool) []byte {
	var parts struct {
		Includes map[string]json.RawMessage `json:"includes"`
	}
	if json.Unmarshal(raw, &parts) != nil {
		return raw
	}
	media := map[string]bool{}
	clean := raw
	for _, name := range []string{"tweets", "posts", "users", "media"} {
		var elements []json.RawMessage
		if json.Unmarshal(parts.Includes[name], &elements) != nil {
			continue
		}
		var left [][]byte
		for _, e := range elements {
			var x struct {
				ID          json.RawMessage `json:"id"`
				AuthorID    json.RawMessage `json:"author_id"`
				MediaKey    string          `json:"media_key"`
				Attachments struct {
					MediaKeys []string `json:"media_keys"`
				} `json:"attachments"`
			}
			_ = json.Unmarshal(e, &x) // what it could read counts
			id, author := text(x.ID), text(x.AuthorID)
			switch {
			case (name == "tweets" || name == "posts") && (has(posts, id) || has(authors, author)):
				for _, k := range x.Attachments.MediaKeys {
					media[k] = true
				}
			case name == "users" && has(authors, id):
			case name == "media" && media[x.MediaKey]:
			default:
				left = append(left, e)
			}
		}
		if len(left) < len(elements) {
			// The same bytes elsewhere would be the same list.
			list := append(append([]byte("["), bytes.Join(left, []byte(","))...), ']')
			clean = bytes.ReplaceAll(clean, parts.Includes[name], list)
		}
	}
	return clean
}

// text is an id that is a string or a number.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}
