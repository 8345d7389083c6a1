package xtest_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream/xtest"
)

type span struct {
	Start, End           int
	Tag, Username, URL   string
	ExpandedURL          string `json:"expanded_url"`
	ID, MediaKey, Symbol string
}

type entities struct{ Hashtags, Mentions, URLs, Cashtags []span }

type tweet struct {
	ID           string
	AuthorID     string `json:"author_id"`
	Text, Lang   string
	CreatedAt    time.Time `json:"created_at"`
	Conversation string    `json:"conversation_id"`
	History      []string  `json:"edit_history_tweet_ids"`
	Entities     entities
	Note         *struct {
		Text     string
		Entities entities
	} `json:"note_tweet"`
	Referenced  []struct{ Type, ID string } `json:"referenced_tweets"`
	ReplyTo     string                      `json:"in_reply_to_user_id"`
	Attachments struct {
		MediaKeys []string `json:"media_keys"`
		PollIDs   []string `json:"poll_ids"`
	}
	Geo *struct {
		PlaceID string `json:"place_id"`
	}
	Sensitive   bool              `json:"possibly_sensitive"`
	Annotations []json.RawMessage `json:"context_annotations"`
}

type post struct {
	Data     tweet
	Includes struct {
		Users []struct {
			ID, Username, Name string
			Avatar             string `json:"profile_image_url"`
		}
		Tweets []tweet
		Media  []struct {
			Key     string `json:"media_key"`
			Type    string
			URL     string
			Preview string `json:"preview_image_url"`
		}
		Polls, Places []struct{ ID string }
	}
	Errors []struct {
		ResourceID string `json:"resource_id"`
		Type       string
	}
}

// made collects n lines that a server with these options makes.
func made(t *testing.T, n int, opts ...xtest.Option) []string {
	t.Helper()
	var lines []string
	synctest.Test(t, func(t *testing.T) {
		x := newServer(t, append([]xtest.Option{xtest.Rate(1000), xtest.Limit(n)}, opts...)...)
		s := connect(t, x, samplePath)
		for len(lines) < n {
			l, err := s.line()
			if err != nil {
				t.Fatal(err)
			}
			lines = append(lines, l)
		}
	})
	return lines
}

// Posts are whole: what they refer to is included, offsets point at what they
// say, and all kinds come up.
func TestMadeUpPosts(t *testing.T) {
	const n = 5000
	seen := map[string]int{}
	var last string
	size := 0
	for _, line := range made(t, n) {
		size += len(line)
		if !utf8.ValidString(line) {
			t.Fatalf("line is not valid UTF-8: %q", line)
		}
		var p post
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		d := p.Data
		if d.ID <= last {
			t.Errorf("id %s after %s", d.ID, last)
		}
		last = d.ID
		if i := strings.Index(line, `"id":"`); i >= 0 && !strings.HasPrefix(line[i:], `"id":"`+d.ID) {
			seen["another id before the Post's"]++
		}
		if !strings.HasPrefix(line, `{"data":{`) {
			t.Errorf("line does not begin with data: %.60s", line)
		}

		known := map[string]bool{}
		for _, u := range p.Includes.Users {
			known["user "+u.ID] = true
			if u.Username == "" || len(u.Username) > 15 || u.Name == "" || !strings.HasPrefix(u.Avatar, "https://pbs.twimg.com/profile_images/") {
				t.Errorf("user %+v", u)
			}
		}
		for _, o := range p.Includes.Tweets {
			known["tweet "+o.ID] = true
			checkEntities(t, o.Text, o.Entities)
			if o.ID >= d.ID || !o.CreatedAt.Before(d.CreatedAt) {
				t.Errorf("Post %s of %v refers to %s of %v", d.ID, d.CreatedAt, o.ID, o.CreatedAt)
			}
			for _, k := range o.Attachments.MediaKeys {
				known["need media "+k] = true
			}
		}
		for _, m := range p.Includes.Media {
			known["media "+m.Key] = true
			if !strings.HasPrefix(m.URL+m.Preview, "https://pbs.twimg.com/") {
				t.Errorf("media %+v", m)
			}
			seen[m.Type]++
		}
		for _, e := range p.Errors {
			known["tweet "+e.ResourceID] = true
			seen["partial error"]++
		}
		need := func(kind, id string) {
			if id != "" && !known[kind+" "+id] {
				t.Errorf("%s %s is not included: %s", kind, id, line)
			}
		}
		need("user", d.AuthorID)
		if len(p.Errors) == 0 {
			need("user", d.ReplyTo)
		}
		for _, k := range d.Attachments.MediaKeys {
			need("media", k)
		}
		for _, e := range d.Entities.Mentions {
			need("user", e.ID)
		}
		for k := range known {
			if key, ok := strings.CutPrefix(k, "need "); ok && !known[key] {
				t.Errorf("%s of an included Post is not included: %s", key, line)
			}
		}
		for _, r := range d.Referenced {
			need("tweet", r.ID)
			seen[r.Type]++
		}
		checkEntities(t, d.Text, d.Entities)
		if d.Note != nil {
			seen["long"]++
			checkEntities(t, d.Note.Text, d.Note.Entities)
			if utf8.RuneCountInString(d.Note.Text) <= 280 || !strings.HasSuffix(d.Text, "…") {
				t.Errorf("long Post %q of %q", d.Text, d.Note.Text)
			}
		}
		if utf8.RuneCountInString(d.Text) > 280 {
			t.Errorf("text of %d characters", utf8.RuneCountInString(d.Text))
		}
		if len(d.Referenced) == 0 {
			seen["plain"]++
		}
		if d.Sensitive {
			seen["sensitive"]++
		}
		if len(d.Annotations) > 0 {
			seen["annotated"]++
		}
		if len(d.History) == 2 {
			seen["edited"]++
		}
		if strings.Contains(d.Text, "<script>") {
			seen["script"]++
		}
		if strings.Contains(line, `\u0000`) {
			seen["null"]++
		}
		if strings.Contains(d.Text, `"matching_rules":[`) {
			seen["matching_rules in the text"]++
		}
		if strings.Contains(d.Text, "\u2028") {
			seen["U+2028"]++
		}
		if strings.Contains(d.Text, "\u200d") {
			seen["ZWJ"]++
		}
		if !strings.ContainsFunc(line, func(r rune) bool { return r > unicode.MaxASCII }) {
			seen["ASCII only"]++
		}
		for name, table := range map[string]*unicode.RangeTable{
			"Arabic": unicode.Arabic, "Hebrew": unicode.Hebrew, "Devanagari": unicode.Devanagari, "Thai": unicode.Thai,
			"Hangul": unicode.Hangul, "Cyrillic": unicode.Cyrillic, "Hiragana": unicode.Hiragana, "Han": unicode.Han, "Greek": unicode.Greek,
		} {
			if strings.ContainsFunc(d.Text, func(r rune) bool { return unicode.Is(table, r) }) {
				seen[name]++
			}
		}
	}
	for _, k := range []string{
		"plain", "long", "retweeted", "replied_to", "quoted", "photo", "video", "sensitive", "annotated", "edited", "partial error",
		"another id before the Post's", "script", "null", "matching_rules in the text", "U+2028", "ZWJ", "ASCII only",
		"Arabic", "Hebrew", "Devanagari", "Thai", "Hangul", "Cyrillic", "Hiragana", "Han", "Greek",
	} {
		if seen[k] == 0 {
			t.Errorf("no Post of %d is %q", n, k)
		}
	}
	if avg := size / n; avg < 2000 || avg > 3500 {
		t.Errorf("%d bytes a Post, want 2 to 3 kB", avg)
	}
}

func checkEntities(t *testing.T, text string, e entities) {
	t.Helper()
	chars := []rune(text)
	part := func(s span) string {
		if s.Start < 0 || s.End > len(chars) || s.Start >= s.End {
			t.Errorf("entity %+v outside of %q", s, text)
			return ""
		}
		return string(chars[s.Start:s.End])
	}
	for _, s := range e.Hashtags {
		if got := part(s); !strings.HasSuffix(got, s.Tag) || utf8.RuneCountInString(got) != utf8.RuneCountInString(s.Tag)+1 {
			t.Errorf("hashtag %q is at %q", s.Tag, got)
		}
	}
	for _, s := range e.Mentions {
		if got := part(s); got != "@"+s.Username {
			t.Errorf("mention %q is at %q", s.Username, got)
		}
	}
	for _, s := range e.Cashtags {
		if got := part(s); got != "$"+s.Tag {
			t.Errorf("cashtag %q is at %q", s.Tag, got)
		}
	}
	for _, s := range e.URLs {
		if got := part(s); got != s.URL || s.ExpandedURL == "" {
			t.Errorf("link %+v is at %q", s, got)
		}
	}
}

func TestSeed(t *testing.T) {
	a, b, c := made(t, 200), made(t, 200, xtest.Seed(1)), made(t, 200, xtest.Seed(2))
	if diff := cmp.Diff(a, b); diff != "" {
		t.Errorf("the same seed (-want +got):\n%s", diff)
	}
	if cmp.Equal(a, c) {
		t.Error("another seed makes the same Posts")
	}
}

func TestPost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newServer(t)
		s := connect(t, x, samplePath)
		get := func(p xtest.Post) (post, string) {
			id := x.Post(p)
			l, err := s.line()
			if err != nil {
				t.Fatal(err)
			}
			var got post
			if err := json.Unmarshal([]byte(l), &got); err != nil || got.Data.ID != id {
				t.Fatalf("%v: id %s, want %s", err, got.Data.ID, id)
			}
			return got, l
		}

		p, _ := get(xtest.Post{Text: "see https://example.org/a?b=1&c=2 now", Author: "Alice_1", Lang: "de"})
		u := p.Data.Entities.URLs
		if p.Data.Lang != "de" || p.Includes.Users[0].Username != "Alice_1" || p.Data.Referenced != nil ||
			len(u) != 1 || u[0].ExpandedURL != "https://example.org/a?b=1&c=2" || p.Data.Text != "see "+u[0].URL+" now" {
			t.Errorf("got %+v", p)
		}
		first := p.Data.AuthorID
		if p, _ = get(xtest.Post{Text: "again", Author: "alice_1"}); p.Data.AuthorID != first {
			t.Errorf("the same author has ids %s and %s", first, p.Data.AuthorID)
		}

		hard := "<script>\u2028\"\\ \x00 \"id\":\"9\" 👩‍👩‍👧 \u202e עברית"
		if p, _ = get(xtest.Post{Text: hard}); p.Data.Text != hard {
			t.Errorf("text %q, want %q", p.Data.Text, hard)
		}
		long := strings.Repeat("é ", 300)
		if p, _ = get(xtest.Post{Text: long}); p.Data.Note == nil || p.Data.Note.Text != long || utf8.RuneCountInString(p.Data.Text) != 280 {
			t.Errorf("long text: %+v", p.Data)
		}
		for kind, want := range map[string]string{"retweet": "retweeted", "reply": "replied_to", "quote": "quoted"} {
			p, l := get(xtest.Post{Text: "coop", Kind: kind})
			if len(p.Data.Referenced) != 1 || p.Data.Referenced[0].Type != want {
				t.Errorf("%s: %s", kind, l)
			}
			if kind == "retweet" && p.Includes.Tweets[0].Text != "coop" {
				t.Errorf("retweet of %q, want coop", p.Includes.Tweets[0].Text)
			}
		}
		if p, _ = get(xtest.Post{}); p.Data.Text == "" {
			t.Error("no text")
		}
	})
}

// Posts follow what the rules ask for.
func TestPostsFitRules(t *testing.T) {
	for _, value := range []string{
		"coop OR #coop", `"fair trade" -is:retweet`, "@alice", "$COOP", "from:alice", "to:alice coop", "coffee lang:th",
		"golang is:quote", "golang is:reply has:images", "golang is:retweet", "x1 has:videos -has:images", "x1 is:verified",
		"url:example.org", "conversation_id:1234567", "news (has:links OR has:hashtags) -is:reply", "東京", "x1 -has:mentions", "12345 from:12345",
	} {
		t.Run(value, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newServer(t, xtest.Rate(100), xtest.Limit(200))
				addRule(t, x, value, "")
				connect(t, x, streamPath)
				time.Sleep(5 * time.Second)
				if s := x.Stats(); s.Made != 200 || s.Matched < 170 {
					t.Errorf("%d of %d Posts match", s.Matched, s.Made)
				}
			})
		})
	}
}

func BenchmarkMake(b *testing.B) {
	x, err := xtest.New()
	if err != nil {
		b.Fatal(err)
	}
	defer x.Close()
	for b.Loop() {
		x.Post(xtest.Post{})
	}
}
