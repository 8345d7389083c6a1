package main_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tweetstream-go/tweetstream/xtest"
)

// With --backfill the stream is opened with the minutes that it is to bring again,
// and search is not asked.
func TestBackfill(t *testing.T) {
	x := newServer(t, xtest.Rule("coop", "coop OR #coop"))
	dir := t.TempDir()
	out := filepath.Join(dir, "out.ndjson")
	p := start(t, "--api-url", x.URL, "--backfill", "5m", "--to", "file:"+out)
	has := func(id string) func() bool {
		return func() bool { return strings.Contains(string(read(t, out)), id) }
	}
	p.eventually("the stream is there", func() bool { return x.Stats().Connected == 1 })
	first := x.Post(xtest.Post{Text: "coop one"})
	p.eventually("a Post is in the file", has(first))
	if err := x.Inject("503 reset"); err != nil {
		t.Fatal(err)
	}
	missed := x.Post(xtest.Post{Text: "coop two"})
	p.eventually("what was missed is in the file", has(missed))
	p.stop(os.Interrupt)
	if got := ids(t, read(t, out)); !slices.Equal(got, []string{first, missed}) {
		t.Errorf("the file has %v, want %v and %v", got, first, missed)
	}
	asked := false
	for _, r := range x.Requests() {
		asked = asked || r.Query.Get("backfill_minutes") != ""
		if strings.HasSuffix(r.Path, "/search/recent") {
			t.Errorf("search was asked: %v", r.Query)
		}
	}
	if !asked {
		t.Error("no connection was asked to bring anything again")
	}
}
