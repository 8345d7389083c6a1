package xstream_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream/sources/xstream"
	"github.com/tweetstream-go/tweetstream/xtest"
)

// valuesAt returns the values of the rules at X, in order.
func valuesAt(t *testing.T, s *xstream.Source) (values []string) {
	t.Helper()
	rules, err := s.ListRules(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules {
		values = append(values, r.Value)
	}
	slices.Sort(values)
	return values
}

func TestRulesOfARunningStreamCanBeChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t, xtest.RuleDelay(20*time.Second))
		defer x.Close()
		s := start(t, nil, xstream.Token("secret"), append(opts, xstream.Prune("my/"), xstream.Rules(rule{Tag: "my/cats", Value: "cats"}, rule{Tag: "other", Value: "fish"}))...)
		after(time.Minute)
		if err := s.SetRules(t.Context(), rule{Tag: "my/dogs", Value: "dogs"}); err != nil {
			t.Fatal(err)
		}
		x.Post(xtest.Post{Text: "cats"}) // X still goes by the rules of before
		after(time.Minute)
		x.Post(xtest.Post{Text: "cats"})
		x.Post(xtest.Post{Text: "dogs"})
		after(time.Second)
		if diff := cmp.Diff([]string{"dogs", "fish"}, valuesAt(t, s.Source)); diff != "" {
			t.Errorf("rules at X (-want +got):\n%s", diff)
		}
		var got []string
		for _, tweet := range s.tweets {
			got = append(got, tweet.Rules[0].Tag+"="+tweet.Rules[0].Value)
		}
		if diff := cmp.Diff([]string{"my/cats=cats", "my/dogs=dogs"}, got); diff != "" {
			t.Errorf("rules of the Posts (-want +got):\n%s", diff)
		}
		if log := s.logged(); !strings.Contains(log, "an active rule that nobody declared") || !strings.Contains(log, "value=fish") {
			t.Errorf("the rule that is declared no more is not named:\n%s", log)
		}
		if st := s.Stats(); st.Connects != 1 {
			t.Errorf("%d connections, want that the stream goes on", st.Connects)
		}
		// Rules that are gone are brought back from those declared last.
		rules, _ := s.ListRules(t.Context())
		for _, r := range rules {
			if err := s.DeleteRules(t.Context(), r.ID); err != nil {
				t.Fatal(err)
			}
		}
		x.Disconnect(xtest.Clean)
		after(time.Minute)
		if diff := cmp.Diff([]string{"dogs"}, valuesAt(t, s.Source)); diff != "" {
			t.Errorf("rules brought back (-want +got):\n%s", diff)
		}
		s.stop()
	})
}

// What is refused changes nothing, whoever refuses it.
func TestRefusedRulesChangeNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		s, err := xstream.New(xstream.Token("secret"), append(opts, xstream.Prune("my/"), xstream.Rules(rule{Tag: "my/cats", Value: "cats"}))...)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.SyncRules(t.Context()); err != nil {
			t.Fatal(err)
		}
		posts := func() (n int) {
			for _, r := range x.Requests() {
				if r.Method == http.MethodPost {
					n++
				}
			}
			return n
		}
		for value, want := range map[string]struct{ pos, posts int }{
			"(dogs":              {1, 0},  // here
			"dogs from:not/name": {11, 1}, // by X, which alone can tell
		} {
			before := posts()
			err := s.SetRules(t.Context(), rule{Tag: "my/fish", Value: "fish"}, rule{Tag: "my/dogs", Value: value})
			refused, ok := errors.AsType[*xstream.RuleError](err)
			if !ok || refused.Rule.Tag != "my/dogs" || refused.Pos != want.pos {
				t.Errorf("SetRules(%q) = %v (%+v), want a RuleError at %d", value, err, refused, want.pos)
			}
			if n := posts() - before; n != want.posts {
				t.Errorf("SetRules(%q): %d requests to change rules, want %d", value, n, want.posts)
			}
			if diff := cmp.Diff([]string{"cats"}, valuesAt(t, s)); diff != "" {
				t.Errorf("rules at X after %q (-want +got):\n%s", value, diff)
			}
		}
		diff, err := s.DiffRules(t.Context())
		if err != nil || len(diff.Add)+len(diff.Delete)+len(diff.Undeclared) > 0 {
			t.Errorf("DiffRules() = %+v, %v; want that what was declared before is declared still", diff, err)
		}
		if err := s.SetRules(t.Context(), rule{Tag: "a", Value: "x"}, rule{Tag: "b", Value: "x"}); err == nil {
			t.Error("SetRules() of two rules with one value: no error")
		}
	})
}

func TestDiffSaysWhatSyncDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t, xtest.Rule("my/old", "old"), xtest.Rule("theirs", "foreign"), xtest.Rule("other", "renamed"), xtest.Rule("my/kept", "kept"))
		defer x.Close()
		s, err := xstream.New(xstream.Token("secret"), append(opts, xstream.Prune("my/"),
			xstream.Rules(rule{Tag: "my/kept", Value: "kept"}, rule{Tag: "my/new", Value: "new"}, rule{Tag: "my/other", Value: "renamed"}))...)
		if err != nil {
			t.Fatal(err)
		}
		diff, err := s.DiffRules(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := xstream.RuleDiff{
			Add:        []rule{{Tag: "my/new", Value: "new"}},
			Delete:     []rule{{Tag: "my/old", Value: "old"}},
			Undeclared: []rule{{Tag: "theirs", Value: "foreign"}, {Tag: "other", Value: "renamed"}},
		}
		if d := cmp.Diff(want, diff, noIDs); d != "" {
			t.Errorf("DiffRules() (-want +got):\n%s", d)
		}
		if err := s.SyncRules(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff, _ := s.DiffRules(t.Context()); len(diff.Add)+len(diff.Delete) > 0 {
			t.Errorf("DiffRules() after SyncRules = %+v, want nothing to do", diff)
		}
	})
}

// A plan that is full is no usage cap, which would hold the source for ever; and
// what is deleted makes room.
func TestPlanWithoutRoomForMoreRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		s, err := xstream.New(xstream.Token("secret"), append(opts, xstream.Prune("my/"))...)
		if err != nil {
			t.Fatal(err)
		}
		some := func(tag string, n int) (rules []rule) {
			for i := range n {
				rules = append(rules, rule{Tag: tag, Value: tag[:2] + string(rune('a'+i/26/26)) + string(rune('a'+i/26%26)) + string(rune('a'+i%26))})
			}
			for i := range rules {
				rules[i].Value = strings.ReplaceAll(rules[i].Value, "/", "x")
			}
			return rules
		}
		if err := s.SetRules(t.Context(), some("my/", 1000)...); err != nil {
			t.Fatal(err)
		}
		if err := s.SetRules(t.Context(), some("no/", 1000)...); err != nil {
			t.Errorf("SetRules() in place of others = %v", err)
		}
		err = s.SetRules(t.Context(), some("no/", 1001)...)
		refused, ok := errors.AsType[*xstream.Error](err)
		if !ok || !strings.Contains(refused.Advice, "no room for more rules") || strings.Contains(err.Error(), "usage cap") {
			t.Errorf("SetRules() of one too many = %v", err)
		}
		full := start(t, nil, xstream.Token("secret"), append(opts, xstream.Rules(some("no/", 1001)...))...)
		if err := <-full.err; err == nil || !strings.Contains(err.Error(), "no room for more rules") {
			t.Errorf("Stream() with one rule too many = %v, want it to end", err)
		}
	})
}

func TestAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		s := start(t, nil, xstream.Token("secret"), append(opts, coop)...)
		after(time.Second)
		for range 14 {
			x.Post(xtest.Post{Text: "coop"})
		}
		after(time.Second)
		live, err := s.Connections(t.Context())
		if err != nil || len(live) != 1 || live[0].Endpoint != "filtered_stream" || live[0].ID == "" || live[0].Since.IsZero() {
			t.Errorf("Connections() = %+v, %v; want the one of the stream", live, err)
		}
		usage, err := s.Usage(t.Context())
		usage.At = time.Time{}
		if diff := cmp.Diff(xstream.Usage{Posts: 14, Cap: 3_000_000, ResetDay: 1}, usage); diff != "" || err != nil {
			t.Errorf("Usage() = %v (-want +got):\n%s", err, diff)
		}
		count, err := s.CountRecent(t.Context(), "coop")
		if err != nil || count.Posts != 14 || count.Until.Sub(count.Since).Round(time.Hour) != 7*24*time.Hour {
			t.Errorf("CountRecent() = %+v, %v; want 14 in 7 days", count, err)
		}
		if n, err := s.CloseConnections(t.Context(), "filtered_stream"); n != 1 || err != nil {
			t.Errorf("CloseConnections() = %d, %v; want 1", n, err)
		}
		for _, bad := range []string{"", "a/b", "a?b"} {
			if _, err := s.CloseConnections(t.Context(), bad); err == nil {
				t.Errorf("CloseConnections(%q): no error", bad)
			}
		}
		for body, path := range map[string]string{`{"data":[{"secret":`: "/2/tweets/counts/recent", "{}": "/2/usage/tweets"} {
			x.Fail(path, 1, xtest.Response{Status: 200, Body: body})
		}
		if _, err := s.CountRecent(t.Context(), "coop"); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("CountRecent() of half an answer = %v", err)
		}
		if _, err := s.Usage(t.Context()); err == nil {
			t.Error("Usage() of an empty answer: no error")
		}
		s.cancel()
		<-s.err
	})
}
