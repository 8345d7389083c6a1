CREATE TABLE x_tweetstream_schema (version bigint NOT NULL);

-- Posts, each once. A time is when it happened, in microseconds.
CREATE TABLE x_tweets (
	id bigint PRIMARY KEY,              -- X's id; below 0 where that is no number of 63 bits
	text_id text,                       -- the id as it came, where id is below 0
	author_id bigint,
	conversation_id bigint,
	reposted_id bigint,
	quoted_id bigint,
	replied_to_id bigint,
	edit_of bigint,                     -- the first version of an edited Post; NULL for that itself
	created_at timestamptz,
	received_at timestamptz NOT NULL,
	arrival bigint NOT NULL,            -- grows from Post to Post, in the order in which they came
	recovered boolean NOT NULL,         -- asked for again after a gap
	lang text,
	possibly_sensitive boolean NOT NULL,
	text text,                          -- the full text, of a repost the original's
	replies bigint NOT NULL,
	reposts bigint NOT NULL,
	likes bigint NOT NULL,
	quotes bigint NOT NULL,
	bookmarks bigint NOT NULL,
	impressions bigint NOT NULL,
	note text,                          -- what could not be indexed; NULL if all was
	raw bytea NOT NULL                  -- the message as X sent it
);

CREATE INDEX x_tweets_created_at ON x_tweets (created_at);

CREATE INDEX x_tweets_arrival ON x_tweets (arrival);

CREATE INDEX x_tweets_author ON x_tweets (author_id, id);

CREATE INDEX x_tweets_conversation ON x_tweets (conversation_id);

CREATE INDEX x_tweets_reposted ON x_tweets (reposted_id) WHERE reposted_id IS NOT NULL;

CREATE INDEX x_tweets_quoted ON x_tweets (quoted_id) WHERE quoted_id IS NOT NULL;

CREATE INDEX x_tweets_replied_to ON x_tweets (replied_to_id) WHERE replied_to_id IS NOT NULL;

CREATE INDEX x_tweets_edit_of ON x_tweets (edit_of) WHERE edit_of IS NOT NULL;

-- lz4 is there from PostgreSQL 14 on, where the server was built with it.
DO $$ BEGIN EXECUTE 'ALTER TABLE x_tweets ALTER COLUMN raw SET COMPRESSION lz4, ALTER COLUMN text SET COMPRESSION lz4'; EXCEPTION WHEN syntax_error OR feature_not_supported OR invalid_parameter_value THEN NULL; END $$;

-- All users that X sent along, as they were in the newest message.
CREATE TABLE x_users (
	id bigint PRIMARY KEY,
	text_id text,
	username text,
	name text,
	description text,
	location text,
	profile_image_url text,
	verified boolean NOT NULL,
	verified_type text,
	protected boolean NOT NULL,
	created_at timestamptz,
	followers bigint NOT NULL,
	following bigint NOT NULL,
	posts bigint NOT NULL,
	seen_at timestamptz NOT NULL
);

CREATE INDEX x_users_username ON x_users (username);

-- The photos and videos of a Post, in its order.
CREATE TABLE x_media (
	tweet_id bigint,
	position bigint,
	media_key text,
	type text,
	url text,
	preview_image_url text,
	alt_text text,
	width bigint NOT NULL,
	height bigint NOT NULL,
	duration_ms bigint NOT NULL,
	views bigint NOT NULL,
	seen_at timestamptz NOT NULL,
	PRIMARY KEY (tweet_id, position)
);

CREATE TABLE x_rules (
	id bigint PRIMARY KEY,
	text_id text,
	tag text,
	value text,
	seen_at timestamptz NOT NULL
);

CREATE INDEX x_rules_tag ON x_rules (tag);

-- Which Posts matched which rules.
CREATE TABLE x_tweet_rules (
	rule_id bigint,
	tweet_id bigint,
	PRIMARY KEY (rule_id, tweet_id)
);

CREATE INDEX x_tweet_rules_tweet ON x_tweet_rules (tweet_id);

-- What was deleted and stays so: kind 0 is a Post, kind 1 an author.
CREATE TABLE x_deleted (
	kind bigint,
	id bigint,
	PRIMARY KEY (kind, id)
);

INSERT INTO x_tweetstream_schema (version) VALUES (1);
