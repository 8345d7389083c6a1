package xstream

import (
	"maps"
	"net/url"
	"slices"
	"strings"
)

// fields are the query parameters that say what X sends along with a Post. By
// default all that the sinks of this project show or store.
var fields = map[string][]string{
	"tweet.fields": {
		"attachments", "author_id", "context_annotations", "conversation_id", "created_at", "edit_controls",
		"edit_history_tweet_ids", "entities", "geo", "id", "in_reply_to_user_id", "lang", "note_tweet",
		"possibly_sensitive", "public_metrics", "referenced_tweets", "reply_settings", "source", "text", "withheld",
	},
	"expansions": {
		"attachments.media_keys", "attachments.poll_ids", "author_id", "entities.mentions.username", "geo.place_id",
		"in_reply_to_user_id", "referenced_tweets.id", "referenced_tweets.id.author_id",
	},
	"user.fields":  {"created_at", "description", "id", "name", "profile_image_url", "protected", "public_metrics", "url", "username", "verified", "verified_type"},
	"media.fields": {"alt_text", "duration_ms", "height", "media_key", "preview_image_url", "public_metrics", "type", "url", "variants", "width"},
	"place.fields": {"country", "country_code", "full_name", "geo", "id", "name", "place_type"},
	"poll.fields":  {"duration_minutes", "end_datetime", "id", "options", "voting_status"},
}

// query returns the parameters in a fixed order.
func query(fields map[string][]string) string {
	var b strings.Builder
	for _, param := range slices.Sorted(maps.Keys(fields)) {
		if len(fields[param]) == 0 {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(param + "=" + url.QueryEscape(strings.Join(fields[param], ",")))
	}
	return b.String()
}
