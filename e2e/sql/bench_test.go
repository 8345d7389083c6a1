package sql_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinks/sqlsink"
)

// benchPosts is how many Posts a round writes, in batches of 500.
const benchPosts, benchBatch = 20_000, 500

// tables are those that a Post goes to.
var tables = []string{"tweets", "users", "media", "rules", "tweet_rules"}

// manyPosts are made anew each time: a Tweet keeps what was decoded.
func manyPosts(b testing.TB) []*tweetstream.Tweet {
	filler := strings.Repeat(`{"domain":{"id":"30","name":"Entities [Entity Service]"},"entity":{"id":"848920371311001600","name":"Technology"}},`, 16)
	all := make([]*tweetstream.Tweet, benchPosts)
	for i := range all {
		id, author := strconv.Itoa(1e18+i), strconv.Itoa(2244994945+i%5000)
		all[i] = parse(b, `{"data":{"author_id":"`+author+`","context_annotations":[`+filler[:len(filler)-1]+`],"conversation_id":"`+id+
			`","created_at":"2026-08-12T07:20:17.000Z","id":"`+id+`","lang":"en","text":"the coop is \"open\" for number `+id+`, says https://t.co/abc"},"includes":{"users":[{"id":"`+author+
			`","name":"Somebody","username":"somebody`+author+`","description":"writes about coops"}]},"matching_rules":[{"id":"1600000000000000001","tag":"news"}]}`)
		all[i].Received = time.Unix(1786500000, int64(i)*1000)
	}
	return all
}

// A grid is what a table holds.
type grid struct {
	names, types []string
	rows         [][]any
}

func read(b *testing.B, db *sql.DB, table string) (g grid) {
	rows, err := db.Query("SELECT * FROM " + table + " ORDER BY 1, 2")
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		b.Fatal(err)
	}
	for _, t := range types {
		g.names, g.types = append(g.names, t.Name()), append(g.types, strings.ToLower(t.DatabaseTypeName()))
	}
	for rows.Next() {
		row := make([]any, len(types))
		to := make([]any, len(types))
		for i := range row {
			to[i] = &row[i]
		}
		if err := rows.Scan(to...); err != nil {
			b.Fatal(err)
		}
		g.rows = append(g.rows, row)
	}
	if err := rows.Err(); err != nil {
		b.Fatal(err)
	}
	return g
}

// part is the i-th of n equal parts of the rows.
func (g grid) part(i, n int) [][]any { return g.rows[len(g.rows)*i/n : len(g.rows)*(i+1)/n] }

// column returns the values of a column, as texts.
func (g grid) column(name string, rows [][]any) []string {
	at := slices.Index(g.names, name)
	all := make([]string, len(rows))
	for i, row := range rows {
		all[i] = fmt.Sprint(row[at])
	}
	return all
}

// batches are the rows that come with each batch of Posts: a user comes with every
// batch in which he has written, and a rule with each.
func batches(grids map[string]grid) []map[string][][]any {
	users := map[string][]any{}
	for i, id := range grids["users"].column("id", grids["users"].rows) {
		users[id] = grids["users"].rows[i]
	}
	const n = benchPosts / benchBatch
	all := make([]map[string][][]any, n)
	for i := range all {
		tweets := grids["tweets"].part(i, n)
		all[i] = map[string][][]any{"tweets": tweets, "tweet_rules": grids["tweet_rules"].part(i, n), "rules": grids["rules"].rows}
		authors := grids["tweets"].column("author_id", tweets)
		slices.Sort(authors)
		for _, id := range slices.Compact(authors) {
			all[i]["users"] = append(all[i]["users"], users[id])
		}
	}
	return all
}

func pointers[T any](rows [][]any, c int) []*T {
	all := make([]*T, len(rows))
	for i, row := range rows {
		if v, ok := row[c].(T); ok {
			all[i] = &v
		}
	}
	return all
}

// byHand writes the rows, which are ready, as the engine likes it best: what a
// program could reach whose Posts are decoded already.
func byHand(b *testing.B, e engine, db *sql.DB, grids map[string]grid, batches []map[string][][]any) {
	ctx := context.Background()
	conn, err := db.Conn(ctx)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	must := func(_ sql.Result, err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	begin := "BEGIN"
	if e.dialect == sqlsink.SQLite {
		begin = "BEGIN IMMEDIATE"
		must(conn.ExecContext(ctx, "PRAGMA synchronous = FULL"))
		must(conn.ExecContext(ctx, "PRAGMA secure_delete = ON"))
	}
	statements := map[string]*sql.Stmt{}
	prepared := func(text string) *sql.Stmt {
		if statements[text] == nil {
			s, err := conn.PrepareContext(ctx, text)
			if err != nil {
				b.Fatal(err)
			}
			statements[text] = s
		}
		return statements[text]
	}
	for _, batch := range batches {
		must(conn.ExecContext(ctx, begin))
		for _, table := range tables {
			g := grids[table]
			rows := batch[table]
			if len(rows) == 0 {
				continue
			}
			into := table + " (" + strings.Join(g.names, ", ") + ") "
			places := "(?" + strings.Repeat(", ?", len(g.names)-1) + ")"
			switch e.dialect {
			case sqlsink.Postgres:
				var args []any
				var arrays []string
				for c, kind := range g.types {
					arrays = append(arrays, fmt.Sprintf("$%d::%s[]", c+1, kind))
					switch kind {
					case "int8":
						args = append(args, pointers[int64](rows, c))
					case "bool":
						args = append(args, pointers[bool](rows, c))
					case "timestamptz":
						args = append(args, pointers[time.Time](rows, c))
					case "bytea":
						var all [][]byte
						for _, row := range rows {
							all = append(all, row[c].([]byte))
						}
						args = append(args, all)
					default:
						args = append(args, pointers[string](rows, c))
					}
				}
				must(conn.ExecContext(ctx, "INSERT INTO "+into+"SELECT * FROM unnest("+strings.Join(arrays, ", ")+") ON CONFLICT DO NOTHING", args...))
			case sqlsink.MySQL:
				var args []any
				for _, row := range rows {
					args = append(args, row...)
				}
				must(prepared("INSERT IGNORE INTO "+into+"VALUES "+strings.Repeat(places+", ", len(rows)-1)+places).ExecContext(ctx, args...))
			default:
				for _, row := range rows {
					must(prepared("INSERT INTO "+into+"VALUES "+places+" ON CONFLICT DO NOTHING").ExecContext(ctx, row...))
				}
			}
		}
		must(conn.ExecContext(ctx, "COMMIT"))
	}
	for _, s := range statements {
		s.Close()
	}
}

// dump writes the rows for the engine's own loader and returns the command that
// loads them.
func dump(b *testing.B, e engine, from, to, dir string) func() *exec.Cmd {
	run := func(c *exec.Cmd) {
		if out, err := c.CombinedOutput(); err != nil {
			b.Fatalf("%v: %v: %s", c.Args, err, out)
		}
	}
	var load strings.Builder
	switch e.dialect {
	case sqlsink.Postgres:
		for _, t := range tables {
			file := filepath.Join(dir, t)
			run(exec.Command("psql", from, "-c", `\copy `+t+` TO '`+file+`'`))
			fmt.Fprintf(&load, "\\copy %s FROM '%s'\n", t, file)
		}
		return func() *exec.Cmd {
			c := exec.Command("psql", "-q", "-v", "ON_ERROR_STOP=1", to)
			c.Stdin = strings.NewReader(load.String())
			return c
		}
	case sqlsink.MySQL:
		escape := strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`)
		db := e.look(b, from)
		for _, t := range tables {
			file := filepath.Join(dir, t)
			var text bytes.Buffer
			for _, row := range read(b, db, t).rows {
				for i, v := range row {
					if i > 0 {
						text.WriteByte('\t')
					}
					switch v := v.(type) {
					case nil:
						text.WriteString(`\N`)
					case []byte:
						text.WriteString(escape.Replace(string(v)))
					default:
						fmt.Fprint(&text, v)
					}
				}
				text.WriteByte('\n')
			}
			if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
				b.Fatal(err)
			}
			fmt.Fprintf(&load, "LOAD DATA LOCAL INFILE '%s' INTO TABLE %s CHARACTER SET utf8mb4;\n", file, t)
		}
		return func() *exec.Cmd {
			c := exec.Command("mariadb", "-h127.0.0.1", "-uroot", "--local-infile=1", to[strings.LastIndex(to, "/")+1:])
			c.Stdin = strings.NewReader(load.String())
			return c
		}
	}
	path := func(dsn string) string { return strings.TrimPrefix(dsn, "file:") }
	load.WriteString("PRAGMA synchronous = FULL;\n.mode csv\n")
	for _, t := range tables {
		file := filepath.Join(dir, t)
		out, err := exec.Command("sqlite3", "-csv", path(from), "SELECT * FROM "+t).Output()
		if err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(file, out, 0o600); err != nil {
			b.Fatal(err)
		}
		fmt.Fprintf(&load, ".import %s %s\n", file, t)
	}
	return func() *exec.Cmd {
		c := exec.Command("sqlite3", "-bail", path(to))
		c.Stdin = strings.NewReader(load.String())
		return c
	}
}

// BenchmarkSink writes the same rows into the same tables, with all their indexes,
// by the sink (which decodes the Posts as well), by hand and by the engine's own
// loader, which has each user once. Each is measured in every round, and told as
// Posts a second. By hand, decoding and writing come one after the other, as in a loop:
// their times are added. The first round is not counted: in it the process gets the
// memory that the later ones have.
func BenchmarkSink(b *testing.B) {
	for _, e := range engines {
		b.Run(e.name, func(b *testing.B) {
			var sink, decode, hand, bulk time.Duration
			for round := range b.N + 1 {
				if round == 1 {
					sink, decode, hand, bulk = 0, 0, 0, 0
				}
				from := e.newDatabase(b)
				s, db := e.open(b, from)
				posts := manyPosts(b)
				begin := time.Now()
				for i := 0; i < len(posts); i += benchBatch {
					if err := s.Deliver(context.Background(), posts[i:i+benchBatch]); err != nil {
						b.Fatal(err)
					}
				}
				sink += time.Since(begin)

				posts = manyPosts(b)
				begin = time.Now()
				for _, p := range posts {
					if _, err := p.Content(); err != nil {
						b.Fatal(err)
					}
				}
				decode += time.Since(begin)

				grids := map[string]grid{}
				for _, t := range tables {
					grids[t] = read(b, db, t)
				}
				_, other := e.open(b, e.newDatabase(b))
				ready := batches(grids)
				begin = time.Now()
				byHand(b, e, other, grids, ready)
				hand += time.Since(begin)

				to := e.newDatabase(b)
				_, loaded := e.open(b, to)
				load := dump(b, e, from, to, b.TempDir())()
				begin = time.Now()
				if out, err := load.CombinedOutput(); err != nil {
					b.Fatalf("%v: %s", err, out)
				}
				bulk += time.Since(begin)

				for _, d := range []*sql.DB{db, other, loaded} {
					var n int
					if err := d.QueryRow("SELECT count(*) FROM tweets").Scan(&n); err != nil || n != benchPosts {
						b.Fatalf("there are %d Posts, %v, want %d", n, err, benchPosts)
					}
				}
			}
			rate := func(d time.Duration) float64 { return float64(b.N*benchPosts) / d.Seconds() }
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(rate(sink), "sink/s")
			b.ReportMetric(rate(decode), "decode/s")
			b.ReportMetric(rate(hand), "hand-rows-ready/s")
			b.ReportMetric(rate(hand+decode), "hand-decoding/s")
			b.ReportMetric(rate(bulk), "bulk/s")
		})
	}
}
