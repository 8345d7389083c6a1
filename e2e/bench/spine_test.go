// Package main_test measures the whole way of a Post, beside what others do with
// the same bytes.
package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"testing"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sources/xstream"
)

// posts is a stream of n Posts of 2.4 kB with ids from 1e18 on.
func posts(n int) []byte {
	filler := bytes.Repeat([]byte(`{"domain":{"id":"30","name":"Entities [Entity Service]"},"entity":{"id":"848920371311001600","name":"Technology"}},`), 18)
	var b bytes.Buffer
	for i := range n {
		b.WriteString(`{"data":{"author_id":"2244994945","context_annotations":[`)
		b.Write(filler[:len(filler)-1])
		b.WriteString(`],"created_at":"2026-08-12T07:20:17.000Z","id":"` + strconv.Itoa(1e18+i) + `","lang":"en","text":"the coop is \"open\", says https://t.co/abc"},"includes":{"users":[{"id":"2244994945","name":"Somebody","username":"somebody"}]},"matching_rules":[{"id":"1600000000000000001","tag":"news"}]}` + "\r\n")
	}
	return b.Bytes()
}

// once answers the first request for the stream with body, and the others with
// nothing until they are cancelled.
type once struct{ body []byte }

func (o *once) RoundTrip(req *http.Request) (*http.Response, error) {
	r, w := io.Pipe()
	context.AfterFunc(req.Context(), func() { w.CloseWithError(io.EOF) })
	resp := &http.Response{StatusCode: 200, Header: http.Header{}, Body: r, Request: req}
	if o.body != nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(o.body), r), r}
		o.body = nil
	}
	return resp, nil
}

type counter struct {
	n, of int
	done  func()
}

func (c *counter) Deliver(_ context.Context, tweets []*tweetstream.Tweet) error {
	if c.n += len(tweets); c.n == c.of {
		c.done()
	}
	return nil
}

// BenchmarkSpine is from the bytes of the stream to three sinks: read, parsed,
// repeats dropped, logged, delivered. An op is a Post.
func BenchmarkSpine(b *testing.B) {
	const n = 100_000
	stream := posts(n)
	b.Run("tweetstream-3-sinks", func(b *testing.B) {
		b.SetBytes(int64(len(stream) / n))
		b.ReportAllocs()
		for done := 0; done < b.N; done += n {
			budget := xstream.Budget(xstream.Reads{Day: 1e9}) // it counts, and never holds
			src, err := xstream.New(xstream.Token("t"), xstream.Sample(), budget, xstream.HTTPClient(&http.Client{Transport: &once{stream}}))
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			left := make(chan struct{}, 3)
			var opts []tweetstream.Option
			for _, name := range []string{"a", "b", "c"} {
				opts = append(opts, tweetstream.WithSink(name, &counter{of: n, done: func() { left <- struct{}{} }}, tweetstream.Batch(500, 0)))
			}
			opts = append(opts, tweetstream.WithBuffer(1<<30))
			s, err := tweetstream.New(src, opts...)
			if err != nil {
				b.Fatal(err)
			}
			go func() {
				for range 3 {
					<-left
				}
				cancel()
			}()
			if err := s.Run(ctx); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding-json-1-consumer", func(b *testing.B) {
		b.SetBytes(int64(len(stream) / n))
		b.ReportAllocs()
		for done := 0; done < b.N; done += n {
			d := json.NewDecoder(bytes.NewReader(stream))
			for range n {
				var m struct {
					Data struct {
						ID string `json:"id"`
					} `json:"data"`
					Rules []struct {
						ID  string `json:"id"`
						Tag string `json:"tag"`
					} `json:"matching_rules"`
				}
				if err := d.Decode(&m); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}
