package sql_test

import (
	"context"
	"strings"
	"testing"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/xtest"
)

// The texts and names with which the simulated X tries those who store them come back
// as they were: the message byte for byte, and the columns beside it.
func TestHostileTexts(t *testing.T) {
	onEach(t, func(t *testing.T, e engine) {
		s, db := e.open(t, e.newDatabase(t))
		x := xtest.NewServer(xtest.Rate(5000), xtest.Limit(3000), xtest.Seed(7))
		defer x.Close()
		sent := map[string]*tweetstream.Tweet{}
		note := func(_ context.Context, tw *tweetstream.Tweet) error {
			sent[tw.ID] = tw
			return nil
		}
		if _, err := xtest.Run(t.Context(), x, nil, tweetstream.WithSink("sql", s), tweetstream.WithSink("sent", tweetstream.SinkFunc(note))); err != nil {
			t.Fatal(err)
		}
		all, err := stored(db)
		if err != nil || len(all) != len(sent) || len(sent) != 3000 {
			t.Fatalf("%d Posts are there, %d were sent, %v, want 3000", len(all), len(sent), err)
		}
		var raws strings.Builder
		for _, p := range all {
			if string(p.Raw) != string(sent[p.ID].Raw) {
				t.Fatalf("Post %s is not as it was sent", p.ID)
			}
			raws.Write(p.Raw)
		}
		for _, what := range []string{"<script>", `\u0000`, "DROP TABLE", "\u202e", "👩"} {
			if !strings.Contains(raws.String(), what) {
				t.Errorf("no Post has %q", what)
			}
		}

		rows, err := db.Query("SELECT t.id, t.text, u.id, u.name FROM tweets t JOIN users u ON u.id = t.author_id")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		names := map[string][]string{} // that a user has had
		for _, tw := range sent {
			c, err := tw.Content()
			if err != nil {
				t.Fatal(err)
			}
			for _, u := range c.Users {
				names[u.ID] = append(names[u.ID], storable(u.Name))
			}
		}
		n := 0
		for ; rows.Next(); n++ {
			var id, text, author, name string
			if err := rows.Scan(&id, &text, &author, &name); err != nil {
				t.Fatal(err)
			}
			c, _ := sent[id].Content()
			if want := storable(c.FullText); text != want {
				t.Fatalf("the text of Post %s is %q, want %q", id, text, want)
			}
			if !strings.Contains("\n"+strings.Join(names[author], "\n")+"\n", "\n"+name+"\n") {
				t.Fatalf("user %s has the name %q, want one of %q", author, name, names[author])
			}
		}
		if err := rows.Err(); err != nil || n != 3000 {
			t.Errorf("%d texts, %v, want 3000", n, err)
		}
	})
}

// storable is a text as the columns have it.
func storable(s string) string { return strings.ReplaceAll(s, "\x00", "\ufffd") }

// The connection speaks of all characters, whatever the DSN says of it.
func TestLatin1(t *testing.T) {
	e := engines[1]
	dsn := e.newDatabase(t)
	s, _ := e.open(t, dsn+"?charset=latin1")
	deliver(t, s, `{"data":{"id":"1","text":"caf\u00e9 ☕ 東京 👩"}}`)
	var text string
	if err := e.look(t, dsn).QueryRow("SELECT text FROM tweets").Scan(&text); err != nil || text != "café ☕ 東京 👩" {
		t.Errorf("the text is %q, %v", text, err)
	}
}
