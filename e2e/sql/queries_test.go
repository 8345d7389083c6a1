package sql_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream"
)

// The questions of the documentation are asked as they stand there.
func TestQueries(t *testing.T) {
	// Ten Posts in two minutes: every second under the tag coop, every third by
	// the second author, every fifth about what is open.
	begin := time.Date(2026, 3, 1, 12, 0, 10, 0, time.UTC)
	var tweets []*tweetstream.Tweet
	for i := range 10 {
		tag, author, text := "other", 1, "the coop is closed"
		if i%2 == 0 {
			tag = "coop"
		}
		if i%3 == 0 {
			author = 2
		}
		if i%5 == 0 {
			text = "Open again: the COOP"
		}
		raw := fmt.Sprintf(`{"data":{"id":"%[1]d","author_id":"%[2]d","created_at":"%[3]s","text":"%[4]s"},"includes":{"users":[{"id":"%[2]d","name":"N","username":"user%[2]d"}]},"matching_rules":[{"id":"%[5]d","tag":"%[6]s"}]}`,
			100+i, author, begin.Add(time.Duration(i)*10*time.Second).Format("2006-01-02T15:04:05.000Z"), text, len(tag), tag)
		tw, err := tweetstream.ParseTweet([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		tw.Received = begin
		tweets = append(tweets, tw)
	}
	want := map[string][]string{
		"Latest by tag":  {"108", "106", "104", "102", "100"},
		"Posts a minute": {"5", "5"},
		"Top authors":    {"user1 6", "user2 4"},
		"Full text":      {"105", "100"},
	}
	onEach(t, func(t *testing.T, e engine) {
		s, db := e.open(t, e.newDatabase(t))
		if err := s.Deliver(t.Context(), tweets); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join("..", "..", "sinks", "sqlsink", "queries", e.dialect.String()+".sql"))
		if err != nil {
			t.Fatal(err)
		}
		asked := 0
		for part := range strings.SplitSeq(string(text), "-- ") {
			title, statements, _ := strings.Cut(part, "\n")
			for q := range strings.SplitSeq(statements, ";\n") {
				if q = strings.TrimSpace(q); q == "" {
					continue
				}
				if !strings.HasPrefix(q, "SELECT") {
					if _, err := db.ExecContext(t.Context(), q); err != nil {
						if !fullText && strings.Contains(err.Error(), "no such module: fts5") {
							t.Skip("this build of SQLite has no full text")
						}
						t.Errorf("%s: %v", title, err)
					}
					continue
				}
				rows, err := db.QueryContext(t.Context(), q)
				if err != nil {
					t.Errorf("%s: %v", title, err)
					continue
				}
				var got []string
				columns, _ := rows.Columns()
				for rows.Next() {
					values := make([]string, len(columns))
					into := make([]any, len(columns))
					for i := range values {
						into[i] = &values[i]
					}
					if err := rows.Scan(into...); err != nil {
						t.Fatal(err)
					}
					switch title {
					case "Posts a minute":
						got = append(got, values[1])
					case "Top authors":
						got = append(got, values[0]+" "+values[1])
					default:
						got = append(got, values[0])
					}
				}
				if err := rows.Close(); err != nil {
					t.Error(err)
				}
				asked++
				if diff := cmp.Diff(want[title], got); diff != "" {
					t.Errorf("%s: %s", title, diff)
				}
			}
		}
		if asked != len(want) {
			t.Errorf("%d questions, want %d", asked, len(want))
		}
	})
}
