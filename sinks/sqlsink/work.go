package sqlsink

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
)

// work is a transaction under way.
type work struct {
	*Sink
	conn *sql.Conn
	tx   *sql.Tx              // nil in SQLite, where database/sql can't begin an immediate one
	rows map[*table]*sql.Stmt // of SQLite, what inserts a row in this transaction

	// messages are those of the rows that are being inserted, for PostgreSQL.
	messages []byte

	// removes is set in a transaction that deletes: once it has waited for those
	// that write, each of its statements must see what they have written.
	removes bool
}

type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

func (w *work) q() querier {
	if w.tx != nil {
		return w.tx
	}
	return w.conn
}

// transact calls f in a transaction, which it commits if f returns nil.
func (s *Sink) transact(ctx context.Context, f func(w *work) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.connect(ctx, func(w *work) error { return w.transact(ctx, f) })
}

// connect calls f with a connection that is set up.
func (s *Sink) connect(ctx context.Context, f func(w *work) error) error {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	w := &work{Sink: s, conn: conn, messages: []byte{}} // nil would be NULL
	if err := w.setUp(ctx); err != nil {
		return err
	}
	return f(w)
}

func (w *work) transact(ctx context.Context, f func(w *work) error) (err error) {
	if w.dialect == SQLite {
		return w.immediately(ctx, f)
	}
	level := sql.LevelReadCommitted
	if w.dialect == MySQL && !w.removes {
		level = sql.LevelRepeatableRead // it locks gaps: see deletedIDs
	}
	if w.tx, err = w.conn.BeginTx(ctx, &sql.TxOptions{Isolation: level}); err != nil {
		return err
	}
	defer w.tx.Rollback() // does nothing after Commit
	if err := f(w); err != nil {
		return err
	}
	return w.tx.Commit()
}

// busyTime is how long a turn to write is waited for in SQLite. One call waits for
// less, for it does not look at the context.
const busyTime = 5 * time.Second

// immediately is transact in SQLite: it takes the lock for writing at once, for a
// transaction that reads first can't get it later if another one has written.
func (w *work) immediately(ctx context.Context, f func(w *work) error) error {
	if _, err := w.patiently(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	done := false
	w.rows = map[*table]*sql.Stmt{}
	defer func() {
		for _, stmt := range w.rows {
			_ = stmt.Close() // what it inserted has been told
		}
		if done {
			return
		}
		// After a panic too, and though ctx may be done: the connection goes back.
		if _, err := w.conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK"); err != nil {
			// SQLite may have rolled back by itself; what is not certain is not used again.
			_ = w.conn.Raw(func(any) error { return driver.ErrBadConn })
		}
	}()
	if err := f(w); err != nil {
		return err
	}
	if _, err := w.conn.ExecContext(ctx, "COMMIT"); err != nil {
		return err
	}
	done = true
	return nil
}

// settings are those of a connection. SQLite's stand in their order: the size of a
// page is fixed once anything is in the file, and the write-ahead log would be.
var settings = map[Dialect][]string{
	MySQL: {"SET NAMES utf8mb4"}, // the DSN or the server may say latin1
	SQLite: {
		"PRAGMA busy_timeout = 50", // ms
		"PRAGMA page_size = 16384",
		"PRAGMA journal_mode = WAL",
		"PRAGMA synchronous = FULL", // a Post that is delivered outlasts a loss of power
		"PRAGMA secure_delete = ON",
	},
}

// known are the connections that are set up, as the driver has them.
type known struct {
	mu  sync.Mutex
	all map[any]bool
}

// maxKnown is how many are remembered, so that those that were closed do not stay
// in memory; to set one up again does no harm.
const maxKnown = 64

func (k *known) has(conn any) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.all[conn]
}

func (k *known) add(conn any) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.all == nil || len(k.all) >= maxKnown {
		k.all = map[any]bool{}
	}
	k.all[conn] = true
}

// setUp issues the settings on a connection that has not had them.
func (w *work) setUp(ctx context.Context) error {
	var raw any
	err := w.conn.Raw(func(conn any) error {
		if reflect.TypeOf(conn).Comparable() {
			raw = conn
		}
		return nil
	})
	if err != nil || raw != nil && w.known.has(raw) {
		return err
	}
	for _, text := range settings[w.dialect] {
		if _, err := w.patiently(ctx, text); err != nil {
			return err
		}
	}
	if raw != nil {
		w.known.add(raw)
	}
	return nil
}

// patiently runs a statement again while another connection of SQLite is in the
// way, for [busyTime]. It returns the first value of the answer, if that is a number.
func (w *work) patiently(ctx context.Context, text string) (first int64, err error) {
	for begin := time.Now(); ; {
		first, err = w.ask(ctx, text)
		if err == nil || ctx.Err() != nil || codeOf(err).sqlite != sqliteBusy || time.Since(begin) > busyTime {
			return first, err
		}
	}
}

func (w *work) ask(ctx context.Context, text string) (first int64, err error) {
	rows, err := w.conn.QueryContext(ctx, text)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return 0, err
	}
	values := make([]any, len(names))
	for i := range values {
		values[i] = new(any)
	}
	for rows.Next() {
		if err := rows.Scan(values...); err != nil {
			return 0, err
		}
		first, _ = (*values[0].(*any)).(int64)
	}
	return first, rows.Err()
}

// lockNumber is the number of an advisory lock, from the prefix.
func (s *Sink) lockNumber() int64 {
	sum := sha256.Sum256([]byte("tweetstream sqlsink " + s.prefix))
	return int64(binary.BigEndian.Uint64(sum[:]))
}

// insert writes the rows of a table.
func (w *work) insert(ctx context.Context, r rows) (err error) {
	if len(r.rows) == 0 {
		return nil
	}
	switch w.dialect {
	case Postgres:
		err = w.insertPostgres(ctx, r)
	case MySQL:
		err = w.insertMySQL(ctx, r)
	case SQLite:
		err = w.insertSQLite(ctx, r)
	}
	if err != nil {
		return fmt.Errorf("insert into %s: %w", r.table.name, err)
	}
	return nil
}

func (w *work) insertSQLite(ctx context.Context, r rows) (err error) {
	stmt := w.rows[r.table]
	if stmt == nil {
		if stmt, err = w.conn.PrepareContext(ctx, r.table.insertSQLite(w.prefix)); err != nil {
			return err
		}
		w.rows[r.table] = stmt
	}
	args := make([]any, len(r.table.columns))
	for _, row := range r.rows {
		for i, v := range row {
			if t, ok := v.(time.Time); ok {
				v = t.UnixMicro()
			}
			args[i] = v
		}
		if _, err := stmt.ExecContext(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

// maxRows is how many rows a statement of PostgreSQL inserts: to find a value, the
// server walks over those before it.
const maxRows = 250

func (w *work) insertPostgres(ctx context.Context, r rows) error {
	text := r.table.insertPostgres(w.prefix)
	for part := range slices.Chunk(r.rows, maxRows) {
		if _, err := w.tx.ExecContext(ctx, text, w.arrays(rows{r.table, part})...); err != nil {
			return err
		}
	}
	return nil
}

// arrays returns the values of [table.insertPostgres].
func (w *work) arrays(r rows) []any {
	args := append(make([]any, 0, len(r.table.columns)+3), len(r.rows))
	for i, c := range r.table.columns {
		switch c.kind {
		case number:
			args = append(args, array[int64](r.rows, i))
		case truth:
			args = append(args, array[bool](r.rows, i))
		case moment:
			args = append(args, array[time.Time](r.rows, i))
		case raw:
			at, size := make([]int32, len(r.rows)), make([]int32, len(r.rows))
			w.messages = w.messages[:0]
			for j, row := range r.rows {
				message := row[i].([]byte)
				at[j], size[j] = int32(len(w.messages)+1), int32(len(message))
				w.messages = append(w.messages, message...)
			}
			args = append(args, w.messages, at, size)
		default:
			args = append(args, array[string](r.rows, i))
		}
	}
	return args
}

// array returns a column: of pointers, if it has a NULL, which take a driver longer.
func array[T any](rows [][]any, i int) any {
	values, nulls := make([]T, len(rows)), false
	for j, row := range rows {
		v, ok := row[i].(T)
		values[j], nulls = v, nulls || !ok
	}
	if !nulls {
		return values
	}
	all := make([]*T, len(rows))
	for j, row := range rows {
		if row[i] != nil {
			all[j] = &values[j]
		}
	}
	return all
}

// chunks are the numbers of rows that MySQL has a prepared statement for. The
// largest has fewer than the 65,535 values that are allowed.
var chunks = []int{500, 100, 20, 5, 1}

func (w *work) insertMySQL(ctx context.Context, r rows) error {
	args := make([]any, 0, chunks[0]*len(r.table.columns))
	for left := r.rows; len(left) > 0; {
		n := w.fitting(left)
		args = args[:0]
		for _, row := range left[:n] {
			for _, v := range row {
				if t, ok := v.(time.Time); ok {
					// As a time.Time it would be in the zone that the DSN says.
					v = t.Format("2006-01-02 15:04:05.000000")
				}
				args = append(args, v)
			}
		}
		stmt, err := w.statements.get(ctx, w.db, r.table.insertMySQL(w.prefix, n))
		if err != nil {
			return err
		}
		if _, err := w.tx.StmtContext(ctx, stmt).ExecContext(ctx, args...); err != nil {
			return err
		}
		left = left[n:]
	}
	return nil
}

// fitting returns how many rows go into the next statement.
func (w *work) fitting(left [][]any) int {
	fit, size := 0, 0
	for _, row := range left[:min(len(left), chunks[0])] {
		for _, v := range row {
			switch v := v.(type) {
			case string:
				size += len(v)
			case []byte:
				size += len(v)
			}
			size += 32
		}
		if fit > 0 && size > w.packet/2 {
			break
		}
		fit++
	}
	for _, n := range chunks {
		if n <= fit {
			return n
		}
	}
	return 1
}

// statements are those that are prepared, by text. database/sql prepares one on
// every connection that it is used on.
type statements struct {
	mu  sync.Mutex
	all map[string]*sql.Stmt
}

func (s *statements) get(ctx context.Context, db *sql.DB, text string) (*sql.Stmt, error) {
	s.mu.Lock()
	stmt := s.all[text]
	s.mu.Unlock()
	if stmt != nil {
		return stmt, nil
	}
	// Outside the mutex, for the server may not answer.
	stmt, err := db.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if other := s.all[text]; other != nil {
		_ = stmt.Close()
		return other, nil
	}
	if s.all == nil {
		s.all = map[string]*sql.Stmt{}
	}
	s.all[text] = stmt
	return stmt, nil
}

func (s *statements) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, stmt := range s.all {
		errs = append(errs, stmt.Close())
	}
	s.all = nil
	return errors.Join(errs...)
}

// expand replaces {prefix} in a statement, and {ids} by n places.
func (w *work) expand(text string, n int) string {
	places := strings.TrimSuffix(strings.Repeat("?, ", n), ", ")
	return strings.NewReplacer("{prefix}", w.prefix, "{ids}", places).Replace(text)
}
