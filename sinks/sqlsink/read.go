package sqlsink

import (
	"context"
	"database/sql"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tweetstream-go/tweetstream"
)

// Newest returns the n Posts that came last, oldest first.
func (s *Sink) Newest(ctx context.Context, n int) ([]*tweetstream.Tweet, error) {
	tweets, err := s.read(ctx, "ORDER BY arrival DESC LIMIT ?", n)
	slices.Reverse(tweets)
	return tweets, err
}

// After returns the Posts that came after the one with this id, oldest first, max
// at the most. The error is [sql.ErrNoRows] if there is none with this id. Where
// several calls of Deliver are under way, in this process or another, a Post may
// be stored later than one that comes after it.
func (s *Sink) After(ctx context.Context, id string, max int) ([]*tweetstream.Tweet, error) {
	n, _ := key(id)
	tweets, err := s.read(ctx, "WHERE arrival > (SELECT arrival FROM {prefix}tweets WHERE id = ?) ORDER BY arrival LIMIT ?", n, max)
	if err != nil || len(tweets) > 0 {
		return tweets, err
	}
	there := 0
	err = s.connect(ctx, func(w *work) (err error) {
		there, err = w.count(ctx, w.conn, w.question("SELECT count(*) FROM "+s.prefix+"tweets WHERE id = ?"), n)
		return err
	})
	if err == nil && there == 0 {
		return nil, sql.ErrNoRows
	}
	return nil, s.failure(ctx, "read", err, nil)
}

// maxWords is how many words Search looks for: a text that it is given may be long.
const maxWords = 20

// Search returns the newest Posts whose full text has each of these words in it, as
// a word or a part of one; oldest first, max at the most. Upper and lower case are
// the same, in SQLite of ASCII only. It looks from the newest Post backwards, up to
// the oldest if too few are found, without an index: give it a ctx that ends. The
// folder queries has full text by index.
func (s *Sink) Search(ctx context.Context, words string, max int) ([]*tweetstream.Tweet, error) {
	has := "instr(lower(text), lower(?)) > 0"
	if s.dialect == Postgres {
		has = "position(lower(?::text) IN lower(text)) > 0"
	}
	var where []string
	var args []any
	for word := range strings.FieldsSeq(words) {
		if len(where) < maxWords {
			where = append(where, has)
			args = append(args, (&notes{}).text(word, short))
		}
	}
	if len(where) == 0 {
		return nil, nil
	}
	tweets, err := s.read(ctx, "WHERE "+strings.Join(where, " AND ")+" ORDER BY arrival DESC LIMIT ?", append(args, max)...)
	slices.Reverse(tweets)
	return tweets, err
}

// arrivals numbers the Posts in the order in which they come: by the time in
// microseconds, so that several processes agree, but each one higher than the last.
type arrivals struct {
	mu   sync.Mutex
	last int64
}

// take returns the first of n numbers.
func (a *arrivals) take(n int) int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	first := max(a.last+1, time.Now().UnixMicro())
	a.last = first + int64(n) - 1
	return first
}

// lastArrival is the highest number in the table: the clock may have been set back.
func (s *Sink) lastArrival(ctx context.Context) (last int64, err error) {
	err = s.connect(ctx, func(w *work) error {
		return w.scan(ctx, func(rows *sql.Rows) error { return rows.Scan(&last) }, "SELECT coalesce(max(arrival), 0) FROM {prefix}tweets")
	})
	return last, s.failure(ctx, "open", err, nil)
}

// micros is a time as a number, in which no zone of a DSN can meddle.
var micros = map[Dialect]string{
	Postgres: "(extract(epoch FROM received_at) * 1000000)::bigint",
	MySQL:    "timestampdiff(MICROSECOND, '1970-01-01', received_at)",
	SQLite:   "received_at",
}

// read returns Posts as they were delivered, with the rules that stand in their
// messages.
func (s *Sink) read(ctx context.Context, which string, args ...any) (tweets []*tweetstream.Tweet, err error) {
	err = s.connect(ctx, func(w *work) error {
		return w.scan(ctx, func(rows *sql.Rows) error {
			t := &tweetstream.Tweet{}
			var odd sql.NullString
			var received int64
			if err := rows.Scan(&t.ID, &odd, &received, &t.Recovered, (*[]byte)(&t.Raw)); err != nil {
				return err
			}
			if odd.Valid {
				t.ID = odd.String
			}
			t.Received = time.UnixMicro(received).UTC()
			if parsed, err := tweetstream.ParseTweet(t.Raw); err == nil {
				t.Rules = parsed.Rules
			}
			tweets = append(tweets, t)
			return nil
		}, w.question("SELECT id, text_id, "+micros[s.dialect]+", recovered, raw FROM {prefix}tweets "+which), args...)
	})
	if err != nil {
		return nil, s.failure(ctx, "read", err, nil)
	}
	return tweets, nil
}

// question is a statement with the places of values as the engine has them.
func (s *Sink) question(text string) string {
	if s.dialect != Postgres {
		return text
	}
	parts := strings.Split(text, "?")
	for i := range parts[:len(parts)-1] {
		parts[i] += "$" + strconv.Itoa(i+1)
	}
	return strings.Join(parts, "")
}
