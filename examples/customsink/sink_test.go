package main

import (
	"os"
	"testing"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinktest"
	"github.com/tweetstream-go/tweetstream/xtest"
)

// quiet keeps what the sink prints out of the test's output.
func quiet(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	old := os.Stdout
	os.Stdout = null
	t.Cleanup(func() {
		os.Stdout = old
		null.Close()
	})
}

func TestLanguagesKeepTheContract(t *testing.T) {
	quiet(t)
	sinktest.Run(t, func(*testing.T) sinktest.Subject { return sinktest.Subject{Sink: languages{}} })
}

func TestLanguages(t *testing.T) {
	quiet(t)
	x := xtest.NewServer(xtest.InMemory())
	defer x.Close()
	counts := languages{}
	_, err := xtest.Run(t.Context(), x, func() {
		x.Post(xtest.Post{Text: "The coop opens at nine", Lang: "en"})
		x.Post(xtest.Post{Text: "Der coop ist zu", Lang: "de"})
		x.Post(xtest.Post{Text: "The coop is closed", Lang: "en"})
	}, tweetstream.WithSink("languages", counts))
	if err != nil || counts["en"] != 2 || counts["de"] != 1 {
		t.Errorf("languages %v, %v, want 2 en and 1 de", counts, err)
	}
}
