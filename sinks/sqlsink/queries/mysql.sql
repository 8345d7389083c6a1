-- Latest by tag
SELECT id, created_at, text
FROM tweets
WHERE id IN (SELECT tweet_id FROM tweet_rules JOIN rules ON rules.id = rule_id WHERE tag = 'coop')
ORDER BY id DESC
LIMIT 20;

-- Posts a minute
SELECT date_format(created_at, '%Y-%m-%d %H:%i') AS minute, count(*) AS posts
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
CREATE FULLTEXT INDEX tweets_text ON tweets (text);

-- Full text
SELECT id, text
FROM tweets
WHERE MATCH (text) AGAINST ('+coop +open' IN BOOLEAN MODE)
ORDER BY id DESC
LIMIT 20;
