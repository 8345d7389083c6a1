package httpsink_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
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
