package main_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	"github.com/google/go-cmp/cmp"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/tweetstream-go/tweetstream/xtest"
)

const canary = "CANARY0passw0rd0CANARY"

var databaseNumber atomic.Int64

// newDatabase makes a database that only the user me with the password canary can
// write to, where the server asks for passwords. Where there is no server the test
// is skipped, but with TWEETSTREAM_E2E=1 it fails.
func newDatabase(t *testing.T, driver, admin string) (db *sql.DB, name string) {
	t.Helper()
	db, err := sql.Open(driver, admin)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := db.PingContext(ctx); err != nil {
		if os.Getenv("TWEETSTREAM_E2E") == "1" {
			t.Fatal(err)
		}
		t.Skipf("no database server: %v", err)
	}
	name = fmt.Sprintf("tweetstream_streamer_%d_%d", os.Getpid(), databaseNumber.Add(1))
	var made, gone []string
	switch driver {
	case "pgx":
		made = []string{"CREATE DATABASE " + name}
		gone = []string{"DROP DATABASE " + name + " WITH (FORCE)"}
	case "mysql":
		me := "'" + name + "'@'%'"
		made = []string{"CREATE DATABASE " + name, "CREATE USER " + me + " IDENTIFIED BY '" + canary + "'", "GRANT ALL ON " + name + ".* TO " + me}
		gone = []string{"DROP DATABASE " + name, "DROP USER " + me}
	}
	for _, q := range made {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for _, q := range gone {
			if _, err := db.Exec(q); err != nil {
				t.Error(err)
			}
		}
	})
	return db, name
}

// Each engine gets every Post once, and check says what it finds without making
// anything.
func TestDatabases(t *testing.T) {
	const postgres, mariadb = "postgres://postgres@127.0.0.1:5432/", "root@tcp(127.0.0.1:3306)/"
	for _, engine := range []struct {
		name string
		at   func(t *testing.T, dir string) (db *sql.DB, table string, flags, env []string)
	}{
		{"postgres", func(t *testing.T, dir string) (*sql.DB, string, []string, []string) {
			_, name := newDatabase(t, "pgx", postgres+"postgres")
			db, err := sql.Open("pgx", postgres+name)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { db.Close() })
			return db, "tweets", []string{"--to", postgres + name}, nil
		}},
		{"mysql, password in a file", func(t *testing.T, dir string) (*sql.DB, string, []string, []string) {
			db, name := newDatabase(t, "mysql", mariadb)
			file := write(t, filepath.Join(dir, "password"), canary+"\n")
			return db, name + ".tweets", []string{"--to", "mysql://" + name + "@127.0.0.1/" + name, "--sql-password-file", file}, nil
		}},
		{"mysql, password in the environment", func(t *testing.T, dir string) (*sql.DB, string, []string, []string) {
			db, name := newDatabase(t, "mysql", mariadb)
			return db, name + ".tweets", []string{"--to", "mysql://" + name + "@127.0.0.1:3306/" + name, "--sql-password-env", "PASSWORD"}, []string{"PASSWORD=" + canary}
		}},
		{"sqlite", func(t *testing.T, dir string) (*sql.DB, string, []string, []string) {
			path := filepath.Join(dir, "posts of coop.db")
			db, err := sql.Open("sqlite", path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { db.Close() })
			return db, "tweets", []string{"--to", "sqlite:" + path}, nil
		}},
	} {
		t.Run(engine.name, func(t *testing.T) {
			dir := t.TempDir()
			db, table, flags, env := engine.at(t, dir)
			x := newServer(t, xtest.Rule("coop", "coop"), xtest.Rate(200), xtest.Limit(300))
			run := func(name string) *process {
				args := append([]string{name, "--api-url", x.URL, "--rule", "coop=coop"}, flags...)
				return command{args: args, env: env, dir: dir}.start(t)
			}
			check := func(want string) {
				t.Helper()
				p := run("check")
				if code := p.wait(); code != 0 || !strings.Contains(p.stdout.String(), want) {
					t.Errorf("check ends with %d and does not say %q:\n%s%s", code, want, p.stdout.String(), p.stderr.String())
				}
			}
			kept := func() (ids []string) {
				rows, err := db.QueryContext(t.Context(), "SELECT id FROM "+table+" ORDER BY id")
				if err != nil {
					return nil // no table yet
				}
				defer rows.Close()
				for rows.Next() {
					var id string
					if err := rows.Scan(&id); err != nil {
						t.Fatal(err)
					}
					ids = append(ids, id)
				}
				return ids
			}
			if engine.name == "sqlite" {
				check("posts of coop.db can be written to")
			} else {
				check("it has no tables yet")
			}
			if n := len(kept()); n > 0 {
				t.Errorf("check has made a table")
			}
			p := run("run")
			p.eventually("all are there", func() bool { return x.Stats().Made == 300 && len(kept()) == len(x.IDs()) })
			p.stop(os.Interrupt)
			want := slices.Sorted(slices.Values(x.IDs()))
			if diff := cmp.Diff(want, kept()); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(p.stderr.String(), canary) {
				t.Errorf("the password is in the log:\n%s", p.stderr.String())
			}
			if engine.name != "sqlite" {
				check("takes connections and has the tables")
			}
		})
	}
}

// What a driver says of a connection that fails shows no password.
func TestCheckOfADatabaseThatIsGone(t *testing.T) {
	x := newServer(t)
	for _, to := range []string{"postgres://u:" + canary + "@127.0.0.1:1/db", "mysql://u:" + canary + "@127.0.0.1:1/db"} {
		p := start(t, "check", "--api-url", x.URL, "--tag", "coop", "--to", to)
		out := p.stdout.String
		if code := p.wait(); code != 1 || !strings.Contains(out(), "connection refused") || strings.Contains(out()+p.stderr.String(), canary) {
			t.Errorf("check ends with %d:\n%s%s", code, out(), p.stderr.String())
		}
	}
}

// A database that can't be opened ends the program with one error, which names the flags
// and what is wrong, and shows no password.
func TestDatabaseRefused(t *testing.T) {
	_, name := newDatabase(t, "mysql", "root@tcp(127.0.0.1:3306)/")
	mysql, missing := "mysql://"+name+"@127.0.0.1/"+name, "mysql://"+name+"@127.0.0.1/nothing"
	dir := t.TempDir()
	wrong := write(t, filepath.Join(dir, "wrong"), "CANARY1wrong1CANARY\n")
	right := write(t, filepath.Join(dir, "right"), canary+"\n")
	text := write(t, filepath.Join(dir, "text"), strings.Repeat("no database ", 100))
	env := []string{"WRONG=CANARY1wrong1CANARY"}
	const shown = `--to "mysql://…@127.0.0.1/…"` // a long name may be a secret
	for what, c := range map[string]struct {
		args []string
		want string
	}{
		"no password":               {[]string{"--to", mysql}, shown + ": sqlsink: migrate: user or password is refused: "},
		"a wrong one in the URL":    {[]string{"--to", strings.Replace(mysql, "@", ":CANARY1wrong1CANARY@", 1)}, shown + ": sqlsink: migrate: user or password is refused: "},
		"a wrong one in a file":     {[]string{"--to", mysql, "--sql-password-file", wrong}, shown + ": with the password of --sql-password-file: sqlsink: migrate: user or password is refused: "},
		"a wrong one in a variable": {[]string{"--to", mysql, "--sql-password-env", "WRONG"}, shown + ": with the password of --sql-password-env: sqlsink: migrate: user or password is refused: "},
		"no right to a database":    {[]string{"--to", missing, "--sql-password-file", right}, `--to "mysql://…@127.0.0.1/nothing"` + ": with the password of --sql-password-file: sqlsink: migrate: a permission is missing: "},
		"no such database":          {[]string{"--to", "mysql://root@127.0.0.1/nothing"}, `--to "mysql://…@127.0.0.1/nothing": sqlsink: migrate: the database is missing, or can't be opened: `},
		"none in PostgreSQL":        {[]string{"--to", "postgres://postgres@127.0.0.1/nothing"}, `--to "postgres://…@127.0.0.1/nothing": sqlsink: migrate: the database is missing, or can't be opened: `},
		"no folder":                 {[]string{"--to", "sqlite:/nowhere/posts.db"}, `--to "sqlite:/nowhere/posts.db": sqlsink: migrate: the database is missing, or can't be opened: `},
		"another file":              {[]string{"--to", "sqlite:" + text}, `--to "sqlite:` + text + `": sqlsink: migrate: the file is no database: `},
	} {
		t.Run(what, func(t *testing.T) {
			x := newServer(t)
			p := command{args: append([]string{"--api-url", x.URL, "--tag", "coop"}, c.args...), env: env, dir: t.TempDir()}.start(t)
			if code, got := p.wait(), p.stderr.String(); code != 1 || !strings.Contains(got, "\nstreamer: "+c.want) || strings.Count(got, "\n") != 2 || strings.Contains(got, "CANARY") {
				t.Errorf("it ends with %d and says behind one line of log\n%swant\nstreamer: %s…", code, got, c.want)
			}
			if n := len(x.Requests()); n > 0 {
				t.Errorf("X was asked %d times before", n)
			}
		})
	}
}
