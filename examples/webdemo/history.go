package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"modernc.org/sqlite"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/internal/rulelang"
	"github.com/tweetstream-go/tweetstream/sinks/sqlsink"
	"github.com/tweetstream-go/tweetstream/sinks/wshub"
)

func init() {
	// Words are compared as X's rules and the hub's filters compare them.
	sqlite.MustRegisterDeterministicScalarFunction("fold", 1, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		text, _ := args[0].(string)
		return rulelang.Fold(text), nil
	})
}

// history keeps the newest Posts in a file of SQLite, so that a page which is
// loaded again shows what came before, and a search finds it.
type history struct {
	*sqlsink.Sink
	db     *sql.DB
	turn   sync.Mutex // held while writing: SQLite has one writer, and no queue for it
	folder string
	keep   int  // so many Posts at the least
	gone   bool // the folder is removed at the end
}

// openHistory opens the history in a folder, or, without one, in one that is
// removed at the end.
func openHistory(ctx context.Context, folder string, keep int) (_ *history, err error) {
	h := &history{folder: folder, keep: keep}
	if folder == "" {
		h.gone = true
		h.folder, err = os.MkdirTemp("", "webdemo-")
	} else {
		err = os.MkdirAll(folder, 0o700)
	}
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.close())
		}
	}()
	name := filepath.Join(h.folder, "posts.sqlite")
	if strings.ContainsAny(name, "?#%") {
		return nil, fmt.Errorf("the path %q has one of ?, # and %%", name)
	}
	if err := private(name); err != nil {
		return nil, err
	}
	// What is trimmed is gone from the file too, whichever connection does it.
	if h.db, err = sql.Open("sqlite", name+"?_pragma=secure_delete(1)"); err != nil {
		return nil, err
	}
	h.Sink, err = sqlsink.New(ctx, h.db, sqlsink.SQLite)
	return h, err
}

// private makes a file that only its owner can read, if there is none yet.
func private(name string) error {
	if st, err := os.Lstat(name); err == nil && !st.Mode().IsRegular() {
		return fmt.Errorf("%s is no regular file", name)
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

func (h *history) close() (err error) {
	if h.Sink != nil {
		err = h.Sink.Close()
	}
	if h.db != nil {
		err = errors.Join(err, h.db.Close())
	}
	if h.gone {
		err = errors.Join(err, os.RemoveAll(h.folder))
	}
	return err
}

// Defaults has Posts stored soon, since a page that is loaded looks for them.
func (h *history) Defaults() []tweetstream.SinkOption {
	return []tweetstream.SinkOption{tweetstream.Batch(500, 200*time.Millisecond)}
}

// Deliver stores Posts when it is its turn to write.
func (h *history) Deliver(ctx context.Context, tweets []*tweetstream.Tweet) error {
	h.turn.Lock()
	defer h.turn.Unlock()
	return h.Sink.Deliver(ctx, tweets)
}

// Delete takes Posts out when it is its turn to write.
func (h *history) Delete(ctx context.Context, ids []string) error {
	h.turn.Lock()
	defer h.turn.Unlock()
	return h.Sink.Delete(ctx, ids)
}

// count returns how many Posts are kept.
func (h *history) count(ctx context.Context) (n int, err error) {
	// This index is small: without it all messages would be read.
	err = h.db.QueryRowContext(ctx, "SELECT count(*) FROM tweets INDEXED BY tweets_arrival").Scan(&n)
	return n, err
}

// trimEvery is how often the oldest Posts are taken away.
const trimEvery = 5 * time.Second

// trim keeps the history from growing, until ctx is done.
func (h *history) trim(ctx context.Context, logger *slog.Logger) error {
	for tick := time.NewTicker(trimEvery); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return nil
		case <-tick.C:
		}
		if err := h.forgetOld(ctx); err != nil && ctx.Err() == nil {
			logger.Warn("old Posts stay in the history", "error", err)
		}
	}
}

// forgetOld takes away what came before the Posts that are kept.
func (h *history) forgetOld(ctx context.Context) error {
	var last, received int64 // of the Posts that go
	err := h.db.QueryRowContext(ctx, "SELECT arrival, received_at FROM tweets ORDER BY arrival DESC LIMIT 1 OFFSET ?", h.keep).Scan(&last, &received)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	const some = "(SELECT id FROM tweets WHERE arrival <= ? ORDER BY arrival LIMIT 1000)"
	for left := int64(1); left > 0; { // some at a time, between which the sink has its turn
		for _, statement := range []string{
			"DELETE FROM tweet_rules WHERE tweet_id IN " + some,
			"DELETE FROM media WHERE tweet_id IN " + some,
			"DELETE FROM tweets WHERE id IN " + some,
		} {
			if left, err = h.write(ctx, statement, last); err != nil {
				return err
			}
		}
	}
	_, err = h.write(ctx, "DELETE FROM users WHERE seen_at < ?", received)
	return err
}

// write issues one statement when it is its turn to write, and returns how many rows
// it touched.
func (h *history) write(ctx context.Context, statement string, args ...any) (rows int64, err error) {
	h.turn.Lock()
	defer h.turn.Unlock()
	result, err := h.db.ExecContext(ctx, statement, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// recount counts again what was received in the last hour, which the start before
// this one has counted. What a wrong clock has put later would hide what comes now.
func (h *history) recount(ctx context.Context, now time.Time, in *insights) error {
	since := now.Add(-insightMinutes * time.Minute)
	rows, err := h.db.QueryContext(ctx, "SELECT raw, received_at FROM tweets WHERE received_at BETWEEN ? AND ? ORDER BY arrival", since.UnixMicro(), now.UnixMicro())
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var raw []byte
		var received int64
		if err := rows.Scan(&raw, &received); err != nil {
			return err
		}
		t, err := tweetstream.ParseTweet(raw)
		if err != nil {
			continue // it was stored as it came
		}
		t.Received = time.UnixMicro(received)
		if err := in.Deliver(ctx, []*tweetstream.Tweet{t}); err != nil {
			return err
		}
	}
	return rows.Err()
}

// After returns what came after a Post, for viewers who come back.
func (h *history) After(ctx context.Context, id string, most int) ([]*tweetstream.Tweet, error) {
	tweets, err := h.Sink.After(ctx, id, most)
	if errors.Is(err, sql.ErrNoRows) {
		err = wshub.ErrUnknown
	}
	return tweets, err
}
