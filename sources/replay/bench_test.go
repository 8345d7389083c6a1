package replay_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/tweetstream-go/tweetstream"
)

// Each operation is one line of 2.4 kB, read and parsed.
func BenchmarkStream(b *testing.B) {
	const lines = 10_000
	var archive strings.Builder
	letters := make([]tweetstream.Letter, lines)
	for id := range lines {
		text := fmt.Sprintf(`{"data":{"id":"%d","text":"%s"}}`, id+1, strings.Repeat("x", 2_360))
		archive.WriteString(text + "\n")
		t, err := tweetstream.ParseTweet([]byte(text))
		if err != nil {
			b.Fatal(err)
		}
		letters[id] = tweetstream.Letter{Tweet: t, Sink: "pg", Reason: tweetstream.GaveUp}
	}
	for name, text := range map[string]string{"archive": archive.String(), "letters": bury(b, letters...), "gzip": compressed(archive.String())} {
		b.Run(name, func(b *testing.B) {
			path := file(b, text)
			b.ReportAllocs()
			b.SetBytes(int64(archive.Len() / lines))
			for left := b.N; left > 0; left -= lines {
				s := open(b, path)
				if err := s.Stream(b.Context(), nil, func(context.Context, []*tweetstream.Tweet, []byte) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
