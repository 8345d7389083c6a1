package main_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	main "github.com/tweetstream-go/tweetstream/examples/streamer"
	"github.com/tweetstream-go/tweetstream/sources/xstream"
	"github.com/tweetstream-go/tweetstream/xtest"
)

// What X can't do now is tried again, ever later, and at once on the next signal;
// what X refuses is not.
func TestRulesThatCantBeChangedAreTriedAgain(t *testing.T) {
	file := write(t, filepath.Join(t.TempDir(), "rules.yaml"), "- {tag: a, value: alpha}\n")
	synctest.Test(t, func(t *testing.T) {
		x := xtest.NewServer(xtest.InMemory())
		defer x.Close()
		source, err := xstream.New(xstream.Token("any"), xstream.BaseURL(x.URL), xstream.HTTPClient(x.Client()))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var log buffer
		hangup := make(chan os.Signal)
		go main.Reread(ctx, file, hangup, source, slog.New(slog.NewTextHandler(&log, nil)))
		expect := func(when, want string, again, requests int) {
			t.Helper()
			synctest.Wait()
			if said := log.String(); strings.Count(said, "it is tried again") != again || !strings.Contains(said, want) || len(x.Requests()) != requests {
				t.Errorf("%s: %d requests, want %d; want it said %d times that it is tried again, and %q:\n%s", when, len(x.Requests()), requests, again, want, said)
			}
		}
		if err := x.Inject("503@rulesx4"); err != nil {
			t.Fatal(err)
		}
		hangup <- syscall.SIGHUP
		expect("at once", "wait=5s", 1, 1)
		time.Sleep(5 * time.Second)
		expect("after 5 s", "wait=10s", 2, 2)
		time.Sleep(time.Second)
		hangup <- syscall.SIGHUP
		expect("on the next signal", "wait=5s", 3, 3)
		time.Sleep(5 * time.Second)
		expect("5 s after that", "wait=10s", 4, 4)
		hangup <- syscall.SIGHUP
		expect("when X is there again", "the rules are read again", 4, 7) // list, try, add
		time.Sleep(time.Hour)
		expect("an hour later", "", 4, 7)

		write(t, file, "- {tag: b, value: beta from:not/name}\n") // X alone can tell
		hangup <- syscall.SIGHUP
		expect("of what X refuses", "the new rules are refused: the old ones stay", 4, 9)
		time.Sleep(time.Hour)
		expect("an hour after that", "", 4, 9)

		if err := x.Inject("422@rules"); err != nil { // no room for more rules, say
			t.Fatal(err)
		}
		hangup <- syscall.SIGHUP
		time.Sleep(time.Hour)
		expect("of more rules than X takes", "", 4, 10)
		cancel()
		synctest.Wait()
	})
}
