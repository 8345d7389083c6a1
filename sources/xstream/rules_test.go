package xstream_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sources/xstream"
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
		if err != nil || len(again) != 1 || again[0].ID != first[0].ID {
			t.Errorf("AddRules() of a rule that is there = %v, %v, want its id %s", again, err, first[0].ID)
		}
		if err := s.DeleteRules(t.Context(), first[0].ID, first[1].ID); err != nil {
			t.Error(err)
		}
		if err := s.DeleteRules(t.Context(), "123"); err == nil {
			t.Error("DeleteRules() of a rule that is not there = nil")
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
	})
}
