package httpsource_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sources/httpsource"
)

// What is answered 204 is stored as JSON, one line each; of all else nothing is
// stored.
func FuzzBody(f *testing.F) {
	f.Add([]byte(message(1)), false)
	f.Add([]byte(message(1)+"\n"+message(2)+"\r\n\n"), true)
	f.Add([]byte("{\n\"data\":{\"id\":\"1\",\"text\":\"\xff\"}}"), false)
	f.Add([]byte(`{"data":{"id":"1","id":"2"},"data":{}}`+"\n"+`{"data":{"id":17}}`), true)
	f.Add([]byte("["+message(1)+",\n"+message(2)+"]"), false)
	f.Add([]byte("[{\"data\":{\"id\":\"1\"}},{}] "), false)
	f.Add([]byte("\u00a0{}\u0085\n\x00"), true)
	src, err := httpsource.New(httpsource.MaxMessage(1_000), httpsource.MaxBatch(3_000))
	if err != nil {
		f.Fatal(err)
	}
	var stored []*tweetstream.Tweet
	go func() {
		_ = src.Stream(f.Context(), nil, func(_ context.Context, tweets []*tweetstream.Tweet, _ []byte) error {
			stored = tweets
			return nil
		})
	}()
	post := func(body []byte, kind string) int {
		r := httptest.NewRequest(http.MethodPost, "http://localhost/", bytes.NewReader(body))
		r.Header.Set("Content-Type", kind)
		w := httptest.NewRecorder()
		stored = nil
		src.ServeHTTP(w, r)
		return w.Code
	}
	for post([]byte(message(1)), one) != http.StatusNoContent {
		runtime.Gosched() // Stream has not begun
	}
	f.Fuzz(func(t *testing.T, body []byte, many bool) {
		kind := one
		if many {
			kind = batch
		}
		switch status := post(body, kind); status {
		case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
			if len(stored) > 0 {
				t.Errorf("%d, and %d stored", status, len(stored))
			}
		case http.StatusNoContent:
			want := 1
			var array []json.RawMessage
			if json.Unmarshal(body, &array) == nil {
				want = len(array)
			}
			if many {
				want = 0
				for line := range bytes.Lines(body) {
					if len(bytes.TrimSpace(line)) > 0 {
						want++
					}
				}
			}
			if len(stored) != want || want == 0 {
				t.Errorf("%d stored, want %d", len(stored), want)
			}
			for _, tw := range stored {
				if !json.Valid(tw.Raw) || bytes.ContainsAny(tw.Raw, "\r\n") || tw.ID == "" || tw.Received.IsZero() {
					t.Errorf("stored: %+v", tw)
				}
			}
		default:
			t.Errorf("answered %d", status)
		}
	})
}
