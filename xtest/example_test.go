package xtest_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sources/xstream"
	"github.com/tweetstream-go/tweetstream/xtest"
)

// A program under test gets the server's URL as the address of the API, and any
// token.
func ExampleNewServer() {
	x := xtest.NewServer()
	defer x.Close()

	do := func(method, path, body string) *http.Response {
		req, _ := http.NewRequest(method, x.URL+path, strings.NewReader(body))
		req.Header.Set("Authorization", "Bearer any")
		resp, err := x.Client().Do(req)
		if err != nil {
			panic(err)
		}
		return resp
	}
	rules := do("POST", "/2/tweets/search/stream/rules", `{"add":[{"value":"coop OR #coop","tag":"coop"}]}`)
	rules.Body.Close()
	stream := do("GET", "/2/tweets/search/stream", "")
	defer stream.Body.Close()

	x.Post(xtest.Post{Text: "nobody asked for this"})
	x.Post(xtest.Post{Text: "The #coop opens at nine", Author: "vellin"})

	line, _ := bufio.NewReader(stream.Body).ReadBytes('\n')
	var m struct {
		Data  struct{ Text string }
		Rules []struct{ Tag string } `json:"matching_rules"`
	}
	json.Unmarshal(line, &m)
	fmt.Println(rules.Status)
	fmt.Println(m.Rules[0].Tag, "-", m.Data.Text)
	// Output:
	// 201 Created
	// coop - The #coop opens at nine
}

// The next two attempts to connect find X overloaded, the third succeeds.
func ExampleServer_Fail() {
	x := xtest.NewServer()
	defer x.Close()

	x.Fail("/2/tweets/sample/stream", 2, xtest.Problem(http.StatusServiceUnavailable))
	for range 3 {
		req, _ := http.NewRequest("GET", x.URL+"/2/tweets/sample/stream", nil)
		req.Header.Set("Authorization", "Bearer any")
		resp, err := x.Client().Do(req)
		if err != nil {
			panic(err)
		}
		fmt.Println(resp.Status)
		resp.Body.Close()
	}
	// Output:
	// 503 Service Unavailable
	// 503 Service Unavailable
	// 200 OK
}

// authors is a sink under test: it counts who has posted.
type authors map[string]int

func (a authors) Deliver(ctx context.Context, tweets []*tweetstream.Tweet) error {
	for _, t := range tweets {
		post, err := t.Content()
		if err != nil {
			return tweetstream.Permanent(err)
		}
		a[post.Author.Username]++
	}
	return nil
}

// A sink of one's own is tested in a whole pipeline, from the wire on.
func ExampleRun() {
	x := xtest.NewServer(xtest.InMemory(), xtest.Rule("coop", "coop OR #coop"))
	defer x.Close()

	counts := authors{}
	stats, err := xtest.Run(context.Background(), x, func() {
		x.Post(xtest.Post{Text: "The #coop opens at nine", Author: "vellin"})
		x.Post(xtest.Post{Text: "nobody asked for this", Author: "tosk"})
		x.Post(xtest.Post{Text: "The coop is closed", Author: "vellin"})
	}, tweetstream.WithSink("authors", counts))
	fmt.Println(counts, stats.Sinks[0].Delivered, err)
	// Output: map[vellin:2] 2 <nil>
}

// On a bad day of X a sink gets each Post all the same: those of before, those that
// were missed, and those of after. Sinks of one's own are tried so.
func ExampleServer_Inject() {
	x := xtest.NewServer(xtest.InMemory(), xtest.Rule("coop", "coop -is:retweet"))
	defer x.Close()

	came := make(chan string)
	sink := tweetstream.SinkFunc(func(ctx context.Context, t *tweetstream.Tweet) error {
		post, err := t.Content()
		if err != nil {
			return tweetstream.Permanent(err)
		}
		came <- post.Text
		return nil
	})
	src, _ := xstream.New(xstream.Token("any"), xstream.BaseURL(x.URL), xstream.HTTPClient(x.Client()))
	s, _ := tweetstream.New(src, tweetstream.WithSink("mine", sink))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()

	if err := x.WaitConnected(ctx); err != nil {
		fmt.Println(err)
	}
	x.Post(xtest.Post{Text: "The coop opens at nine"})
	fmt.Println(<-came)
	if err := x.Inject("reset html@searchx1"); err != nil { // the stream is cut, and the first search fails
		fmt.Println(err)
	}
	x.Post(xtest.Post{Text: "The coop is closed"})
	fmt.Println(<-came)
	cancel()
	fmt.Println(<-ended)
	// Output:
	// The coop opens at nine
	// The coop is closed
	// <nil>
}
