CREATE TABLE x_tweetstream_schema (version bigint NOT NULL);

-- Posts, each once. A time is when it happened, in microseconds since 1970.
CREATE TABLE x_tweets (
	id integer PRIMARY KEY,             -- X's id; below 0 where that is no number of 63 bits
	text_id text,                       -- the id as it came, where id is below 0
	author_id integer,
	conversation_id integer,
	reposted_id integer,
	quoted_id integer,
	replied_to_id integer,
	edit_of integer,                    -- the first version of an edited Post; NULL for that itself
	created_at integer,
	received_at integer NOT NULL,
	arrival integer NOT NULL,           -- grows from Post to Post, in the order in which they came
	recovered integer NOT NULL,         -- asked for again after a gap
	lang text,
	possibly_sensitive integer NOT NULL,
	text text,                          -- the full text, of a repost the original's
	replies integer NOT NULL,
	reposts integer NOT NULL,
	likes integer NOT NULL,
	quotes integer NOT NULL,
	bookmarks integer NOT NULL,
	impressions integer NOT NULL,
	note text,                          -- what could not be indexed; NULL if all was
	raw blob NOT NULL                   -- the message as X sent it
);

CREATE INDEX x_tweets_created_at ON x_tweets (created_at);

CREATE INDEX x_tweets_arrival ON x_tweets (arrival);

CREATE INDEX x_tweets_author ON x_tweets (author_id, id);

CREATE INDEX x_tweets_conversation ON x_tweets (conversation_id);

CREATE INDEX x_tweets_reposted ON x_tweets (reposted_id) WHERE reposted_id IS NOT NULL;

CREATE INDEX x_tweets_quoted ON x_tweets (quoted_id) WHERE quoted_id IS NOT NULL;

CREATE INDEX x_tweets_replied_to ON x_tweets (replied_to_id) WHERE replied_to_id IS NOT NULL;

CREATE INDEX x_tweets_edit_of ON x_tweets (edit_of) WHERE edit_of IS NOT NULL;

-- All users that X sent along, as they were in the newest message.
CREATE TABLE x_users (
	id integer PRIMARY KEY,
	text_id text,
	username text,
	name text,
	description text,
	location text,
	profile_image_url text,
	verified integer NOT NULL,
	verified_type text,
	protected integer NOT NULL,
	created_at integer,
	followers integer NOT NULL,
	following integer NOT NULL,
	posts integer NOT NULL,
	seen_at integer NOT NULL
);

CREATE INDEX x_users_username ON x_users (username);

-- The photos and videos of a Post, in its order.
CREATE TABLE x_media (
	tweet_id integer,
	position integer,
	media_key text,
	type text,
	url text,
	preview_image_url text,
	alt_text text,
	width integer NOT NULL,
	height integer NOT NULL,
	duration_ms integer NOT NULL,
	views integer NOT NULL,
	seen_at integer NOT NULL,
	PRIMARY KEY (tweet_id, position)
) WITHOUT ROWID;

CREATE TABLE x_rules (
	id integer PRIMARY KEY,
	text_id text,
	tag text,
	value text,
	seen_at integer NOT NULL
);

CREATE INDEX x_rules_tag ON x_rules (tag);

-- Which Posts matched which rules.
CREATE TABLE x_tweet_rules (
	rule_id integer,
	tweet_id integer,
	PRIMARY KEY (rule_id, tweet_id)
) WITHOUT ROWID;

CREATE INDEX x_tweet_rules_tweet ON x_tweet_rules (tweet_id);

-- What was deleted and stays so: kind 0 is a Post, kind 1 an author.
CREATE TABLE x_deleted (
	kind integer,
	id integer,
	PRIMARY KEY (kind, id)
) WITHOUT ROWID;

INSERT INTO x_tweetstream_schema (version) VALUES (1);
