package sqlsink

import (
	"fmt"
	"strings"
)

// kind is what a column holds.
type kind int

const (
	number  kind = iota
	short        // a text of 255 characters at most
	address      // a URL
	long         // a text of any length
	truth
	moment
	raw
)

// types are the kinds in PostgreSQL's words, for arrays.
var types = [...]string{number: "bigint", short: "text", address: "text", long: "text", truth: "boolean", moment: "timestamptz"}

type column struct {
	name string
	kind kind
}

// table is one of those that Deliver writes to. A row of it is a []any in the
// order of the columns, each value an int64, string, bool, time.Time, []byte or
// nil.
type table struct {
	name    string
	columns []column
	keys    int // the first so many columns are the key

	// stamp is the column that tells the newer of two rows; a row takes the
	// place of an older one if any of the compared columns differs. Without a
	// stamp the older row stays.
	stamp    string
	compared []string
	stays    string // the column, if any, that a newer row leaves as it is
}

var tweetsTable = &table{
	name: "tweets", keys: 1, stamp: "received_at", compared: []string{"raw"}, stays: "arrival",
	columns: []column{
		{"id", number}, {"text_id", short}, {"author_id", number}, {"conversation_id", number}, {"reposted_id", number},
		{"quoted_id", number}, {"replied_to_id", number}, {"edit_of", number}, {"created_at", moment}, {"received_at", moment},
		{"arrival", number}, {"recovered", truth}, {"lang", short}, {"possibly_sensitive", truth}, {"text", long}, {"replies", number}, {"reposts", number},
		{"likes", number}, {"quotes", number}, {"bookmarks", number}, {"impressions", number}, {"note", short}, {"raw", raw},
	},
}

var usersTable = &table{
	name: "users", keys: 1, stamp: "seen_at",
	compared: []string{"username", "name", "description", "location", "profile_image_url", "verified", "verified_type", "protected", "followers", "following", "posts"},
	columns: []column{
		{"id", number}, {"text_id", short}, {"username", short}, {"name", short}, {"description", long}, {"location", short},
		{"profile_image_url", address}, {"verified", truth}, {"verified_type", short}, {"protected", truth}, {"created_at", moment},
		{"followers", number}, {"following", number}, {"posts", number}, {"seen_at", moment},
	},
}

var mediaTable = &table{
	name: "media", keys: 2, stamp: "seen_at",
	compared: []string{"media_key", "type", "url", "preview_image_url", "alt_text", "views"},
	columns: []column{
		{"tweet_id", number}, {"position", number}, {"media_key", short}, {"type", short}, {"url", address}, {"preview_image_url", address},
		{"alt_text", long}, {"width", number}, {"height", number}, {"duration_ms", number}, {"views", number}, {"seen_at", moment},
	},
}

var rulesTable = &table{
	name: "rules", keys: 1, stamp: "seen_at", compared: []string{"tag", "value"},
	columns: []column{{"id", number}, {"text_id", short}, {"tag", short}, {"value", long}, {"seen_at", moment}},
}

var tweetRulesTable = &table{
	name: "tweet_rules", keys: 2,
	columns: []column{{"rule_id", number}, {"tweet_id", number}},
}

// names returns the columns' names, each by way of a format.
func (t *table) names(format string) string {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = strings.ReplaceAll(format, "%", c.name)
	}
	return strings.Join(names, ", ")
}

func each(names []string, format string) string {
	list := make([]string, len(names))
	for i, n := range names {
		list[i] = strings.ReplaceAll(format, "%", n)
	}
	return strings.Join(list, ", ")
}

func (t *table) key() []string {
	var names []string
	for _, c := range t.columns[:t.keys] {
		names = append(names, c.name)
	}
	return names
}

// rest are the columns that a newer row sets.
func (t *table) rest() []string {
	var names []string
	for _, c := range t.columns[t.keys:] {
		if c.name != t.stays {
			names = append(names, c.name)
		}
	}
	return names
}

// onConflict is what PostgreSQL and SQLite do with a row whose key is there; they
// differ in how they compare rows that hold NULL.
func (t *table) onConflict(prefix, differs string) string {
	s := "\nON CONFLICT (" + strings.Join(t.key(), ", ") + ") DO "
	if t.stamp == "" {
		return s + "NOTHING"
	}
	old := prefix + t.name + "."
	return s + "UPDATE SET " + each(t.rest(), "% = excluded.%") +
		fmt.Sprintf("\nWHERE excluded.%[1]s >= %[2]s%[1]s AND (%[3]s) %[4]s (%[5]s)", t.stamp, old, each(t.compared, old+"%"), differs, each(t.compared, "excluded.%"))
}

// insertPostgres takes the number of rows and one array for each column, so that its
// text is the same for any number. The messages come as one value, with the place and
// the size of each, for the server would copy an array of them again and again. An
// index costs it a sixth of what unnest does, which stores all values once more, as
// long as the rows are few: see [maxRows].
func (t *table) insertPostgres(prefix string) string {
	values := make([]string, len(t.columns))
	for i, c := range t.columns {
		n := i + 2
		if c.kind == raw { // the last one
			values[i] = fmt.Sprintf("substring($%d::bytea FROM ($%d::int[])[i] FOR ($%d::int[])[i])", n, n+1, n+2)
		} else {
			values[i] = fmt.Sprintf("($%d::%s[])[i]", n, types[c.kind])
		}
	}
	return "INSERT INTO " + prefix + t.name + " (" + t.names("%") + ")\nSELECT " + strings.Join(values, ", ") +
		"\nFROM generate_series(1, $1::int) AS i" + t.onConflict(prefix, "IS DISTINCT FROM")
}

// insertSQLite inserts one row.
func (t *table) insertSQLite(prefix string) string {
	return "INSERT INTO " + prefix + t.name + " (" + t.names("%") + ")\nVALUES " + t.places(1) + t.onConflict(prefix, "IS NOT")
}

// insertMySQL inserts n rows. MariaDB has neither a condition for an update nor
// MySQL's "AS new". It assigns from left to right, so that the stamp comes first
// and tells the other columns by its new value whether they are to change.
func (t *table) insertMySQL(prefix string, n int) string {
	s := "INSERT INTO " + prefix + t.name + " (" + t.names("%") + ")\nVALUES " + t.places(n) + "\nON DUPLICATE KEY UPDATE "
	if t.stamp == "" {
		k := t.columns[0].name
		return s + k + " = VALUES(" + k + ")"
	}
	same := make([]string, len(t.compared))
	for i, c := range t.compared {
		same[i] = strings.ReplaceAll("% <=> VALUES(%)", "%", c)
	}
	s += fmt.Sprintf("%[1]s = IF(VALUES(%[1]s) >= %[1]s AND NOT (%[2]s), VALUES(%[1]s), %[1]s)", t.stamp, strings.Join(same, " AND "))
	for _, name := range t.rest() {
		if name != t.stamp {
			s += fmt.Sprintf(",\n\t%[1]s = IF(%[2]s = VALUES(%[2]s), VALUES(%[1]s), %[1]s)", name, t.stamp)
		}
	}
	return s
}

// places are the places of n rows' values.
func (t *table) places(n int) string {
	row := "(" + strings.Repeat("?, ", len(t.columns)-1) + "?)"
	return strings.Repeat(row+", ", n-1) + row
}
