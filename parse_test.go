package tweetstream_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream"
)

// message is of the size and the form that X sends: 2.4 kB, with ids of other
// things before the Post's own.
var message = []byte(`{"data":{"author_id":"2244994945","context_annotations":[` +
	strings.Repeat(`{"domain":{"id":"30","name":"Entities [Entity Service]","description":"Entity Service top level domain"},"entity":{"id":"848920371311001600","name":"Technology"}},`, 5) +
	`{"domain":{"id":"66","name":"Interests"}}],"conversation_id":"1626483873659092992","created_at":"2026-08-12T07:20:17.000Z","edit_history_tweet_ids":["1626483873659092992"],` +
	`"entities":{"mentions":[{"start":0,"end":9,"username":"somebody","id":"123"}],"urls":[{"start":20,"end":43,"url":"https://t.co/abc","expanded_url":"https://example.com/","display_url":"example.com"}]},` +
	`"id":"1626483873659092992","lang":"en","public_metrics":{"retweet_count":0,"reply_count":0,"like_count":0,"quote_count":0,"bookmark_count":0,"impression_count":0},` +
	`"text":"@somebody said \"id\":\"7\" and \\ then } ] , at https://t.co/abc"},"includes":{"users":[` +
	strings.Repeat(`{"id":"2244994945","name":"Somebody","username":"somebody","profile_image_url":"https://pbs.twimg.com/profile_images/1/x_normal.jpg","public_metrics":{"followers_count":1949,"following_count":2283}},`, 4) +
	`{"id":"1","name":"b"}]},"matching_rules":[{"id":"1600000000000000001","tag":"news"},{"id":"1600000000000000002","tag":"brand: café"}]}`)

func TestParseTweet(t *testing.T) {
	type rules = []tweetstream.Rule
	for name, c := range map[string]struct {
		in    string
		id    string
		rules rules
		raw   string // if not as in
	}{
		"as X sends it":            {in: string(message), id: "1626483873659092992", rules: rules{{ID: "1600000000000000001", Tag: "news"}, {ID: "1600000000000000002", Tag: "brand: café"}}},
		"no rules":                 {in: `{"data":{"id":"1"}}`, id: "1"},
		"empty rules":              {in: `{"data":{"id":"1"},"matching_rules":[]}`, id: "1"},
		"no tag":                   {in: `{"data":{"id":"1"},"matching_rules":[{"id":"2"}]}`, id: "1", rules: rules{{ID: "2"}}},
		"tag null":                 {in: `{"data":{"id":"1"},"matching_rules":[{"id":"2","tag":null}]}`, id: "1", rules: rules{{ID: "2"}}},
		"tag first":                {in: `{"data":{"id":"1"},"matching_rules":[{"tag":"a","id":"2"}]}`, id: "1", rules: rules{{ID: "2", Tag: "a"}}},
		"rule id is a number":      {in: `{"data":{"id":"1"},"matching_rules":[{"id":1377649934414049282,"tag":"a"}]}`, id: "1", rules: rules{{ID: "1377649934414049282", Tag: "a"}}},
		"tag with quotes":          {in: `{"data":{"id":"1"},"matching_rules":[{"id":"2","tag":"a \"b\" \\"},{"id":"3","tag":"c"}]}`, id: "1", rules: rules{{ID: "2", Tag: `a "b" \`}, {ID: "3", Tag: "c"}}},
		"embedding":                {in: `{"data":{"id":"1"},"matching_rules":[{"id":"2","tag":"a","embedding_similarity":0.5}]}`, id: "1", rules: rules{{ID: "2", Tag: "a"}}},
		"escapes":                  {in: `{"d\u0061ta":{"\u0069d":"\u0031"},"matching_rules":[{"id":"2","tag":"\u0061"}]}`, id: "1", rules: rules{{ID: "2", Tag: "a"}}},
		"white space":              {in: ` { "data" : { "id" : "1" } , "matching_rules" : [ { "id" : "2" } ] } `, id: "1", rules: rules{{ID: "2"}}, raw: `{ "data" : { "id" : "1" } , "matching_rules" : [ { "id" : "2" } ] }`},
		"rules first":              {in: `{"matching_rules":[{"id":"2","tag":"a"}],"data":{"id":"1"}}`, id: "1", rules: rules{{ID: "2", Tag: "a"}}},
		"something behind":         {in: `{"data":{"id":"1"},"matching_rules":[{"id":"2"}],"__twarc":{"id":"9"}}`, id: "1", rules: rules{{ID: "2"}}},
		"partial error":            {in: `{"data":{"id":"1"},"errors":[{"title":"x"}]}`, id: "1"},
		"id is a number":           {in: `{"data":{"id":1626483873659092992}}`, id: "1626483873659092992"},
		"other ids before":         {in: `{"data":{"a":{"id":"7"},"b":[{"id":"8"}],"text":"\"id\":\"9\"","id":"1"}}`, id: "1"},
		"rules in the text":        {in: `{"data":{"id":"1","text":",\"matching_rules\":[{\"id\":\"3\"}]}"}}`, id: "1"},
		"rules of another":         {in: `{"data":{"id":"1","x":{"matching_rules":[{"id":"3"}]}},"y":{"matching_rules":[{"id":"4"}]}}`, id: "1"},
		"backslashes":              {in: `{"data":{"text":"\\","x":"\\\"","y":"\\\\","id":"1"}}`, id: "1"},
		"twice: the last counts":   {in: `{"data":{"id":"1"},"data":{"id":"2"}}`, id: "2"},
		"id twice":                 {in: `{"data":{"id":"1","id":"2"}}`, id: "2"},
		"rules twice":              {in: `{"matching_rules":[{"id":"3"}],"data":{"id":"1"},"matching_rules":[{"id":"4"}]}`, id: "1", rules: rules{{ID: "4"}}},
		"keys of another case":     {in: `{"DATA":{"id":"7"},"data":{"ID":"8","id":"1"}}`, id: "1"},
		"rules of another shape":   {in: `{"data":{"id":"1"},"matching_rules":{"id":"2"}}`, id: "1"},
		"a rule of another shape":  {in: `{"data":{"id":"1"},"matching_rules":["x",{"id":{"a":"b"},"tag":["c"]}]}`, id: "1", rules: rules{{}}},
		"not UTF-8":                {in: "{\"data\":{\"id\":\"1\",\"text\":\"a\xff\xfeb\"}}", id: "1", raw: `{"data":{"id":"1","text":"a` + "\uFFFD" + `b"}}`},
		"line breaks":              {in: "{\n  \"data\": {\r\n    \"id\": \"1\"\n  }\n}\r\n", id: "1", raw: `{"data":{"id":"1"}}`},
		"what is skipped is wrong": {in: `{"data":{"id":"1","x":tru,"y":01},"z":[,],"matching_rules":[{"id":"2"}]}`, id: "1", rules: rules{{ID: "2"}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := tweetstream.ParseTweet([]byte(c.in))
			if err != nil {
				t.Fatal(err)
			}
			raw := c.raw
			if raw == "" {
				raw = c.in
			}
			want := &tweetstream.Tweet{ID: c.id, Rules: c.rules, Raw: json.RawMessage(raw)}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestParseTweetRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"nothing":       "",
		"white space":   " \r\n",
		"garbage":       "garbage canary",
		"cut":           `{"data":{"id":"1","text":"canary`,
		"cut at id":     `{"data":{"id":"1`,
		"no id":         `{"data":{"text":"canary"}}`,
		"no data":       `{"errors":[{"title":"canary"}]}`,
		"data null":     `{"data":null}`,
		"data a list":   `{"data":[{"id":"1"}]}`,
		"null":          "null",
		"a list":        `[{"data":{"id":"1"}}]`,
		"id empty":      `{"data":{"id":""}}`,
		"id an object":  `{"data":{"id":{"canary":1}}}`,
		"id a fraction": `{"data":{"id":1.5}}`,
		"id strange":    `{"data":{"id":"1\n2"}}`,
		"id of text":    `{"data":{"id":"canary <script>"}}`,
		"id long":       `{"data":{"id":"` + strings.Repeat("1", 65) + `"}}`,
		"two messages":  `{"data":{"id":"1"}}{"data":{"id":"2"}}`,
		"lines broken":  "{\"data\":{\"id\":\"1\",\"text\":\"can\nary\"}}",
	} {
		got, err := tweetstream.ParseTweet([]byte(in))
		if err == nil {
			t.Errorf("%s: ParseTweet() = tweet %s, want an error", name, got.ID)
		} else if strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: the error shows the message: %v", name, err)
		}
	}
}

func TestParseTweetKeepsTheBytes(t *testing.T) {
	got, err := tweetstream.ParseTweet(message)
	if err != nil || &got.Raw[0] != &message[0] || len(got.Raw) != len(message) {
		t.Errorf("Raw is a copy, error %v", err)
	}
}

func TestTweetEqual(t *testing.T) {
	a := post(1, "one")
	for _, b := range []*tweetstream.Tweet{nil, post(2, "one"), post(1, "two"), {ID: a.ID, Raw: a.Raw}, {ID: a.ID, Raw: a.Raw, Rules: a.Rules, Deleted: true}} {
		if a.Equal(b) || b.Equal(a) {
			t.Errorf("%v and %v are equal", a, b)
		}
	}
	if same := a.WithRaw(a.Raw); !a.Equal(same) || !(*tweetstream.Tweet)(nil).Equal(nil) {
		t.Error("the same tweets are not equal")
	}
}

// slow reads what ParseTweet reads with encoding/json alone.
func slow(raw []byte) (id string, rules []tweetstream.Rule, ok bool) {
	var m, data map[string]json.RawMessage
	if json.Unmarshal(raw, &m) != nil || json.Unmarshal(m["data"], &data) != nil {
		return "", nil, false
	}
	text := func(raw json.RawMessage) string {
		var s string
		var n json.Number
		switch {
		case json.Unmarshal(raw, &s) == nil:
			return s
		case json.Unmarshal(raw, &n) == nil:
			return n.String()
		}
		return ""
	}
	var list []json.RawMessage
	_ = json.Unmarshal(m["matching_rules"], &list)
	for _, raw := range list {
		var r map[string]json.RawMessage
		if json.Unmarshal(raw, &r) == nil && r != nil {
			rules = append(rules, tweetstream.Rule{ID: text(r["id"]), Tag: text(r["tag"])})
		}
	}
	return text(data["id"]), rules, true
}

// Where a message is JSON, ParseTweet reads it as encoding/json does.
func FuzzParseTweet(f *testing.F) {
	f.Add(message)
	for _, s := range []string{
		`{"data":{"id":"1"},"matching_rules":[{"id":"2","tag":"a"},{"id":"3"}]}`,
		`{"x":[1,{"y":"\\\""}],"data":{"a":{"id":"7"},"id":"1"},"matching_rules":[]}`,
		`{"d\u0061ta":{"id":1},"matching_rules":[{"id":2,"tag":null}]}`,
		"{\n\"data\":{\"id\":\"1\xff\"}}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		raw := bytes.Clone(in)
		got, err := tweetstream.ParseTweet(raw)
		if err == nil && (!utf8.Valid(got.Raw) || bytes.ContainsAny(got.Raw, "\r\n") || got.ID == "") {
			t.Errorf("ParseTweet(%q) = %q with id %q", in, got.Raw, got.ID)
		}
		if !bytes.Equal(raw, in) {
			t.Errorf("ParseTweet(%q) wrote to its argument", in)
		}
		if !json.Valid(in) || !utf8.Valid(in) {
			return
		}
		id, rules, ok := slow(in)
		if err != nil {
			if ok && id != "" && strings.Trim(id, "0123456789") == "" && len(id) <= 64 {
				t.Errorf("ParseTweet(%q) = %v, want id %s", in, err, id)
			}
			return
		}
		if !ok || got.ID != id || !cmp.Equal(rules, got.Rules) {
			t.Errorf("ParseTweet(%q) = id %q, rules %v; want %q, %v", in, got.ID, got.Rules, id, rules)
		}
	})
}

// TestSamples holds what is said of real messages. TWEETSTREAM_SAMPLES names an
// NDJSON file of them, one a line, as the stream sends them.
func TestSamples(t *testing.T) {
	path := os.Getenv("TWEETSTREAM_SAMPLES")
	if path == "" {
		t.Skip("no TWEETSTREAM_SAMPLES: not tried on real messages")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n")) {
		got, err := tweetstream.ParseTweet(line)
		if err != nil {
			t.Errorf("line %d: %v", i+1, err)
			continue
		}
		id, rules, _ := slow(line)
		if got.ID != id || !cmp.Equal(rules, got.Rules) || !bytes.Equal(got.Raw, line) {
			t.Errorf("line %d: id %s, rules %v; want %s, %v and the bytes kept", i+1, got.ID, got.Rules, id, rules)
		}
	}
}

func BenchmarkParseTweet(b *testing.B) {
	b.Run(fmt.Sprintf("tweetstream-%dB", len(message)), func(b *testing.B) {
		b.SetBytes(int64(len(message)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := tweetstream.ParseTweet(message); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run(fmt.Sprintf("encoding-json-%dB", len(message)), func(b *testing.B) {
		b.SetBytes(int64(len(message)))
		b.ReportAllocs()
		for b.Loop() {
			var m struct {
				Data struct {
					ID string `json:"id"`
				} `json:"data"`
				Rules []struct {
					ID  string `json:"id"`
					Tag string `json:"tag"`
				} `json:"matching_rules"`
			}
			if err := json.Unmarshal(message, &m); err != nil {
				b.Fatal(err)
			}
		}
	})
}
