package deadletter_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/deadletter"
)

// A sink that refuses a Post: it goes to the dead letter. Package replay hands it
// to sinks again; here it is only read.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "dead")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "dead.ndjson")

	dead, err := deadletter.Open(path, deadletter.Logger(slog.Default()))
	if err != nil {
		log.Fatal(err)
	}
	refuses := tweetstream.SinkFunc(func(_ context.Context, t *tweetstream.Tweet) error {
		if t.ID == "2" {
			return tweetstream.Permanent(errors.New("the table has no room for it"))
		}
		return nil
	})
	s, err := tweetstream.New(posts(1, 3), // in a program, a source of xstream
		tweetstream.WithSink("pg", refuses),
		tweetstream.WithDeadLetter(dead.Keep),
	)
	if err != nil {
		log.Fatal(err)
	}
	if err := s.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
	if err := dead.Close(); err != nil {
		log.Fatal(err)
	}

	lines, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	for line := range bytes.Lines(lines) {
		l, err := deadletter.Parse(line)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s, sink %s: %s (%s)\n%s\n", l.Tweet.ID, l.Sink, l.Reason, l.Error, l.Tweet.Raw)
	}
	// Output:
	// 2, sink pg: rejected (the table has no room for it)
	// {"data":{"id":"2","text":"Hello"}}
}

func posts(from, to int) (s source) {
	for id := from; id <= to; id++ {
		t, err := tweetstream.ParseTweet(fmt.Appendf(nil, `{"data":{"id":"%d","text":"Hello"}}`, id))
		if err != nil {
			panic(err)
		}
		s = append(s, t)
	}
	return s
}
