-- Latest by tag
SELECT id, datetime(created_at / 1000000, 'unixepoch') AS created_at, text
FROM tweets
WHERE id IN (SELECT tweet_id FROM tweet_rules JOIN rules ON rules.id = rule_id WHERE tag = 'coop')
ORDER BY id DESC
LIMIT 20;

-- Posts a minute
SELECT strftime('%Y-%m-%d %H:%M', created_at / 1000000, 'unixepoch') AS minute, count(*) AS posts
FROM tweets
GROUP BY minute
ORDER BY minute;

-- Top authors
SELECT username, count(*) AS posts
FROM tweets JOIN users ON users.id = author_id
GROUP BY username
ORDER BY posts DESC, username
LIMIT 10;

-- An index for full text, once; after new Posts 'rebuild' brings it up to date
CREATE VIRTUAL TABLE tweets_text USING fts5(text, content = 'tweets', content_rowid = 'id');
INSERT INTO tweets_text (tweets_text) VALUES ('rebuild');

-- Full text
SELECT id, text
FROM tweets
WHERE id IN (SELECT rowid FROM tweets_text WHERE tweets_text MATCH 'coop open')
ORDER BY id DESC
LIMIT 20;
