package rulelang_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tweetstream-go/tweetstream/internal/rulelang"
)

func TestWhatNoPlanOfXTakesIsRefusedWithItsPlace(t *testing.T) {
	for value, want := range map[string]struct {
		pos  int
		text string
	}{
		"":                        {1, "must not be empty"},
		" \n ":                    {1, "must not be empty"},
		strings.Repeat("é", 2049): {2049, "2049 characters"},
		`cats "dogs`:              {6, "missing closing"},
		"cats (dogs":              {6, "missing ')'"},
		"猫 (犬":                    {3, "missing ')'"},
		"cats)":                   {5, "extraneous input ')'"},
		"cats ()":                 {7, "missing operand"},
		"cats OR":                 {8, "missing operand"},
		"-cats":                   {1, "nothing here can stand alone"},
		"-cats -dogs":             {1, "nothing here can stand alone"},
		"lang:en":                 {1, "nothing here can stand alone"},
		"sample:10 is:reply":      {1, "nothing here can stand alone"},
		"has:links OR is:retweet": {1, "nothing here can stand alone"},
		"embedding_threshold:0.4": {1, "nothing here can stand alone"},
		"cats lang:":              {11, "nothing follows lang:"},
		"cats bio:":               {10, "nothing follows bio:"},
		"cats bounding_box:[1 2":  {19, "missing ']'"},
		"cats \xff":               {6, "not valid UTF-8"},
		strings.Repeat("(", 5000): {2049, "5000 characters"},
		strings.Repeat("(", 101):  {101, "nested parentheses"},
		"cats -":                  {6, "no viable alternative"},
	} {
		_, err := rulelang.Check(value)
		var e *rulelang.Error
		if !errors.As(err, &e) || e.Pos != want.pos || !strings.Contains(e.Message, want.text) {
			t.Errorf("Check(%.40q) = %v, want position %d and %q", value, err, want.pos, want.text)
		}
	}
}

// X knows more than is known here: what it may take is not kept from it.
func TestWhatXMayTakeIsADoubt(t *testing.T) {
	for value, doubts := range map[string][]int{
		"cats OR #cats lang:en":                        nil,
		`(cats OR "big cat") -is:retweet has:images`:   nil,
		`"social media"~5 cats`:                        nil,
		`bio:"likes cats" place_country:NL`:            nil,
		"cats bounding_box:[-1.2 3.4 5.6 7.8]":         nil,
		"point_radius:[-1.2 3.4 5mi]":                  nil,
		"cats nosuch:operator":                         {6},
		"cats -is:nullcast has:geo -has:video_link":    nil,
		"cats is:nullcast":                             {6},
		"cats -(dogs OR cows)":                         {6},
		`"social media"~7`:                             {16},
		`"social media"~`:                              {16},
		"cats sample:15":                               nil,
		"cats -sample:15":                              {7},
		"cats sample:0":                                {13},
		`cats -embedding:"big cats"`:                   {7},
		"min_followers:1000 from_affiliate_of:X":       nil,
		"cats list:123":                                {6},
		"quotes_of_tweet_id:1539382664746020864":       {1},
		"cats lang:klingon":                            {11},
		"coca-cola":                                    {5},
		"c++ (d)":                                      {2},
		"cats AND dogs":                                {6},
		"cats or dogs":                                 {6},
		"the":                                          {1},
		"cats OR lang:en":                              {9},
		"# cats":                                       {1},
		"cats &dogs":                                   {6},
		"ORx cats":                                     nil,
		`"say \"hi\" (now"`:                            nil,
		"from:@XDevelopers":                            nil,
		"cats " + strings.Repeat("a", 1020) + " lang:": nil,
	} {
		got, err := rulelang.Check(value)
		if strings.HasSuffix(value, ":") {
			if err == nil {
				t.Errorf("Check(%.40q) finds nothing wrong", value)
			}
			continue
		}
		if err != nil {
			t.Errorf("Check(%q) = %v, want that X is asked", value, err)
			continue
		}
		var at []int
		for _, d := range got {
			at = append(at, d.Pos)
		}
		if len(at) != len(doubts) || len(at) > 0 && at[0] != doubts[0] {
			t.Errorf("Check(%q): doubts %v, want them at %v", value, got, doubts)
		}
	}
	got, err := rulelang.Check("cats " + strings.Repeat("a", 1020))
	if err != nil || len(got) != 1 || got[0].Pos != 1025 {
		t.Errorf("Check() of a rule of 1025 characters = %v, %v; want one doubt at 1025", got, err)
	}
	for value, want := range map[string]string{
		"nosuch:operator": "no operator that is known here", "list:123": "for search only", "cats -sample:15": "can't be negated",
	} {
		if got, err := rulelang.Check(value); err != nil || len(got) != 1 || !strings.Contains(got[0].Message, want) {
			t.Errorf("Check(%q) = %v, %v; want %q", value, got, err, want)
		}
	}
}

// Each operator of X's two lists is taken where they have it, and stands alone where
// they say so. The lists are those of August 2026.
func TestOperatorsAreThoseOfXsLists(t *testing.T) {
	both := `pepsi|😃|"coca cola"|#fanart|@XDevelopers|$twtr|from:XDevelopers|to:api|retweets_of:XDevelopers|url:"https://developer.x.com"|` +
		`context:10.799022225751871488|context:47.*|entity:"Michael Jordan"|conversation_id:1334987486343299072|place:"new york city"|place_country:US|` +
		`point_radius:[2.355128 48.861118 16km]|bounding_box:[-105.301758 39.964069 -105.178505 40.09455]|` +
		`in_reply_to_tweet_id:1539382664746020864|retweets_of_tweet_id:1539382664746020864`
	stream := `"social media"~5|from_affiliate_of:XDevelopers|to_affiliate_of:XDevelopers|url_title:snow|url_description:weather|url_contains:photos|` +
		`bio:"data engineer"|bio_name:phd|bio_location:nyc|min_followers:1000|followers_count:1000..10000|tweets_count:1000..10000|` +
		`following_count:1000..10000|listed_count:10..100|source:"X for iPhone"|embedding:"climate change policy"`
	search := `list:123|quotes_of_tweet_id:1539382664746020864|min_likes:100|min_replies:10|min_reposts:50`
	narrows := `is:retweet|is:reply|is:quote|is:verified|-is:nullcast|has:hashtags|has:cashtags|has:links|has:mentions|has:media|has:images|` +
		`has:video_link|has:geo|lang:en|lang:zh-TW`
	streamNarrows := `sample:15|embedding_threshold:0.45`
	for _, c := range []struct {
		list                  string
		alone, stream, search bool
	}{
		{both, true, true, true}, {stream, true, true, false}, {search, true, false, true},
		{narrows, false, true, true}, {streamNarrows, false, true, false},
	} {
		for example := range strings.SplitSeq(c.list, "|") {
			rule := example
			if !c.alone {
				if _, err := rulelang.Check(rule); err == nil {
					t.Errorf("Check(%q) takes what can't stand alone", rule)
				}
				rule = "cats " + rule
			}
			doubts, err := rulelang.Check(rule)
			if err != nil || len(doubts) == 0 != c.stream {
				t.Errorf("Check(%q) = %v, %v; on the list of the stream: %v", rule, doubts, err, c.stream)
			}
			if why := rulelang.Unsearchable(rule); why == "" != c.search {
				t.Errorf("Unsearchable(%q) = %q; on the list of search: %v", rule, why, c.search)
			}
			if rulelang.Unsearchable(`"`+strings.ReplaceAll(rule, `"`, `\"`)+`"`) != "" {
				t.Errorf("%q: what stands in quotes is no operator", rule)
			}
		}
	}
	if why := rulelang.Unsearchable("cats (dogs OR -url_contains:a)"); why != "url_contains:" {
		t.Errorf("Unsearchable() = %q", why)
	}
	for _, rule := range []string{"cats nosuch:x", "((", ""} {
		if why := rulelang.Unsearchable(rule); why != "" {
			t.Errorf("Unsearchable(%q) = %q, though nothing is known of it", rule, why)
		}
	}
}

func TestQueriesAreNotRules(t *testing.T) {
	if _, err := rulelang.Parse("cats sample:15"); err != nil {
		t.Error(err)
	}
	_, err := rulelang.ParseQuery("cats (dogs OR sample:15)")
	if err == nil || !strings.Contains(err.Error(), "invalid operator 'sample'") || !strings.Contains(err.Error(), "(at position 15)") {
		t.Errorf("ParseQuery() of what search does not know = %v", err)
	}
	for _, query := range []string{"cats -is:retweet", "has:media"} {
		_, rule := rulelang.Parse(query)
		if _, err := rulelang.ParseQuery(query); (err == nil) != (rule == nil) {
			t.Errorf("ParseQuery(%q) = %v, Parse() = %v", query, err, rule)
		}
	}
}

func TestExcludes(t *testing.T) {
	for rule, want := range map[string]bool{
		"cats -is:retweet":                         true,
		"cats -IS:RETWEET":                         true,
		"(cats -is:retweet) OR (dogs -is:retweet)": true,
		"(cats -is:retweet) OR dogs":               false,
		"cats -(is:reply OR is:retweet)":           true,
		"cats -(is:reply is:retweet)":              false,
		"cats is:retweet":                          false,
		`cats "-is:retweet"`:                       false,
		"cats -is:quote":                           false,
		"-is:retweet (cats OR bio:x)":              true,
		"((":                                       false,
	} {
		if got := rulelang.Excludes(rule, rulelang.IsRetweet); got != want {
			t.Errorf("Excludes(%q, IsRetweet) = %v", rule, got)
		}
	}
}

// The part that sample: takes is of the size that it says, and does not change.
func TestSample(t *testing.T) {
	n, err := rulelang.Parse("cats sample:15")
	if err != nil {
		t.Fatal(err)
	}
	in := 0
	for i := range 10_000 {
		doc := &rulelang.Doc{ID: strconv.Itoa(1539382664746020864 + i), Words: " cats "}
		first, again := n.Matches(doc), n.Matches(doc)
		if first != again {
			t.Fatal("the same Post is in and out")
		}
		if first {
			in++
		}
	}
	if in < 1300 || in > 1700 {
		t.Errorf("sample:15 matches %d of 10,000", in)
	}
}

func TestPostDocReadsWhatXSends(t *testing.T) {
	data := `{"id":"2","text":"RT @b: short…","author_id":"7","lang":"EN","geo":{"place_id":"p"},"referenced_tweets":[{"type":"retweeted","id":"1"}],
		"entities":{"urls":[{"url":"https://t.co/x","expanded_url":"https://Example.com/page"}]}}`
	includes := `{"users":[{"id":"7","username":"Ann","verified":true}],"media":[{"type":"video"}],"tweets":[{"id":"1","text":"short…","note_tweet":{"text":"short and then #Cats"}}]}`
	doc, err := rulelang.PostDoc([]byte(data), []byte(includes))
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range []string{"#cats", "from:ann is:retweet", "from:7", "cats has:geo -is:nullcast", "cats has:video_link", "cats is:verified has:videos lang:en", "url:example.com has:links"} {
		n, err := rulelang.Parse(rule)
		if err != nil {
			t.Fatal(err)
		}
		if !n.Matches(doc) {
			t.Errorf("the rule %q does not match", rule)
		}
	}
	if _, err := rulelang.PostDoc([]byte("[]"), nil); err == nil {
		t.Error("PostDoc() of what is no Post: no error")
	}
}

func FuzzCheck(f *testing.F) {
	for _, s := range []string{"cats OR #cats", `"a b"~5 -(c OR d:[e f])`, "x:\"", "--a", "a+~\"b\"", "\xff(", "猫 \xff", "-", "#", "@@ $$ ::"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		doubts, err := rulelang.Check(value)
		if err != nil {
			doubts = append(doubts, err.(*rulelang.Error))
		}
		for _, d := range doubts {
			if n := utf8.RuneCountInString(value); d.Pos < 1 || d.Pos > n+1 {
				t.Errorf("Check(%q): position %d of %d", value, d.Pos, n)
			}
		}
		// What the simulator takes, X is asked about.
		if _, strict := rulelang.Parse(value); strict == nil && err != nil && utf8.RuneCountInString(value) <= rulelang.MaxEnterprise {
			t.Errorf("Check(%q) = %v, but Parse takes it", value, err)
		}
	})
}
