package sql_test

import (
	"context"
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
	"github.com/tweetstream-go/tweetstream/sinks/sqlsink"
	"github.com/tweetstream-go/tweetstream/sources/httpsource"
)

// child names the environment variable that makes the test binary the program that
// is killed, or with "migrate" one that opens the database and ends.
const child = "SQL_CHILD"

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(child) {
	case "":
		os.Exit(m.Run())
	case "migrate":
		var sink *sqlsink.Sink
		if sink, err = sqlsink.Open(context.Background(), os.Args[1], os.Args[2]); err == nil {
			err = sink.Close()
		}
	default:
		err = program(os.Args[1], os.Args[2], os.Args[3], os.Args[4])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// program is a service as users write it: it takes Posts over HTTP, keeps them in a
// journal, and writes them to a database, for which it waits.
func program(dir, listen, driver, dsn string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	sink, err := sqlsink.Open(ctx, driver, dsn)
	for ; err != nil; sink, err = sqlsink.Open(ctx, driver, dsn) {
		fmt.Fprintln(os.Stderr, err)
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	defer sink.Close()
	journal, err := boltjournal.Open(filepath.Join(dir, "journal"), boltjournal.FreeDisk(0))
	if err != nil {
		return err
	}
	defer journal.Close()
	src, err := httpsource.New()
	if err != nil {
		return err
	}
	s, err := tweetstream.New(src,
		tweetstream.WithJournal(journal),
		tweetstream.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, nil))),
		tweetstream.WithSink("sql", sink, tweetstream.Batch(500, 50*time.Millisecond), tweetstream.Retry(20*time.Millisecond, 500*time.Millisecond)),
	)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: src, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(listener) }() // it ends with Close
	defer server.Close()
	return s.Run(ctx)
}

// message is the Post of a number, which answers the one before.
func message(n int) string {
	return fmt.Sprintf(`{"data":{"id":"%d","author_id":"%d","text":"%s","attachments":{"media_keys":["3_%d"]},"referenced_tweets":[{"type":"replied_to","id":"%d"}]},`+
		`"includes":{"users":[{"id":"%d","username":"u%d"}],"media":[{"media_key":"3_%d","type":"photo"}]},"matching_rules":[{"id":"%d","tag":"crash"}]}`,
		n, 5000+n%1000, filler, n, n-1, 5000+n%1000, 5000+n%1000, n, 1+n%3)
}

var filler = strings.Repeat("all that was taken in must come out ", 10)
