package sql_test

import (
	"context"
	"database/sql"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinks/sqlsink"
)

// tagged is a Post with a word of its own and a rule of that tag.
func tagged(t testing.TB, word, tag string) *tweetstream.Tweet {
	return parse(t, fmt.Sprintf(`{"data":{"id":"1","text":"%s %s"},"matching_rules":[{"id":"7","tag":"%s"}]}`, secretText, word, tag))
}

// ofTurn checks that the error asks for the batch again soon, because another
// transaction is in the way.
func ofTurn(t *testing.T, err error) {
	t.Helper()
	refused(t, err)
	if err == nil {
		return
	}
	if reflect.TypeOf(err) != reflect.TypeOf(tweetstream.RetryAfter(err, 0)) || !strings.Contains(err.Error(), ": another transaction is in the way: ") {
		t.Errorf("Deliver() = %T %v, want RetryAfter, and that another transaction is in the way", err, err)
	}
}

// rival is a transaction of another program, which has the lock on the Post's rule.
func rival(t *testing.T, e engine, db *sql.DB) *sql.Conn {
	t.Helper()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	statements := map[sqlsink.Dialect][]string{
		// Only those look for a deadlock who have waited for so long.
		sqlsink.Postgres: {"SET deadlock_timeout = '10min'", "BEGIN"},
		// Who has changed more of two is not the one who must give way.
		sqlsink.MySQL: {"CREATE TABLE more (n int)", "BEGIN", "INSERT INTO more SELECT seq FROM seq_1_to_1000"},
	}[e.dialect]
	for _, text := range append(statements, "UPDATE rules SET tag = 'of another' WHERE id = 7") {
		if _, err := conn.ExecContext(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	return conn
}

// waiting returns how many transactions wait for another in this database.
func waiting(t *testing.T, e engine, db *sql.DB) (n int) {
	t.Helper()
	time.Sleep(150 * time.Millisecond) // MariaDB answers anew when it was not asked for a tenth
	text := map[sqlsink.Dialect]string{
		sqlsink.Postgres: "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
		sqlsink.MySQL: "SELECT count(*) FROM information_schema.innodb_trx t JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id" +
			" WHERE p.db = database() AND t.trx_state = 'LOCK WAIT'",
	}[e.dialect]
	if err := db.QueryRowContext(t.Context(), text).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// Of two transactions that wait for each other the engine ends the sink's: nothing of
// the batch is there, and it goes in when it comes again.
func TestDeadlock(t *testing.T) {
	onEach(t, func(t *testing.T, e engine) {
		if e.dialect == sqlsink.SQLite {
			t.Skip("SQLite has one that writes at a time")
		}
		s, db := e.open(t, e.newDatabase(t))
		if err := s.Deliver(t.Context(), []*tweetstream.Tweet{tagged(t, "old", "old")}); err != nil {
			t.Fatal(err)
		}
		other := rival(t, e, db)
		newer := []*tweetstream.Tweet{tagged(t, "new", "new")}
		delivered := make(chan error, 1)
		go func() { delivered <- s.Deliver(t.Context(), newer) }()
		for waiting(t, e, db) == 0 { // the sink has the Post, and wants the rule
		}
		if _, err := other.ExecContext(t.Context(), "UPDATE tweets SET lang = 'xx' WHERE id = 1"); err != nil {
			t.Fatal(err)
		}
		ofTurn(t, <-delivered)
		if _, err := other.ExecContext(t.Context(), "COMMIT"); err != nil {
			t.Fatal(err)
		}
		var text string
		if err := db.QueryRow("SELECT text FROM tweets WHERE lang = 'xx'").Scan(&text); err != nil || text != secretText+" old" {
			t.Errorf("after the deadlock the Post is %q, %v", text, err)
		}
		if err := s.Deliver(t.Context(), newer); err != nil {
			t.Fatal(err)
		}
		var tag string
		if err := db.QueryRow("SELECT t.text, r.tag FROM tweets t, rules r").Scan(&text, &tag); err != nil || text != secretText+" new" || tag != "new" {
			t.Errorf("the Post is %q and its rule %q, %v", text, tag, err)
		}
	})
}

// A lock that another program does not give back ends the batch by the engine's own
// limit.
func TestLockTimeout(t *testing.T) {
	onEach(t, func(t *testing.T, e engine) {
		limit := map[sqlsink.Dialect]string{sqlsink.Postgres: "?lock_timeout=50", sqlsink.MySQL: "?innodb_lock_wait_timeout=1"}[e.dialect]
		if limit == "" {
			t.Skip("TestBusy is SQLite's")
		}
		s, db := e.open(t, e.newDatabase(t)+limit)
		if err := s.Deliver(t.Context(), []*tweetstream.Tweet{tagged(t, "old", "old")}); err != nil {
			t.Fatal(err)
		}
		other := rival(t, e, db)
		newer := []*tweetstream.Tweet{tagged(t, "new", "new")}
		ofTurn(t, s.Deliver(t.Context(), newer))
		if _, err := other.ExecContext(t.Context(), "ROLLBACK"); err != nil {
			t.Fatal(err)
		}
		if err := s.Deliver(t.Context(), newer); err != nil {
			t.Error(err)
		}
	})
}

// A Post that is deleted while it is being written is gone afterwards.
func TestDeleteMeanwhile(t *testing.T) {
	onEach(t, func(t *testing.T, e engine) {
		if e.dialect == sqlsink.SQLite {
			t.Skip("SQLite has one that writes at a time")
		}
		s, db := e.open(t, e.newDatabase(t))
		deliver(t, s, `{"data":{"id":"2","text":"another"},"matching_rules":[{"id":"7","tag":"old"}]}`)
		other := rival(t, e, db)
		delivered, deleted := make(chan error, 1), make(chan error, 1)
		go func() { delivered <- s.Deliver(t.Context(), []*tweetstream.Tweet{tagged(t, "new", "new")}) }()
		for waiting(t, e, db) == 0 { // the Post is written, and not committed
		}
		go func() { deleted <- s.Delete(t.Context(), []string{"1"}) }()
		for len(deleted) == 0 && waiting(t, e, db) < 2 {
		}
		if _, err := other.ExecContext(t.Context(), "ROLLBACK"); err != nil {
			t.Fatal(err)
		}
		for _, err := range []error{<-delivered, <-deleted} {
			if err != nil {
				t.Error(err)
			}
		}
		if got := ids(t, db); got != "2" {
			t.Errorf("there are %q, want %q", got, "2")
		}
	})
}

type given []*tweetstream.Tweet

func (g given) Stream(ctx context.Context, _ []byte, emit tweetstream.Emit) error {
	return emit(ctx, g, nil)
}

// Of a batch with a Post that the engine refuses a Streamer delivers all others, and
// its dead letter has that Post by its name.
func TestBadPost(t *testing.T) {
	onEach(t, func(t *testing.T, e engine) {
		s, db := e.open(t, e.newDatabase(t))
		for _, text := range map[sqlsink.Dialect][]string{
			sqlsink.Postgres: {
				"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.id := (NEW.text || NEW.id)::bigint; RETURN NEW; END $$",
				"CREATE TRIGGER refuse BEFORE INSERT ON tweets FOR EACH ROW WHEN (NEW.id = 1005) EXECUTE FUNCTION refuse()",
			},
			sqlsink.MySQL: {"CREATE TRIGGER refuse BEFORE INSERT ON tweets FOR EACH ROW IF NEW.id = 1005 THEN SET NEW.lang = repeat(NEW.text, 10); END IF"},
			sqlsink.SQLite: {
				"CREATE TABLE numbers (id INTEGER PRIMARY KEY)",
				"CREATE TRIGGER refuse BEFORE INSERT ON tweets WHEN NEW.id = 1005 BEGIN INSERT INTO numbers VALUES (NEW.text); END",
			},
		}[e.dialect] {
			if _, err := db.Exec(text); err != nil {
				t.Fatal(err)
			}
		}
		var letters []tweetstream.Letter
		streamer, err := tweetstream.New(given(many(t, 1000, 50)),
			tweetstream.WithSink("sql", s, tweetstream.Batch(50, 0)),
			tweetstream.WithDeadLetter(func(_ context.Context, some []tweetstream.Letter) error {
				letters = append(letters, some...)
				return nil
			}))
		if err != nil {
			t.Fatal(err)
		}
		if err := streamer.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(letters) != 1 || letters[0].Tweet.ID != "1005" || letters[0].Reason != tweetstream.Rejected || strings.Contains(letters[0].Error, "CANARY") {
			t.Errorf("letters: %+v, want one, of 1005, rejected", letters)
		}
		all, err := stored(db)
		if err != nil || len(all) != 49 {
			t.Errorf("%d Posts are there, %v, want 49", len(all), err)
		}
		for _, p := range all {
			if p.ID == "1005" {
				t.Error("the bad Post is there")
			}
		}
	})
}
