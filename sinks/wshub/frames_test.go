package wshub_test

import (
	"bytes"
	"strconv"
	"testing"

	"github.com/gobwas/ws"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinks/wshub"
)

// The headers of frames are those of package ws.
func TestHeader(t *testing.T) {
	for _, n := range []int64{0, 1, 125, 126, 127, 255, 256, 65535, 65536, 1 << 20, 1<<32 + 1} {
		h := ws.Header{Fin: true, OpCode: ws.OpText, Length: n}
		var want bytes.Buffer
		if err := ws.WriteHeader(&want, h); err != nil {
			t.Fatal(err)
		}
		if got := wshub.AppendHeader(nil, h); !bytes.Equal(got, want.Bytes()) {
			t.Errorf("appendHeader(%d) = % x, want % x", n, got, want.Bytes())
		}
	}
}

// BenchmarkDeliver is what a message costs before the first viewer.
func BenchmarkDeliver(b *testing.B) {
	hub, err := wshub.New()
	if err != nil {
		b.Fatal(err)
	}
	raw := tweet(1, 2400, "news")
	b.SetBytes(2400)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		t := &tweetstream.Tweet{ID: strconv.Itoa(i), Raw: raw.Raw, Rules: raw.Rules}
		if err := hub.Deliver(b.Context(), []*tweetstream.Tweet{t}); err != nil {
			b.Fatal(err)
		}
	}
}
