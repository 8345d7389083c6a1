package replay_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sources/replay"
)

// A byte order mark at the beginning costs no Post, nor do line breaks of Windows.
func TestByteOrderMark(t *testing.T) {
	text := "\xef\xbb\xbf" + post(1)[:len(post(1))-1] + "\r\n" + post(2)
	src, err := replay.Open(file(t, text))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	err = src.Stream(t.Context(), nil, func(_ context.Context, tweets []*tweetstream.Tweet, _ []byte) error {
		for _, tw := range tweets {
			got = append(got, tw.ID)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"1", "2"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
