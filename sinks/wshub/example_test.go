package wshub_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinks/wshub"
)

// A hub behind a web server, and a viewer of one tag.
func Example() {
	hub, err := wshub.New()
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/feed", hub)
	server := httptest.NewServer(mux) // in a program: http.ListenAndServe("127.0.0.1:8080", mux)
	defer server.Close()

	conn, _, _, err := ws.Dial(context.Background(), strings.Replace(server.URL, "http", "ws", 1)+"/feed?tag=news")
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()

	// In a program, the source is one of xstream.
	src := posts{
		`{"data":{"id":"1","text":"Hello"},"matching_rules":[{"id":"7","tag":"news"}]}`,
		`{"data":{"id":"2","text":"a goal"},"matching_rules":[{"id":"8","tag":"sport"}]}`,
		`{"data":{"id":"3","text":"again"},"matching_rules":[{"id":"7","tag":"news"}]}`,
	}
	s, err := tweetstream.New(src, tweetstream.WithSink("hub", hub))
	if err != nil {
		log.Fatal(err)
	}
	if err := s.Run(context.Background()); err != nil {
		log.Fatal(err)
	}

	for range 2 {
		message, err := wsutil.ReadServerText(conn)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s\n", message)
	}
	// Output:
	// {"data":{"id":"1","text":"Hello"},"matching_rules":[{"id":"7","tag":"news"}]}
	// {"data":{"id":"3","text":"again"},"matching_rules":[{"id":"7","tag":"news"}]}
}

// A hub for a page of another host, and for those who know a token.
func ExampleAuthorize() {
	_, err := wshub.New(
		wshub.Hosts("feed.example.com"),
		wshub.Origins("https://example.com"),
		wshub.Authorize(func(r *http.Request) error {
			if cookie, err := r.Cookie("session"); err != nil || !known(cookie.Value) {
				return errors.New("no session")
			}
			return nil
		}),
	)
	fmt.Println(err)
	// Output: <nil>
}

func known(session string) bool { return session != "" }

// posts is a source that ends by itself.
type posts []string

func (p posts) Stream(ctx context.Context, _ []byte, emit tweetstream.Emit) error {
	for _, raw := range p {
		t, err := tweetstream.ParseTweet([]byte(raw))
		if err != nil {
			return err
		}
		if err := emit(ctx, []*tweetstream.Tweet{t}, nil); err != nil {
			return err
		}
	}
	return nil
}
