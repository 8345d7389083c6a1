package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/examples/internal/secrets"
	"github.com/tweetstream-go/tweetstream/examples/internal/xflags"
	"github.com/tweetstream-go/tweetstream/sinks/sqlsink"
)

// databases are the flags for postgres: and mysql: sinks.
type databases struct {
	SQLPasswordFile *string `name:"sql-password-file" placeholder:"FILE" help:"Take the password of postgres: and mysql: sinks from this file, in place of one in the URL, which other users of the machine can see."`
	SQLPasswordEnv  *string `name:"sql-password-env" placeholder:"NAME" help:"Take this password from this environment variable instead."`
}

// A database is where a sink connects to.
type database struct {
	driver string
	dsn    func(password string) string
	given  string // the password in the URL
}

func (d *database) open(password string) opener {
	return func(ctx context.Context, _ *slog.Logger) (tweetstream.Sink, func() error, error) {
		sink, err := sqlsink.Open(ctx, d.driver, d.dsn(password))
		if err != nil {
			return nil, nil, err
		}
		return sink, sink.Close, nil
	}
}

// connect opens the database as a sink does, without making tables.
func (d *database) connect(password string) (*sql.DB, error) {
	return sql.Open(d.driver, d.dsn(password))
}

func parsePostgres(scheme string) func(rest string) (target, error) {
	const want = "want postgres://USER@HOST:PORT/DATABASE, with ?sslmode=… where need be"
	return func(rest string) (target, error) {
		u, err := url.Parse(scheme + ":" + rest)
		if err != nil || u.Opaque != "" {
			return target{}, errors.New(want)
		}
		if _, err := pgconn.ParseConfig(u.String()); err != nil {
			return target{}, errors.New(want) // its own error may show the password
		}
		db := &database{driver: "pgx", dsn: func(password string) string { return withPassword(*u, password).String() }}
		db.given, _ = u.User.Password()
		return target{place: placeOf(u), database: db}, nil
	}
}

func parseMySQL(rest string) (target, error) {
	const want = "want mysql://USER@HOST:PORT/DATABASE, with ?tls=true where need be"
	u, err := url.Parse("mysql:" + rest)
	if err != nil || u.Opaque != "" || u.Hostname() == "" || strings.Trim(u.Path, "/") == "" || u.Fragment != "" {
		return target{}, errors.New(want)
	}
	port := u.Port()
	if port == "" {
		port = "3306"
	}
	// The driver has a form of its own, of which the options are the same.
	cfg, err := mysql.ParseDSN("tcp(" + net.JoinHostPort(u.Hostname(), port) + ")/" + url.PathEscape(strings.TrimPrefix(u.Path, "/")) + "?" + u.RawQuery)
	if err != nil {
		return target{}, errors.New(want)
	}
	cfg.User = u.User.Username()
	db := &database{driver: "mysql", dsn: func(password string) string {
		c := cfg.Clone()
		c.Passwd, _ = withPassword(*u, password).User.Password()
		return c.FormatDSN()
	}}
	db.given, _ = u.User.Password()
	return target{place: placeOf(u), database: db}, nil
}

func parseSQLite(rest string) (target, error) {
	path := rest
	if strings.HasPrefix(path, "///") {
		path = path[2:]
	}
	if path == "" || strings.HasPrefix(path, "//") || strings.HasPrefix(path, ":") || strings.ContainsAny(path, "?#%") {
		return target{}, errors.New("want sqlite:PATH, the path without any of ?, # and %")
	}
	db := &database{driver: "sqlite", dsn: func(string) string { return path }}
	return target{place: filepath.Clean(path), database: db, open: db.open("")}, nil
}

// withPassword is u with a password, if there is one, in place of its own.
func withPassword(u url.URL, password string) *url.URL {
	if password != "" {
		u.User = url.UserPassword(u.User.Username(), password)
	}
	return &u
}

// placeOf tells databases apart: whoever writes to it, and however.
func placeOf(u *url.URL) string { return u.Host + u.Path }

// complete makes sinks of the targets that are databases with a password.
func (d *databases) complete(targets []target, s *settings) error {
	from, err := s.OneOf("sql-password-file", "sql-password-env")
	if err != nil {
		return err
	}
	var password string
	var file *secrets.File
	switch from {
	case "sql-password-file":
		if file, err = secrets.Read(*d.SQLPasswordFile); err != nil {
			return misuse("%s: %w", s.Given(from), err)
		}
		password = strings.TrimRight(file.Text, "\r\n")
	case "sql-password-env":
		if !xflags.EnvVar.MatchString(*d.SQLPasswordEnv) {
			return misuse("%s: want the name of a variable that holds the password", s.Given(from))
		}
		password = os.Getenv(*d.SQLPasswordEnv)
	}
	switch {
	case from != "" && password == "":
		return misuse("%s: there is no password in it", s.Given(from))
	case strings.ContainsAny(password, "\r\n"):
		return misuse("%s: a password is one line", s.Given(from))
	}
	var warned sync.Once // for all sinks
	for i := range targets {
		t := &targets[i]
		if t.database == nil || t.database.driver == "sqlite" {
			continue
		}
		if from != "" && t.database.given != "" {
			return misuse("%s: the URL of the sink %s has a password too", s.Given(from), t.name)
		}
		open := t.database.open(password)
		t.password = password
		t.open = func(ctx context.Context, logger *slog.Logger) (tweetstream.Sink, func() error, error) {
			warned.Do(func() { file.Warn(logger) })
			sink, close, err := open(ctx, logger)
			if err != nil && from != "" {
				err = fmt.Errorf("with the password of %s: %w", s.Given(from), err)
			}
			return sink, close, err
		}
	}
	return nil
}

// checkDatabase looks whether a sink could write, and what it would find. It
// changes nothing.
func checkDatabase(ctx context.Context, r *report, what string, t target) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	db, err := t.database.connect(t.password)
	if err != nil { // of which a driver says too much
		r.add(fail, what, "the driver does not take the URL", "")
		return
	}
	defer db.Close()
	var version string
	if err := db.QueryRowContext(ctx, "SELECT version()").Scan(&version); err != nil {
		// Drivers name the user, the host and the reason; a password they don't,
		// but a proxy's answer may be anything.
		text := err.Error()
		for _, password := range []string{t.password, t.database.given} {
			if password != "" {
				text = strings.ReplaceAll(text, password, "…")
			}
		}
		r.add(fail, what, text, "start the database, or mend the URL, the password or the user's rights")
		return
	}
	if name, _, ok := strings.Cut(version, " on "); ok { // PostgreSQL goes on about its compiler
		version = name
	}
	var tables int
	if err := db.QueryRowContext(ctx, "SELECT version FROM tweetstream_schema").Scan(&tables); err != nil {
		r.add(ok, what, version+" takes connections; it has no tables yet", "")
		r.would("make tables in the database of the sink %s", t.name)
		return
	}
	r.add(ok, what, version+" takes connections and has the tables", "")
}
