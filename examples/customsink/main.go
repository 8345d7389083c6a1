// Customsink shows how to write a sink: it counts the languages of Posts, and
// prints them as they come.
//
//	go run ./examples/customsink
//
// needs nothing: the Posts come from a simulated X. Ctrl-C ends it.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"os"
	"os/signal"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sources/xstream"
	"github.com/tweetstream-go/tweetstream/xtest"
)

// languages is the sink: whatever has this one method.
type languages map[string]int

// Deliver is handed one Post after the other: one at a time, unless the sink was
// plugged in with tweetstream.Batch. If it returns an error, the Streamer comes
// back with the same Post; tweetstream.Permanent says that this is no use.
func (l languages) Deliver(ctx context.Context, tweets []*tweetstream.Tweet) error {
	for _, t := range tweets {
		post, err := t.Content()
		if err != nil {
			return tweetstream.Permanent(err)
		}
		l[post.Lang]++
		fmt.Printf("%-3s @%s: %.120q\n", post.Lang, post.Author.Username, post.FullText)
	}
	return nil
}

func main() {
	n := flag.Int("n", 0, "end after this many Posts; 0 goes on until Ctrl-C")
	flag.Parse()
	if err := run(*n); err != nil {
		log.Fatal(err)
	}
}

func run(n int) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	x := xtest.NewServer(xtest.Rate(5))
	defer x.Close()
	source, err := xstream.New(xstream.Token("any"), xstream.BaseURL(x.URL),
		// For X itself: xstream.New(xstream.TokenFile("bearer.txt"),
		xstream.Rules(tweetstream.Rule{Tag: "coop", Value: "coop OR #coop"}))
	if err != nil {
		return err
	}

	// A sink that needs no type of its own can be a function.
	seen := 0
	enough := tweetstream.SinkFunc(func(context.Context, *tweetstream.Tweet) error {
		if seen++; seen == n {
			stop()
		}
		return nil
	})

	counts := languages{}
	streamer, err := tweetstream.New(source,
		tweetstream.WithSink("languages", counts),
		tweetstream.WithSink("enough", enough),
		tweetstream.WithLogger(slog.Default()), // says what fails
	)
	if err != nil {
		return err
	}
	err = streamer.Run(ctx)
	fmt.Println(counts) // when Run has returned, no Deliver is under way
	return err
}
