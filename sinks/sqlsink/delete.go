package sqlsink

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tweetstream-go/tweetstream"
)

// The kinds of what is deleted.
const (
	aPost   int64 = 0
	aAuthor int64 = 1
)

// deletedIDs returns which of the ids are marked as deleted. In MySQL it locks
// them, with the gaps where others are missing, so that a Delete of one of them
// waits until the Post is written and can be found.
func (w *work) deletedIDs(ctx context.Context, kind int64, ids []int64) (map[int64]bool, error) {
	gone := map[int64]bool{}
	if w.dialect == Postgres {
		return gone, w.scan(ctx, func(rows *sql.Rows) error {
			var id int64
			err := rows.Scan(&id)
			gone[id] = true
			return err
		}, "SELECT id FROM {prefix}deleted WHERE kind = $1 AND id = ANY($2)", kind, ids)
	}
	lock := ""
	if w.dialect == MySQL {
		lock = " LOCK IN SHARE MODE"
	}
	for part := range slices.Chunk(ids, 1_000) {
		err := w.scan(ctx, func(rows *sql.Rows) error {
			var id int64
			err := rows.Scan(&id)
			gone[id] = true
			return err
		}, w.expand("SELECT id FROM {prefix}deleted WHERE kind = ? AND id IN ({ids})"+lock, len(part)), append([]any{kind}, anys(part)...)...)
		if err != nil {
			return nil, err
		}
	}
	return gone, nil
}

func anys(ids []int64) []any {
	all := make([]any, len(ids))
	for i, id := range ids {
		all[i] = id
	}
	return all
}

func (w *work) scan(ctx context.Context, row func(*sql.Rows) error, query string, args ...any) error {
	rows, err := w.q().QueryContext(ctx, w.expand(query, 0), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// anythingDeleted reports whether any Post or author is marked as deleted. It has
// Delete wait until the transaction is over: the other engines' by what it reads, as
// in deletedIDs.
func (w *work) anythingDeleted(ctx context.Context) (any bool, err error) {
	text := "SELECT kind FROM {prefix}deleted LIMIT 1"
	switch w.dialect {
	case Postgres:
		// Delete takes it alone.
		if _, err := w.tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock_shared($1)", w.lockNumber()+1); err != nil {
			return false, err
		}
	case MySQL:
		text += " LOCK IN SHARE MODE"
	}
	err = w.scan(ctx, func(rows *sql.Rows) error {
		any = true
		var kind int64
		return rows.Scan(&kind)
	}, text)
	return any, err
}

// notDeleted returns the posts that were not deleted earlier, and whose authors
// were not.
func (w *work) notDeleted(ctx context.Context, posts []post) ([]post, error) {
	ids, authors := make([]int64, len(posts)), make([]int64, 0, len(posts))
	for i, p := range posts {
		ids[i] = p.id
		authors = append(authors, p.authors()...)
		if p.content != nil {
			for _, r := range p.content.References {
				if r.ID != "" {
					k, _ := key(r.ID)
					ids = append(ids, k)
				}
			}
			for _, id := range p.content.EditHistory {
				k, _ := key(id)
				ids = append(ids, k)
			}
		}
	}
	slices.Sort(ids)
	slices.Sort(authors)
	gone, err := w.deletedIDs(ctx, aPost, slices.Compact(ids))
	if err != nil {
		return nil, err
	}
	goneAuthors, err := w.deletedIDs(ctx, aAuthor, slices.Compact(authors))
	if err != nil {
		return nil, err
	}
	if len(gone)+len(goneAuthors) == 0 {
		return posts, nil
	}
	var left []post
	for _, p := range posts {
		if gone[p.id] || p.content != nil && p.reposts(gone, goneAuthors) {
			continue
		}
		if p.content != nil && p.shows(gone, goneAuthors) {
			raw := scrub(p.Raw, gone, goneAuthors)
			p.Tweet = p.WithRaw(raw)
			p.decode()
		}
		left = append(left, p)
	}
	return left, nil
}

// authors are those of the Post and of the Posts in it.
func (p *post) authors() (all []int64) {
	if p.content == nil {
		return nil
	}
	add := func(id string) {
		if id != "" {
			k, _ := key(id)
			all = append(all, k)
		}
	}
	add(p.content.AuthorID)
	for _, r := range p.content.References {
		if r.Post != nil {
			add(r.Post.AuthorID)
		}
	}
	for _, u := range p.content.Users {
		add(u.ID)
	}
	return all
}

func has(gone map[int64]bool, id string) bool {
	k, _ := key(id)
	return id != "" && gone[k]
}

// reposts reports whether the Post is the author's who is gone, a version of what is
// gone, or passes that on.
func (p *post) reposts(gone, authors map[int64]bool) bool {
	if has(authors, p.content.AuthorID) {
		return true
	}
	for _, id := range p.content.EditHistory {
		if has(gone, id) {
			return true
		}
	}
	for _, r := range p.content.References {
		if r.Type == "retweeted" && (has(gone, r.ID) || r.Post != nil && has(authors, r.Post.AuthorID)) {
			return true
		}
	}
	return false
}

// shows reports whether the message has within it what is gone.
func (p *post) shows(gone, authors map[int64]bool) bool {
	for _, r := range p.content.References {
		if has(gone, r.ID) {
			return true
		}
	}
	for _, u := range p.content.Users {
		if has(authors, u.ID) {
			return true
		}
	}
	return false
}

// Delete takes away the Posts with these ids, with their reposts and edited
// versions, and out of the messages of Posts that quote or answer them. They stay
// deleted. It is the method of [tweetstream.Deleter].
func (s *Sink) Delete(ctx context.Context, ids []string) error {
	return s.remove(ctx, aPost, ids)
}

// DeleteAuthor takes away all Posts of these users, by their ids, and the users,
// as [Sink.Delete] does with Posts; also what X sent along of them with other
// Posts. No index has that: it reads every message that is stored. Names that
// others have written in their own texts stay.
func (s *Sink) DeleteAuthor(ctx context.Context, ids []string) error {
	return s.remove(ctx, aAuthor, ids)
}

func (s *Sink) remove(ctx context.Context, kind int64, names []string) error {
	var ids []int64
	for _, n := range names {
		k, _ := key(n)
		ids = append(ids, k)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	remove := func(w *work) error {
		if s.dialect == Postgres {
			if _, err := w.tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", s.lockNumber()+1); err != nil {
				return err
			}
		}
		for part := range slices.Chunk(ids, 500) {
			if err := w.removeSome(ctx, kind, part); err != nil {
				return err
			}
		}
		return nil
	}
	err := s.connect(ctx, func(w *work) error {
		w.removes = true
		return w.transact(ctx, remove)
	})
	if err == nil && s.dialect == SQLite {
		// The log still has the pages as they were.
		err = s.emptyLog(ctx)
	}
	return s.failure(ctx, "delete", err, nil)
}

// errLogInUse is for what SQLite does not call an error.
var errLogInUse = errors.New("what is deleted still stands in the write-ahead log, which somebody has been reading for long")

// emptyLog writes SQLite's log into the file and cuts it. That waits for those who
// read from it.
func (s *Sink) emptyLog(ctx context.Context) error {
	return s.connect(ctx, func(w *work) error {
		for begin := time.Now(); ; {
			busy, err := w.patiently(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
			if err != nil || busy == 0 {
				return err
			}
			if ctx.Err() != nil || time.Since(begin) > busyTime {
				return errLogInUse
			}
		}
	})
}

// list writes numbers into a statement: they are safe there, and the same for all
// drivers.
func list(ids []int64) string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = strconv.FormatInt(id, 10)
	}
	return strings.Join(texts, ", ")
}

func (w *work) removeSome(ctx context.Context, kind int64, ids []int64) error {
	gone := map[int64]bool{}
	for _, id := range ids {
		gone[id] = true
	}
	if kind == aPost {
		// X deletes all versions with any. The first of them names the others.
		var first sql.NullInt64
		err := w.scan(ctx, func(rows *sql.Rows) error {
			err := rows.Scan(&first)
			if err == nil && !gone[first.Int64] {
				gone[first.Int64] = true
				ids = append(slices.Clip(ids), first.Int64)
			}
			return err
		}, "SELECT edit_of FROM {prefix}tweets WHERE edit_of IS NOT NULL AND id IN ("+list(ids)+")")
		if err != nil {
			return err
		}
	}
	marked, err := w.deletedIDs(ctx, kind, ids)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if !marked[id] {
			text := "INSERT INTO {prefix}deleted (kind, id) VALUES (" + list([]int64{kind, id}) + ")"
			if err := w.exec(ctx, text); err != nil {
				return err
			}
		}
	}
	in := " IN (" + list(ids) + ")"
	posts, authors := gone, map[int64]bool(nil)
	of := "id" + in + " OR edit_of" + in + " OR reposted_id" + in
	containers := "quoted_id" + in + " OR replied_to_id" + in
	if kind == aAuthor {
		posts, authors = nil, gone
		of, containers = "author_id"+in, mentions(w.dialect, ids)
	}
	var doomed []int64
	collect := func(rows *sql.Rows) error {
		var id int64
		err := rows.Scan(&id)
		doomed = append(doomed, id)
		return err
	}
	if err := w.scan(ctx, collect, "SELECT id FROM {prefix}tweets WHERE "+of); err != nil {
		return err
	}
	if kind == aAuthor && len(doomed) > 0 {
		// Reposts of what the author wrote.
		for part := range slices.Chunk(slices.Clone(doomed), 500) {
			if err := w.scan(ctx, collect, "SELECT id FROM {prefix}tweets WHERE reposted_id IN ("+list(part)+")"); err != nil {
				return err
			}
		}
	}
	for part := range slices.Chunk(doomed, 500) {
		if err := w.take(ctx, part); err != nil {
			return err
		}
	}
	if kind == aAuthor {
		if err := w.exec(ctx, "DELETE FROM {prefix}users WHERE id"+in); err != nil {
			return err
		}
	}
	return w.scrubStored(ctx, containers, posts, authors)
}

// take takes Posts out of all tables.
func (w *work) take(ctx context.Context, ids []int64) error {
	in := " IN (" + list(ids) + ")"
	return w.exec(ctx, "DELETE FROM {prefix}tweets WHERE id"+in, "DELETE FROM {prefix}media WHERE tweet_id"+in, "DELETE FROM {prefix}tweet_rules WHERE tweet_id"+in)
}

// repostOf reports whether a message passes on what is gone.
func repostOf(raw []byte, gone, authors map[int64]bool) bool {
	t, err := tweetstream.ParseTweet(raw)
	if err != nil {
		return false
	}
	c, err := t.Content()
	if err != nil {
		return false
	}
	p := post{Tweet: t, content: c}
	return p.reposts(gone, authors)
}

// mentions finds messages in which an id may stand, as a string or a number: scrub
// sees which it is. What is no number may be written in many ways, so that all
// messages are looked at.
func mentions(d Dialect, ids []int64) string {
	find := map[Dialect]string{
		Postgres: `position('%'::bytea IN raw) > 0`,
		MySQL:    `instr(raw, '%') > 0`,
		SQLite:   `instr(raw, CAST('%' AS blob)) > 0`,
	}[d]
	var all []string
	for _, id := range ids {
		if id < 0 {
			return "1 = 1"
		}
		all = append(all, strings.ReplaceAll(find, "%", strconv.FormatInt(id, 10)))
	}
	return strings.Join(all, " OR ")
}

// scrubStored takes what is gone out of other Posts' messages, some at a time.
func (w *work) scrubStored(ctx context.Context, where string, posts, authors map[int64]bool) error {
	type message struct {
		id  int64
		raw []byte
	}
	after, first := int64(-1<<63), true
	for {
		var some []message
		more := " >= "
		if !first {
			more = " > "
		}
		first = false
		err := w.scan(ctx, func(rows *sql.Rows) error {
			var m message
			err := rows.Scan(&m.id, &m.raw)
			some = append(some, m)
			return err
		}, "SELECT id, raw FROM {prefix}tweets WHERE ("+where+") AND id"+more+list([]int64{after})+" ORDER BY id LIMIT 100")
		if err != nil || len(some) == 0 {
			return err
		}
		for _, m := range some {
			after = m.id
			if repostOf(m.raw, posts, authors) {
				// Its original was not stored: nothing else has found it.
				if err := w.take(ctx, []int64{m.id}); err != nil {
					return err
				}
				continue
			}
			clean := scrub(m.raw, posts, authors)
			if len(clean) == len(m.raw) {
				continue
			}
			set := w.question("UPDATE {prefix}tweets SET raw = ? WHERE id = ?")
			if _, err := w.q().ExecContext(ctx, w.expand(set, 0), clean, m.id); err != nil {
				return err
			}
		}
	}
}
