package main_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tweetstream-go/tweetstream/xtest"
)

// What run has missed while it was not there it asks for again, by itself from a
// checkpoint, and recover by hand.
func TestWhatWasMissedIsAskedForAgain(t *testing.T) {
	x := newServer(t)
	dir := t.TempDir()
	out, state := filepath.Join(dir, "out.ndjson"), filepath.Join(dir, "state")
	const rule = "coop=(coop OR #coop) -is:retweet"
	args := []string{"--api-url", x.URL, "--rule", rule, "--to", "file:" + out, "--checkpoint", state}
	lines := func(n int) func() bool {
		return func() bool { return bytes.Count(read(t, out), []byte("\n")) >= n }
	}
	since := time.Now().Add(-2 * time.Second)
	p := start(t, append(args, "--recover", "1h/100", "--budget", "500/day", "--budget", "9000/month", "--price", "0.01", "--cycle-day", "3")...)
	p.eventually("the stream is there", func() bool { return x.Stats().Connected == 1 })
	x.Post(xtest.Post{Text: "coop one"})
	p.eventually("the first Post is in the file", lines(1))
	p.eventually("the checkpoint is there", func() bool { return len(read(t, state)) > 0 })
	p.stop(os.Interrupt)
	for _, says := range []string{"posts=500 cost=$5.00", "posts=9000 cost=$90.00"} {
		if !strings.Contains(p.stderr.String(), says) {
			t.Errorf("the log does not say %q:\n%s", says, p.stderr.String())
		}
	}
	x.Post(xtest.Post{Text: "coop two"})
	p = start(t, args...)
	p.eventually("the Post that was missed is in the file", lines(2))
	p.stop(os.Interrupt)

	p = start(t, append(args, "--recover", "none")...)
	p.eventually("the gap is named", func() bool { return strings.Contains(p.stderr.String(), "streamer recover --since") })
	p.stop(os.Interrupt)

	// By hand, to a file, and some of them to a receiver that refuses all.
	coops := x.IDs()
	for range 30 {
		coops = append(coops, x.Post(xtest.Post{Text: "coop more"}))
	}
	fish := x.Post(xtest.Post{Text: "fish"})
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnprocessableEntity) }))
	defer receiver.Close()
	byHand, dead := filepath.Join(dir, "hand.ndjson"), filepath.Join(dir, "dead.ndjson")
	args = []string{"recover", "--api-url", x.URL, "--rule", rule, "--since", since.Format(time.RFC3339), "--until", time.Now().Add(time.Second).Format(time.RFC3339)}
	p = start(t, append(args, "--to", "file:"+byHand, "--posts", "50", "--price", "0.01")...)
	others := filepath.Join(dir, "others.ndjson") // of a rule that X does not have
	other := start(t, append(args, "--rule", "fish=fish", "--to", "file:"+others)...)
	few := start(t, append(args, "--to", receiver.URL, "--posts", "10", "--dead-letter", dead)...)
	if code := p.wait(); code != 0 || !slices.Equal(ids(t, read(t, byHand)), coops) {
		t.Errorf("recover: exit code %d, and brought %v, want %v\n%s", code, ids(t, read(t, byHand)), coops, p.stderr.String())
	}
	if !strings.Contains(p.stderr.String(), "posts_at_most=50 cost_at_most=$0.50") {
		t.Errorf("recover does not say what it may cost:\n%s", p.stderr.String())
	}
	if code := other.wait(); code != 0 || !slices.Contains(ids(t, read(t, others)), fish) {
		t.Errorf("recover with one more rule: exit code %d, and brought %v, want %v too\n%s", code, ids(t, read(t, others)), fish, other.stderr.String())
	}
	code := few.wait()
	if n := bytes.Count(read(t, dead), []byte("\n")); code != 1 || n < 10 || n > 19 {
		t.Errorf("recover of 10 at most: exit code %d, %d dead letters, want 1 and 10, or what a page has more\n%s", code, n, few.stderr.String())
	}
}
