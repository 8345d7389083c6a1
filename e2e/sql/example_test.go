package sql_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinks/sqlsink"
)

// Posts go into a file of SQLite and are found again by words of their texts.
func Example() {
	withPosts(func(ctx context.Context, sink *sqlsink.Sink, _ *sql.DB) {
		tweets, err := sink.Search(ctx, "COOP is", 10)
		if err != nil {
			log.Fatal(err)
		}
		for _, t := range tweets {
			fmt.Println(t.ID, t.Rules[0].Tag)
		}
	})
	// Output:
	// 20 coop
	// 21 coop
}

// The newest Posts of a rule, by its tag.
func Example_latestByTag() {
	ask("Latest by tag")
	// Output:
	// 21 | 2026-03-01 12:00:45 | the coop is closed
	// 20 | 2026-03-01 12:00:00 | the coop is open
}

// How many Posts there were in each minute.
func Example_postsAMinute() {
	ask("Posts a minute")
	// Output:
	// 2026-03-01 12:00 | 2
	// 2026-03-01 12:01 | 1
}

// Who has written most.
func Example_topAuthors() {
	ask("Top authors")
	// Output:
	// ann | 2
	// bo | 1
}

// withPosts calls f with a database of three Posts.
func withPosts(f func(ctx context.Context, sink *sqlsink.Sink, db *sql.DB)) {
	dir, err := os.MkdirTemp("", "posts")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx, path := context.Background(), "file:"+filepath.Join(dir, "posts.db")
	sink, err := sqlsink.Open(ctx, sqliteDriver, path)
	if err != nil {
		log.Fatal(err)
	}
	defer sink.Close()
	begin := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var tweets []*tweetstream.Tweet
	for i, p := range []struct{ text, author, name, tag string }{
		{"the coop is open", "1", "ann", "coop"}, {"the coop is closed", "2", "bo", "coop"}, {"no more eggs", "1", "ann", "eggs"},
	} {
		t, err := tweetstream.ParseTweet(fmt.Appendf(nil, `{"data":{"id":"%d","created_at":"%s","author_id":"%[4]s","text":"%[3]s"},`+
			`"includes":{"users":[{"id":"%[4]s","username":"%[5]s"}]},"matching_rules":[{"id":"%[6]d","tag":"%[7]s"}]}`,
			20+i, begin.Add(time.Duration(i)*45*time.Second).Format("2006-01-02T15:04:05.000Z"), p.text, p.author, p.name, len(p.tag)+i/2, p.tag))
		if err != nil {
			log.Fatal(err)
		}
		tweets = append(tweets, t)
	}
	if err := sink.Deliver(ctx, tweets); err != nil { // which is the Streamer's to call
		log.Fatal(err)
	}
	db, err := sql.Open(sqliteDriver, path)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	f(ctx, sink, db)
}

// ask asks what the file queries/sqlite.sql has under these titles, and prints the
// rows of the last.
func ask(titles ...string) {
	withPosts(func(ctx context.Context, _ *sqlsink.Sink, db *sql.DB) {
		file, err := os.ReadFile("../../sinks/sqlsink/queries/sqlite.sql")
		if err != nil {
			log.Fatal(err)
		}
		for i, title := range titles {
			_, text, _ := strings.Cut(string(file), "-- "+title+"\n")
			text, _, _ = strings.Cut(text, "\n-- ")
			if i+1 < len(titles) {
				if _, err := db.ExecContext(ctx, text); err != nil {
					log.Fatal(err)
				}
				continue
			}
			rows, err := db.QueryContext(ctx, text)
			if err != nil {
				log.Fatal(err)
			}
			defer rows.Close()
			columns, err := rows.Columns()
			if err != nil {
				log.Fatal(err)
			}
			for rows.Next() {
				values, into := make([]string, len(columns)), make([]any, len(columns))
				for i := range values {
					into[i] = &values[i]
				}
				if err := rows.Scan(into...); err != nil {
					log.Fatal(err)
				}
				fmt.Println(strings.Join(values, " | "))
			}
			if err := rows.Err(); err != nil {
				log.Fatal(err)
			}
		}
	})
}
