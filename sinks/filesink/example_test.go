package filesink_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinks/filesink"
)

// An archive of the stream.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "archive")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "posts.ndjson")

	archive, err := filesink.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	// In a program, the source is one of xstream.
	src := source{
		parse(`{"data":{"id":"1","text":"Hello"}}`),
		parse(`{"data":{"id":"2","text":"again"}}`),
	}
	s, err := tweetstream.New(src, tweetstream.WithSink("archive", archive))
	if err != nil {
		log.Fatal(err)
	}
	if err := s.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
	if err := archive.Close(); err != nil {
		log.Fatal(err)
	}

	lines, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", lines)
	// Output:
	// {"data":{"id":"1","text":"Hello"}}
	// {"data":{"id":"2","text":"again"}}
}

func ExampleStdout() {
	src := source{parse(`{"data":{"id":"1","text":"Hello"}}`)}
	s, err := tweetstream.New(src, tweetstream.WithSink("stdout", filesink.Stdout()))
	if err != nil {
		log.Fatal(err)
	}
	if err := s.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output: {"data":{"id":"1","text":"Hello"}}
}
