package sqlsink_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"strings"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinks/sqlsink"
	"github.com/tweetstream-go/tweetstream/sources/xstream"
)

// The driver is imported by the program, as _ "github.com/jackc/pgx/v5/stdlib".
func ExampleOpen() {
	ctx := context.Background()
	sink, err := sqlsink.Open(ctx, "pgx", "postgres://me@localhost/posts", sqlsink.Prefix("x_"))
	if err != nil {
		log.Fatal(err)
	}
	defer sink.Close()
	source, err := xstream.New(xstream.TokenFile("bearer.txt"), xstream.Rules(tweetstream.Rule{Tag: "coop", Value: "coop OR #coop"}))
	if err != nil {
		log.Fatal(err)
	}
	s, err := tweetstream.New(source, tweetstream.WithSink("sql", sink))
	if err != nil {
		log.Fatal(err)
	}
	if err := s.Run(ctx); err != nil {
		log.Fatal(err)
	}
}

// A pool of the program's own serves for its questions too.
func ExampleNew() {
	ctx := context.Background()
	db, err := sql.Open("mysql", "me@tcp(localhost)/posts")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	sink, err := sqlsink.New(ctx, db, sqlsink.MySQL)
	if err != nil {
		log.Fatal(err)
	}
	posts, err := sink.Search(ctx, "coop open", 20)
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range posts {
		fmt.Println(p.ID)
	}
}

// For those who make the tables by themselves.
func ExampleSchema() {
	text, err := sqlsink.Schema(sqlsink.SQLite)
	if err != nil {
		log.Fatal(err)
	}
	table, _, _ := strings.Cut(text, "\n")
	fmt.Println(table)
	// Output: CREATE TABLE tweetstream_schema (version bigint NOT NULL);
}
