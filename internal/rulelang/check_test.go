package rulelang_test

import (
	"errors"
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
		"cats lang:":              {11, "nothing follows lang:"},
		"cats bio:":               {10, "nothing follows bio:"},
		"cats bounding_box:[1 2":  {19, "missing ']'"},
		"cats \xff":               {6, "not valid UTF-8"},
		strings.Repeat("(", 5000): {2049, "5000 characters"},
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
		"cats OR #cats lang:en":                      nil,
		`(cats OR "big cat") -is:retweet has:images`: nil,
		`"social media"~5 cats`:                      nil,
		`bio:"likes cats" place_country:NL`:          nil,
		"cats bounding_box:[-1.2 3.4 5.6 7.8]":       nil,
		"point_radius:[-1.2 3.4 5mi]":                nil,
		"cats nosuch:operator":                       {6},
		"cats is:nullcast":                           {9},
		"cats lang:klingon":                          {11},
		"coca-cola":                                  {5},
		"c++ (d)":                                    {2},
		"cats AND dogs":                              {6},
		"cats or dogs":                               {6},
		"the":                                        {1},
		"cats OR lang:en":                            {9},
		"# cats":                                     {1},
		"cats &dogs":                                 {6},
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
}

func TestPostDocReadsWhatXSends(t *testing.T) {
	data := `{"id":"2","text":"RT @b: short…","author_id":"7","lang":"EN","referenced_tweets":[{"type":"retweeted","id":"1"}],
		"entities":{"urls":[{"url":"https://t.co/x","expanded_url":"https://Example.com/page"}]}}`
	includes := `{"users":[{"id":"7","username":"Ann","verified":true}],"media":[{"type":"video"}],"tweets":[{"id":"1","text":"short…","note_tweet":{"text":"short and then #Cats"}}]}`
	doc, err := rulelang.PostDoc([]byte(data), []byte(includes))
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range []string{"#cats", "from:ann is:retweet", "from:7", "cats is:verified has:videos lang:en", "url:example.com has:links"} {
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
