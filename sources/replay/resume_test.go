package replay_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/internal/logfile"
	"github.com/tweetstream-go/tweetstream/sources/replay"
)

// Segments of a dead letter come first, oldest first, then the file, also when the
// file itself is not there; then further files.
func TestSegments(t *testing.T) {
	dir := t.TempDir()
	dead := filepath.Join(dir, "dead.ndjson")
	day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	write(t, logfile.SegmentName(dead, day.Add(time.Hour)), post(2))
	write(t, logfile.SegmentName(dead, day), compressed(post(1)))
	write(t, filepath.Join(dir, "dead-letters.ndjson"), post(99))
	g, _ := run(t, nil, dead)
	wantIDs(t, g, "1 2")
	write(t, dead, post(3))
	g, _ = run(t, nil, dead, replay.Also(file(t, post(4))))
	wantIDs(t, g, "1 2 3 4")
}

// A dead letter that is written to and rotated while it is read: every letter that
// was there before comes, once.
func TestRotatedMeanwhile(t *testing.T) {
	dead := filepath.Join(t.TempDir(), "dead.ndjson")
	write(t, logfile.SegmentName(dead, time.Now().Add(-time.Hour)), posts(1, 2))
	write(t, dead, posts(3, 4))
	s := open(t, dead)
	var g got
	rotated := false
	err := s.Stream(t.Context(), nil, func(ctx context.Context, tweets []*tweetstream.Tweet, state []byte) error {
		if !rotated {
			rotated = true
			if err := os.Rename(dead, logfile.SegmentName(dead, time.Now())); err != nil {
				return err
			}
			write(t, dead, posts(5, 6))
		}
		return g.emit(ctx, tweets, state)
	})
	if err != nil {
		t.Fatal(err)
	}
	wantIDs(t, &g, "1 2 3 4 5 6")
}

// From the state of each call on, the rest comes and nothing else: however the
// files are called then, compressed or appended to.
func TestGoesOnFromEveryState(t *testing.T) {
	dir := t.TempDir()
	dead, more := filepath.Join(dir, "dead.ndjson"), filepath.Join(dir, "more.ndjson")
	seg := logfile.SegmentName(dead, time.Now().Add(-time.Hour))
	write(t, seg, posts(1, 900)+"bad\n"+posts(901, 1500))
	write(t, dead, posts(1501, 1502))
	write(t, more, posts(1503, 1999)+strings.TrimSuffix(post(2000), "\n"))
	all, _ := run(t, nil, dead, replay.Also(more))
	if all.calls < 5 || len(all.tweets) != 2000 {
		t.Fatalf("%d Posts in %d calls", len(all.tweets), all.calls)
	}
	check := func(what string) {
		t.Helper()
		for i, st := range all.states {
			var log logged
			g, _ := run(t, st, dead, replay.Also(more), log.option())
			want := got{tweets: all.tweets[all.until[i]:]}
			if what != "as it was" {
				want.tweets = append(want.tweets[:len(want.tweets):len(want.tweets)], &tweetstream.Tweet{ID: "2001"})
			}
			if g.ids() != want.ids() || strings.Contains(log.String(), "another file") {
				t.Errorf("%s: from state %d of %d, %.40s… come; want %.40s…\n%s", what, i, len(all.states), g.ids(), want.ids(), log.String())
			}
		}
	}
	check("as it was")
	write(t, seg, compressed(string(read(t, seg))))
	if err := os.Rename(dead, logfile.SegmentName(dead, time.Now())); err != nil { // and there is no new one
		t.Fatal(err)
	}
	write(t, more, string(read(t, more))+"\n"+post(2001))
	check("changed")
}

func TestStateOfAnother(t *testing.T) {
	path := file(t, posts(1, 3))
	for _, from := range []string{`{"source":"xstream","heard":"2026-01-01T00:00:00Z"}`, "x", "", "[]"} {
		err := open(t, path).Stream(t.Context(), []byte(from), new(got).emit)
		if err == nil || !strings.Contains(err.Error(), "another source") {
			t.Errorf("Stream() from %q = %v, want an error", from, err)
		}
	}
	// Another file, though one that begins or goes on alike: nothing of it is passed by.
	for what, other := range map[string]string{"begins": post(1) + post(7), "goes on": post(7) + post(2)} {
		g, _ := run(t, nil, file(t, other))
		var log logged
		again, _ := run(t, g.states[len(g.states)-1], path, log.option())
		wantIDs(t, again, "1 2 3")
		if !strings.Contains(log.String(), "that of another file") {
			t.Errorf("a file that %s alike: log:\n%s", what, log.String())
		}
	}
}
