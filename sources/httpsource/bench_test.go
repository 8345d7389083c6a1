package httpsource_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sources/httpsource"
)

// From a request to the log, without the network. An op is a Post of 2.4 kB.
func BenchmarkServeHTTP(b *testing.B) {
	for _, size := range []int{1, 100, 1_000} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			src, err := httpsource.New()
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				_ = src.Stream(ctx, nil, func(context.Context, []*tweetstream.Tweet, []byte) error { return nil })
			}()
			defer func() { cancel(); <-ended }()
			msg := `{"data":{"id":"1","text":"` + strings.Repeat("x", 2_400-30) + `"}}`
			body, kind := strings.Repeat(msg+"\n", size), batch
			if size == 1 {
				body, kind = msg, one
			}
			r := httptest.NewRequest(http.MethodPost, "http://localhost/", nil)
			r.Header.Set("Content-Type", kind)
			r.ContentLength = int64(len(body))
			serve := func() int {
				w := httptest.NewRecorder()
				r.Body = reader{bytes.NewReader([]byte(body))}
				src.ServeHTTP(w, r)
				return w.Code
			}
			for serve() != http.StatusNoContent {
				runtime.Gosched() // Stream has not begun
			}
			b.SetBytes(int64(len(msg)))
			b.ReportAllocs()
			b.ResetTimer()
			for done := 0; done < b.N; done += size {
				if code := serve(); code != http.StatusNoContent {
					b.Fatal(code)
				}
			}
		})
	}
}

type reader struct{ *bytes.Reader }

func (reader) Close() error { return nil }
