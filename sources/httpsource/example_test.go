package httpsource_test

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sources/httpsource"
)

// A server that takes Posts and shows them.
func Example() {
	src, err := httpsource.New()
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	show := tweetstream.SinkFunc(func(_ context.Context, t *tweetstream.Tweet) error {
		c, err := t.Content()
		if err != nil {
			return tweetstream.Permanent(err)
		}
		fmt.Println(c.Text)
		return nil
	})
	s, err := tweetstream.New(src, tweetstream.WithSink("show", show))
	if err != nil {
		log.Fatal(err)
	}

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/tweets", src)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute}
	go func() { _ = server.Serve(listener) }()
	defer server.Close()

	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()

	// Elsewhere, by hand: curl -H 'Content-Type: application/json' -d @post.json …
	post("http://"+listener.Addr().String()+"/tweets", `{"data": {"id": "1", "text": "Hello"}}`)

	stop()
	if err := <-ended; err != nil { // what was answered 204 is shown by then
		log.Fatal(err)
	}
	// Output: Hello
}

// post posts a message until it is taken: Run may not have begun yet.
func post(url, message string) {
	for {
		resp, err := http.Post(url, "application/json", strings.NewReader(message))
		if err != nil {
			log.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusNoContent {
			return
		}
	}
}

// A receiver that others than this machine itself reach wants to know who sends.
func ExampleAuthorize() {
	want := []byte("Bearer a-long-random-token-out-of-a-file")
	src, err := httpsource.New(
		httpsource.Hosts("posts.example.com"),
		httpsource.Authorize(func(r *http.Request) error {
			if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), want) != 1 {
				return errors.New("wrong token")
			}
			return nil
		}),
	)
	if err != nil {
		log.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, "https://posts.example.com/tweets", strings.NewReader(`{}`))
	if err != nil {
		log.Fatal(err)
	}
	var w printer
	src.ServeHTTP(&w, req)
	// Output: 401 {"error":"not authorized"}
}

// The webhooks of X, and those of another streamer, who signs with a secret that
// both have; while it is changed there are two of them in the file.
func ExampleSecret() {
	file := []byte("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\nwhsec_b3RoZXJvdGhlcm90aGVyb3RoZXJvdGhlcm90aGVy\n") // of os.ReadFile
	xSecret := "the-client-secret-of-the-app"                                                                  // of os.Getenv
	src, err := httpsource.New(
		httpsource.Hosts("posts.example.com"),
		httpsource.Secret(string(file)),
		httpsource.XWebhook(xSecret),
	)
	if err != nil {
		log.Fatal(err)
	}
	for _, url := range []string{"https://posts.example.com/x?crc_token=foo", "https://posts.example.com/x"} {
		method := http.MethodGet
		if !strings.Contains(url, "?") {
			method = http.MethodPost
		}
		req, err := http.NewRequest(method, url, strings.NewReader(`{}`))
		if err != nil {
			log.Fatal(err)
		}
		var w printer
		src.ServeHTTP(&w, req)
	}
	// Output:
	// 200 {"response_token":"sha256=3Yty/FfwbnYnbAIicLhR/LG7ulIE5g5mJiUpHE9x2Eg="}
	// 401 {"error":"webhook-id, webhook-timestamp or webhook-signature is missing, twice there or not well formed"}
}

// printer is an http.ResponseWriter that prints.
type printer struct{ header http.Header }

func (p *printer) Header() http.Header {
	if p.header == nil {
		p.header = http.Header{}
	}
	return p.header
}

func (p *printer) WriteHeader(status int) { fmt.Print(status, " ") }

func (p *printer) Write(b []byte) (int, error) {
	fmt.Printf("%s\n", bytes.TrimSpace(b))
	return len(b), nil
}
