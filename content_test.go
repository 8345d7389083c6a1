package tweetstream_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream"
)

// fullMessage has every field that Content reads, in X's old spelling: a long
// Post, edited once, that answers one Post and quotes another.
const fullMessage = `{"data":{` +
	`"attachments":{"media_keys":["7_301","3_302","3_303"],"poll_ids":["401"]},` +
	`"author_id":"201","conversation_id":"100",` +
	`"context_annotations":[{"domain":{"id":"47","name":"Brand","description":"Brands"},"entity":{"id":"601","name":"Teapots Ltd"}}],` +
	`"created_at":"2026-03-04T05:06:07.089Z",` +
	`"edit_controls":{"edits_remaining":4,"is_edit_eligible":true,"editable_until":"2026-03-04T06:06:07.000Z"},` +
	`"edit_history_tweet_ids":["102","103"],` +
	`"entities":{"urls":[{"start":9,"end":23,"url":"https://t.co/cut"}]},` +
	`"geo":{"place_id":"501","coordinates":{"type":"Point","coordinates":[-73.5,40.25]}},` +
	`"id":"103","in_reply_to_user_id":"202","lang":"en",` +
	`"note_tweet":{"text":"🫖 tea &amp; $TEA with @bo #Tea https://t.co/abc and more","entities":{` +
	`"cashtags":[{"start":12,"end":16,"tag":"TEA"}],` +
	`"hashtags":[{"start":26,"end":30,"tag":"Tea"}],` +
	`"mentions":[{"start":22,"end":25,"username":"bo","id":"202"}],` +
	`"urls":[{"start":31,"end":47,"url":"https://t.co/abc","expanded_url":"https://short.example/x","display_url":"short.example/x","unwound_url":"https://tea.example/","title":"Tea","description":"All of it","media_key":"3_302"}]}},` +
	`"possibly_sensitive":true,` +
	`"public_metrics":{"retweet_count":1,"reply_count":2,"like_count":3,"quote_count":4,"bookmark_count":5,"impression_count":6},` +
	`"referenced_tweets":[{"type":"replied_to","id":"100"},{"type":"quoted","id":"90"}],` +
	`"reply_settings":"following","source":"Teapot for Web","text":"🫖 tea… https://t.co/cut",` +
	`"withheld":{"copyright":true,"country_codes":["DE","FR"],"scope":"user"}},` +
	`"includes":{"media":[` +
	`{"media_key":"3_302","type":"photo","url":"https://pbs.example/p.jpg","width":640,"height":480,"alt_text":"a pot"},` +
	`{"media_key":"7_301","type":"video","preview_image_url":"https://pbs.example/v.jpg","duration_ms":1500,"width":1280,"height":720,"public_metrics":{"view_count":77},` +
	`"variants":[{"bit_rate":832000,"content_type":"video/mp4","url":"https://video.example/v.mp4"},{"content_type":"application/x-mpegURL","url":"https://video.example/v.m3u8"}]}],` +
	`"places":[{"id":"501","place_type":"city","name":"Teatown","full_name":"Teatown, NY","country":"United States","country_code":"US","geo":{"type":"Feature","bbox":[-74.5,40,-73,41.5]}}],` +
	`"polls":[{"id":"401","voting_status":"open","end_datetime":"2026-03-05T05:06:07.000Z","duration_minutes":1440,` +
	`"options":[{"position":2,"label":"green","votes":20},{"position":1,"label":"black","votes":10}]}],` +
	`"tweets":[{"id":"90","text":"pots","author_id":"203","lang":"de","referenced_tweets":[{"type":"quoted","id":"100"}],"public_metrics":{"retweet_count":9}}],` +
	`"users":[` +
	`{"id":"201","name":"Ann","username":"ann","created_at":"2010-01-02T03:04:05.000Z","description":"pots","location":"here","url":"https://t.co/ann","profile_image_url":"https://pbs.example/ann_normal.png","pinned_tweet_id":"80",` +
	`"protected":true,"verified":true,"verified_type":"blue","public_metrics":{"followers_count":11,"following_count":12,"listed_count":13,"tweet_count":14},"withheld":{"country_codes":["TR"],"scope":"user"}},` +
	`{"id":"203","name":"Cy","username":"cy"}]},` +
	`"errors":[{"title":"Not Found Error","detail":"Could not find tweet.","type":"https://api.x.com/2/problems/resource-not-found","parameter":"referenced_tweets.id","resource_type":"tweet","resource_id":"100"}],` +
	`"matching_rules":[{"id":"1","tag":"tea"}]}`

// newSpelling renames what X is renaming, keys and nothing else.
var newSpelling = strings.NewReplacer(
	`"note_tweet":`, `"note_post":`,
	`"edit_history_tweet_ids":`, `"edit_history_post_ids":`,
	`"referenced_tweets":`, `"referenced_posts":`,
	`"retweet_count":`, `"repost_count":`,
	`"tweets":`, `"posts":`,
	`"tweet_count":`, `"post_count":`,
	`"pinned_tweet_id":`, `"pinned_post_id":`,
)

func fullContent() *tweetstream.Content {
	ann := tweetstream.User{
		ID: "201", Name: "Ann", Username: "ann",
		CreatedAt:   time.Date(2010, 1, 2, 3, 4, 5, 0, time.UTC),
		Description: "pots", Location: "here", URL: "https://t.co/ann",
		ProfileImageURL: "https://pbs.example/ann_normal.png", PinnedPostID: "80",
		Protected: true, Verified: true, VerifiedType: "blue",
		Followers: 11, Following: 12, Listed: 13, Posts: 14,
		Withheld: tweetstream.Withheld{Countries: []string{"TR"}, Scope: "user"},
	}
	cy := tweetstream.User{ID: "203", Name: "Cy", Username: "cy"}
	return &tweetstream.Content{
		ID:       "103",
		Text:     "🫖 tea… https://t.co/cut",
		FullText: "🫖 tea &amp; $TEA with @bo #Tea https://t.co/abc and more",
		Entities: []tweetstream.Entity{
			{Type: "cashtag", Start: 12, End: 16, Text: "TEA"},
			{Type: "mention", Start: 22, End: 25, Text: "bo", UserID: "202"},
			{Type: "hashtag", Start: 26, End: 30, Text: "Tea"},
			{
				Type: "url", Start: 31, End: 47, Text: "short.example/x",
				URL: "https://t.co/abc", ExpandedURL: "https://short.example/x", UnwoundURL: "https://tea.example/",
				Title: "Tea", Description: "All of it", MediaKey: "3_302",
			},
		},
		Lang:      "en",
		CreatedAt: time.Date(2026, 3, 4, 5, 6, 7, 89e6, time.UTC),
		AuthorID:  "201", Author: ann,
		ConversationID: "100", InReplyToUserID: "202",
		References: []tweetstream.Reference{
			{Type: "replied_to", ID: "100"},
			{Type: "quoted", ID: "90", Post: &tweetstream.Content{
				ID: "90", Text: "pots", FullText: "pots", Lang: "de", AuthorID: "203", Author: cy, Reposts: 9,
				References: []tweetstream.Reference{{Type: "quoted", ID: "100"}},
			}},
		},
		Media: []tweetstream.Media{
			{
				Key: "7_301", Type: "video", PreviewImageURL: "https://pbs.example/v.jpg",
				Width: 1280, Height: 720, Duration: 1500 * time.Millisecond, Views: 77,
				Variants: []tweetstream.Variant{
					{URL: "https://video.example/v.mp4", ContentType: "video/mp4", BitRate: 832000},
					{URL: "https://video.example/v.m3u8", ContentType: "application/x-mpegURL"},
				},
			},
			{Key: "3_302", Type: "photo", URL: "https://pbs.example/p.jpg", AltText: "a pot", Width: 640, Height: 480},
			{Key: "3_303"},
		},
		Poll: tweetstream.Poll{
			ID: "401", Status: "open", EndsAt: time.Date(2026, 3, 5, 5, 6, 7, 0, time.UTC), Duration: 24 * time.Hour,
			Options: []tweetstream.PollOption{{Label: "black", Votes: 10}, {Label: "green", Votes: 20}},
		},
		Place: tweetstream.Place{
			ID: "501", Type: "city", Name: "Teatown", FullName: "Teatown, NY", Country: "United States", CountryCode: "US",
			Box: [4]float64{-74.5, 40, -73, 41.5}, Longitude: -73.5, Latitude: 40.25,
		},
		Reposts: 1, Replies: 2, Likes: 3, Quotes: 4, Bookmarks: 5, Impressions: 6,
		Sensitive: true, ReplySettings: "following", Source: "Teapot for Web",
		EditHistory: []string{"102", "103"}, EditEligible: true,
		EditableUntil: time.Date(2026, 3, 4, 6, 6, 7, 0, time.UTC), EditsRemaining: 4,
		Withheld:    tweetstream.Withheld{Countries: []string{"DE", "FR"}, Scope: "user", Copyright: true},
		Annotations: []tweetstream.Annotation{{DomainID: "47", DomainName: "Brand", EntityID: "601", EntityName: "Teapots Ltd"}},
		Users:       []tweetstream.User{ann, cy},
		PartialErrors: []tweetstream.PartialError{{
			Title: "Not Found Error", Detail: "Could not find tweet.", Type: "https://api.x.com/2/problems/resource-not-found",
			Parameter: "referenced_tweets.id", ResourceType: "tweet", ResourceID: "100",
		}},
	}
}

func contentOf(t testing.TB, raw string) *tweetstream.Content {
	t.Helper()
	c, err := (&tweetstream.Tweet{Raw: json.RawMessage(raw)}).Content()
	if err != nil {
		t.Fatalf("Content() of %.300s: %v", raw, err)
	}
	checkContent(t, c)
	return c
}

// checkContent checks what Content promises of every message.
func checkContent(t testing.TB, c *tweetstream.Content) {
	t.Helper()
	posts := []*tweetstream.Content{c}
	for _, r := range c.References {
		if r.Post == nil {
			continue
		}
		posts = append(posts, r.Post)
		for _, r := range r.Post.References {
			if r.Post != nil {
				t.Errorf("a referenced Post has a Post in its References")
			}
		}
	}
	for _, p := range posts {
		if p.Original() == nil {
			t.Error("Original() = nil")
		}
		last := 0
		for _, e := range p.Entities {
			if (e.Start != 0 || e.End != 0) && !(0 <= e.Start && e.Start < e.End && e.End <= utf8.RuneCountInString(p.FullText)) || e.Start < last {
				t.Errorf("entity at %d to %d, after one at %d, of a text of %d", e.Start, e.End, last, utf8.RuneCountInString(p.FullText))
			}
			last = e.Start
		}
	}
}

func TestContent(t *testing.T) {
	for _, tt := range []struct{ name, raw string }{
		{"old spelling", fullMessage},
		{"new spelling", newSpelling.Replace(fullMessage)},
		{"both, one of them empty", strings.NewReplacer(
			`"note_tweet":`, `"note_tweet":null,"note_post":`,
			`"referenced_tweets":`, `"referenced_tweets":[],"referenced_posts":`,
			`"retweet_count":`, `"retweet_count":"many","repost_count":`,
		).Replace(fullMessage)},
		{"keys in the wrong case beside", strings.NewReplacer(
			`"id":"103"`, `"id":"103","ID":"666","Id":{}`,
			`"text":"🫖 tea…`, `"Text":"wrong","text":"🫖 tea…`,
			`"includes":`, `"DATA":{"id":"666"},"includes":`,
		).Replace(fullMessage)},
		{"numbers as strings", strings.NewReplacer(
			`"start":12,"end":16`, `"start":"12","end":"16"`,
			`"like_count":3`, `"like_count":"3"`,
			`"edits_remaining":4`, `"edits_remaining":"4"`,
			`"duration_ms":1500`, `"duration_ms":"1500"`,
			`"possibly_sensitive":true`, `"possibly_sensitive":"true"`,
			`[-73.5,40.25]`, `["-73.5","40.25"]`,
		).Replace(fullMessage)},
		{"strings as numbers", strings.NewReplacer(
			`"id":"103"`, `"id":103`,
			`"author_id":"201"`, `"author_id":201`,
			`["102","103"]`, `[102,103]`,
			`"poll_ids":["401"]`, `"poll_ids":[401]`,
		).Replace(fullMessage)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(fullContent(), contentOf(t, tt.raw)); diff != "" {
				t.Errorf("Content() differs (-want +got):\n%s", diff)
			}
		})
	}
}

// A full message must leave no field unset, so that a forgotten one is seen.
func TestContentFullMessageIsFull(t *testing.T) {
	c := reflect.ValueOf(*contentOf(t, fullMessage))
	for i := range c.NumField() {
		if c.Field(i).IsZero() {
			t.Errorf("fullMessage leaves %s at zero", c.Type().Field(i).Name)
		}
	}
}

func TestContentLargeIDs(t *testing.T) {
	c := contentOf(t, `{"data":{"id":9007199254740993,"text":"t","author_id":18446744073709551616}}`)
	if c.ID != "9007199254740993" || c.AuthorID != "18446744073709551616" {
		t.Errorf("ID, AuthorID = %s, %s, want the digits as X wrote them", c.ID, c.AuthorID)
	}
}

const repostMessage = `{"data":{"id":"11","text":"RT @cy: a long te…","author_id":"201","entities":{"mentions":[{"start":3,"end":6,"username":"cy"}]},` +
	`"referenced_tweets":[{"type":"retweeted","id":"10"}]},` +
	`"includes":{"media":[{"media_key":"3_1","type":"photo"}],"users":[{"id":"201","username":"ann"},{"id":"203","username":"cy"}],` +
	`"tweets":[{"id":"10","text":"a long te…","author_id":"203","attachments":{"media_keys":["3_1"]},` +
	`"note_tweet":{"text":"a long text with a #tag","entities":{"hashtags":[{"start":19,"end":23,"tag":"tag"}]}}}]}}`

func TestContentRepost(t *testing.T) {
	for _, raw := range []string{repostMessage, newSpelling.Replace(repostMessage)} {
		c := contentOf(t, raw)
		if want := "RT @cy: a long te…"; c.Text != want {
			t.Errorf("Text = %q, want %q", c.Text, want)
		}
		if want := "a long text with a #tag"; c.FullText != want {
			t.Errorf("FullText = %q, want %q", c.FullText, want)
		}
		if want := []tweetstream.Entity{{Type: "hashtag", Start: 19, End: 23, Text: "tag"}}; !cmp.Equal(c.Entities, want) {
			t.Errorf("Entities = %v, want %v", c.Entities, want)
		}
		if want := []tweetstream.Media{{Key: "3_1", Type: "photo"}}; !cmp.Equal(c.Media, want) {
			t.Errorf("Media = %v, want %v", c.Media, want)
		}
		if o := c.Original(); c.Author.Username != "ann" || o.ID != "10" || o.Author.Username != "cy" {
			t.Errorf("Author, Original = %v, %v", c.Author, o)
		}
		if !c.IsRepost() || c.IsQuote() || c.IsReply() {
			t.Errorf("IsRepost, IsQuote, IsReply = %v, %v, %v", c.IsRepost(), c.IsQuote(), c.IsReply())
		}
	}
}

func TestContentRepostWithoutOriginal(t *testing.T) {
	c := contentOf(t, `{"data":{"id":"11","text":"RT @cy: hi","in_reply_to_user_id":"7","referenced_tweets":[{"type":"retweeted","id":"10"}]}}`)
	if c.FullText != c.Text || c.Original() != c || !c.IsRepost() || c.IsReply() {
		t.Errorf("FullText = %q, Original() = %p, IsRepost() = %v, IsReply() = %v; Content is %p", c.FullText, c.Original(), c.IsRepost(), c.IsReply(), c)
	}
}

func TestContentKinds(t *testing.T) {
	for _, tt := range []struct {
		data                 string
		repost, quote, reply bool
	}{
		{`{}`, false, false, false},
		{`{"referenced_tweets":[{"type":"quoted","id":"1"}]}`, false, true, false},
		{`{"referenced_tweets":[{"type":"replied_to","id":"1"},{"type":"quoted","id":"2"}]}`, false, true, true},
		{`{"in_reply_to_user_id":"7"}`, false, false, true},
		{`{"referenced_posts":[{"type":"retweeted","id":"1"}]}`, true, false, false},
		{`{"referenced_posts":[{"type":"something new","id":"1"}]}`, false, false, false},
	} {
		c := contentOf(t, `{"data":`+tt.data+`}`)
		if c.IsRepost() != tt.repost || c.IsQuote() != tt.quote || c.IsReply() != tt.reply {
			t.Errorf("%s: IsRepost, IsQuote, IsReply = %v, %v, %v", tt.data, c.IsRepost(), c.IsQuote(), c.IsReply())
		}
	}
}

// Posts that refer to themselves and to each other end after one step.
func TestContentCycles(t *testing.T) {
	c := contentOf(t, `{"data":{"id":"1","text":"one","referenced_tweets":[{"type":"quoted","id":"1"},{"type":"retweeted","id":"2"},{"type":"retweeted","id":"2"}]},`+
		`"includes":{"tweets":[{"id":"1","text":"one","referenced_tweets":[{"type":"quoted","id":"1"}]},`+
		`{"id":"2","text":"two","referenced_tweets":[{"type":"retweeted","id":"1"}]},{"id":"2","text":"again"}]}}`)
	if len(c.References) != 3 || c.References[0].Post.Text != "one" || c.References[1].Post.Text != "two" || c.References[2].Post != c.References[1].Post {
		t.Errorf("References = %v", c.References)
	}
	if c.FullText != "two" {
		t.Errorf("FullText = %q, want the original's", c.FullText)
	}
}

func TestContentEntityPlaces(t *testing.T) {
	// The text has 5 code points, 8 bytes in UTF-8, 6 units in UTF-16.
	for place, want := range map[string][2]int{
		`"start":0,"end":5`:                    {0, 5},
		`"start":4,"end":5`:                    {4, 5},
		`"start":4,"end":6`:                    {},
		`"start":3,"end":3`:                    {},
		`"start":4,"end":2`:                    {},
		`"start":-1,"end":2`:                   {},
		`"start":1,"end":9223372036854775807`:  {},
		`"start":1,"end":1e99`:                 {},
		`"end":3`:                              {},
		`"start":null,"end":3`:                 {},
		`"start":1`:                            {},
		`"start":1.0,"end":2e0`:                {1, 2},
		`"start":"1","end":"NaN"`:              {},
		`"start":[1],"end":{"a":1}`:            {},
		`"start":18446744073709551617,"end":2`: {},
	} {
		c := contentOf(t, `{"data":{"id":"1","text":"🫖 #aé","entities":{"hashtags":[{"tag":"aé",`+place+`}]}}}`)
		if len(c.Entities) != 1 || c.Entities[0].Start != want[0] || c.Entities[0].End != want[1] || c.Entities[0].Text != "aé" {
			t.Errorf("%s: Entities = %v, want one at %v", place, c.Entities, want)
		}
	}
}

func TestContentTimes(t *testing.T) {
	for s, want := range map[string]time.Time{
		`"2026-03-04T05:06:07.089Z"`:       time.Date(2026, 3, 4, 5, 6, 7, 89e6, time.UTC),
		`"2026-03-04T05:06:07+02:00"`:      time.Date(2026, 3, 4, 3, 6, 7, 0, time.UTC),
		`"0000-01-01T00:00:00+01:00"`:      {},
		`"9999-12-31T23:59:59-01:00"`:      {},
		`"2026-02-30T00:00:00Z"`:           {},
		`"Wed Mar 04 05:06:07 +0000 2026"`: {},
		`1772600767`:                       {},
	} {
		if c := contentOf(t, `{"data":{"id":"1","created_at":`+s+`}}`); c.CreatedAt != want {
			t.Errorf("created_at %s: CreatedAt = %v, want %v", s, c.CreatedAt, want)
		}
	}
}

func TestContentErrors(t *testing.T) {
	const canary = "canary7391"
	for _, raw := range []string{
		``, ` `, `null`, `[]`, `"canary7391"`, `7`, `canary7391`, `{`, `{"data":{"id":"canary7391"`,
		`{"data":{"id":"1"}}canary7391`, `{"data":{"id":"1"}}{"data":{"id":"2"}}`, `{"canary7391":1,}`,
		`{"data":null}`, `{"data":"canary7391"}`, `{"data":[{"id":"canary7391"}]}`, `{"errors":[{"title":"canary7391"}]}`,
		`{"Data":{"id":"canary7391"}}`, "{\"data\":{\"id\":\"canary7391\x01\"}}",
		`{"data":{"id":"1","canary7391":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}}`,
	} {
		tweet := &tweetstream.Tweet{Raw: json.RawMessage(raw)}
		c, err := tweet.Content()
		if c != nil || err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("Content() of %.60q = %v, %v, want an error without a part of it", raw, c, err)
		}
		if _, again := tweet.Content(); again != err {
			t.Errorf("second Content() of %.60q: %v, want %v", raw, again, err)
		}
	}
}

// contentAffects names the fields of Content that may change when the named member of
// a message has another shape. All others must keep their values.
var contentAffects = map[string][]string{
	"data.attachments":                     {"Media", "Poll"},
	"data.attachments.media_keys":          {"Media"},
	"data.attachments.poll_ids":            {"Poll"},
	"data.author_id":                       {"AuthorID", "Author"},
	"data.context_annotations":             {"Annotations"},
	"data.conversation_id":                 {"ConversationID"},
	"data.created_at":                      {"CreatedAt"},
	"data.edit_controls":                   {"EditEligible", "EditableUntil", "EditsRemaining"},
	"data.edit_controls.edits_remaining":   {"EditsRemaining"},
	"data.edit_controls.is_edit_eligible":  {"EditEligible"},
	"data.edit_controls.editable_until":    {"EditableUntil"},
	"data.edit_history_tweet_ids":          {"EditHistory"},
	"data.entities":                        {},
	"data.geo":                             {"Place"},
	"data.id":                              {"ID"},
	"data.in_reply_to_user_id":             {"InReplyToUserID"},
	"data.lang":                            {"Lang"},
	"data.note_tweet":                      {"FullText", "Entities"},
	"data.note_tweet.entities":             {"Entities"},
	"data.possibly_sensitive":              {"Sensitive"},
	"data.public_metrics":                  {"Replies", "Reposts", "Likes", "Quotes", "Bookmarks", "Impressions"},
	"data.public_metrics.retweet_count":    {"Reposts"},
	"data.public_metrics.reply_count":      {"Replies"},
	"data.public_metrics.like_count":       {"Likes"},
	"data.public_metrics.quote_count":      {"Quotes"},
	"data.public_metrics.bookmark_count":   {"Bookmarks"},
	"data.public_metrics.impression_count": {"Impressions"},
	"data.referenced_tweets":               {"References"},
	"data.reply_settings":                  {"ReplySettings"},
	"data.source":                          {"Source"},
	"data.text":                            {"Text"},
	"data.withheld":                        {"Withheld"},
	"includes":                             {"Media", "Poll", "Place", "References", "Author", "Users"},
	"includes.media":                       {"Media"},
	"includes.places":                      {"Place"},
	"includes.polls":                       {"Poll"},
	"includes.tweets":                      {"References"},
	"includes.users":                       {"Author", "Users", "References"},
	"errors":                               {"PartialErrors"},
	"matching_rules":                       {},
}

// hostileValues are values of all shapes.
var hostileValues = []json.RawMessage{
	[]byte(`null`), []byte(`true`), []byte(`false`), []byte(`0`), []byte(`-7`), []byte(`0.5`), []byte(`1e400`),
	[]byte(`9223372036854775808`), []byte(`""`), []byte(`"666"`), []byte(`"\ud800\u0000"`),
	[]byte(`{}`), []byte(`{"id":"666","text":{"a":[]},"media_key":[]}`),
	[]byte(`[]`), []byte(`[null]`), []byte(`[[[1]],{},7,"7",true]`), []byte(`[{"id":{}},{"start":[],"end":{}}]`),
	[]byte(strings.Repeat("[", 500) + strings.Repeat("]", 500)),
	[]byte(strings.Repeat(`{"text":`, 500) + "1" + strings.Repeat("}", 500)),
}

// TestContentTolerance puts every hostile value in the place of every member
// and element of a full message, and takes each of them away.
func TestContentTolerance(t *testing.T) {
	var message map[string]any
	if err := json.Unmarshal([]byte(fullMessage), &message); err != nil {
		t.Fatal(err)
	}
	want := reflect.ValueOf(*fullContent())
	var n int
	check := func(path string) {
		t.Helper()
		n++
		raw, err := json.Marshal(message)
		if err != nil {
			t.Fatal(err)
		}
		got := reflect.ValueOf(*contentOf(t, string(raw)))
		name := path
		for contentAffects[name] == nil {
			dot := strings.LastIndexByte(name, '.')
			if dot < 0 {
				t.Fatalf("no entry in contentAffects for %s", path)
			}
			name = name[:dot]
		}
		for i := range want.NumField() {
			field := want.Type().Field(i).Name
			want, got := want.Field(i).Interface(), got.Field(i).Interface()
			if !slices.Contains(contentAffects[name], field) && !reflect.DeepEqual(want, got) {
				t.Errorf("with another %s, %s is not as it was (-want +got):\n%s", path, field, cmp.Diff(want, got))
			}
		}
	}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, key := range slices.Sorted(maps.Keys(v)) {
				path, old := strings.TrimPrefix(path+"."+key, "."), v[key]
				if path != "data" {
					for _, v[key] = range hostileValues {
						check(path)
					}
					delete(v, key)
					check(path)
				}
				v[key] = old
				walk(path, old)
			}
		case []any:
			for i, old := range v {
				path := fmt.Sprintf("%s.%d", path, i)
				for _, h := range hostileValues {
					v[i] = h
					check(path)
				}
				v[i] = old
				walk(path, old)
			}
		}
	}
	walk("", message)
	if n < 3000 {
		t.Errorf("%d mutations, want more than 3000", n)
	}
}

func TestContentShared(t *testing.T) {
	tweet := &tweetstream.Tweet{ID: "103", Raw: json.RawMessage(fullMessage)}
	got := make([]*tweetstream.Content, 16)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() {
			<-start
			got[i], _ = tweet.Content()
		})
	}
	close(start)
	wg.Wait()
	for i, c := range got {
		if c == nil || c != got[0] {
			t.Fatalf("Content() = %p in goroutine %d, %p in the first, want one that is not nil", c, i, got[0])
		}
	}
	if c, _ := tweet.WithRaw(json.RawMessage(repostMessage)).Content(); c.ID != "11" {
		t.Errorf("after WithRaw, Content().ID = %s, want 11", c.ID)
	}
}

// TestContentSamples decodes the messages that the environment variable
// TWEETSTREAM_SAMPLES names: a file of them, one a line.
func TestContentSamples(t *testing.T) {
	path := os.Getenv("TWEETSTREAM_SAMPLES")
	if path == "" {
		t.Skip("no TWEETSTREAM_SAMPLES: not tried on real messages")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, raw := range bytes.Split(bytes.TrimSpace(data), []byte("\n")) {
		c := contentOf(t, string(raw))
		var m struct {
			Data struct {
				AuthorID string `json:"author_id"`
			}
			Includes struct {
				Users, Tweets []struct{ ID string }
			}
		}
		_ = json.Unmarshal(raw, &m) // what it refuses is not compared
		if c.ID == "" || c.Text == "" || c.FullText == "" || c.AuthorID != m.Data.AuthorID {
			t.Errorf("message %d: ID %q, text of %d bytes, full text of %d, AuthorID %q", i, c.ID, len(c.Text), len(c.FullText), c.AuthorID)
		}
		for _, u := range m.Includes.Users {
			if u.ID == c.AuthorID && (c.Author.ID != u.ID || c.Author.Username == "") {
				t.Errorf("message %d: Author is not that of includes", i)
			}
		}
		for _, p := range m.Includes.Tweets {
			for _, r := range c.References {
				if r.ID == p.ID && (r.Post == nil || r.Post.Text == "") {
					t.Errorf("message %d: a reference is not that of includes", i)
				}
			}
		}
		for _, p := range []*tweetstream.Content{c, c.Original()} {
			text := []rune(p.FullText)
			for _, e := range p.Entities {
				got := string(text[e.Start:e.End])
				if e.Type != "url" && !strings.EqualFold(strings.TrimLeft(got, "@#$＃"), e.Text) {
					t.Errorf("message %d: %s at %d to %d does not stand there", i, e.Type, e.Start, e.End)
				}
			}
		}
	}
}

func FuzzContent(f *testing.F) {
	const canary = "canary7391"
	f.Add([]byte(fullMessage))
	f.Add([]byte(newSpelling.Replace(fullMessage)))
	f.Add([]byte(repostMessage))
	f.Add([]byte(`{"data":{"id":"1","text":"\ud83e","entities":{"urls":{"start":1}}}}`))
	for _, h := range hostileValues {
		f.Add([]byte(`{"data":` + string(h) + `}`))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, raw := range [][]byte{raw, append([]byte(canary), raw...), append(bytes.Clone(raw), canary...), bytes.ReplaceAll(raw, []byte(`:`), []byte(`:"`+canary))} {
			c, err := (&tweetstream.Tweet{Raw: raw}).Content()
			switch {
			case err == nil:
				checkContent(t, c)
			case c != nil:
				t.Error("Content() gives an error and a Content")
			case strings.Contains(err.Error(), canary):
				t.Errorf("the error holds a part of the message: %v", err)
			}
		}
	})
}

func BenchmarkTweet_Content(b *testing.B) {
	bench := func(name, raw string) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := (&tweetstream.Tweet{Raw: json.RawMessage(raw)}).Content(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	bench("full", fullMessage)
	bench("repost", repostMessage)
}

func ExampleTweet_Content() {
	tweet, err := tweetstream.ParseTweet([]byte(`{"data":{"id":"20","author_id":"12",` +
		`"text":"🫖 by @bo: https://t.co/abc",` +
		`"entities":{"mentions":[{"start":5,"end":8,"username":"bo"}],` +
		`"urls":[{"start":10,"end":26,"url":"https://t.co/abc","display_url":"pots.example"}]}},` +
		`"includes":{"users":[{"id":"12","name":"Ann","username":"ann"}]}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := tweet.Content()
	if err != nil {
		fmt.Println(err)
		return
	}
	post := c.Original() // for a repost, the Post to show
	fmt.Printf("%s (@%s) wrote\n", post.Author.Name, post.Author.Username)

	// Indices count code points, so that the text is taken as runes.
	text := []rune(post.FullText)
	pos := 0
	for _, e := range post.Entities {
		if e.End == 0 || e.Start < pos {
			continue // no place in the text, or one that was shown
		}
		fmt.Print(string(text[pos:e.Start]))
		switch e.Type {
		case "url":
			fmt.Printf("[%s](%s)", e.Text, e.URL)
		default:
			fmt.Printf("[%s]", string(text[e.Start:e.End]))
		}
		pos = e.End
	}
	fmt.Println(string(text[pos:]))
	// Output:
	// Ann (@ann) wrote
	// 🫖 by [@bo]: [pots.example](https://t.co/abc)
}
