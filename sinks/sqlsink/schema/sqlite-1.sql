-- Posts, each once. A time is when it happened, in microseconds since 1970.
CREATE TABLE {prefix}tweets (
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

CREATE INDEX {prefix}tweets_created_at ON {prefix}tweets (created_at);

CREATE INDEX {prefix}tweets_arrival ON {prefix}tweets (arrival);

CREATE INDEX {prefix}tweets_author ON {prefix}tweets (author_id, id);

CREATE INDEX {prefix}tweets_conversation ON {prefix}tweets (conversation_id);

CREATE INDEX {prefix}tweets_reposted ON {prefix}tweets (reposted_id) WHERE reposted_id IS NOT NULL;

CREATE INDEX {prefix}tweets_quoted ON {prefix}tweets (quoted_id) WHERE quoted_id IS NOT NULL;

CREATE INDEX {prefix}tweets_replied_to ON {prefix}tweets (replied_to_id) WHERE replied_to_id IS NOT NULL;

CREATE INDEX {prefix}tweets_edit_of ON {prefix}tweets (edit_of) WHERE edit_of IS NOT NULL;

-- All users that X sent along, as they were in the newest message.
CREATE TABLE {prefix}users (
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

CREATE INDEX {prefix}users_username ON {prefix}users (username);

-- The photos and videos of a Post, in its order.
CREATE TABLE {prefix}media (
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

CREATE TABLE {prefix}rules (
	id integer PRIMARY KEY,
	text_id text,
	tag text,
	value text,
	seen_at integer NOT NULL
);

CREATE INDEX {prefix}rules_tag ON {prefix}rules (tag);

-- Which Posts matched which rules.
CREATE TABLE {prefix}tweet_rules (
	rule_id integer,
	tweet_id integer,
	PRIMARY KEY (rule_id, tweet_id)
) WITHOUT ROWID;

CREATE INDEX {prefix}tweet_rules_tweet ON {prefix}tweet_rules (tweet_id);

-- What was deleted and stays so: kind 0 is a Post, kind 1 an author.
CREATE TABLE {prefix}deleted (
	kind integer,
	id integer,
	PRIMARY KEY (kind, id)
) WITHOUT ROWID;
