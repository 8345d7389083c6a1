package tweetstream_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/tweetstream-go/tweetstream"
)

// threePosts stands for a source such as xstream.
var threePosts = ending(
	post(1, "the coop opens at nine"),
	post(2, "RT if you like eggs"),
	post(3, "the coop is closed"),
)

func Example() {
	print := tweetstream.SinkFunc(func(ctx context.Context, t *tweetstream.Tweet) error {
		c, err := t.Content()
		if err != nil {
			return tweetstream.Permanent(err)
		}
		fmt.Println(t.ID, c.FullText)
		return nil
	})
	s, err := tweetstream.New(threePosts,
		tweetstream.WithSink("print", print),
		tweetstream.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, nil))),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := s.Run(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 1 the coop opens at nine
	// 2 RT if you like eggs
	// 3 the coop is closed
}

// eggs is a sink of a program's own. It takes whole batches.
type eggs struct{ n int }

func (e *eggs) Deliver(ctx context.Context, tweets []*tweetstream.Tweet) error {
	for _, t := range tweets {
		if strings.Contains(string(t.Raw), "eggs") {
			e.n++
		}
	}
	return nil
}

func ExampleSink() {
	var counter eggs
	s, err := tweetstream.New(threePosts, tweetstream.WithSink("eggs", &counter, tweetstream.Batch(100, 0)))
	if err != nil {
		fmt.Println(err)
		return
	}
	err = s.Run(context.Background())
	fmt.Println(counter.n, err)
	// Output: 1 <nil>
}

func ExampleTransform() {
	shout := func(_ context.Context, t *tweetstream.Tweet) (*tweetstream.Tweet, error) {
		return t.WithRaw([]byte(strings.ReplaceAll(string(t.Raw), "coop", "COOP"))), nil
	}
	noReposts := tweetstream.Keep(func(t *tweetstream.Tweet) bool {
		c, err := t.Content()
		return err != nil || !strings.HasPrefix(c.Text, "RT ")
	})
	print := tweetstream.SinkFunc(func(_ context.Context, t *tweetstream.Tweet) error {
		c, err := t.Content()
		if err == nil {
			fmt.Println(c.Text)
		}
		return err
	})
	s, err := tweetstream.New(threePosts, tweetstream.WithTransform(noReposts, shout), tweetstream.WithSink("print", print))
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = s.Run(context.Background())
	// Output:
	// the COOP opens at nine
	// the COOP is closed
}

func ExampleWithDeadLetter() {
	picky := tweetstream.SinkFunc(func(_ context.Context, t *tweetstream.Tweet) error {
		if t.ID == "2" {
			return tweetstream.Permanent(errors.New("no reposts, please"))
		}
		return nil
	})
	keep := func(_ context.Context, letters []tweetstream.Letter) error {
		for _, l := range letters {
			fmt.Printf("sink %s, tweet %s: %s: %s\n", l.Sink, l.Tweet.ID, l.Reason, l.Error)
		}
		return nil
	}
	s, err := tweetstream.New(threePosts, tweetstream.WithSink("picky", picky), tweetstream.WithDeadLetter(keep))
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = s.Run(context.Background())
	stats := s.Stats().Sinks[0]
	fmt.Println(stats.Delivered, "delivered,", stats.Lost[tweetstream.Rejected], "rejected")
	// Output:
	// sink picky, tweet 2: rejected: no reposts, please
	// 2 delivered, 1 rejected
}

func ExampleNot() {
	src := ending(
		raw(`{"data":{"id":"1","lang":"en","text":"the coop opens at nine"}}`),
		raw(`{"data":{"id":"2","lang":"en","text":"RT @coop: the coop …","referenced_tweets":[{"type":"retweeted","id":"1"}]}}`),
		raw(`{"data":{"id":"3","lang":"en","text":"not for all","possibly_sensitive":true}}`),
		raw(`{"data":{"id":"4","lang":"de","text":"ein Ei"}}`),
	)
	print := tweetstream.SinkFunc(func(ctx context.Context, t *tweetstream.Tweet) error {
		c, err := t.Content()
		if err != nil {
			return tweetstream.Permanent(err)
		}
		fmt.Println(t.ID, c.FullText)
		return nil
	})
	s, err := tweetstream.New(src,
		// For all sinks: no reposts, and nothing to see of what is sensitive.
		tweetstream.WithTransform(tweetstream.Not(tweetstream.Reposts), tweetstream.MaskSensitive),
		// For this sink alone.
		tweetstream.WithSink("english", print, tweetstream.Through(tweetstream.Languages("en"))),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := s.Run(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 1 the coop opens at nine
	// 3 [sensitive]
}
