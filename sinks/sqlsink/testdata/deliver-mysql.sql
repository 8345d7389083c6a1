INSERT INTO x_tweets (id, text_id, author_id, conversation_id, reposted_id, quoted_id, replied_to_id, edit_of, created_at, received_at, arrival, recovered, lang, possibly_sensitive, text, replies, reposts, likes, quotes, bookmarks, impressions, note, raw)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON DUPLICATE KEY UPDATE received_at = IF(VALUES(received_at) >= received_at AND NOT (raw <=> VALUES(raw)), VALUES(received_at), received_at),
	text_id = IF(received_at = VALUES(received_at), VALUES(text_id), text_id),
	author_id = IF(received_at = VALUES(received_at), VALUES(author_id), author_id),
	conversation_id = IF(received_at = VALUES(received_at), VALUES(conversation_id), conversation_id),
	reposted_id = IF(received_at = VALUES(received_at), VALUES(reposted_id), reposted_id),
	quoted_id = IF(received_at = VALUES(received_at), VALUES(quoted_id), quoted_id),
	replied_to_id = IF(received_at = VALUES(received_at), VALUES(replied_to_id), replied_to_id),
	edit_of = IF(received_at = VALUES(received_at), VALUES(edit_of), edit_of),
	created_at = IF(received_at = VALUES(received_at), VALUES(created_at), created_at),
	recovered = IF(received_at = VALUES(received_at), VALUES(recovered), recovered),
	lang = IF(received_at = VALUES(received_at), VALUES(lang), lang),
	possibly_sensitive = IF(received_at = VALUES(received_at), VALUES(possibly_sensitive), possibly_sensitive),
	text = IF(received_at = VALUES(received_at), VALUES(text), text),
	replies = IF(received_at = VALUES(received_at), VALUES(replies), replies),
	reposts = IF(received_at = VALUES(received_at), VALUES(reposts), reposts),
	likes = IF(received_at = VALUES(received_at), VALUES(likes), likes),
	quotes = IF(received_at = VALUES(received_at), VALUES(quotes), quotes),
	bookmarks = IF(received_at = VALUES(received_at), VALUES(bookmarks), bookmarks),
	impressions = IF(received_at = VALUES(received_at), VALUES(impressions), impressions),
	note = IF(received_at = VALUES(received_at), VALUES(note), note),
	raw = IF(received_at = VALUES(received_at), VALUES(raw), raw);

INSERT INTO x_users (id, text_id, username, name, description, location, profile_image_url, verified, verified_type, protected, created_at, followers, following, posts, seen_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON DUPLICATE KEY UPDATE seen_at = IF(VALUES(seen_at) >= seen_at AND NOT (username <=> VALUES(username) AND name <=> VALUES(name) AND description <=> VALUES(description) AND location <=> VALUES(location) AND profile_image_url <=> VALUES(profile_image_url) AND verified <=> VALUES(verified) AND verified_type <=> VALUES(verified_type) AND protected <=> VALUES(protected) AND followers <=> VALUES(followers) AND following <=> VALUES(following) AND posts <=> VALUES(posts)), VALUES(seen_at), seen_at),
	text_id = IF(seen_at = VALUES(seen_at), VALUES(text_id), text_id),
	username = IF(seen_at = VALUES(seen_at), VALUES(username), username),
	name = IF(seen_at = VALUES(seen_at), VALUES(name), name),
	description = IF(seen_at = VALUES(seen_at), VALUES(description), description),
	location = IF(seen_at = VALUES(seen_at), VALUES(location), location),
	profile_image_url = IF(seen_at = VALUES(seen_at), VALUES(profile_image_url), profile_image_url),
	verified = IF(seen_at = VALUES(seen_at), VALUES(verified), verified),
	verified_type = IF(seen_at = VALUES(seen_at), VALUES(verified_type), verified_type),
	protected = IF(seen_at = VALUES(seen_at), VALUES(protected), protected),
	created_at = IF(seen_at = VALUES(seen_at), VALUES(created_at), created_at),
	followers = IF(seen_at = VALUES(seen_at), VALUES(followers), followers),
	following = IF(seen_at = VALUES(seen_at), VALUES(following), following),
	posts = IF(seen_at = VALUES(seen_at), VALUES(posts), posts);

INSERT INTO x_media (tweet_id, position, media_key, type, url, preview_image_url, alt_text, width, height, duration_ms, views, seen_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON DUPLICATE KEY UPDATE seen_at = IF(VALUES(seen_at) >= seen_at AND NOT (media_key <=> VALUES(media_key) AND type <=> VALUES(type) AND url <=> VALUES(url) AND preview_image_url <=> VALUES(preview_image_url) AND alt_text <=> VALUES(alt_text) AND views <=> VALUES(views)), VALUES(seen_at), seen_at),
	media_key = IF(seen_at = VALUES(seen_at), VALUES(media_key), media_key),
	type = IF(seen_at = VALUES(seen_at), VALUES(type), type),
	url = IF(seen_at = VALUES(seen_at), VALUES(url), url),
	preview_image_url = IF(seen_at = VALUES(seen_at), VALUES(preview_image_url), preview_image_url),
	alt_text = IF(seen_at = VALUES(seen_at), VALUES(alt_text), alt_text),
	width = IF(seen_at = VALUES(seen_at), VALUES(width), width),
	height = IF(seen_at = VALUES(seen_at), VALUES(height), height),
	duration_ms = IF(seen_at = VALUES(seen_at), VALUES(duration_ms), duration_ms),
	views = IF(seen_at = VALUES(seen_at), VALUES(views), views);

INSERT INTO x_rules (id, text_id, tag, value, seen_at)
VALUES (?, ?, ?, ?, ?), (?, ?, ?, ?, ?)
ON DUPLICATE KEY UPDATE seen_at = IF(VALUES(seen_at) >= seen_at AND NOT (tag <=> VALUES(tag) AND value <=> VALUES(value)), VALUES(seen_at), seen_at),
	text_id = IF(seen_at = VALUES(seen_at), VALUES(text_id), text_id),
	tag = IF(seen_at = VALUES(seen_at), VALUES(tag), tag),
	value = IF(seen_at = VALUES(seen_at), VALUES(value), value);

INSERT INTO x_tweet_rules (rule_id, tweet_id)
VALUES (?, ?), (?, ?)
ON DUPLICATE KEY UPDATE rule_id = VALUES(rule_id);
