package main_test

import (
	"bytes"
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

	byHand := filepath.Join(dir, "hand.ndjson")
	p = start(t, "recover", "--api-url", x.URL, "--rule", rule, "--to", "file:"+byHand, "--posts", "20",
		"--since", since.Format(time.RFC3339), "--until", time.Now().Add(time.Second).Format(time.RFC3339))
	p.eventually("it has ended", func() bool { return strings.Contains(p.stderr.String(), "msg=ended") })
	if got := ids(t, read(t, byHand)); !slices.Equal(got, x.IDs()) {
		t.Errorf("recover brought %v, want %v\n%s", got, x.IDs(), p.stderr.String())
	}
	if !strings.Contains(p.stderr.String(), "cost_at_most=$0.10") {
		t.Errorf("recover does not say what it may cost:\n%s", p.stderr.String())
	}
}
