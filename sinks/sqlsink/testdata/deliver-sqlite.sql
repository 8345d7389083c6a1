INSERT INTO x_tweets (id, text_id, author_id, conversation_id, reposted_id, quoted_id, replied_to_id, edit_of, created_at, received_at, arrival, recovered, lang, possibly_sensitive, text, replies, reposts, likes, quotes, bookmarks, impressions, note, raw)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET text_id = excluded.text_id, author_id = excluded.author_id, conversation_id = excluded.conversation_id, reposted_id = excluded.reposted_id, quoted_id = excluded.quoted_id, replied_to_id = excluded.replied_to_id, edit_of = excluded.edit_of, created_at = excluded.created_at, received_at = excluded.received_at, recovered = excluded.recovered, lang = excluded.lang, possibly_sensitive = excluded.possibly_sensitive, text = excluded.text, replies = excluded.replies, reposts = excluded.reposts, likes = excluded.likes, quotes = excluded.quotes, bookmarks = excluded.bookmarks, impressions = excluded.impressions, note = excluded.note, raw = excluded.raw
WHERE excluded.received_at >= x_tweets.received_at AND (x_tweets.raw) IS NOT (excluded.raw);

INSERT INTO x_users (id, text_id, username, name, description, location, profile_image_url, verified, verified_type, protected, created_at, followers, following, posts, seen_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET text_id = excluded.text_id, username = excluded.username, name = excluded.name, description = excluded.description, location = excluded.location, profile_image_url = excluded.profile_image_url, verified = excluded.verified, verified_type = excluded.verified_type, protected = excluded.protected, created_at = excluded.created_at, followers = excluded.followers, following = excluded.following, posts = excluded.posts, seen_at = excluded.seen_at
WHERE excluded.seen_at >= x_users.seen_at AND (x_users.username, x_users.name, x_users.description, x_users.location, x_users.profile_image_url, x_users.verified, x_users.verified_type, x_users.protected, x_users.followers, x_users.following, x_users.posts) IS NOT (excluded.username, excluded.name, excluded.description, excluded.location, excluded.profile_image_url, excluded.verified, excluded.verified_type, excluded.protected, excluded.followers, excluded.following, excluded.posts);

INSERT INTO x_media (tweet_id, position, media_key, type, url, preview_image_url, alt_text, width, height, duration_ms, views, seen_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (tweet_id, position) DO UPDATE SET media_key = excluded.media_key, type = excluded.type, url = excluded.url, preview_image_url = excluded.preview_image_url, alt_text = excluded.alt_text, width = excluded.width, height = excluded.height, duration_ms = excluded.duration_ms, views = excluded.views, seen_at = excluded.seen_at
WHERE excluded.seen_at >= x_media.seen_at AND (x_media.media_key, x_media.type, x_media.url, x_media.preview_image_url, x_media.alt_text, x_media.views) IS NOT (excluded.media_key, excluded.type, excluded.url, excluded.preview_image_url, excluded.alt_text, excluded.views);

INSERT INTO x_rules (id, text_id, tag, value, seen_at)
VALUES (?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET text_id = excluded.text_id, tag = excluded.tag, value = excluded.value, seen_at = excluded.seen_at
WHERE excluded.seen_at >= x_rules.seen_at AND (x_rules.tag, x_rules.value) IS NOT (excluded.tag, excluded.value);

INSERT INTO x_tweet_rules (rule_id, tweet_id)
VALUES (?, ?)
ON CONFLICT (rule_id, tweet_id) DO NOTHING;
