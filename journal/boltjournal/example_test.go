package boltjournal_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/journal/boltjournal"
)

// A Streamer whose log outlives the process.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "journal")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	j, err := boltjournal.Open(filepath.Join(dir, "journal"))
	if err != nil {
		log.Fatal(err)
	}
	printed := tweetstream.SinkFunc(func(_ context.Context, t *tweetstream.Tweet) error {
		fmt.Println(t.ID)
		return nil
	})
	// In a program, the source is one of xstream.
	src := source{{ID: "1", Raw: []byte(`{"data":{"id":"1"}}`)}, {ID: "2", Raw: []byte(`{"data":{"id":"2"}}`)}}
	s, err := tweetstream.New(src, tweetstream.WithJournal(j), tweetstream.WithSink("printed", printed))
	if err != nil {
		log.Fatal(err)
	}
	if err := s.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
	fmt.Println(j.Stats().Entries, "entries, of which", j.Stats().Cursors[0].Waiting, "wait")
	if err := j.Close(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 1
	// 2
	// 2 entries, of which 0 wait
}

// source emits what it holds, and ends.
type source []*tweetstream.Tweet

func (s source) Stream(ctx context.Context, _ []byte, emit tweetstream.Emit) error {
	return emit(ctx, s, nil)
}
