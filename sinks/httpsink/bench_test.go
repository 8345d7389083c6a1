package httpsink_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tweetstream-go/tweetstream"
)

// Over loopback to a server that reads and answers 204; an op is a Post of
// 2.4 kB. Beside the sink, a loop by hand over net/http with the same batches.
// The calls are those of Parallel(n).
func BenchmarkDeliver(b *testing.B) {
	var conns atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusNoContent)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	raw := []byte(`{"data":{"id":"1","text":"` + strings.Repeat("x", 2_400-30) + `"}}`)
	for _, size := range []int{1, 100, 1_000} {
		batch := make([]*tweetstream.Tweet, size)
		for i := range batch {
			batch[i] = &tweetstream.Tweet{ID: "1", Raw: raw}
		}
		for _, parallel := range []int{1, 8} {
			bench := func(name string, deliver func() error) {
				b.Run(fmt.Sprintf("batch=%d/parallel=%d/%s", size, parallel, name), func(b *testing.B) {
					b.SetBytes(int64(len(raw)))
					b.ReportAllocs()
					conns.Store(0)
					var left atomic.Int64
					left.Store(int64(b.N))
					var calls sync.WaitGroup
					for range parallel {
						calls.Go(func() {
							for left.Add(-int64(size)) > -int64(size) {
								if err := deliver(); err != nil {
									b.Error(err)
									return
								}
							}
						})
					}
					calls.Wait()
					b.ReportMetric(float64(conns.Load()), "conns")
				})
			}
			s := sink(b, server.URL)
			bench("httpsink", func() error { return s.Deliver(b.Context(), batch) })
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
			bench("by-hand", func() error {
				kind := "application/json"
				var body bytes.Buffer
				body.Grow(size * (len(raw) + 1))
				body.Write(batch[0].Raw)
				if size > 1 {
					kind = "application/x-ndjson"
					body.WriteByte('\n')
					for _, t := range batch[1:] {
						body.Write(t.Raw)
						body.WriteByte('\n')
					}
				}
				resp, err := client.Post(server.URL, kind, &body)
				if err != nil {
					return err
				}
				defer resp.Body.Close()
				_, err = io.Copy(io.Discard, resp.Body)
				return err
			})
			client.CloseIdleConnections()
		}
	}
}
