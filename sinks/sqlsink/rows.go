package sqlsink

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tweetstream-go/tweetstream"
)

// A post is a tweet with what the tables need of it.
type post struct {
	*tweetstream.Tweet
	id       int64
	rules    []tweetstream.Rule // of all its messages in the batch
	received time.Time
	arrival  int64

	// What decode finds and makes.
	content *tweetstream.Content // nil if the message has none
	plain   bool                 // the engines' JSON functions take the message
	row     []any                // of tweets
	related []rows               // of the other tables

	panicked any // what decode panicked with
}

// key returns the number that stands for an id: its own, or one below 0.
func key(id string) (n int64, odd bool) {
	if n, err := strconv.ParseInt(id, 10, 64); err == nil && n >= 0 && strconv.FormatInt(n, 10) == id {
		return n, false
	}
	sum := sha256.Sum256([]byte(id))
	return int64(binary.BigEndian.Uint64(sum[:]) | 1<<63), true
}

// idOrNull is the key of an id that may be missing.
func idOrNull(id string) any {
	if id == "" {
		return nil
	}
	n, _ := key(id)
	return n
}

// textID is the id where its key is another number.
func textID(id string) any {
	if _, odd := key(id); odd {
		return id
	}
	return nil
}

// newPosts returns the posts of a batch by id, each once: the newest, which takes
// the place of the others in the order of arrival.
func newPosts(tweets []*tweetstream.Tweet, arrival int64) []post {
	posts := make([]post, 0, len(tweets))
	at := make(map[int64]int, len(tweets))
	for n, t := range tweets {
		p := post{Tweet: t, rules: t.Rules, received: t.Received, arrival: arrival + int64(n)}
		p.id, _ = key(t.ID)
		if p.received.IsZero() || !storable(p.received) {
			p.received = time.Now()
		}
		if i, ok := at[p.id]; !ok {
			at[p.id] = len(posts)
			posts = append(posts, p)
		} else {
			rules := append(slices.Clip(posts[i].rules), p.rules...)
			if !p.received.Before(posts[i].received) {
				p.arrival = posts[i].arrival
				posts[i] = p
			}
			posts[i].rules = rules
		}
	}
	slices.SortFunc(posts, func(a, b post) int { return cmp.Compare(a.id, b.id) })
	return posts
}

// decode reads the message, of which the tweet keeps what comes, errors too, and
// makes the rows of it.
func (p *post) decode() {
	p.content, p.plain = nil, false
	if c, err := p.Content(); err == nil {
		p.content, p.plain = c, plainJSON(p.Raw)
	}
	n := &notes{}
	users, media, rules, matched := rows{table: usersTable}, rows{table: mediaTable}, rows{table: rulesTable}, rows{table: tweetRulesTable}
	if p.content != nil {
		for _, u := range p.content.Users {
			if u.ID != "" {
				users.rows = append(users.rows, userRow(n, u, p.received))
			}
		}
		for i, m := range p.content.Media {
			media.rows = append(media.rows, mediaRow(n, p.id, i, m, p.received))
		}
	}
	for _, r := range p.rules {
		k := ruleKey(r)
		matched.rows = append(matched.rows, []any{k, p.id})
		rules.rows = append(rules.rows, ruleRow(n, k, r, p.received))
	}
	p.row = tweetRow(n, *p) // with the notes of all the others
	p.related = []rows{users, media, rules, matched}
}

// rows are those of one table. The values have passed text, so that every engine
// takes them.
type rows struct {
	table *table
	rows  [][]any
}

// set is the rows of a table by key, of which the newest stays.
type set struct {
	table *table
	at    map[[2]int64]int
	rows  [][]any
	seen  []time.Time
}

func newSet(t *table, size int) *set {
	return &set{table: t, at: make(map[[2]int64]int, size)}
}

// add adds a row, or puts it in the place of one that is not newer.
func (s *set) add(row []any, seen time.Time) {
	k := s.key(row)
	i, ok := s.at[k]
	switch {
	case !ok:
		s.at[k] = len(s.rows)
		s.rows, s.seen = append(s.rows, row), append(s.seen, seen)
	case !seen.Before(s.seen[i]):
		s.rows[i], s.seen[i] = row, seen
	}
}

func (s *set) key(row []any) (k [2]int64) {
	for i := range s.table.keys {
		k[i] = row[i].(int64)
	}
	return k
}

// sorted returns the rows by key: two processes that write the same rows then
// lock them in the same order.
func (s *set) sorted() rows {
	slices.SortFunc(s.rows, func(a, b []any) int {
		x, y := s.key(a), s.key(b)
		return slices.Compare(x[:], y[:])
	})
	return rows{s.table, s.rows}
}

// related are the rows that a batch writes beside its Posts, table by table.
type related []*set

func newRelated(posts int) related {
	return related{newSet(usersTable, posts), newSet(mediaTable, posts), newSet(rulesTable, 8), newSet(tweetRulesTable, posts)}
}

// add adds what belongs to the posts, and returns their own rows.
func (all related) add(posts []post) rows {
	tweets := rows{tweetsTable, make([][]any, len(posts))}
	for i, p := range posts {
		tweets.rows[i] = p.row
		for j, r := range p.related {
			for _, row := range r.rows {
				all[j].add(row, p.received)
			}
		}
	}
	return tweets
}

// ruleKey tells rules without an id by their tags.
func ruleKey(r tweetstream.Rule) int64 {
	id := r.ID
	if id == "" {
		id = "the rule tagged " + r.Tag
	}
	n, _ := key(id)
	return n
}

func ruleRow(n *notes, k int64, r tweetstream.Rule, seen time.Time) []any {
	return []any{k, n.text(textID(r.ID), short), n.text(r.Tag, short), n.orNull(r.Value, long), instant(seen)}
}

func tweetRow(n *notes, p post) []any {
	c, text := p.content, any(nil)
	if c == nil {
		n.add("content")
		c = &tweetstream.Content{}
	} else {
		text = n.text(c.FullText, long)
		if !p.plain {
			n.add("json")
		}
	}
	var reposted, quoted, repliedTo, editOf any
	for _, r := range c.References {
		switch r.Type {
		case "retweeted":
			reposted = idOrNull(r.ID)
		case "quoted":
			quoted = idOrNull(r.ID)
		case "replied_to":
			repliedTo = idOrNull(r.ID)
		}
	}
	if len(c.EditHistory) > 1 && c.EditHistory[0] != p.ID {
		editOf = idOrNull(c.EditHistory[0])
	}
	raw := []byte(p.Raw)
	if raw == nil {
		raw = []byte{} // nil would be NULL
	}
	row := []any{p.id, n.text(textID(p.ID), short), idOrNull(c.AuthorID), idOrNull(c.ConversationID), reposted, quoted,
		repliedTo, editOf, instant(c.CreatedAt), instant(p.received), p.arrival, p.Recovered, n.orNull(c.Lang, short), c.Sensitive, text,
		c.Replies, c.Reposts, c.Likes, c.Quotes, c.Bookmarks, c.Impressions, nil, raw}
	if n.words != nil {
		row[len(row)-2] = n.String()
	}
	return row
}

func userRow(n *notes, u tweetstream.User, seen time.Time) []any {
	id, _ := key(u.ID)
	return []any{id, n.text(textID(u.ID), short), n.orNull(u.Username, short), n.orNull(u.Name, short), n.orNull(u.Description, long),
		n.orNull(u.Location, short), n.orNull(u.ProfileImageURL, address), u.Verified, n.orNull(u.VerifiedType, short), u.Protected,
		instant(u.CreatedAt), u.Followers, u.Following, u.Posts, instant(seen)}
}

func mediaRow(n *notes, tweet int64, i int, m tweetstream.Media, seen time.Time) []any {
	return []any{tweet, int64(i), n.text(m.Key, short), n.orNull(m.Type, short), n.orNull(m.URL, address), n.orNull(m.PreviewImageURL, address),
		n.orNull(m.AltText, long), int64(m.Width), int64(m.Height), m.Duration.Milliseconds(), m.Views, instant(seen)}
}

// storable reports whether all engines have the time: MariaDB begins at 1000.
func storable(t time.Time) bool { return 1000 <= t.UTC().Year() && t.UTC().Year() <= 9999 }

// instant is a time as engines keep it, or nil.
func instant(t time.Time) any {
	if !storable(t) {
		return nil
	}
	return t.UTC().Truncate(time.Microsecond)
}

// notes are what could not be indexed of a Post, its users, media and rules.
type notes struct{ words []string }

func (n *notes) add(word string) {
	if !slices.Contains(n.words, word) {
		n.words = append(n.words, word)
	}
}

func (n *notes) String() string { return strings.Join(n.words, ",") }

// The most characters of a column. The long ones fit MariaDB's mediumtext.
var limits = [...]int{short: 255, address: 8_000, long: 4 << 20}

// text returns a text that all engines take.
func (n *notes) text(v any, k kind) any {
	s, ok := v.(string)
	if !ok {
		return nil
	}
	if strings.IndexByte(s, 0) >= 0 {
		n.add("zero")
		s = strings.ReplaceAll(s, "\x00", "\ufffd")
	}
	s = strings.ToValidUTF8(s, "\ufffd")
	if len(s) > limits[k] && utf8.RuneCountInString(s) > limits[k] {
		n.add("cut")
		end := 0
		for range limits[k] {
			_, size := utf8.DecodeRuneInString(s[end:])
			end += size
		}
		s = s[:end]
	}
	return s
}

// orNull is text, but NULL for what X did not send.
func (n *notes) orNull(s string, k kind) any {
	if s == "" {
		return nil
	}
	return n.text(s, k)
}

// maxDepth is how deep JSON may be for all engines: SQLite ends at 1,000.
const maxDepth = 900

// plainJSON reports whether the engines' own JSON functions take what
// encoding/json has taken.
func plainJSON(raw []byte) bool {
	if bytes.Contains(raw, []byte(`\u0000`)) {
		return false
	}
	for rest := raw; ; {
		i := bytes.Index(rest, []byte(`\u`))
		if i < 0 {
			break
		}
		rest = rest[i+2:]
		c, ok := unit(rest)
		if !ok || c < 0xd800 || c > 0xdfff {
			continue
		}
		// A high one must be followed by a low one.
		if c >= 0xdc00 || len(rest) < 10 || rest[4] != '\\' || rest[5] != 'u' {
			return false
		}
		if low, ok := unit(rest[6:]); !ok || low < 0xdc00 || low > 0xdfff {
			return false
		}
		rest = rest[10:]
	}
	if bytes.Count(raw, []byte("["))+bytes.Count(raw, []byte("{")) > maxDepth && depth(raw) > maxDepth {
		return false
	}
	return !hugeNumber(raw)
}

// unit reads four digits of an escape.
func unit(s []byte) (uint64, bool) {
	if len(s) < 4 {
		return 0, false
	}
	c, err := strconv.ParseUint(string(s[:4]), 16, 16)
	return c, err == nil
}

// stringEnd returns where the string of valid JSON ends whose quote is at i.
func stringEnd(raw []byte, i int) int {
	for {
		n := bytes.IndexByte(raw[i+1:], '"')
		if n < 0 {
			return len(raw)
		}
		i += n + 1
		slashes := 0
		for raw[i-1-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return i
		}
	}
}

// depth returns how deep the values of valid JSON are.
func depth(raw []byte) int {
	deep, deepest := 0, 0
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			i = stringEnd(raw, i)
		case '[', '{':
			deep++
			deepest = max(deepest, deep)
		case ']', '}':
			deep--
		}
	}
	return deepest
}

// hugeNumber reports whether valid JSON has a number with an exponent of four
// digits, or of a thousand digits: PostgreSQL's numeric ends somewhere beyond.
func hugeNumber(raw []byte) bool {
	run, exponent := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '"':
			i = stringEnd(raw, i)
			run, exponent = 0, false
		case '0' <= c && c <= '9':
			if run++; run >= 1000 || exponent && run >= 4 {
				return true
			}
		default:
			exponent = run > 0 && (c == 'e' || c == 'E') || exponent && (c == '+' || c == '-')
			run = 0
		}
	}
	return false
}
