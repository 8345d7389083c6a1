package xtest_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tweetstream-go/tweetstream/xtest"
)

func TestInvalidRules(t *testing.T) {
	for value, want := range map[string]string{
		"":                        "(at position 1)",
		"   ":                     "(at position 1)",
		"-coop":                   "positive, non-stopword clause (at position 1)",
		"-coop -golang":           "positive, non-stopword clause (at position 1)",
		"coop OR -golang":         "positive, non-stopword clause (at position 9)",
		"lang:en":                 "positive, non-stopword clause (at position 1)",
		"is:retweet has:media":    "positive, non-stopword clause (at position 1)",
		"the":                     "positive, non-stopword clause (at position 1)",
		"coop OR":                 "(at position 8)",
		"OR coop":                 "(at position 1)",
		"coop OR OR golang":       "(at position 9)",
		`coop "golang`:            `missing closing '"' for the quoted phrase (at position 6)`,
		`coop ""`:                 "(at position 6)",
		"(coop":                   "missing ')' for the '(' (at position 1)",
		"coop (golang OR (a b)":   "missing ')' for the '(' (at position 6)",
		"coop)":                   "extraneous input ')' expecting <EOF> (at position 5)",
		"()":                      "(at position 2)",
		"coop bio:gopher":         "invalid operator 'bio'.",
		"コープ nosuch:x":            "(at position 5)",
		"coop is:nullcast":        "'is:nullcast' must be negated (at position 6)",
		"coop -sample:10":         "'sample' can not be negated (at position 7)",
		"coop has:":               "(at position 6)",
		"from:":                   "Invalid value '' for operator 'from' (at position 6)",
		"coop lang:english":       "Invalid value 'english' for operator 'lang' (at position 11)",
		"coca-cola":               "no viable alternative at character '-' (at position 5)",
		"c++":                     "no viable alternative at character '+' (at position 2)",
		"# coop":                  "no viable alternative at character '#' (at position 1)",
		"coop -":                  "no viable alternative at character '-' (at position 6)",
		"--coop":                  "(at position 2)",
		strings.Repeat("(", 5000): "nested parentheses (at position 101)",
		"coop \xff":               "not valid UTF-8",
	} {
		err := xtest.ParseRule(value)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("rule %.40q: error %v, want %q in it", value, err, want)
		}
	}
}

func TestMatching(t *testing.T) {
	for _, c := range []struct {
		rule, text string
		want       bool
	}{
		{"coop", "the Coop is open", true},
		{"coop", "the coops are open", false},
		{"coop", "#coop", true},
		{"coop", "COOP!", true},
		{"COOP", "coop", true},
		{"#coop", "coop", false},
		{"#coop", "go #Coop, go", true},
		{"#coop", "#cooperative", false},
		{`"two words"`, "here: two  words.", true},
		{`"two words"`, "two other words", false},
		{`"coca-cola"`, "Coca Cola", true},
		{"coop golang", "golang at the coop", true},
		{"coop golang", "golang", false},
		{"coop OR golang", "golang", true},
		{"coop -golang", "coop", true},
		{"coop -golang", "coop golang", false},
		{"a1 b1 OR c1", "c1", true},        // (a1 b1) OR c1
		{"a1 b1 OR c1", "a1 c1", true},     // also so
		{"a1 b1 OR c1", "a1", false},       //
		{"a1 (b1 OR c1)", "c1", false},     //
		{"a1 (b1 OR c1)", "c1 a1", true},   //
		{"a1 -(b1 OR c1)", "a1 c1", false}, //
		{"a1 -\"b1 c1\"", "a1 b1 x", true}, //
		{`a1 OR"b1"OR(c1)`, "c1", true},
		{"a1 or", "a1", false},              // a lower-case or is a word
		{"@alice", "hi @Alice!", true},      //
		{"@alice", "hi alice", false},       //
		{"@alice", "a@alice", false},        //
		{"$coop", "buy $COOP now", true},    //
		{"$coop", "buy $COOPER now", false}, //
		{"url:\"t.co\"", "https://t.co/abc", true},
		{"café", "CAFÉ", true},
		{"cafe", "café", false},
		{"東京", "今日は東京です", true},
		{"京東", "今日は東京です", false},
		{"ดี", "วันนี้ดีมาก", true},
		{"кооп", "наш КООП открыт", true},
		{"कॉफी", "आज कॉफी पी", true},
		{"قهوة", "شربت قهوة اليوم", true},
		{"☕", "time for☕now", true},
		{"☕", "☕☕☕", true},
		{"👍🏽", "ok👍🏽", true},
		{"👍", "ok👍🏽", false},
		{"🇯🇵", "🇧🇷🇯🇵", true},
		{"👩‍👩‍👧", "👩‍👩‍👧 hello", true},
		{"❤", "❤️", true},
		{"coop has:hashtags", "coop #x", true},
		{"coop has:hashtags", "coop", false},
		{"coop -has:links", "coop https://t.co/abcdefghij", false},
		{"coop has:mentions has:cashtags", "coop @a1 $B", true},
	} {
		got, err := xtest.MatchRule(c.rule, c.text)
		if err != nil || got != c.want {
			t.Errorf("rule %q on %q = %v, %v, want %v", c.rule, c.text, got, err, c.want)
		}
	}
}

// A parser that reads anything: no panic, and every error names a position in
// the rule. A word that is a good rule matches itself.
func FuzzRule(f *testing.F) {
	for _, s := range []string{
		"coop OR #coop", `"a b" -c (d OR e) has:media`, "from:alice lang:en", "((", `"`, "-", ":", "a:b:c", "東京 ☕ 👍🏽",
		"url:\"https://x.example/?a=b\"", "\\", "\x00", "OR", "ORx", "#", "is:is:is", "\u200da", "é́",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		err := xtest.ParseRule(value)
		if err != nil && !strings.Contains(err.Error(), "(at position ") {
			t.Errorf("error without a position: %v", err)
		}
		if err == nil && utf8.ValidString(value) && !strings.ContainsAny(value, "()\":-#@$") && len(strings.Fields(value)) == 1 {
			if ok, err := xtest.MatchRule(value, "before "+value+" after"); !ok || err != nil {
				t.Errorf("rule %q does not match itself: %v", value, err)
			}
		}
	})
}
