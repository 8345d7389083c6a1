package xstream_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sources/xstream"
	"github.com/tweetstream-go/tweetstream/xtest"
)

type rule = tweetstream.Rule

var noIDs = cmpopts.IgnoreFields(rule{}, "ID")

func TestRulesAreBroughtInLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		other, err := xstream.New(xstream.Token("secret"), opts...)
		if err != nil {
			t.Fatal(err)
		}
		_, err = other.AddRules(t.Context(), rule{Tag: "mine/old", Value: "old"}, rule{Tag: "mine/kept", Value: "kept"}, rule{Tag: "theirs", Value: "foreign"}, rule{Tag: "mine/was", Value: "renamed"})
		if err != nil {
			t.Fatal(err)
		}
		opts = append(opts, xstream.Prune("mine/"), xstream.Rules(rule{Tag: "mine/kept", Value: "kept"}, rule{Tag: "mine/new", Value: "new"}, rule{Tag: "mine/is", Value: "renamed"}))
		for range 2 { // the second time there is nothing to do
			s := start(t, nil, xstream.Token("secret"), opts...)
			s.stop()
			rules, err := s.ListRules(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			want := []rule{{Tag: "mine/kept", Value: "kept"}, {Tag: "theirs", Value: "foreign"}, {Tag: "mine/new", Value: "new"}, {Tag: "mine/is", Value: "renamed"}}
			if diff := cmp.Diff(want, rules, noIDs, cmpopts.SortSlices(func(a, b rule) bool { return a.Value < b.Value })); diff != "" {
				t.Errorf("rules at X (-want +got):\n%s", diff)
			}
			if !strings.Contains(s.logged(), "nobody declared") || !strings.Contains(s.logged(), "tag=theirs") {
				t.Errorf("the foreign rule is not named:\n%s", s.logged())
			}
			if strings.Contains(s.logged(), "under another tag") {
				t.Errorf("a rule is said to have another tag:\n%s", s.logged())
			}
		}
	})
}

// A tag can't be changed at X: what its Posts will bear is said.
func TestARuleUnderAnotherTagIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t, xtest.Rule("was", "coop"))
		defer x.Close()
		s := start(t, nil, xstream.Token("secret"), append(opts, xstream.Rules(rule{Tag: "is", Value: "coop"}))...)
		s.stop()
		if !strings.Contains(s.logged(), "under another tag") || !strings.Contains(s.logged(), "tag=is tag_there=was") || strings.Contains(s.logged(), "nobody declared") {
			t.Errorf("the log:\n%s", s.logged())
		}
	})
}

func TestDuplicateRulesAreNoError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		s, err := xstream.New(xstream.Token("secret"), opts...)
		if err != nil {
			t.Fatal(err)
		}
		first, err := s.AddRules(t.Context(), rule{Tag: "a", Value: "one"}, rule{Tag: "b", Value: "two"})
		if err != nil || len(first) != 2 {
			t.Fatalf("AddRules() = %v, %v", first, err)
		}
		again, err := s.AddRules(t.Context(), rule{Tag: "a", Value: "one"})
		if err != nil || len(again) != 0 {
			t.Errorf("AddRules() of a rule that is there = %v, %v, want none added", again, err)
		}
		if err := s.DeleteRules(t.Context(), first[0].ID, first[1].ID); err != nil {
			t.Error(err)
		}
		if err := s.DeleteRules(t.Context(), "123"); err == nil || !strings.Contains(err.Error(), "1 of 1") {
			t.Errorf("DeleteRules() of a rule that is not there = %v", err)
		}
	})
}

func TestInvalidRuleIsExplained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		s := start(t, nil, xstream.Token("secret"), append(opts, xstream.Rules(rule{Tag: "good", Value: "coop"}, rule{Tag: "bad", Value: "coop AND (chicken"}))...)
		err := <-s.err
		var refused *xstream.RuleError
		if !errors.As(err, &refused) || refused.Rule.Tag != "bad" || !strings.Contains(refused.Detail, "position") {
			t.Errorf("Stream() = %v (%+v), want a RuleError with X's details", err, refused)
		}
	})
}

// Of many rules that nobody declared some are named, and the rest counted; they are
// deleted in batches, as X takes them.
func TestManyUndeclaredRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		s := start(t, nil, xstream.Token("secret"), append(opts, coop)...)
		s.stop()
		var many []rule
		for n := range 150 {
			many = append(many, rule{Tag: "old", Value: fmt.Sprintf("old%d", n)})
		}
		added, err := s.AddRules(t.Context(), many...)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.SyncRules(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(s.logged(), "an active rule that nobody declared"); n != 10 || !strings.Contains(s.logged(), `nobody declared" count=140`) {
			t.Errorf("%d rules of 150 are named:\n%s", n, s.logged())
		}
		var ids []string
		for _, r := range added {
			ids = append(ids, r.ID)
		}
		before := asked(x, rulesPath)
		if err := s.DeleteRules(t.Context(), ids...); err != nil || asked(x, rulesPath) != before+2 {
			t.Errorf("DeleteRules() = %v, in %d requests", err, asked(x, rulesPath)-before)
		}
	})
}

// What X may not take is sent all the same, and said.
func TestADoubtfulRuleIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		s := start(t, nil, xstream.Token("secret"), append(opts, xstream.Rules(rule{Tag: "long", Value: strings.Repeat("x ", 512) + "x"}))...)
		if err := <-s.err; err == nil {
			t.Error("the simulated X takes more than 1,024 characters")
		}
		if !strings.Contains(s.logged(), "X may refuse this rule") {
			t.Errorf("not said:\n%s", s.logged())
		}
	})
}

// Whatever the status, and with nothing else in the answer: it is judged by its errors.
func TestAnswersAboutRulesAreJudgedByTheirBody(t *testing.T) {
	for _, status := range []int{200, 201, 400, 409, 422} {
		synctest.Test(t, func(t *testing.T) {
			x, opts := server(t)
			defer x.Close()
			x.Fail(rulesPath, 1, xtest.Response{Status: status, Body: `{"errors":[{"value":"coop","details":["no good (at position 3)"],"title":"UnprocessableEntity","type":"https://api.x.com/2/problems/invalid-rules"}]}`})
			s, err := xstream.New(xstream.Token("secret"), opts...)
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.AddRules(t.Context(), rule{Tag: "bad", Value: "coop"})
			if refused, ok := errors.AsType[*xstream.RuleError](err); !ok || refused.Rule.Tag != "bad" || refused.Pos != 3 {
				t.Errorf("%d: AddRules() = %v", status, err)
			}
		})
	}
}

// X has been seen to forget; a program that declares rules brings them back.
func TestRulesThatAreGoneAreDeclaredAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		s := start(t, nil, xstream.Token("secret"), append(opts, coop)...)
		after(time.Minute)
		rules, err := s.ListRules(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.DeleteRules(t.Context(), rules[0].ID); err != nil {
			t.Fatal(err)
		}
		x.Disconnect(xtest.Clean)
		after(time.Minute)
		x.Post(xtest.Post{Text: "coop"})
		after(time.Second)
		s.stop()
		if n := len(s.got()); n != 1 {
			t.Errorf("%d Posts after the rules were gone, want 1:\n%s", n, s.logged())
		}
	})
}

// What X says about a refusal comes through where it is asked about rules, too: it
// is waited for as for the stream.
func TestRefusedRulesHoldTheSource(t *testing.T) {
	limited := xtest.Problem(429)
	limited.Header = http.Header{"Date": {"Fri, 01 Jan 2077 00:00:00 GMT"}, "X-Rate-Limit-Reset": {fmt.Sprint(time.Date(2077, 1, 1, 0, 7, 0, 0, time.UTC).Unix())}}
	unsaid := xtest.Response{Status: 200, Body: `{"title":"Service Unavailable","detail":"Try again"}`}
	for name, c := range map[string]struct {
		script  string
		resp    xtest.Response
		held    string
		says    string
		least   time.Duration
		longest time.Duration
	}{
		"a daily cap":                  {script: "cap=daily@rules", held: "X's daily usage cap", says: "the daily usage cap of the product is used up", least: 23 * time.Hour, longest: 24*time.Hour + 2*time.Minute},
		"a monthly cap":                {script: "cap=monthly-403@rules", held: "X's monthly usage cap", says: "until the billing cycle turns", least: time.Hour, longest: 70 * time.Minute},
		"credits":                      {script: "402@rules", held: "out of credits at X", says: "buy credits", least: 5 * time.Minute, longest: 6 * time.Minute},
		"a rate limit by X's clock":    {resp: limited, says: "X answers 429", least: 7 * time.Minute, longest: 8 * time.Minute},
		"a 200 that is about no rules": {resp: unsaid, says: "Service Unavailable: Try again", least: 5 * time.Second, longest: 6 * time.Second},
		"an HTML page":                 {script: "html200@rules", says: "an answer that is not X's", least: 5 * time.Second, longest: 6 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x, opts := server(t)
				defer x.Close()
				if c.script != "" {
					inject(t, x, c.script)
				} else {
					x.Fail(rulesPath, 1, c.resp)
				}
				begin := time.Now()
				s := start(t, nil, xstream.Token("secret"), append(opts, coop)...)
				after(time.Second)
				if got := s.Stats().Held; got != c.held {
					t.Errorf("held for %q, want %q", got, c.held)
				}
				for !s.Stats().Connected && time.Since(begin) < 48*time.Hour {
					after(time.Second)
				}
				if took := time.Since(begin); took < c.least || took > c.longest {
					t.Errorf("connected after %v, want %v to %v", took, c.least, c.longest)
				}
				s.stop()
				if !strings.Contains(s.logged(), c.says) {
					t.Errorf("the log does not say %q:\n%s", c.says, s.logged())
				}
			})
		})
	}
}

func TestManyRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		var rules []rule
		for i := range 950 {
			rules = append(rules, rule{Tag: fmt.Sprint("tag", i), Value: fmt.Sprint("word", i)})
		}
		s := start(t, nil, xstream.Token("secret"), append(opts, xstream.Rules(rules...))...)
		s.stop()
		got, err := s.ListRules(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(rules, got, noIDs); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		posts := 0
		for _, r := range x.Requests() {
			if r.Method == http.MethodPost {
				posts++
			}
		}
		if posts != 2*10 { // a dry run, and the rules
			t.Errorf("%d requests for 950 rules, want 100 rules in each", posts)
		}
	})
}

// A listing of several pages is read to its end.
func TestPagesOfRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		x.Fail(rulesPath, 1, xtest.Response{Body: `{"data":[{"id":"1","value":"a","tag":"A"}],"meta":{"sent":"2026-01-01T00:00:00.000Z","next_token":"more"}}`})
		x.Fail(rulesPath, 1, xtest.Response{Body: `{"data":[{"id":"2","value":"b"}],"meta":{"sent":"2026-01-01T00:00:00.000Z"}}`})
		src, err := xstream.New(xstream.Token("secret"), opts...)
		if err != nil {
			t.Fatal(err)
		}
		got, err := src.ListRules(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := []tweetstream.Rule{{ID: "1", Value: "a", Tag: "A"}, {ID: "2", Value: "b"}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if all := x.Requests(); len(all) != 2 || all[1].Query.Get("pagination_token") != "more" {
			t.Errorf("requests: %+v", all)
		}
	})
}
