package sql_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinks/sqlsink"
)

const secretText = "CANARYtextCANARY"

// many returns Posts of 2 kB, which all quote the same words.
func many(t testing.TB, from, n int) (tweets []*tweetstream.Tweet) {
	for i := range n {
		tweets = append(tweets, parse(t, fmt.Sprintf(`{"data":{"id":"%d","author_id":"%d","text":"%s %s"},"matching_rules":[{"id":"1","tag":"coop"}]}`,
			from+i, i%50+1, secretText, strings.Repeat("x", 2000))))
	}
	return tweets
}

// permanent reports whether an error is tweetstream.Permanent's.
func permanent(err error) bool {
	for e := err; e != nil; e = errors.Unwrap(e) {
		if reflect.TypeOf(e) == reflect.TypeOf(tweetstream.Permanent(err)) {
			return true
		}
	}
	return false
}

// refused checks that the error asks for the whole batch again, and shows no Post.
func refused(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		t.Error("the batch is delivered, want an error")
		return
	}
	if permanent(err) || errors.As(err, new(*tweetstream.TweetError)) {
		t.Errorf("the Posts are blamed: %v", err)
	}
	if strings.Contains(err.Error(), "CANARY") {
		t.Errorf("the error shows a Post: %v", err)
	}
}

// cutter passes a port on, and cuts what is connected after so many bytes that
// came from the client; 0 for never.
type cutter struct {
	addr  string
	after atomic.Int64
}

func newCutter(t *testing.T, to string) *cutter {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{addr: l.Addr().String()}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer client.Close()
				server, err := net.Dial("tcp", to)
				if err != nil {
					return
				}
				defer server.Close()
				all.Go(func() { io.Copy(client, server); client.Close() })
				buf := make([]byte, 4<<10)
				for passed := int64(0); ; {
					n, err := client.Read(buf)
					if passed += int64(n); err != nil {
						return
					}
					if limit := c.after.Load(); limit > 0 && passed > limit {
						return
					}
					if _, err := server.Write(buf[:n]); err != nil {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() { l.Close() })
	return c
}

// A connection that is cut in the middle of a batch leaves nothing of it, and the
// same batch goes in when it is there again.
func TestCutInMidBatch(t *testing.T) {
	onEach(t, func(t *testing.T, e engine) {
		if e.dialect == sqlsink.SQLite {
			t.Skip("a file has no connection")
		}
		dsn := e.newDatabase(t)
		_, db := e.open(t, dsn) // by itself
		server := map[sqlsink.Dialect]string{sqlsink.Postgres: "127.0.0.1:5432", sqlsink.MySQL: "127.0.0.1:3306"}[e.dialect]
		c := newCutter(t, server)
		s, _ := e.open(t, strings.Replace(dsn, server, c.addr, 1))
		batch := many(t, 1000, 300) // 600 kB and more
		for _, after := range []int64{20_000, 150_000, 500_000} {
			c.after.Store(after)
			// The connection at hand may have passed that many already: it is
			// cut at once, and the driver tries another.
			refused(t, s.Deliver(t.Context(), batch))
			all, err := stored(db)
			if err != nil || len(all) > 0 {
				t.Errorf("cut after %d bytes: %d Posts are there, %v", after, len(all), err)
			}
		}
		c.after.Store(0)
		if err := s.Deliver(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		if all, err := stored(db); err != nil || len(all) != len(batch) {
			t.Errorf("%d Posts are there, want %d: %v", len(all), len(batch), err)
		}
	})
}

// A right that is missing is the database's fault, not the Posts'.
func TestMissingRight(t *testing.T) {
	onEach(t, func(t *testing.T, e engine) {
		dsn := e.newDatabase(t)
		s, db := e.open(t, dsn)
		name := fmt.Sprintf("reader_%d_%d", os.Getpid(), databases.Add(1))
		var reader string
		switch e.dialect {
		case sqlsink.Postgres:
			for _, q := range []string{"CREATE ROLE " + name + " LOGIN", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO " + name} {
				if _, err := db.Exec(q); err != nil {
					t.Fatal(err)
				}
			}
			t.Cleanup(func() {
				if _, err := db.Exec("DROP OWNED BY " + name + "; DROP ROLE " + name); err != nil {
					t.Error(err)
				}
			})
			reader = strings.Replace(dsn, "postgres@", name+"@", 1)
		case sqlsink.MySQL:
			for _, q := range []string{"CREATE USER " + name, "GRANT SELECT ON " + dsn[strings.LastIndex(dsn, "/")+1:] + ".* TO " + name} {
				if _, err := db.Exec(q); err != nil {
					t.Fatal(err)
				}
			}
			t.Cleanup(func() {
				if _, err := db.Exec("DROP USER " + name); err != nil {
					t.Error(err)
				}
			})
			reader = strings.Replace(dsn, "root@", name+"@", 1)
		case sqlsink.SQLite:
			reader = dsn + "?mode=ro"
			if err := s.Deliver(t.Context(), many(t, 1, 1)); err != nil { // there is a write-ahead log
				t.Fatal(err)
			}
			if _, err := db.Exec("DELETE FROM tweets"); err != nil {
				t.Fatal(err)
			}
		}
		r, err := sqlsink.Open(t.Context(), e.driver, reader, sqlsink.Migrate(false))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		refused(t, r.Deliver(t.Context(), many(t, 1000, 10)))
		if all, err := stored(db); err != nil || len(all) > 0 {
			t.Errorf("%d Posts are there, %v", len(all), err)
		}
	})
}

// A batch may be larger than what an engine takes of parameters in a statement.
func TestLargeBatch(t *testing.T) {
	onEach(t, func(t *testing.T, e engine) {
		s, db := e.open(t, e.newDatabase(t))
		const n = 10_000 // of 22 columns
		if err := s.Deliver(t.Context(), many(t, 1, n)); err != nil {
			t.Fatal(err)
		}
		var got int
		if err := db.QueryRow("SELECT count(*) FROM tweets").Scan(&got); err != nil || got != n {
			t.Errorf("%d Posts are there, want %d: %v", got, n, err)
		}
	})
}

// Another program that writes to the same file is waited for, up to the end of the
// context.
func TestBusy(t *testing.T) {
	e := engines[len(engines)-1]
	s, db := e.open(t, e.dsn(filepath.Join(t.TempDir(), "posts.db")))
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	err = s.Deliver(ctx, many(t, 1, 1))
	if refused(t, err); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Deliver returns %v, want that the time is over", err)
	}
	delivered := make(chan error, 1)
	go func() { delivered <- s.Deliver(t.Context(), many(t, 1, 1)) }()
	if _, err := conn.ExecContext(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := <-delivered; err != nil {
		t.Error(err)
	}
}
