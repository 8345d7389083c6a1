package tweetstream_test

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tweetstream-go/tweetstream"
)

// panics is a journal with a fault.
type panics struct {
	memory
	what string
}

func (p *panics) Append(ctx context.Context, ts []*tweetstream.Tweet, state []byte) (uint64, error) {
	if p.what == "append" {
		panic("a fault of the journal")
	}
	return p.memory.Append(ctx, ts, state)
}

func (p *panics) Read(ctx context.Context, from uint64, dst []tweetstream.Entry) (int, error) {
	if p.what == "read" {
		panic("a fault of the journal")
	}
	return p.memory.Read(ctx, from, dst)
}

func (p *panics) Commit(ctx context.Context, c map[string]uint64) error {
	if p.what == "commit" {
		panic("a fault of the journal")
	}
	return p.memory.Commit(ctx, c)
}

// A panic of the journal, in whichever goroutine, ends no process: it is an error
// like any other. Each case runs in a process of its own.
func TestPanicOfTheJournalEndsNoProcess(t *testing.T) {
	if what := os.Getenv("GUARD_PANIC"); what != "" {
		synctest.Test(t, func(t *testing.T) {
			p := &panics{what: what}
			if what == "read" {
				_, _ = p.memory.Append(t.Context(), posts(1, 3), nil)
			}
			s, err := tweetstream.New(emitting(posts(4, 5)...), tweetstream.WithJournal(p), tweetstream.WithSink("s", &recorder{}, tweetstream.From(tweetstream.Oldest)))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			_ = s.Run(ctx)
		})
		return
	}
	for _, what := range []string{"append", "read", "commit"} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestPanicOfTheJournalEndsNoProcess$", "-test.timeout=30s")
		cmd.Env = append(os.Environ(), "GUARD_PANIC="+what)
		if err := cmd.Run(); err != nil {
			t.Errorf("%s: the process has ended: %v", what, err)
		}
	}
}
