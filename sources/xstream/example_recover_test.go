package xstream_test

import (
	"context"
	"fmt"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sources/xstream"
)

// At most 10,000 Posts a day and 100,000 in a billing cycle, which begins on the
// 18th, are read; a gap may cost another 500 of them.
func ExampleBudget() {
	src, err := xstream.New(xstream.TokenFile("bearer.txt"),
		xstream.Rules(tweetstream.Rule{Tag: "coop", Value: "(coop OR #coop) -is:retweet"}),
		xstream.Budget(xstream.Reads{Day: 10_000, Month: 100_000}),
		xstream.CycleDay(18),
		xstream.Recover(10*time.Minute, 500),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	st := src.Stats()
	fmt.Printf("read %d of %d Posts today, for $%.2f\n", st.Read.Day, st.Budget.Day, st.Cost)
	// Output: read 0 of 10000 Posts today, for $0.00
}

// What a log line has named as a gap is filled by a source that ends.
func ExampleSource_Recovery() {
	src, err := xstream.New(xstream.TokenFile("bearer.txt"), xstream.Recover(time.Hour, 2000))
	if err != nil {
		fmt.Println(err)
		return
	}
	until := time.Now()
	s, err := tweetstream.New(src.Recovery(until.Add(-time.Hour), until), tweetstream.WithSink("mine", tweetstream.SinkFunc(show)))
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = s // err = s.Run(ctx)
}

func show(_ context.Context, t *tweetstream.Tweet) error {
	fmt.Println(t.ID, t.Recovered)
	return nil
}
