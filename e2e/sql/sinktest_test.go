package sql_test

import (
	"database/sql"
	"testing"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinks/sqlsink"
	"github.com/tweetstream-go/tweetstream/sinktest"
)

// An outage is a table that was renamed.
func TestContract(t *testing.T) {
	onEach(t, func(t *testing.T, e engine) {
		sinktest.Run(t, func(t *testing.T) sinktest.Subject {
			sink, db := e.open(t, e.newDatabase(t))
			return subject(t, e, sink, db)
		})
	})
}

func subject(t *testing.T, e engine, sink *sqlsink.Sink, db *sql.DB) sinktest.Subject {
	rename := func(from, to string) func() {
		return func() {
			if _, err := db.Exec("ALTER TABLE " + from + " RENAME TO " + to); err != nil {
				t.Error(err)
			}
		}
	}
	if e.dialect == sqlsink.SQLite {
		if _, err := db.Exec("PRAGMA busy_timeout = 5000"); err != nil {
			t.Fatal(err)
		}
		db.SetMaxOpenConns(1)
	}
	return sinktest.Subject{
		Sink:     sink,
		Stored:   func() ([]*tweetstream.Tweet, error) { return stored(db) },
		Once:     true,
		Parallel: true,
		Break:    rename("tweets", "away"),
		Mend:     rename("away", "tweets"),
	}
}
