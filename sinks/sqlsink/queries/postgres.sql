-- Latest by tag
SELECT id, created_at, text
FROM tweets
WHERE id IN (SELECT tweet_id FROM tweet_rules JOIN rules ON rules.id = rule_id WHERE tag = 'coop')
ORDER BY id DESC
LIMIT 20;

-- Posts a minute
SELECT date_trunc('minute', created_at) AS minute, count(*) AS posts
FROM tweets
GROUP BY minute
ORDER BY minute;

-- Top authors
SELECT username, count(*) AS posts
FROM tweets JOIN users ON users.id = author_id
GROUP BY username
ORDER BY posts DESC, username
LIMIT 10;

-- An index for full text, once
CREATE INDEX tweets_text ON tweets USING gin (to_tsvector('simple', text));

-- Full text
SELECT id, text
FROM tweets
WHERE to_tsvector('simple', text) @@ websearch_to_tsquery('simple', 'coop open')
ORDER BY id DESC
LIMIT 20;
