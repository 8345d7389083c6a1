package sqlsink_test

import (
	"context"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinks/sqlsink"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The statements stand in testdata, to be read.
func TestStatements(t *testing.T) {
	for _, d := range []sqlsink.Dialect{sqlsink.Postgres, sqlsink.MySQL, sqlsink.SQLite} {
		schema, err := sqlsink.Schema(d, sqlsink.Prefix("x_"))
		if err != nil {
			t.Fatal(err)
		}
		for name, got := range map[string]string{"schema": schema, "deliver": sqlsink.Statements(d, "x_")} {
			file := "testdata/" + name + "-" + d.String() + ".sql"
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.ReplaceAll(string(want), "\r\n", "\n"), got); diff != "" {
				t.Errorf("%s (-want +got; -update writes it anew):\n%s", file, diff)
			}
		}
	}
}

func TestRefused(t *testing.T) {
	ctx := context.Background()
	for name, err := range map[string]error{
		"an unknown driver": second(sqlsink.Open(ctx, "nothing", "secret")),
		"no driver":         second(sqlsink.Open(ctx, "pgx", "secret")),
		"a dialect":         second(sqlsink.New(ctx, nil, 7)),
		"a prefix":          second(sqlsink.Open(ctx, "pgx", "secret", sqlsink.Prefix("a; DROP"))),
	} {
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want an error without the DSN", name, err)
		}
	}
}

func second(_ *sqlsink.Sink, err error) error { return err }

// A short password is a word of many sentences.
func TestPasswords(t *testing.T) {
	for _, c := range []struct{ dsn, text, hidden string }{
		{"postgres://me:ab@host/db", "cannot connect with ab now", "ab"},
		{"postgres://me:a%23b@host/db", "the password is a#b", "a#b"},
		{"root:x1@tcp(127.0.0.1:3306)/db", "DSN root:x1@tcp", "x1"},
		{"host=h password=k9 user=u", `parse "password=k9"`, "k9"},
		{"host=h password='q r' user=u", "it was q r", "q r"},
		{"postgres://me:long-password@host/db", "it was long-password here", "long-password"},
		{"postgres://postgres:postgres@host/postgres", "user postgres", "postgres"},
		{"postgres://me:12/3-long-password@host/db", `no database "3-long-password@host/db"`, "long-password"},
		{"postgres://me:12/3-long-p@ssword@host/db", `no database "3-long-p@ssword@host/db"`, "long-p"},
	} {
		if got := sqlsink.WithoutSecrets(c.dsn, c.text); strings.Contains(got, c.hidden) {
			t.Errorf("of %q there is left %q", c.text, got)
		}
	}
	// It hides nothing where it is a part of other words, and not what is no secret.
	for dsn, text := range map[string]string{
		"postgres://me:on@host/db": "connection refused",
		"postgres://postgres:long-password@127.0.0.1:5432/all-posts?sslmode=disable": "user postgres, database all-posts: dial 127.0.0.1:5432: refused",
	} {
		if got := sqlsink.WithoutSecrets(dsn, text); got != text {
			t.Errorf("of %q there is left %q", text, got)
		}
	}
}

// No statement is larger than a server takes.
func TestParts(t *testing.T) {
	for _, c := range []struct{ sizes, want []int }{
		{nil, nil},
		{make([]int, 250), []int{100, 100, 50}},
		{[]int{16 << 20, 16 << 20, 1, 1}, []int{2, 2}},
		{[]int{1, 40 << 20, 1, 40 << 20}, []int{1, 1, 1, 1}},
	} {
		if got := sqlsink.Parts(c.sizes); !slices.Equal(got, c.want) {
			t.Errorf("parts of %d messages have %v, want %v", len(c.sizes), got, c.want)
		}
	}
}

// Posts are decoded as far as the caller wants them, and nobody does it after that: the
// race detector would see it. A panic meanwhile is the caller's.
func TestDecodeEnds(t *testing.T) {
	tweets := make([]*tweetstream.Tweet, 1000)
	for _, max := range []int{1, 300, 5000} {
		for i := range tweets {
			tweets[i] = &tweetstream.Tweet{ID: "1", Raw: []byte(`{"data":{"id":"1"}}`)}
		}
		if got, want := sqlsink.Decode(tweets, max), min((max+99)/100*100, 1000); got != want {
			t.Errorf("of 1000, %d at least, there are %d, want %d", max, got, want)
		}
		for _, tweet := range tweets {
			tweet.Raw = nil
		}
	}
	tweets[450].ID = ""
	for range 50 { // in the background at times, and at others by who waits
		func() {
			defer func() {
				if recover() == nil {
					t.Error("there is no panic")
				}
			}()
			sqlsink.Decode(tweets, 1000)
		}()
	}
}
