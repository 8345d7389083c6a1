package sqlsink

import (
	"context"
	"strings"

	"github.com/tweetstream-go/tweetstream"
)

// Statements are those of Deliver, with two rows where a statement takes several.
func Statements(d Dialect, prefix string) string {
	var all []string
	for _, t := range []*table{tweetsTable, usersTable, mediaTable, rulesTable, tweetRulesTable} {
		switch d {
		case Postgres:
			all = append(all, t.insertPostgres(prefix))
		case MySQL:
			all = append(all, t.insertMySQL(prefix, 2))
		case SQLite:
			all = append(all, t.insertSQLite(prefix))
		}
	}
	return strings.Join(all, ";\n\n") + ";\n"
}

// WithoutSecrets is what is left of a driver's text beside a DSN.
func WithoutSecrets(dsn, text string) string { return (&Sink{dsn: dsn}).withoutSecrets(text) }

// Failure is what Deliver returns for a driver's error.
func Failure(err error) error { return (&Sink{}).failure(context.Background(), "deliver", err, nil) }

// Parts are the numbers of posts that go into the database at a time, of messages so long.
func Parts(sizes []int) (parts []int) {
	posts := make([]post, len(sizes))
	for i, n := range sizes {
		posts[i].Tweet = &tweetstream.Tweet{Raw: make([]byte, n)}
	}
	for _, p := range inParts(posts) {
		parts = append(parts, len(p.posts))
	}
	return parts
}

// Decode decodes the posts of tweets, and counts those that it yields until it has had
// so many. At one without an id decode panics.
func Decode(tweets []*tweetstream.Tweet, max int) (yielded int) {
	posts := make([]post, len(tweets))
	for i, t := range tweets {
		posts[i].Tweet = t
	}
	parts := inParts(posts)
	for i, t := range tweets {
		if t.ID == "" {
			posts[i].Tweet = nil
		}
	}
	a := decodeAhead(parts)
	defer a.stop()
	for part := range a.all() {
		if yielded += len(part); yielded >= max {
			break
		}
	}
	return yielded
}
