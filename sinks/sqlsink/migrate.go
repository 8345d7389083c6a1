package sqlsink

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"embed"
	"errors"
	"fmt"
	"strings"
)

// A file is a step from the version before to its own.
//
//go:embed schema/*.sql
var steps embed.FS

// version is the schema's newest.
const version = 1

// step returns the statements of a step.
func step(d Dialect, prefix string, to int) []string {
	text, err := steps.ReadFile(fmt.Sprintf("schema/%s-%d.sql", d, to))
	if err != nil {
		panic(err) // it is embedded
	}
	return strings.Split(strings.TrimSpace(strings.ReplaceAll(string(text), "{prefix}", prefix)), "\n\n")
}

// versionTable is the same in all dialects.
func versionTable(prefix string) string {
	return "CREATE TABLE " + prefix + "tweetstream_schema (version bigint NOT NULL);"
}

// Schema returns the statements that make the tables in an empty database, for
// those who run them by themselves. Of the options only [Prefix] counts. SQLite's
// pragmas are not among them: [New] sets them.
func Schema(dialect Dialect, opts ...Option) (string, error) {
	c, err := newConfig(dialect, opts)
	if err != nil {
		return "", err
	}
	all := []string{versionTable(c.prefix)}
	for v := range version {
		all = append(all, step(dialect, c.prefix, v+1)...)
	}
	all = append(all, fmt.Sprintf("INSERT INTO %stweetstream_schema (version) VALUES (%d);", c.prefix, version))
	return strings.Join(all, "\n\n") + "\n", nil
}

// prepareSchema makes the tables, or looks at their version.
func (s *Sink) prepareSchema(ctx context.Context) error {
	if !s.migrate {
		have, err := s.version(ctx, s.db)
		if err == nil && have != version {
			return fmt.Errorf("sqlsink: the tables have version %d, want %d: with Migrate(false) they are yours to make, see Schema", have, version)
		}
		return s.failure(ctx, "look for the tables", err, nil)
	}
	var newer error
	err := s.locked(ctx, func(w *work) error {
		have, err := s.version(ctx, w.q())
		if err != nil {
			return err
		}
		if have > version {
			newer = fmt.Errorf("sqlsink: the tables have version %d, this program knows %d: update it", have, version)
			return newer
		}
		if have == none {
			if err := w.foreign(ctx); err != nil {
				newer = err
				return err
			}
			if err := w.exec(ctx, versionTable(s.prefix)); err != nil {
				return err
			}
			have = 0
		}
		if have == 0 {
			// In MySQL a statement that makes a table commits: half a migration goes
			// on at the next start.
			if err := w.exec(ctx, "DELETE FROM {prefix}tweetstream_schema", "INSERT INTO {prefix}tweetstream_schema (version) VALUES (0)"); err != nil {
				return err
			}
		}
		for v := have + 1; v <= version; v++ {
			if err := w.exec(ctx, step(s.dialect, s.prefix, v)...); err != nil {
				return err
			}
			if err := w.exec(ctx, fmt.Sprintf("UPDATE {prefix}tweetstream_schema SET version = %d", v)); err != nil {
				return err
			}
		}
		return nil
	})
	if newer != nil {
		return newer
	}
	return s.failure(ctx, "migrate", err, nil)
}

func (w *work) exec(ctx context.Context, statements ...string) error {
	for _, text := range statements {
		if _, err := w.q().ExecContext(ctx, w.expand(text, 0)); err != nil {
			return err
		}
	}
	return nil
}

// locked is transact, of one process at a time.
func (s *Sink) locked(ctx context.Context, f func(w *work) error) error {
	return s.connect(ctx, func(w *work) error {
		if s.dialect == MySQL {
			name := fmt.Sprintf("tweetstream %x", uint64(s.lockNumber()))
			var got sql.NullInt64
			// The lock is the server's: databases on it wait for each other.
			if err := w.conn.QueryRowContext(ctx, "SELECT GET_LOCK(?, 60)", name).Scan(&got); err != nil {
				return err
			}
			if got.Int64 != 1 {
				return errors.New("another process has been migrating for a minute")
			}
			// Not within the transaction, whose end the next one must see.
			defer w.unlock(ctx, name)
		}
		return w.transact(ctx, func(w *work) error {
			if s.dialect == Postgres {
				if _, err := w.tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", s.lockNumber()); err != nil {
					return err
				}
			}
			return f(w)
		})
	})
}

// unlock gives MySQL's lock back. A connection that can't is not used again: the
// server gives back what it held.
func (w *work) unlock(ctx context.Context, name string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), busyTime)
	defer cancel()
	if _, err := w.conn.ExecContext(ctx, "DO RELEASE_LOCK(?)", name); err != nil {
		_ = w.conn.Raw(func(any) error { return driver.ErrBadConn })
	}
}

// none is the version where there is no table of it.
const none = -1

// exists asks for a table in the current schema.
var exists = map[Dialect]string{
	Postgres: "SELECT count(*) FROM pg_class WHERE oid = to_regclass($1) AND relnamespace = current_schema()::regnamespace",
	MySQL:    "SELECT count(*) FROM information_schema.tables WHERE table_schema = database() AND table_name = ?",
	SQLite:   "SELECT count(*) FROM sqlite_master WHERE name = ?",
}

func (s *Sink) count(ctx context.Context, q querier, query string, args ...any) (n int, err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	if rows.Next() {
		err = rows.Scan(&n)
	}
	return n, errors.Join(err, rows.Err())
}

func (s *Sink) version(ctx context.Context, q querier) (int, error) {
	n, err := s.count(ctx, q, exists[s.dialect], s.prefix+"tweetstream_schema")
	if err != nil || n == 0 {
		return none, err
	}
	return s.count(ctx, q, "SELECT max(version) FROM "+s.prefix+"tweetstream_schema HAVING count(*) > 0")
}

// foreign returns an error if a table of somebody else's has the name of one of
// ours.
func (w *work) foreign(ctx context.Context) error {
	for _, t := range []string{"tweets", "users", "media", "rules", "tweet_rules", "deleted"} {
		n, err := w.count(ctx, w.q(), exists[w.dialect], w.prefix+t)
		if err != nil {
			return w.failure(ctx, "look for the tables", err, nil)
		}
		if n > 0 {
			return fmt.Errorf("sqlsink: there is a table %s%s already, which is not of this package: use Prefix", w.prefix, t)
		}
	}
	return nil
}
