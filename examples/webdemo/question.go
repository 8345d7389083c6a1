package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/tweetstream-go/tweetstream/internal/rulelang"
)

// question is what a column or a search asks of the history. All that it names
// must hold; of words and languages one of them, of a search every word.
type question struct {
	tag       string
	words     []string // as package rulelang folds them
	search    []string // likewise
	langs     []string
	sensitive bool // those that may be unfit for some, too
	media     bool // only those with photos or videos
	before    int64
	limit     int
}

const (
	maxWords = 20
	pageSize = 50
	maxPage  = 200
)

// parseQuestion reads a question out of a query.
func parseQuestion(q url.Values) (question, error) {
	ask := question{tag: q.Get("tag"), sensitive: q.Get("sensitive") != "false", media: q.Get("media") == "true", limit: pageSize}
	for _, lang := range q["lang"] {
		ask.langs = append(ask.langs, strings.ToLower(lang))
	}
	for _, w := range q["word"] {
		if folded := strings.TrimRight(rulelang.Fold(w), " "); folded != "" {
			ask.words = append(ask.words, folded)
		}
	}
	// The last word may still be under way: each is the beginning of one.
	for w := range strings.FieldsSeq(rulelang.Fold(q.Get("q"))) {
		ask.search = append(ask.search, " "+w)
	}
	if len(ask.words)+len(ask.search)+len(ask.langs) > maxWords {
		return ask, errors.New("too many words or languages")
	}
	if q.Get("q") != "" && len(ask.search) == 0 {
		return ask, errors.New("q: there is no word in it")
	}
	for name, to := range map[string]*int64{"before": &ask.before} {
		if text := q.Get(name); text != "" {
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return ask, errors.New(name + ": want the id of a Post")
			}
			*to = n
		}
	}
	if text := q.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxPage {
			return ask, errors.New("limit: want a number from 1 to " + strconv.Itoa(maxPage))
		}
		ask.limit = n
	}
	return ask, nil
}

// where returns the question as a condition on tweets, newest first.
func (q question) where() (text string, args []any) {
	conditions := []string{"1"}
	add := func(condition string, values ...any) {
		conditions = append(conditions, condition)
		args = append(args, values...)
	}
	anyOf := func(condition string, values []string) {
		if len(values) > 0 {
			add("("+strings.Join(slices.Repeat([]string{condition}, len(values)), " OR ")+")", anys(values)...)
		}
	}
	if q.before != 0 {
		add("tweets.id < ?", q.before)
	}
	if q.tag != "" {
		add("EXISTS (SELECT 1 FROM tweet_rules JOIN rules ON rules.id = rule_id WHERE tweet_id = tweets.id AND tag = ?)", q.tag)
	}
	anyOf("lang = ?", q.langs)
	if !q.sensitive {
		add("possibly_sensitive = 0")
	}
	if q.media {
		add("EXISTS (SELECT 1 FROM media WHERE tweet_id = tweets.id)")
	}
	anyOf("instr(fold(text), ?) > 0", q.words)
	for _, w := range q.search {
		add("(instr(fold(text), ?) > 0 OR instr(fold((SELECT name || ' ' || username FROM users WHERE users.id = author_id)), ?) > 0)", w, w)
	}
	return strings.Join(conditions, " AND ") + " ORDER BY tweets.id DESC LIMIT ?", append(args, q.limit)
}

func anys(values []string) (all []any) {
	for _, v := range values {
		all = append(all, v)
	}
	return all
}

// find calls each with the messages that answer a question, newest first, until it
// returns an error. The message is only there during the call.
func (h *history) find(ctx context.Context, q question, each func(id string, raw json.RawMessage) error) error {
	where, args := q.where()
	rows, err := h.db.QueryContext(ctx, "SELECT coalesce(text_id, id), raw FROM tweets WHERE "+where, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var raw []byte
		if err := rows.Scan(&id, &raw); err != nil {
			return err
		}
		if err := each(id, raw); err != nil {
			return err
		}
	}
	return rows.Err()
}
