package tweetstream_test

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/tweetstream-go/tweetstream"
)

func BenchmarkParseTweet(b *testing.B) {
	data, err := os.ReadFile(os.Getenv("TWEETSTREAM_SAMPLES"))
	if err != nil {
		b.Skip(err)
	}
	lines := bytes.Split(bytes.TrimSpace(data), []byte("\n"))
	for _, i := range []int{0, 16, 19, 49, 60, 23} {
		raw := lines[i]
		b.Run("tweetstream", func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := tweetstream.ParseTweet(raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	raw := lines[49]
	b.Run("encoding-json", func(b *testing.B) {
		b.SetBytes(int64(len(raw)))
		b.ReportAllocs()
		for b.Loop() {
			var v struct {
				Data           struct{ ID string }
				Matching_rules []struct{ ID, Tag string }
			}
			if err := json.Unmarshal(raw, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
}
