INSERT INTO x_tweets (id, text_id, author_id, conversation_id, reposted_id, quoted_id, replied_to_id, edit_of, created_at, received_at, arrival, recovered, lang, possibly_sensitive, text, replies, reposts, likes, quotes, bookmarks, impressions, note, raw)
SELECT ($2::bigint[])[i], ($3::text[])[i], ($4::bigint[])[i], ($5::bigint[])[i], ($6::bigint[])[i], ($7::bigint[])[i], ($8::bigint[])[i], ($9::bigint[])[i], ($10::timestamptz[])[i], ($11::timestamptz[])[i], ($12::bigint[])[i], ($13::boolean[])[i], ($14::text[])[i], ($15::boolean[])[i], ($16::text[])[i], ($17::bigint[])[i], ($18::bigint[])[i], ($19::bigint[])[i], ($20::bigint[])[i], ($21::bigint[])[i], ($22::bigint[])[i], ($23::text[])[i], substring($24::bytea FROM ($25::int[])[i] FOR ($26::int[])[i])
FROM generate_series(1, $1::int) AS i
ON CONFLICT (id) DO UPDATE SET text_id = excluded.text_id, author_id = excluded.author_id, conversation_id = excluded.conversation_id, reposted_id = excluded.reposted_id, quoted_id = excluded.quoted_id, replied_to_id = excluded.replied_to_id, edit_of = excluded.edit_of, created_at = excluded.created_at, received_at = excluded.received_at, recovered = excluded.recovered, lang = excluded.lang, possibly_sensitive = excluded.possibly_sensitive, text = excluded.text, replies = excluded.replies, reposts = excluded.reposts, likes = excluded.likes, quotes = excluded.quotes, bookmarks = excluded.bookmarks, impressions = excluded.impressions, note = excluded.note, raw = excluded.raw
WHERE excluded.received_at >= x_tweets.received_at AND (x_tweets.raw) IS DISTINCT FROM (excluded.raw);

INSERT INTO x_users (id, text_id, username, name, description, location, profile_image_url, verified, verified_type, protected, created_at, followers, following, posts, seen_at)
SELECT ($2::bigint[])[i], ($3::text[])[i], ($4::text[])[i], ($5::text[])[i], ($6::text[])[i], ($7::text[])[i], ($8::text[])[i], ($9::boolean[])[i], ($10::text[])[i], ($11::boolean[])[i], ($12::timestamptz[])[i], ($13::bigint[])[i], ($14::bigint[])[i], ($15::bigint[])[i], ($16::timestamptz[])[i]
FROM generate_series(1, $1::int) AS i
ON CONFLICT (id) DO UPDATE SET text_id = excluded.text_id, username = excluded.username, name = excluded.name, description = excluded.description, location = excluded.location, profile_image_url = excluded.profile_image_url, verified = excluded.verified, verified_type = excluded.verified_type, protected = excluded.protected, created_at = excluded.created_at, followers = excluded.followers, following = excluded.following, posts = excluded.posts, seen_at = excluded.seen_at
WHERE excluded.seen_at >= x_users.seen_at AND (x_users.username, x_users.name, x_users.description, x_users.location, x_users.profile_image_url, x_users.verified, x_users.verified_type, x_users.protected, x_users.followers, x_users.following, x_users.posts) IS DISTINCT FROM (excluded.username, excluded.name, excluded.description, excluded.location, excluded.profile_image_url, excluded.verified, excluded.verified_type, excluded.protected, excluded.followers, excluded.following, excluded.posts);

INSERT INTO x_media (tweet_id, position, media_key, type, url, preview_image_url, alt_text, width, height, duration_ms, views, seen_at)
SELECT ($2::bigint[])[i], ($3::bigint[])[i], ($4::text[])[i], ($5::text[])[i], ($6::text[])[i], ($7::text[])[i], ($8::text[])[i], ($9::bigint[])[i], ($10::bigint[])[i], ($11::bigint[])[i], ($12::bigint[])[i], ($13::timestamptz[])[i]
FROM generate_series(1, $1::int) AS i
ON CONFLICT (tweet_id, position) DO UPDATE SET media_key = excluded.media_key, type = excluded.type, url = excluded.url, preview_image_url = excluded.preview_image_url, alt_text = excluded.alt_text, width = excluded.width, height = excluded.height, duration_ms = excluded.duration_ms, views = excluded.views, seen_at = excluded.seen_at
WHERE excluded.seen_at >= x_media.seen_at AND (x_media.media_key, x_media.type, x_media.url, x_media.preview_image_url, x_media.alt_text, x_media.views) IS DISTINCT FROM (excluded.media_key, excluded.type, excluded.url, excluded.preview_image_url, excluded.alt_text, excluded.views);

INSERT INTO x_rules (id, text_id, tag, value, seen_at)
SELECT ($2::bigint[])[i], ($3::text[])[i], ($4::text[])[i], ($5::text[])[i], ($6::timestamptz[])[i]
FROM generate_series(1, $1::int) AS i
ON CONFLICT (id) DO UPDATE SET text_id = excluded.text_id, tag = excluded.tag, value = excluded.value, seen_at = excluded.seen_at
WHERE excluded.seen_at >= x_rules.seen_at AND (x_rules.tag, x_rules.value) IS DISTINCT FROM (excluded.tag, excluded.value);

INSERT INTO x_tweet_rules (rule_id, tweet_id)
SELECT ($2::bigint[])[i], ($3::bigint[])[i]
FROM generate_series(1, $1::int) AS i
ON CONFLICT (rule_id, tweet_id) DO NOTHING;
