-- Posts, each once. A time is when it happened, in microseconds.
CREATE TABLE {prefix}tweets (
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

CREATE INDEX {prefix}tweets_created_at ON {prefix}tweets (created_at);

CREATE INDEX {prefix}tweets_arrival ON {prefix}tweets (arrival);

CREATE INDEX {prefix}tweets_author ON {prefix}tweets (author_id, id);

CREATE INDEX {prefix}tweets_conversation ON {prefix}tweets (conversation_id);

CREATE INDEX {prefix}tweets_reposted ON {prefix}tweets (reposted_id) WHERE reposted_id IS NOT NULL;

CREATE INDEX {prefix}tweets_quoted ON {prefix}tweets (quoted_id) WHERE quoted_id IS NOT NULL;

CREATE INDEX {prefix}tweets_replied_to ON {prefix}tweets (replied_to_id) WHERE replied_to_id IS NOT NULL;

CREATE INDEX {prefix}tweets_edit_of ON {prefix}tweets (edit_of) WHERE edit_of IS NOT NULL;

-- lz4 is there from PostgreSQL 14 on, where the server was built with it.
DO $$ BEGIN EXECUTE 'ALTER TABLE {prefix}tweets ALTER COLUMN raw SET COMPRESSION lz4, ALTER COLUMN text SET COMPRESSION lz4'; EXCEPTION WHEN syntax_error OR feature_not_supported OR invalid_parameter_value THEN NULL; END $$;

-- All users that X sent along, as they were in the newest message.
CREATE TABLE {prefix}users (
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

CREATE INDEX {prefix}users_username ON {prefix}users (username);

-- The photos and videos of a Post, in its order.
CREATE TABLE {prefix}media (
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

CREATE TABLE {prefix}rules (
	id bigint PRIMARY KEY,
	text_id text,
	tag text,
	value text,
	seen_at timestamptz NOT NULL
);

CREATE INDEX {prefix}rules_tag ON {prefix}rules (tag);

-- Which Posts matched which rules.
CREATE TABLE {prefix}tweet_rules (
	rule_id bigint,
	tweet_id bigint,
	PRIMARY KEY (rule_id, tweet_id)
);

CREATE INDEX {prefix}tweet_rules_tweet ON {prefix}tweet_rules (tweet_id);

-- What was deleted and stays so: kind 0 is a Post, kind 1 an author.
CREATE TABLE {prefix}deleted (
	kind bigint,
	id bigint,
	PRIMARY KEY (kind, id)
);
