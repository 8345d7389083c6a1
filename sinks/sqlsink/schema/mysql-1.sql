-- Posts, each once. A time is when it happened, in microseconds.
CREATE TABLE IF NOT EXISTS {prefix}tweets (
	id bigint PRIMARY KEY,              -- X's id; below 0 where that is no number of 63 bits
	text_id varchar(255),               -- the id as it came, where id is below 0
	author_id bigint,
	conversation_id bigint,
	reposted_id bigint,
	quoted_id bigint,
	replied_to_id bigint,
	edit_of bigint,                     -- the first version of an edited Post; NULL for that itself
	created_at datetime(6),
	received_at datetime(6) NOT NULL,
	arrival bigint NOT NULL,            -- grows from Post to Post, in the order in which they came
	recovered boolean NOT NULL,         -- asked for again after a gap
	lang varchar(255),
	possibly_sensitive boolean NOT NULL,
	text mediumtext,                    -- the full text, of a repost the original's
	replies bigint NOT NULL,
	reposts bigint NOT NULL,
	likes bigint NOT NULL,
	quotes bigint NOT NULL,
	bookmarks bigint NOT NULL,
	impressions bigint NOT NULL,
	note varchar(255),                  -- what could not be indexed; NULL if all was
	raw longblob NOT NULL,              -- the message as X sent it
	INDEX tweets_created_at (created_at),
	INDEX tweets_arrival (arrival),
	INDEX tweets_author (author_id, id),
	INDEX tweets_conversation (conversation_id),
	INDEX tweets_reposted (reposted_id),
	INDEX tweets_quoted (quoted_id),
	INDEX tweets_replied_to (replied_to_id),
	INDEX tweets_edit_of (edit_of)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- All users that X sent along, as they were in the newest message.
CREATE TABLE IF NOT EXISTS {prefix}users (
	id bigint PRIMARY KEY,
	text_id varchar(255),
	username varchar(255),
	name varchar(255),
	description mediumtext,
	location varchar(255),
	profile_image_url text,
	verified boolean NOT NULL,
	verified_type varchar(255),
	protected boolean NOT NULL,
	created_at datetime(6),
	followers bigint NOT NULL,
	following bigint NOT NULL,
	posts bigint NOT NULL,
	seen_at datetime(6) NOT NULL,
	INDEX users_username (username)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- The photos and videos of a Post, in its order.
CREATE TABLE IF NOT EXISTS {prefix}media (
	tweet_id bigint,
	position bigint,
	media_key varchar(255),
	type varchar(255),
	url text,
	preview_image_url text,
	alt_text mediumtext,
	width bigint NOT NULL,
	height bigint NOT NULL,
	duration_ms bigint NOT NULL,
	views bigint NOT NULL,
	seen_at datetime(6) NOT NULL,
	PRIMARY KEY (tweet_id, position)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS {prefix}rules (
	id bigint PRIMARY KEY,
	text_id varchar(255),
	tag varchar(255),
	value mediumtext,
	seen_at datetime(6) NOT NULL,
	INDEX rules_tag (tag)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Which Posts matched which rules.
CREATE TABLE IF NOT EXISTS {prefix}tweet_rules (
	rule_id bigint,
	tweet_id bigint,
	PRIMARY KEY (rule_id, tweet_id),
	INDEX tweet_rules_tweet (tweet_id)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- What was deleted and stays so: kind 0 is a Post, kind 1 an author.
CREATE TABLE IF NOT EXISTS {prefix}deleted (
	kind bigint,
	id bigint,
	PRIMARY KEY (kind, id)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
