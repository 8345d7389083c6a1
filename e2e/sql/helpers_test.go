// Package sql_test runs sqlsink on the real engines. SQLite comes along; where no
// PostgreSQL or MariaDB listens on this machine, what needs them is skipped, but
// with TWEETSTREAM_E2E=1 it fails.
package sql_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinks/sqlsink"
)

// engine is a server, or SQLite.
type engine struct {
	name    string
	driver  string
	dialect sqlsink.Dialect
	admin   string // the DSN that makes databases
	dsn     func(db string) string
}

var engines = []engine{
	{"postgres", "pgx", sqlsink.Postgres, "postgres://postgres@127.0.0.1:5432/postgres", func(db string) string {
		return "postgres://postgres@127.0.0.1:5432/" + db
	}},
	{"mariadb", "mysql", sqlsink.MySQL, "root@tcp(127.0.0.1:3306)/", func(db string) string {
		return "root@tcp(127.0.0.1:3306)/" + db
	}},
	{"sqlite", sqliteDriver, sqlsink.SQLite, "", func(db string) string { return "file:" + db }},
}

// long reports whether the long tests are asked for, as in CI.
func long() bool { return os.Getenv("TWEETSTREAM_E2E") == "1" }

// onEach runs a test on every engine that is there.
func onEach(t *testing.T, f func(t *testing.T, e engine)) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) { f(t, e) })
	}
}

var databases atomic.Int64

// newDatabase makes an empty one and returns its DSN.
func (e engine) newDatabase(t testing.TB) string {
	t.Helper()
	if e.admin == "" {
		return e.dsn(filepath.Join(t.TempDir(), "posts.db"))
	}
	admin, err := sql.Open(e.driver, e.admin)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := admin.PingContext(ctx); err != nil {
		admin.Close()
		if long() {
			t.Fatalf("no %s: %v", e.name, err)
		}
		t.Skipf("no %s on this machine", e.name)
	}
	name := fmt.Sprintf("tweetstream_%d_%d", os.Getpid(), databases.Add(1))
	// Latin1 is what an old server begins with.
	text := "CREATE DATABASE " + name
	if e.dialect == sqlsink.MySQL {
		text += " CHARACTER SET latin1"
	}
	if _, err := admin.Exec(text); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		force := ""
		if e.dialect == sqlsink.Postgres {
			force = " WITH (FORCE)"
		}
		if _, err := admin.Exec("DROP DATABASE " + name + force); err != nil {
			t.Error(err)
		}
		admin.Close()
	})
	return e.dsn(name)
}

// open opens a database twice: for a sink, and to look at.
func (e engine) open(t testing.TB, dsn string, opts ...sqlsink.Option) (*sqlsink.Sink, *sql.DB) {
	t.Helper()
	s, err := sqlsink.Open(context.Background(), e.driver, dsn, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, e.look(t, dsn)
}

func (e engine) look(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(e.driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// stored returns what the table has, by id.
func stored(db *sql.DB) ([]*tweetstream.Tweet, error) {
	rows, err := db.Query("SELECT id, text_id, raw FROM tweets ORDER BY id")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []*tweetstream.Tweet
	for rows.Next() {
		var id string
		var odd sql.NullString
		t := &tweetstream.Tweet{}
		if err := rows.Scan(&id, &odd, (*[]byte)(&t.Raw)); err != nil {
			return nil, err
		}
		if t.ID = id; odd.Valid {
			t.ID = odd.String
		}
		all = append(all, t)
	}
	return all, rows.Err()
}
