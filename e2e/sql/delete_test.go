package sql_test

import (
	"bytes"
	"context"
	"database/sql"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinks/sqlsink"
)

func parse(t testing.TB, raw string) *tweetstream.Tweet {
	t.Helper()
	tw, err := tweetstream.ParseTweet([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return tw
}

func deliver(t testing.TB, s *sqlsink.Sink, raws ...string) {
	t.Helper()
	var all []*tweetstream.Tweet
	for _, raw := range raws {
		all = append(all, parse(t, raw))
	}
	if err := s.Deliver(context.Background(), all); err != nil {
		t.Fatal(err)
	}
}

func ids(t testing.TB, db *sql.DB) string {
	t.Helper()
	all, err := stored(db)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, tw := range all {
		names = append(names, tw.ID)
	}
	return strings.Join(names, " ")
}

func version(id int, chain string) string {
	return `{"data":{"id":"` + strconv.Itoa(id) + `","text":"v","edit_history_tweet_ids":[` + chain + `]}}`
}

// X deletes all versions of a Post with any of them, and none comes back.
func TestDeleteVersions(t *testing.T) {
	onEach(t, func(t *testing.T, e engine) {
		s, db := e.open(t, e.newDatabase(t))
		versions := []string{version(10, `"10"`), version(11, `"10","11"`), version(12, `"10","11","12"`)}
		deliver(t, s, append(slices.Clone(versions), version(9, `"9"`))...)
		if err := s.Delete(context.Background(), []string{"11"}); err != nil {
			t.Fatal(err)
		}
		if got := ids(t, db); got != "9" {
			t.Errorf("after the delete of a version there are %q, want %q", got, "9")
		}
		deliver(t, s, append(versions, version(13, `"10","11","12","13"`))...)
		if got := ids(t, db); got != "9" {
			t.Errorf("versions of a deleted Post come back: %q, want %q", got, "9")
		}
	})
}

// What a user wrote is in other Posts too, under ids that are texts or numbers.
func TestDeleteAuthor(t *testing.T) {
	const words = "words-that-must-go"
	author := `{"id":7007,"username":"gone","name":"` + words + `"}`
	original := func(id string) string {
		return `{"id":"` + id + `","author_id":7007,"text":"` + words + `"}`
	}
	onEach(t, func(t *testing.T, e engine) {
		dsn := e.newDatabase(t)
		s, db := e.open(t, dsn)
		all := []string{
			`{"data":{"id":"1","author_id":"7007","text":"` + words + `"},"includes":{"users":[{"id":"7007","username":"gone","name":"` + words + `"}]}}`,
			`{"data":{"id":"2","author_id":"8","text":"I quote","referenced_tweets":[{"type":"quoted","id":"1"}]},"includes":{"tweets":[` + original("1") + `],"users":[` + author + `]}}`,
			// Its original was never stored.
			`{"data":{"id":"3","author_id":"9","text":"RT @gone: ` + words + `","referenced_tweets":[{"type":"retweeted","id":"50"}]},"includes":{"posts":[` + original("50") + `]}}`,
			`{"data":{"id":"4","author_id":"70071","text":"another"}}`,
			`{"data":{"id":"5","author_id":"8","text":"I answer","referenced_tweets":[{"type":"replied_to","id":"51"}]},"includes":{"posts":[` + original("51") + `]}}`,
		}
		deliver(t, s, all...)
		for range 2 { // it stays so when all comes again
			if err := s.DeleteAuthor(context.Background(), []string{"7007"}); err != nil {
				t.Fatal(err)
			}
			if got := ids(t, db); got != "2 4 5" {
				t.Errorf("there are %q, want %q", got, "2 4 5")
			}
			posts, err := stored(db)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range posts {
				if bytes.Contains(p.Raw, []byte(words)) {
					t.Errorf("Post %s still has the author's words", p.ID)
				}
			}
			var users int
			if err := db.QueryRow("SELECT count(*) FROM users WHERE id = 7007").Scan(&users); err != nil || users != 0 {
				t.Errorf("users = %d, %v, want 0", users, err)
			}
			if e.dialect == sqlsink.SQLite {
				for _, end := range []string{"", "-wal"} {
					file, err := os.ReadFile(strings.TrimPrefix(dsn, "file:") + end)
					if err != nil && !os.IsNotExist(err) {
						t.Fatal(err)
					}
					if bytes.Contains(file, []byte(words)) {
						t.Errorf("the file%s still has the author's words", end)
					}
				}
			}
			deliver(t, s, all...)
		}
	})
}
