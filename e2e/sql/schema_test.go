package sql_test

import (
	"context"
	"database/sql"
	"strings"
	"sync"
	"testing"

	"github.com/tweetstream-go/tweetstream/sinks/sqlsink"
)

// Each has a pool of its own, as a process would.
func TestMigrateTogether(t *testing.T) {
	onEach(t, func(t *testing.T, e engine) {
		dsn := e.newDatabase(t)
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				s, err := sqlsink.Open(context.Background(), e.driver, dsn)
				if err != nil {
					t.Error(err)
					return
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		var rows, version int
		if err := e.look(t, dsn).QueryRow("SELECT count(*), max(version) FROM tweetstream_schema").Scan(&rows, &version); err != nil || rows != 1 || version != 1 {
			t.Errorf("%d rows of version %d, %v, want 1 of version 1", rows, version, err)
		}
	})
}

// statements cuts what Schema prints, as a client does that takes one at a time.
func statements(t *testing.T, db *sql.DB, text string) {
	t.Helper()
	for _, s := range strings.Split(strings.TrimSpace(text), "\n\n") {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%v: %s", err, s)
		}
	}
}

func TestMigrateFalse(t *testing.T) {
	onEach(t, func(t *testing.T, e engine) {
		dsn := e.newDatabase(t)
		db := e.look(t, dsn)
		own := []sqlsink.Option{sqlsink.Migrate(false), sqlsink.Prefix("own_")}
		if s, err := sqlsink.Open(context.Background(), e.driver, dsn, own...); err == nil {
			s.Close()
			t.Fatal("Open() without tables = nil, want an error")
		} else if !strings.Contains(err.Error(), "Schema") {
			t.Errorf("Open() = %v, want a word of Schema", err)
		}
		text, err := sqlsink.Schema(e.dialect, own...)
		if err != nil {
			t.Fatal(err)
		}
		statements(t, db, text)
		s, _ := e.open(t, dsn, own...)
		deliver(t, s, version(1, `"1"`))
		var n int
		if err := db.QueryRow("SELECT count(*) FROM own_tweets").Scan(&n); err != nil || n != 1 {
			t.Errorf("own_tweets has %d Posts, %v, want 1", n, err)
		}
		// Sinks of another prefix know nothing of it.
		other, _ := e.open(t, dsn)
		deliver(t, other, version(2, `"2"`))
		if got := ids(t, db); got != "2" {
			t.Errorf("tweets has %q, want %q", got, "2")
		}
	})
}

func TestNewerSchema(t *testing.T) {
	onEach(t, func(t *testing.T, e engine) {
		dsn := e.newDatabase(t)
		_, db := e.open(t, dsn)
		if _, err := db.Exec("UPDATE tweetstream_schema SET version = 1000"); err != nil {
			t.Fatal(err)
		}
		for _, migrate := range []bool{true, false} {
			s, err := sqlsink.Open(context.Background(), e.driver, dsn, sqlsink.Migrate(migrate))
			if err == nil {
				s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), "1000") {
				t.Errorf("Open(Migrate(%v)) of a newer schema = %v, want an error with its version", migrate, err)
			}
		}
	})
}

// A table of somebody else's is not touched.
func TestForeignTable(t *testing.T) {
	onEach(t, func(t *testing.T, e engine) {
		dsn := e.newDatabase(t)
		if _, err := e.look(t, dsn).Exec("CREATE TABLE users (name varchar(10))"); err != nil {
			t.Fatal(err)
		}
		s, err := sqlsink.Open(context.Background(), e.driver, dsn)
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "Prefix") {
			t.Errorf("Open() = %v, want a word of Prefix", err)
		}
	})
}
