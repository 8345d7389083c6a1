package tweetstream_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/tweetstream-go/tweetstream"
)

// several is an error of other errors, of which there may be none.
type several []error

func (s several) Error() string   { return "the server has refused the batch" }
func (s several) Unwrap() []error { return s }

// An error that holds no others speaks of the whole batch.
func TestErrorOfNoErrorsIsNoDelivery(t *testing.T) {
	for _, err := range []error{
		several(nil),
		fmt.Errorf("insert: %w", several(nil)),
		errors.Join(several(nil), &tweetstream.TweetError{ID: "1", Err: errDown}),
	} {
		t.Run("", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sink := recorder{}
				sink.fail = func(_ context.Context, call int, _ []*tweetstream.Tweet) error { return err }
				r := start(t, emitting(posts(1, 2)...), tweetstream.WithSink("s", &sink, tweetstream.Batch(2, 0)))
				after(time.Second / 10)
				if s := r.sink("s"); s.Delivered != 0 {
					t.Errorf("%T: %d count as delivered", err, s.Delivered)
				}
				r.stop()
			})
		})
	}
}

const quotedText = "confidential harbour festival announcement"

// The error of a batch may quote any of its Posts: no letter and no line holds it.
func TestErrorOfABatchQuotesNoOtherPost(t *testing.T) {
	for name, opts := range map[string][]tweetstream.SinkOption{
		"gave up":             {tweetstream.Batch(2, 0), tweetstream.GiveUp(time.Second)},
		"rejected one by one": {tweetstream.Batch(3, 0)},
	} {
		for _, dead := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					quote := func(text string) error { return errors.New("value too long: '" + text + "'") }
					sink := recorder{fail: func(_ context.Context, _ int, tweets []*tweetstream.Tweet) error {
						for _, tw := range tweets {
							if tw.ID == "2" {
								return quote(quotedText)
							}
						}
						if tweets[0].ID == "1" {
							return quote("something else entirely")
						}
						return nil
					}}
					var grave graveyard
					var log lines
					all := []tweetstream.Option{tweetstream.WithSink("s", &sink, opts...), tweetstream.WithLogger(log.logger())}
					if dead {
						all = append(all, tweetstream.WithDeadLetter(grave.bury))
					}
					tweets := []*tweetstream.Tweet{post(1, "a Post about nothing"), post(2, quotedText), post(3, "a third one, of sheep")}
					tweets = append(tweets, posts(4, 60)...)
					if name == "gave up" {
						tweets = []*tweetstream.Tweet{post(2, quotedText), post(1, "a Post about nothing")}
					}
					r := start(t, emitting(tweets...), all...)
					after(time.Hour)
					r.stop()
					if dead && len(grave.letters) == 0 {
						t.Errorf("%s: no letters", name)
					}
					for _, l := range grave.letters {
						if strings.Contains(l.Error, "harbour") {
							t.Errorf("%s: the letter of %s says %q", name, l.Tweet.ID, l.Error)
						}
					}
					if strings.Contains(log.String(), "harbour") {
						t.Errorf("%s: the log says\n%s", name, log.String())
					}
				})
			})
		}
	}
}

// Each letter has the error of its own tweet.
func TestLetterHasItsOwnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := recorder{fail: func(_ context.Context, _ int, tweets []*tweetstream.Tweet) error {
			switch {
			case len(tweets) > 1:
				return errDown
			case tweets[0].ID == "1" || tweets[0].ID == "2":
				return errors.New("cause-" + tweets[0].ID)
			}
			return nil
		}}
		var grave graveyard
		r := start(t, emitting(posts(1, 60)...), tweetstream.WithSink("s", &sink, tweetstream.Batch(3, 0)), tweetstream.WithDeadLetter(grave.bury))
		after(time.Hour)
		r.stop()
		if got := grave.ids("s", tweetstream.Rejected); len(got) != 2 {
			t.Errorf("rejected %v, want 1 and 2", got)
		}
		for _, l := range grave.letters {
			if want := "cause-" + l.Tweet.ID; l.Error != want {
				t.Errorf("letter of %s: error %q, want %q", l.Tweet.ID, l.Error, want)
			}
		}
	})
}

// An error of a dead letter is one to try again after, whatever it says.
func TestDeadLetterIsCalledAgainAfterAnyError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var grave graveyard
		calls := 0
		dead := func(ctx context.Context, letters []tweetstream.Letter) error {
			if calls++; calls == 1 {
				return backoff.Permanent(errors.New("full"))
			}
			return grave.bury(ctx, letters)
		}
		sink := recorder{fail: func(context.Context, int, []*tweetstream.Tweet) error { return tweetstream.Permanent(errDown) }}
		var m memory
		r := start(t, emitting(posts(1, 1)...), tweetstream.WithJournal(&m), tweetstream.WithSink("s", &sink), tweetstream.WithDeadLetter(dead))
		after(time.Minute)
		if got := grave.ids("s", tweetstream.Rejected); len(got) != 1 {
			t.Errorf("buried %v, want 1", got)
		}
		r.stop()
		if m.cursors["s"] != 1 {
			t.Errorf("cursor %d, want 1", m.cursors["s"])
		}
	})
}
