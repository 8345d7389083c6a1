package sql_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinks/sqlsink"
)

// Posts go into a file of SQLite and are asked for: by SQL, and in the order in which
// they came.
func Example() {
	dir, err := os.MkdirTemp("", "posts")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	sink, err := sqlsink.Open(ctx, sqliteDriver, "file:"+filepath.Join(dir, "posts.db"))
	if err != nil {
		log.Fatal(err)
	}
	defer sink.Close()
	var tweets []*tweetstream.Tweet
	for i, text := range []string{"the coop is open", "the coop is closed", "no more eggs"} {
		t, err := tweetstream.ParseTweet(fmt.Appendf(nil, `{"data":{"id":"%d","text":"%s"},"matching_rules":[{"id":"7","tag":"coop"}]}`, 20+i, text))
		if err != nil {
			log.Fatal(err)
		}
		tweets = append(tweets, t)
	}
	if err := sink.Deliver(ctx, tweets); err != nil { // which is the Streamer's to call
		log.Fatal(err)
	}
	if tweets, err = sink.Search(ctx, "COOP", 10); err != nil {
		log.Fatal(err)
	}
	for _, t := range tweets {
		fmt.Println(t.ID, t.Rules[0].Tag)
	}
	// Output:
	// 20 coop
	// 21 coop
}
