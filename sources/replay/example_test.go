package replay_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/deadletter"
	"github.com/tweetstream-go/tweetstream/sources/replay"
)

// A database was down for too long; now it gets what went to the dead letter
// meanwhile.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "replay")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "dead.ndjson")
	if err := fill(path); err != nil {
		log.Fatal(err)
	}

	src, err := replay.Open(path, replay.Sink("pg"))
	if err != nil {
		log.Fatal(err)
	}
	pg := tweetstream.SinkFunc(func(_ context.Context, t *tweetstream.Tweet) error {
		fmt.Printf("%s\n", t.Raw)
		return nil
	})
	s, err := tweetstream.New(src, tweetstream.WithSink("pg", pg))
	if err != nil {
		log.Fatal(err)
	}
	if err := s.Run(context.Background()); err != nil { // returns when all is delivered
		log.Fatal(err)
	}
	st := src.Stats()
	fmt.Printf("%d Posts, %d letters of other sinks, %d lines that can't be read\n", st.Tweets, st.Others, st.Malformed+st.Oversized)
	// Output:
	// {"data":{"id":"1","text":"Hello"}}
	// {"data":{"id":"3","text":"Hello"}}
	// 2 Posts, 1 letters of other sinks, 0 lines that can't be read
}

// fill makes a dead-letter file. In a program, it is what WithDeadLetter has kept.
func fill(path string) error {
	dead, err := deadletter.Open(path)
	if err != nil {
		return err
	}
	for i, sink := range []string{"pg", "hub", "pg"} {
		t, err := tweetstream.ParseTweet(fmt.Appendf(nil, `{"data":{"id":"%d","text":"Hello"}}`, i+1))
		if err != nil {
			return err
		}
		letter := tweetstream.Letter{Tweet: t, Sink: sink, Reason: tweetstream.GaveUp}
		if err := dead.Keep(context.Background(), []tweetstream.Letter{letter}); err != nil {
			return err
		}
	}
	return dead.Close()
}
