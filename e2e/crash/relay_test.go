package crash_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/journal/boltjournal"
	"github.com/tweetstream-go/tweetstream/sinks/filesink"
	"github.com/tweetstream-go/tweetstream/sinks/httpsink"
	"github.com/tweetstream-go/tweetstream/sources/httpsource"
)

// child names the environment variable that makes the test binary one of the
// programs that are killed: "relay" or "compact". The arguments are theirs.
const child = "CRASH_CHILD"

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(child) {
	case "":
		os.Exit(m.Run())
	case "relay":
		err = relay(os.Args[1], os.Args[2], os.Args[3])
	case "compact":
		_, _, err = boltjournal.Compact(context.Background(), filepath.Join(os.Args[1], "journal"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// relay is a service as users write it: it takes Posts over HTTP, keeps them in a
// journal, and hands them to a file and to a receiver.
func relay(dir, listen, receiver string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	journal, err := boltjournal.Open(filepath.Join(dir, "journal"), boltjournal.FreeDisk(0), boltjournal.Logger(logger))
	if err != nil {
		return err
	}
	defer journal.Close()
	file, err := filesink.Open(filepath.Join(dir, "posts.ndjson"))
	if err != nil {
		return err
	}
	defer file.Close()
	post, err := httpsink.New(receiver)
	if err != nil {
		return err
	}
	src, err := httpsource.New()
	if err != nil {
		return err
	}
	s, err := tweetstream.New(src,
		tweetstream.WithJournal(journal),
		tweetstream.WithBuffer(8<<20),
		tweetstream.WithLogger(logger),
		tweetstream.WithSink("file", file),
		tweetstream.WithSink("http", post, tweetstream.Batch(500, 0), tweetstream.Retry(10*time.Millisecond, 500*time.Millisecond)),
	)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: src, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			logger.Error("the server has ended", "error", err)
		}
	}()
	defer server.Close()
	return s.Run(ctx)
}

// message is the Post of a number, as long as X's are.
func message(id int) string {
	return fmt.Sprintf(`{"data":{"id":"%d","text":"%s"},"matching_rules":[{"id":"1","tag":"crash"}]}`, id, filler)
}

var filler = strings.Repeat("all that was taken in must come out ", 65)
