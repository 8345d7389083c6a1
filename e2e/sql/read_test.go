package sql_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinks/sqlsink"
	"github.com/tweetstream-go/tweetstream/sinks/wshub"
)

// history makes of a sink what the hub asks for what viewers have missed.
type history struct{ sink *sqlsink.Sink }

func (h history) After(ctx context.Context, id string, max int) ([]*tweetstream.Tweet, error) {
	tweets, err := h.sink.After(ctx, id, max)
	if errors.Is(err, sql.ErrNoRows) {
		err = wshub.ErrUnknown
	}
	return tweets, err
}

var _ wshub.History = history{}

// numbered is a Post with a rule, received at that second.
func numbered(t testing.TB, id, text string, second int64) *tweetstream.Tweet {
	tw := parse(t, fmt.Sprintf(`{"data":{"id":"%s","text":%q},"matching_rules":[{"id":"1","tag":"coop"}]}`, id, text))
	tw.Received = time.Unix(1_800_000_000+second, 123456000).UTC()
	return tw
}

func names(tweets []*tweetstream.Tweet) string {
	var all []string
	for _, t := range tweets {
		all = append(all, t.ID)
	}
	return strings.Join(all, " ")
}

// Posts are read back in the order in which they came, whatever their ids and times
// are, and as they were.
func TestReadBack(t *testing.T) {
	onEach(t, func(t *testing.T, e engine) {
		dsn := e.newDatabase(t)
		s, db := e.open(t, dsn)
		ctx := t.Context()
		want := func(what, ids string, got []*tweetstream.Tweet, err error) {
			t.Helper()
			if err != nil || names(got) != ids {
				t.Errorf("%s = %q, %v, want %q", what, names(got), err, ids)
			}
		}
		got, err := s.Newest(ctx, 5)
		want("Newest() of none", "", got, err)

		batches := [][]*tweetstream.Tweet{
			{numbered(t, "50", "The COOP is open", 9), numbered(t, "20", "Coop: 100% closed", 9), numbered(t, "30", "no coops", 9)},
			{numbered(t, "not-a-number", "x y", 9), numbered(t, "10", `a\b_c`, 1)},
			{numbered(t, "20", "Coop: 100% closed again", 10)}, // it stays in its place
			{numbered(t, "40", "the last", 10)},
		}
		batches[2][0].Recovered = true
		for _, b := range batches {
			if err := s.Deliver(ctx, b); err != nil {
				t.Fatal(err)
			}
		}
		got, err = s.Newest(ctx, 100)
		want("Newest(100)", "50 20 30 not-a-number 10 40", got, err)
		if diff := cmp.Diff([]*tweetstream.Tweet{batches[0][0], batches[2][0], batches[0][2], batches[1][0], batches[1][1], batches[3][0]}, got); diff != "" {
			t.Error(diff)
		}
		got, err = s.Newest(ctx, 2)
		want("Newest(2)", "10 40", got, err)
		for id, ids := range map[string]string{"50": "20 30", "30": "not-a-number 10", "not-a-number": "10 40", "10": "40", "40": ""} {
			got, err := history{s}.After(ctx, id, 2)
			want("After("+id+")", ids, got, err)
		}
		for _, id := range []string{"60", "", "\x00", strings.Repeat("9", 128)} {
			if got, err := (history{s}).After(ctx, id, 2); !errors.Is(err, wshub.ErrUnknown) {
				t.Errorf("After(%q) = %q, %v, want that it is unknown", id, names(got), err)
			}
		}
		for words, ids := range map[string]string{
			"coop": "50 20 30", "open coop": "50", "OPEN  the": "50", "coop missing": "", "100%": "20", "%": "20", "_": "10", `\`: "10", "'": "", "": "", " ": "", "\xff": "",
			strings.Repeat("coop ", 1000): "50 20 30",
		} {
			got, err := s.Search(ctx, words, 10)
			want(fmt.Sprintf("Search(%.20q)", words), ids, got, err)
		}
		got, err = s.Search(ctx, "coop", 2)
		want("Search() of two", "20 30", got, err)

		// A clock that was set back does not change the order.
		future := time.Now().Add(time.Hour).UnixMicro()
		if _, err := db.Exec(fmt.Sprintf("UPDATE tweets SET arrival = %d WHERE id = 40", future)); err != nil {
			t.Fatal(err)
		}
		again, _ := e.open(t, dsn)
		if err := again.Deliver(ctx, []*tweetstream.Tweet{numbered(t, "5", "after the restart", 1)}); err != nil {
			t.Fatal(err)
		}
		got, err = again.After(ctx, "40", 10)
		want("After(40)", "5", got, err)
		if err := s.Delete(ctx, []string{"40"}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.After(ctx, "40", 10); !errors.Is(err, sql.ErrNoRows) {
			t.Errorf("After() of a deleted Post: %v, want %v", err, sql.ErrNoRows)
		}
	})
}
