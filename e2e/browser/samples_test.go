package browser_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream"
)

// Real messages are shown, each with its whole text, and nothing in them becomes an
// element.
func TestSamplesInThePage(t *testing.T) {
	needBrowser(t)
	path := os.Getenv("TWEETSTREAM_SAMPLES")
	if path == "" {
		t.Skip("TWEETSTREAM_SAMPLES names no file of real messages")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, freeAddr(t), "--receive")
	b := open(t, s.url, s.url+"/")
	b.until("it is live", live)
	ids := map[string]bool{}
	for line := range strings.Lines(string(data)) {
		tweet, err := tweetstream.ParseTweet([]byte(strings.TrimRight(line, "\n")))
		if err != nil {
			t.Fatal(err)
		}
		if status := s.post(t, string(tweet.Raw)); status != 204 {
			t.Fatalf("status %d", status)
		}
		if c, err := tweet.Content(); err == nil && c.ID != "" {
			ids[tweet.ID] = true
		}
	}
	b.until("all are shown", fmt.Sprintf("%s === %d", posts, len(ids)))
	if n := eval[int](b, `document.querySelectorAll('.posts script, .posts img, .posts iframe, .posts style, .posts a:not([href^="https://"])').length`); n != 0 {
		t.Errorf("%d elements come out of Posts", n)
	}
	if n := eval[int](b, `[...document.querySelectorAll('.column .posts > li')].filter((li) => !li.querySelector('.text, .media, .quoted, .poll') || !li.querySelector('.who .name').textContent).length`); n != 0 {
		t.Errorf("%d Posts are shown without their content or author", n)
	}
	b.js(texts)
	if diff := cmp.Diff([]string{}, eval[[]string](b, `fetch('/posts?limit=200').then((r) => r.json()).then((a) => odd(a.posts))`)); diff != "" {
		t.Errorf("not shown as text (-want +got):\n%.3000s", diff)
	}
	t.Logf("%d Posts", len(ids))
}
