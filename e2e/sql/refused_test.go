package sql_test

import (
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinks/sqlsink"
)

// A table that is dropped under the sink is the database's fault, and when it is
// there again the same batch goes in.
func TestTableDropped(t *testing.T) {
	onEach(t, func(t *testing.T, e engine) {
		s, db := e.open(t, e.newDatabase(t))
		if err := s.Deliver(t.Context(), many(t, 1, 10)); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec("DROP TABLE rules"); err != nil {
			t.Fatal(err)
		}
		err := s.Deliver(t.Context(), many(t, 100, 10))
		if refused(t, err); e.dialect != sqlsink.SQLite && !strings.Contains(err.Error(), "a table is missing") {
			t.Errorf("Deliver() = %v, want that a table is missing", err)
		}
		if all, err := stored(db); err != nil || len(all) != 10 {
			t.Errorf("%d Posts are there, %v, want 10", len(all), err)
		}
		schema, err := sqlsink.Schema(e.dialect)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range strings.Split(schema, "\n\n") {
			if strings.Contains(text, " rules ") {
				if _, err := db.Exec(text); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := s.Deliver(t.Context(), many(t, 100, 10)); err != nil {
			t.Fatal(err)
		}
		if all, err := stored(db); err != nil || len(all) != 20 {
			t.Errorf("%d Posts are there, %v, want 20", len(all), err)
		}
	})
}

// A password that is refused is shown by no error, and the error says what is wrong.
func TestWrongPassword(t *testing.T) {
	const canary = "CANARYpasswordCANARY"
	onEach(t, func(t *testing.T, e engine) {
		if e.dialect == sqlsink.SQLite {
			t.Skip("a file asks for no password")
		}
		db := e.look(t, e.newDatabase(t))
		name := fmt.Sprintf("somebody_%d_%d", os.Getpid(), databases.Add(1))
		made, gone := "CREATE USER "+name+" IDENTIFIED BY 'another'", "DROP USER "+name
		dsn := strings.Replace(e.admin, "root@", name+":"+canary+"@", 1)
		if e.dialect == sqlsink.Postgres {
			// The server trusts all on this machine: a user that is not there is refused too.
			made, gone = "SELECT 1", "SELECT 1"
			dsn = strings.Replace(e.admin, "postgres@", name+":"+canary+"@", 1)
		}
		if _, err := db.Exec(made); err != nil {
			t.Fatal(err)
		}
		defer db.Exec(gone)
		s, err := sqlsink.Open(t.Context(), e.driver, dsn)
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "user or password is refused") || strings.Contains(err.Error(), canary) {
			t.Errorf("Open() = %v, want that user or password is refused", err)
		}
	})
}

// A database that is not there is said so.
func TestMissingDatabase(t *testing.T) {
	onEach(t, func(t *testing.T, e engine) {
		e.newDatabase(t) // the server is there
		dsn := e.dsn("tweetstream_nothing")
		if e.dialect == sqlsink.SQLite {
			dsn = e.dsn("/nowhere/posts.db")
		}
		s, err := sqlsink.Open(t.Context(), e.driver, dsn)
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "the database is missing") {
			t.Errorf("Open() = %v, want that the database is missing", err)
		}
	})
}

// Where values are too large for a statement, it takes fewer rows; one by itself
// that is too large is the Post's fault.
func TestMaxAllowedPacket(t *testing.T) {
	if !long() {
		t.Skip("it starts a server of its own: TWEETSTREAM_E2E=1")
	}
	e := engines[1]
	own := e.own(t)
	db := e.look(t, own.dsn)
	if _, err := db.Exec("SET GLOBAL max_allowed_packet = 65536"); err != nil {
		t.Fatal(err)
	}
	// It goes for those who connect from now on. The batch has 600 kB.
	s, err := sqlsink.Open(t.Context(), e.driver, own.dsn+"?maxAllowedPacket=0")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Deliver(t.Context(), many(t, 1, 300)); err != nil {
		t.Fatal(err)
	}
	// Large values the driver sends by themselves, but not many small ones.
	var small []*tweetstream.Tweet
	for i := range 500 {
		word := strings.Repeat("w", 60)
		small = append(small, parse(t, fmt.Sprintf(`{"data":{"id":"%[1]d","author_id":"%[1]d","text":"x"},"includes":{"users":[{"id":"%[1]d","username":"%[2]s","name":"%[2]s","location":"%[2]s","description":"%[2]s"}]}}`, 1000+i, word)))
	}
	if err := s.Deliver(t.Context(), small); err != nil {
		t.Fatal(err)
	}
	if all, err := stored(db); err != nil || len(all) != 800 {
		t.Errorf("%d Posts are there, %v, want 800", len(all), err)
	}
}

// A disk that is full keeps the batch back, and lets it in when there is room again.
func TestDiskFull(t *testing.T) {
	var batch []*tweetstream.Tweet // of 20 MB, which no engine can make smaller
	noise := make([]byte, 3000)
	for i := range 5000 {
		if _, err := rand.Read(noise); err != nil {
			t.Fatal(err)
		}
		batch = append(batch, parse(t, fmt.Sprintf(`{"data":{"id":"%d","text":"%s %s"},"matching_rules":[{"id":"1","tag":"coop"}]}`,
			1000+i, secretText, base64.StdEncoding.EncodeToString(noise))))
	}
	onEach(t, func(t *testing.T, e engine) {
		var pool *sql.DB
		var room func()
		must := func(_ sql.Result, err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		switch e.dialect {
		case sqlsink.Postgres: // a disk of its own
			if !long() {
				t.Skip("it starts a server of its own: TWEETSTREAM_E2E=1")
			}
			own := e.own(t)
			disk := filepath.Join(filepath.Dir(own.log), "disk")
			if err := os.Mkdir(disk, 0o700); err != nil {
				t.Fatal(err)
			}
			size := func(option string) *exec.Cmd {
				return exec.Command("mount", "-t", "tmpfs", "-o", option, "tmpfs", disk)
			}
			if out, err := size("size=16m,mode=777").CombinedOutput(); err != nil {
				t.Skipf("no right to mount a small disk: %s", out)
			}
			// The server has files open there, and ends later.
			t.Cleanup(func() { mustRun(t, exec.Command("umount", "--lazy", disk)) })
			folder := filepath.Join(disk, "posts")
			mustRun(t, own.as("mkdir", folder))
			admin := e.look(t, own.dsn)
			must(admin.Exec("CREATE TABLESPACE small LOCATION '" + folder + "'"))
			must(admin.Exec("CREATE DATABASE posts TABLESPACE small"))
			pool = e.look(t, strings.Replace(own.dsn, "/postgres?", "/posts?", 1))
			room = func() { mustRun(t, size("remount,size=256m")) }
		case sqlsink.MySQL: // a table that may not grow
			pool = e.look(t, e.newDatabase(t))
			room = func() { must(pool.Exec("ALTER TABLE tweet_rules ENGINE = InnoDB")) }
		case sqlsink.SQLite: // its own limit, which ends as a disk does, with the same code
			pool = e.look(t, e.newDatabase(t))
			pool.SetMaxOpenConns(1)
			room = func() { must(pool.Exec("PRAGMA max_page_count = 1000000")) }
		}
		s, err := sqlsink.New(t.Context(), pool, e.dialect)
		if err != nil {
			t.Fatal(err)
		}
		switch e.dialect {
		case sqlsink.MySQL:
			conn, err := pool.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			must(conn.ExecContext(t.Context(), "SET max_heap_table_size = 16384"))
			must(conn.ExecContext(t.Context(), "ALTER TABLE tweet_rules ENGINE = MEMORY"))
		case sqlsink.SQLite:
			must(pool.Exec("PRAGMA max_page_count = 100"))
		}
		err = s.Deliver(t.Context(), batch)
		if refused(t, err); err != nil && !strings.Contains(err.Error(), ": the disk is full: ") {
			t.Errorf("Deliver() = %v, want that the disk is full", err)
		}
		if all, err := stored(pool); err != nil || len(all) != 0 {
			t.Errorf("%d Posts are there, %v, want none", len(all), err)
		}
		room()
		if err := s.Deliver(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		if all, err := stored(pool); err != nil || len(all) != len(batch) {
			t.Errorf("%d Posts are there, %v, want %d", len(all), err, len(batch))
		}
	})
}

// A database that has become read-only, as one that has handed over to another, is
// asked until it writes again.
func TestReadOnly(t *testing.T) {
	onEach(t, func(t *testing.T, e engine) {
		var pool, admin *sql.DB
		var set string
		switch e.dialect {
		case sqlsink.Postgres:
			pool, admin = e.look(t, e.newDatabase(t)), e.look(t, e.admin)
			pool.SetMaxIdleConns(-1) // it goes for those who connect from now on
			var name string
			if err := pool.QueryRow("SELECT current_database()").Scan(&name); err != nil {
				t.Fatal(err)
			}
			set = "ALTER DATABASE " + name + " SET default_transaction_read_only = "
		case sqlsink.MySQL:
			if !long() {
				t.Skip("it starts a server of its own: TWEETSTREAM_E2E=1")
			}
			own := e.own(t)
			admin = e.look(t, own.dsn)
			for _, text := range []string{"CREATE USER me", "GRANT ALL ON test.* TO me"} { // root may write all the same
				if _, err := admin.Exec(text); err != nil {
					t.Fatal(err)
				}
			}
			pool = e.look(t, strings.Replace(own.dsn, "root@", "me@", 1))
			set = "SET GLOBAL read_only = "
		case sqlsink.SQLite:
			pool = e.look(t, e.newDatabase(t))
			pool.SetMaxOpenConns(1)
			admin, set = pool, "PRAGMA query_only = "
		}
		s, err := sqlsink.New(t.Context(), pool, e.dialect)
		if err != nil {
			t.Fatal(err)
		}
		readOnly := func(on string) {
			t.Helper()
			if _, err := admin.Exec(set + on); err != nil {
				t.Fatal(err)
			}
		}
		batch := many(t, 1000, 10)
		readOnly("ON")
		err = s.Deliver(t.Context(), batch)
		if refused(t, err); err != nil && !strings.Contains(err.Error(), ": the database is read-only: ") {
			t.Errorf("Deliver() = %v, want that the database is read-only", err)
		}
		if all, err := stored(pool); err != nil || len(all) != 0 {
			t.Errorf("%d Posts are there, %v, want none", len(all), err)
		}
		readOnly("OFF")
		if err := s.Deliver(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		if all, err := stored(pool); err != nil || len(all) != len(batch) {
			t.Errorf("%d Posts are there, %v, want %d", len(all), err, len(batch))
		}
	})
}

// Ten processes that start together make the tables once.
func TestMigrateProcesses(t *testing.T) {
	onEach(t, func(t *testing.T, e engine) {
		dsn := e.newDatabase(t)
		exe, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		var all []*exec.Cmd
		for range 10 {
			c := exec.Command(exe, e.driver, dsn)
			c.Env = append(os.Environ(), child+"=migrate")
			c.Stderr = new(strings.Builder)
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			all = append(all, c)
		}
		for _, c := range all {
			if err := c.Wait(); err != nil {
				t.Errorf("%v: %s", err, c.Stderr)
			}
		}
		var rows, version int
		if err := e.look(t, dsn).QueryRow("SELECT count(*), max(version) FROM tweetstream_schema").Scan(&rows, &version); err != nil || rows != 1 || version != 1 {
			t.Errorf("%d rows of version %d, %v, want 1 of version 1", rows, version, err)
		}
	})
}

// What an engine says of a value, and what it quotes of it, is no part of an error. A
// value that it refuses is the Post's fault; anything else is not.
func TestErrorsQuoteNothing(t *testing.T) {
	onEach(t, func(t *testing.T, e engine) {
		var trigger []string
		switch e.dialect {
		case sqlsink.Postgres:
			trigger = []string{
				"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused: %', NEW.text USING ERRCODE = '{state}'; END $$",
				"CREATE TRIGGER refuse BEFORE INSERT ON tweets FOR EACH ROW WHEN (NEW.id = 5) EXECUTE FUNCTION refuse()",
			}
		case sqlsink.MySQL:
			trigger = []string{"CREATE TRIGGER refuse BEFORE INSERT ON tweets FOR EACH ROW BEGIN DECLARE said varchar(100); " +
				"IF NEW.id = 5 THEN SET said = left(NEW.text, 100); SIGNAL SQLSTATE '{state}' SET MESSAGE_TEXT = said, MYSQL_ERRNO = {number}; END IF; END"}
		default:
			t.Skip("SQLite quotes no values")
		}
		for _, c := range []struct {
			state, number string
			permanent     bool
		}{{"22001", "1406", true}, {"45000", "1644", false}} {
			s, db := e.open(t, e.newDatabase(t))
			for _, text := range trigger {
				if _, err := db.Exec(strings.NewReplacer("{state}", c.state, "{number}", c.number).Replace(text)); err != nil {
					t.Fatal(err)
				}
			}
			err := s.Deliver(t.Context(), many(t, 1, 10))
			if err == nil || strings.Contains(err.Error(), "CANARY") {
				t.Errorf("%s: Deliver() = %v, want an error that shows no Post", c.state, err)
			}
			if got := permanent(err); got != c.permanent {
				t.Errorf("%s: Deliver() = %v, permanent: %v, want %v", c.state, err, got, c.permanent)
			}
			if all, err := stored(db); err != nil || len(all) != 0 {
				t.Errorf("%d Posts are there, %v, want none", len(all), err)
			}
		}
	})
}
