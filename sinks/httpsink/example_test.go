package httpsink_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinks/httpsink"
)

// Each Post is posted on its own.
func Example() {
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		fmt.Println(r.Header.Get("Content-Type"), string(body))
		w.WriteHeader(http.StatusNoContent)
	}))
	defer receiver.Close()

	to, err := httpsink.New(receiver.URL + "/tweets")
	if err != nil {
		log.Fatal(err)
	}
	defer to.Close()
	// In a program, the source is one of xstream.
	src := source{
		parse(`{"data":{"id":"1","text":"Hello"}}`),
		parse(`{"data":{"id":"2","text":"again"}}`),
	}
	s, err := tweetstream.New(src, tweetstream.WithSink("http", to))
	if err != nil {
		log.Fatal(err)
	}
	if err := s.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// application/json {"data":{"id":"1","text":"Hello"}}
	// application/json {"data":{"id":"2","text":"again"}}
}

// Up to a hundred Posts in one request, and none waits for longer than a second.
func Example_batches() {
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		fmt.Printf("%s\n%s", r.Header.Get("Content-Type"), body)
	}))
	defer receiver.Close()

	to, err := httpsink.New(receiver.URL)
	if err != nil {
		log.Fatal(err)
	}
	defer to.Close()
	src := source{
		parse(`{"data":{"id":"1","text":"Hello"}}`),
		parse(`{"data":{"id":"2","text":"again"}}`),
	}
	s, err := tweetstream.New(src, tweetstream.WithSink("http", to, tweetstream.Batch(100, time.Second)))
	if err != nil {
		log.Fatal(err)
	}
	if err := s.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// application/x-ndjson
	// {"data":{"id":"1","text":"Hello"}}
	// {"data":{"id":"2","text":"again"}}
}

// Tokens go into a header; over plain http, only to this machine itself.
func ExampleHeader() {
	const token = "a-token-out-of-a-file"
	to, err := httpsink.New("https://posts.example.com/hook?key=value", httpsink.Header("Authorization", "Bearer "+token))
	fmt.Println(to, err)

	_, err = httpsink.New("http://posts.example.com/hook", httpsink.Header("Authorization", "Bearer "+token))
	fmt.Println(err)
	// Output:
	// https://posts.example.com/hook <nil>
	// httpsink: New: credentials (Authorization) go over https only, or over http to this machine itself
}

// Slack wants another body, and one message a second: several Posts go into each.
// The secret is in the path of the URL, which no error shows.
func ExampleEncode_slack() {
	encode := func(tweets []*tweetstream.Tweet) ([]byte, error) {
		var text strings.Builder
		for _, t := range tweets {
			c, err := t.Content()
			if err != nil {
				continue // no Post that could be shown
			}
			fmt.Fprintf(&text, "%s\n", c.FullText)
		}
		return json.Marshal(map[string]string{"text": text.String()})
	}
	to, err := httpsink.New("https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
		httpsink.Encode("application/json", encode), httpsink.MaxRate(1, time.Second))
	if err != nil {
		log.Fatal(err)
	}
	_ = tweetstream.WithSink("slack", to, tweetstream.Batch(20, 5*time.Second))
	fmt.Println(to)
	// Output: https://hooks.slack.com/services/T00000000/B00000000/[…]
}

// Discord takes 30 messages a minute, of 2,000 letters each, and pings whoever is
// mentioned unless it is told not to.
func ExampleEncode_discord() {
	encode := func(tweets []*tweetstream.Tweet) ([]byte, error) {
		var embeds []map[string]string
		for _, t := range tweets {
			if c, err := t.Content(); err == nil {
				embeds = append(embeds, map[string]string{"description": c.FullText})
			}
		}
		return json.Marshal(map[string]any{"embeds": embeds, "allowed_mentions": map[string]any{"parse": []string{}}})
	}
	to, err := httpsink.New("https://discord.com/api/webhooks/123456789012345678/the-token-of-the-webhook",
		httpsink.Encode("application/json", encode), httpsink.MaxRate(30, time.Minute))
	if err != nil {
		log.Fatal(err)
	}
	_ = tweetstream.WithSink("discord", to, tweetstream.Batch(10, 5*time.Second)) // ten embeds at most
	fmt.Println(to)
	// Output: https://discord.com/api/webhooks/123456789012345678/[…]
}

// Teams answers 200 with a text when it has not taken a message.
func ExampleClassify_teams() {
	to, err := httpsink.New("https://example.webhook.office.com/webhookb2/a-long-secret-of-the-channel",
		httpsink.Encode("application/json", func(tweets []*tweetstream.Tweet) ([]byte, error) {
			c, err := tweets[0].Content()
			if err != nil {
				return nil, tweetstream.Permanent(err)
			}
			return json.Marshal(map[string]string{"text": c.FullText})
		}),
		httpsink.MaxRate(1, time.Second),
		httpsink.Classify(func(_ *http.Response, answer []byte, err error) error {
			if err == nil && bytes.Contains(answer, []byte("error 429")) {
				return tweetstream.RetryAfter(errors.New("Teams takes no more at the moment"), 10*time.Second)
			}
			return err
		}))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(to)
	// Output: https://example.webhook.office.com/webhookb2/[…]
}

// What is signed can be told from what somebody else posts. The secret comes from a
// file or the environment, and stays out of the URL.
func ExampleSecret() {
	secret := "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" // of os.ReadFile or os.Getenv
	to, err := httpsink.New("https://posts.example.com/tweets", httpsink.Secret(secret))
	fmt.Println(to, err)
	// Output: https://posts.example.com/tweets <nil>
}
