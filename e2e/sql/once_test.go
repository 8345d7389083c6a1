package sql_test

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tweetstream-go/tweetstream"
)

func counted(t testing.TB, likes, followers string, at int64) *tweetstream.Tweet {
	tw := parse(t, `{"data":{"id":"1","author_id":"2","text":"hello","public_metrics":{"like_count":`+likes+`}},"includes":{"users":[{"id":"2","username":"u","public_metrics":{"followers_count":`+followers+`}}]}}`)
	tw.Received = time.Unix(at, 0)
	return tw
}

func counts(t testing.TB, db *sql.DB) (likes, followers, received int) {
	t.Helper()
	err := db.QueryRow("SELECT t.likes, u.followers, count(*) FROM tweets t JOIN users u ON u.id = t.author_id GROUP BY t.likes, u.followers").Scan(&likes, &followers, &received)
	if err != nil {
		t.Fatal(err)
	}
	return likes, followers, received
}

// The newest message of a Post is the one that stands, in whatever order they come.
func TestNewest(t *testing.T) {
	onEach(t, func(t *testing.T, e engine) {
		s, db := e.open(t, e.newDatabase(t))
		old, newer, newest := counted(t, "1", "10", 1_800_000_000), counted(t, "2", "20", 1_800_000_001), counted(t, "3", "30", 1_800_000_002)
		for _, c := range []struct {
			batch            []*tweetstream.Tweet
			likes, followers int
		}{
			{[]*tweetstream.Tweet{old}, 1, 10},
			{[]*tweetstream.Tweet{newer}, 2, 20},
			{[]*tweetstream.Tweet{old}, 2, 20},
			{[]*tweetstream.Tweet{newest, old, newer, newest}, 3, 30},
		} {
			if err := s.Deliver(context.Background(), c.batch); err != nil {
				t.Fatal(err)
			}
			if likes, followers, rows := counts(t, db); likes != c.likes || followers != c.followers || rows != 1 {
				t.Errorf("%d likes, %d followers, %d rows, want %d, %d, 1", likes, followers, rows, c.likes, c.followers)
			}
		}
	})
}

// The same message at another time writes nothing: the time of the first stands.
func TestAgainWritesNothing(t *testing.T) {
	onEach(t, func(t *testing.T, e engine) {
		s, db := e.open(t, e.newDatabase(t))
		stamps := func() string {
			var tweet, user string
			if err := db.QueryRow("SELECT t.received_at, u.seen_at FROM tweets t, users u").Scan(&tweet, &user); err != nil {
				t.Fatal(err)
			}
			return tweet + " " + user
		}
		var first string
		for at := range int64(3) {
			if err := s.Deliver(context.Background(), []*tweetstream.Tweet{counted(t, "1", "1", 1_800_000_000+at)}); err != nil {
				t.Fatal(err)
			}
			if at == 0 {
				first = stamps()
			} else if got := stamps(); got != first {
				t.Errorf("the same Post again has times %s, want %s", got, first)
			}
		}
	})
}

func TestTwoProcesses(t *testing.T) {
	onEach(t, func(t *testing.T, e engine) {
		dsn := e.newDatabase(t)
		_, db := e.open(t, dsn)
		var all sync.WaitGroup
		for process := range 2 {
			s, _ := e.open(t, dsn)
			all.Go(func() {
				for i := range 20 {
					var batch []*tweetstream.Tweet
					for j := range 50 {
						if process == 1 {
							j = 49 - j
						}
						batch = append(batch, parse(t, message(1+i*50+j)))
					}
					for {
						err := s.Deliver(context.Background(), batch)
						if err == nil {
							break
						} else if !strings.Contains(err.Error(), "another transaction is in the way") {
							t.Error(err)
							return
						}
					}
				}
			})
		}
		all.Wait()
		posts, err := stored(db)
		if err != nil || len(posts) != 1000 {
			t.Fatalf("there are %d Posts, %v, want 1000", len(posts), err)
		}
		for i, p := range posts {
			if string(p.Raw) != message(i+1) {
				t.Fatalf("Post %d is not as it was sent", i+1)
			}
		}
	})
}

// Real messages, and what the engines refuse in text and JSON, come back byte for byte.
func TestBytes(t *testing.T) {
	raws := []string{
		`{"data":{"id":"1","text":"a \u0000 b"}}`,
		`{"data":{"id":"2","text":"half \ud83d of a pair"}}`,
		`{"data":{"id":"3","text":"` + strings.Repeat("wide 😀 ", 20_000) + `"}}`,
		`{"data":{"text":"first","id":"4","id2":1},  "z":1, "a":2}`,
		`{"data":{"id":"18446744073709551616","text":"beyond 63 bits"}}`,
		`{"data":{"id":"9223372036854775808","text":"just beyond"}}`,
		`{"data":{"id":"5","text":"deep"},"x":` + strings.Repeat("[", 2000) + strings.Repeat("]", 2000) + `}`,
		`{"data":{"id":"6","text":"huge","n":1e999999}}`,
		`{"data":{"id":"7","text":"x","author_id":"8"},"includes":{"users":[{"id":"8","name":"zero \u0000","username":"` + strings.Repeat("u", 300) + `"}]}}`,
	}
	if path := os.Getenv("TWEETSTREAM_SAMPLES"); path != "" {
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(bytes.NewReader(file))
		lines.Buffer(nil, 4<<20)
		for lines.Scan() {
			raws = append(raws, lines.Text())
		}
		if err := lines.Err(); err != nil {
			t.Fatal(err)
		}
	}
	onEach(t, func(t *testing.T, e engine) {
		s, db := e.open(t, e.newDatabase(t))
		want := map[string]string{}
		var batch []*tweetstream.Tweet
		for _, raw := range raws {
			tw, err := tweetstream.ParseTweet([]byte(raw))
			if err != nil {
				continue // no Post: the stream has such messages too
			}
			want[tw.ID] = string(tw.Raw)
			batch = append(batch, tw)
		}
		if err := s.Deliver(context.Background(), batch); err != nil {
			t.Fatal(err)
		}
		posts, err := stored(db)
		if err != nil || len(posts) != len(want) {
			t.Errorf("there are %d Posts, %v, want %d", len(posts), err, len(want))
		}
		for _, p := range posts {
			if string(p.Raw) != want[p.ID] {
				t.Errorf("Post %s has %d bytes that are not those sent", p.ID, len(p.Raw))
			}
		}
		for id, word := range map[string]string{"1": "json,zero", "2": "json", "5": "json", "6": "json", "7": "json,zero,cut"} {
			var note sql.NullString
			if err := db.QueryRow("SELECT note FROM tweets WHERE id = " + id).Scan(&note); err != nil {
				t.Fatal(err)
			}
			for w := range strings.SplitSeq(word, ",") {
				if !strings.Contains(note.String, w) {
					t.Errorf("the note of Post %s is %q, want %q in it", id, note.String, w)
				}
			}
		}
		if e.name == "postgres" {
			// As the package comment says.
			var n int
			if err := db.QueryRow("SELECT count(convert_from(raw, 'UTF8')::jsonb) FROM tweets WHERE note IS NULL").Scan(&n); err != nil || n == 0 {
				t.Errorf("%d messages as jsonb, %v", n, err)
			}
		}
	})
}

// A batch has more rows of a table than a statement takes, or no message at all.
func TestSizesOfABatch(t *testing.T) {
	onEach(t, func(t *testing.T, e engine) {
		s, db := e.open(t, e.newDatabase(t))
		for what, batch := range map[string][]*tweetstream.Tweet{
			"600 authors": manyPosts(t)[:600],
			"no message":  {{ID: "1"}},
		} {
			if err := s.Deliver(t.Context(), batch); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		var posts, users int
		if err := db.QueryRow("SELECT (SELECT count(*) FROM tweets), (SELECT count(*) FROM users)").Scan(&posts, &users); err != nil {
			t.Fatal(err)
		}
		if posts != 601 || users != 600 {
			t.Errorf("%d Posts of %d users, want 601 of 600", posts, users)
		}
	})
}

// Through a pooler pgx can't prepare statements, and is told so in the DSN.
func TestModesOfPgx(t *testing.T) {
	for _, mode := range []string{"simple_protocol", "exec", "describe_exec", "cache_describe"} {
		t.Run(mode, func(t *testing.T) {
			e := engines[0]
			s, db := e.open(t, e.newDatabase(t)+"?default_query_exec_mode="+mode)
			posts, want := manyPosts(t)[:120], 0
			for _, p := range posts {
				want += len(p.Raw)
			}
			if err := s.Deliver(t.Context(), posts); err != nil {
				t.Fatal(err)
			}
			var n, size int
			if err := db.QueryRow("SELECT count(*), sum(length(raw)) FROM tweets").Scan(&n, &size); err != nil {
				t.Fatal(err)
			}
			if n != len(posts) || size != want {
				t.Errorf("%d Posts of %d bytes, want %d of %d", n, size, len(posts), want)
			}
		})
	}
}
