package deadletter_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/deadletter"
)

// What Keep has taken, Parse reads: or Keep must not say that it is kept.
func TestWhateverIsKeptComesBack(t *testing.T) {
	for _, id := range []string{"käfer-1", "two words", strings.Repeat("9", 300), "a\nb"} {
		path := t.TempDir() + "/dead"
		f := open(t, path)
		l := tweetstream.Letter{Tweet: &tweetstream.Tweet{ID: id, Raw: []byte(`{"data":{"id":"1"}}`)}, Reason: tweetstream.Rejected}
		if err := f.Keep(t.Context(), []tweetstream.Letter{l}); err != nil {
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := deadletter.Parse(bytes.TrimSpace(data))
		if err != nil || got.Tweet.ID != id {
			t.Errorf("%.20q was kept, and is read as: %v", id, err)
		}
	}
}
