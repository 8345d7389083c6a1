package sqlsink

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/tweetstream-go/tweetstream"
)

// A Dialect is the kind of a database.
type Dialect int

// The databases that there are statements for.
const (
	Postgres Dialect = iota + 1
	MySQL            // MariaDB too
	SQLite
)

// String returns the dialect's name.
func (d Dialect) String() string {
	switch d {
	case Postgres:
		return "postgres"
	case MySQL:
		return "mysql"
	case SQLite:
		return "sqlite"
	}
	return fmt.Sprintf("Dialect(%d)", int(d))
}

// dialects are those of the drivers that [Open] knows by name.
var dialects = map[string]Dialect{
	"pgx": Postgres, "pgx/v5": Postgres, "mysql": MySQL, "sqlite": SQLite, "sqlite3": SQLite,
}

// An Option configures a [Sink].
type Option func(*config)

type config struct {
	prefix  string
	migrate bool
}

// Prefix begins the name of each table and index: lower-case letters, digits and
// underscores, 30 at most. By default it is empty. Sinks with different prefixes
// share a database without sharing Posts.
func Prefix(prefix string) Option { return func(c *config) { c.prefix = prefix } }

// Migrate says whether [New] makes the tables and brings them up to date, which
// is the default. With false, tables of another version are an error; see
// [Schema].
func Migrate(migrate bool) Option { return func(c *config) { c.migrate = migrate } }

var prefixForm = regexp.MustCompile(`^([a-z_][a-z0-9_]{0,29})?$`)

func newConfig(d Dialect, opts []Option) (config, error) {
	c := config{migrate: true}
	for _, opt := range opts {
		opt(&c)
	}
	if d < Postgres || d > SQLite {
		return c, fmt.Errorf("sqlsink: there is no %v", d)
	}
	if !prefixForm.MatchString(c.prefix) {
		return c, errors.New("sqlsink: Prefix: want lower-case letters, digits and underscores, 30 at most, and no digit first")
	}
	return c, nil
}

// A Sink writes Posts to a database. It is a [tweetstream.Sink] and a
// [tweetstream.Deleter], made by [Open] or [New], and safe for concurrent use:
// with [tweetstream.Parallel] each call has a connection of its own.
type Sink struct {
	config
	dialect    Dialect
	db         *sql.DB
	own        bool   // Close closes db
	dsn        string // if given: no error may show it
	statements statements
	known      known
	arrivals   arrivals
	packet     int // of MySQL, the bytes of one statement; 0 for the others
}

// Open opens a database and makes a [Sink] of it as [New] does. The driver is
// "pgx", "mysql", "sqlite" or "sqlite3", imported by the caller; for another use
// New. Errors do not show the DSN.
func Open(ctx context.Context, driver, dsn string, opts ...Option) (*Sink, error) {
	d, ok := dialects[driver]
	if !ok {
		return nil, fmt.Errorf("sqlsink: open: the dialect of driver %.64q is not known: use sql.Open and New", driver)
	}
	if _, err := newConfig(d, opts); err != nil {
		return nil, err
	}
	if !slices.Contains(sql.Drivers(), driver) {
		return nil, fmt.Errorf("sqlsink: open: there is no driver %q: import its package", driver)
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		// What a driver says of a DSN is likely to quote it.
		return nil, fmt.Errorf("sqlsink: open: driver %s does not take the DSN", driver)
	}
	s, err := newSink(ctx, db, d, dsn, opts)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s.own = true
	return s, nil
}

// New returns a Sink that writes to db, after it has made the tables and brought
// them up to date, or seen that they are. The db stays the caller's, who closes it
// after the Streamer's Run has returned. A file of SQLite that is still empty gets
// pages of 16 kB; any gets a write-ahead log.
func New(ctx context.Context, db *sql.DB, dialect Dialect, opts ...Option) (*Sink, error) {
	return newSink(ctx, db, dialect, "", opts)
}

func newSink(ctx context.Context, db *sql.DB, dialect Dialect, dsn string, opts []Option) (*Sink, error) {
	c, err := newConfig(dialect, opts)
	if err != nil {
		return nil, err
	}
	s := &Sink{config: c, dialect: dialect, db: db, dsn: dsn}
	if err := s.prepareSchema(ctx); err != nil {
		return nil, err
	}
	if s.arrivals.last, err = s.lastArrival(ctx); err != nil {
		return nil, err
	}
	if dialect == MySQL {
		if err := db.QueryRowContext(ctx, "SELECT @@max_allowed_packet").Scan(&s.packet); err != nil {
			return nil, s.failure(ctx, "open", err, nil)
		}
	}
	return s, nil
}

// Defaults asks the Streamer for 500 tweets at a time, and to wait a second for
// them.
func (s *Sink) Defaults() []tweetstream.SinkOption {
	return []tweetstream.SinkOption{tweetstream.Batch(500, time.Second)}
}

// Deliver writes the tweets in one transaction. What its error means is told by
// the package comment.
func (s *Sink) Deliver(ctx context.Context, tweets []*tweetstream.Tweet) error {
	posts := decodeAhead(inParts(newPosts(tweets, s.arrivals.take(len(tweets)))))
	defer posts.stop()
	err := s.transact(ctx, func(w *work) error {
		anything, err := w.anythingDeleted(ctx)
		if err != nil {
			return err
		}
		others := newRelated(len(tweets))
		for part := range posts.all() {
			if anything {
				if part, err = w.notDeleted(ctx, part); err != nil {
					return err
				}
			}
			if err := w.insert(ctx, others.add(part)); err != nil {
				return err
			}
		}
		for _, set := range others {
			if err := w.insert(ctx, set.sorted()); err != nil {
				return err
			}
		}
		return nil
	})
	return s.failure(ctx, "deliver", err, tweets)
}

// Close closes the database if [Open] has opened it. Call it after the Streamer's
// Run has returned.
func (s *Sink) Close() error {
	err := s.statements.close()
	if s.own {
		err = errors.Join(err, s.db.Close())
	}
	return s.failure(context.Background(), "close", err, nil)
}
