package tweetstream_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream"
)

func TestFilters(t *testing.T) {
	tweets := map[string]*tweetstream.Tweet{
		"plain":     raw(`{"data":{"id":"1","text":"a","lang":"en"},"matching_rules":[{"id":"1","tag":"coop"}]}`),
		"untagged":  raw(`{"data":{"id":"2","text":"a"},"matching_rules":[{"id":"1"},{"id":"2","tag":"cats"}]}`),
		"repost":    raw(`{"data":{"id":"3","text":"RT","lang":"de","referenced_tweets":[{"type":"retweeted","id":"9"}]}}`),
		"reply":     raw(`{"data":{"id":"4","text":"@x a","lang":"zh-TW","in_reply_to_user_id":"7"}}`),
		"sensitive": raw(`{"data":{"id":"5","text":"a","possibly_sensitive":true}}`),
		"quotes a sensitive one": raw(`{"data":{"id":"6","text":"a","referenced_posts":[{"type":"quoted","id":"9"}]},
			"includes":{"posts":[{"id":"9","text":"b","possibly_sensitive":true}]}}`),
	}
	for _, c := range []struct {
		name string
		keep tweetstream.Transform
		want []string
	}{
		{"Tagged", tweetstream.Tagged("coop", "dogs"), []string{"plain"}},
		{"Languages", tweetstream.Languages("EN", "zh-tw"), []string{"plain", "reply"}},
		{"Languages und", tweetstream.Languages("und"), []string{"quotes a sensitive one", "sensitive", "untagged"}},
		{"Reposts", tweetstream.Reposts, []string{"repost"}},
		{"Replies", tweetstream.Replies, []string{"reply"}},
		{"Sensitive", tweetstream.Sensitive, []string{"quotes a sensitive one", "sensitive"}},
		{"Sample 1", tweetstream.Sample(1), []string{"plain", "quotes a sensitive one", "reply", "repost", "sensitive", "untagged"}},
		{"Sample 0", tweetstream.Sample(0), nil},
	} {
		var kept, dropped []string
		for name, tw := range tweets {
			got, err := c.keep(t.Context(), tw)
			if err != nil || got != nil && got != tw {
				t.Fatalf("%s of %s = %v, %v", c.name, name, got, err)
			}
			if got != nil {
				kept = append(kept, name)
			}
			if got, err := tweetstream.Not(c.keep)(t.Context(), tw); err != nil {
				t.Fatal(err)
			} else if got == nil {
				dropped = append(dropped, name)
			}
		}
		slices.Sort(kept)
		slices.Sort(dropped)
		if diff := cmp.Diff(c.want, kept); diff != "" {
			t.Errorf("%s keeps (-want +got):\n%s", c.name, diff)
		}
		if diff := cmp.Diff(c.want, dropped); diff != "" {
			t.Errorf("Not(%s) drops (-want +got):\n%s", c.name, diff)
		}
	}
}

// What can't be judged does not pass, also not by way of Not.
func TestFiltersFailClosed(t *testing.T) {
	bad := &tweetstream.Tweet{ID: "1", Raw: []byte(`{"data":{"id":"1","text":"broken`)}
	for name, f := range map[string]tweetstream.Transform{
		"Languages":      tweetstream.Languages("en"),
		"Not(Languages)": tweetstream.Not(tweetstream.Languages("en")),
		"Not(Reposts)":   tweetstream.Not(tweetstream.Reposts),
		"Not(Sensitive)": tweetstream.Not(tweetstream.Sensitive),
		"MaskSensitive":  tweetstream.MaskSensitive,
	} {
		if got, err := f(t.Context(), bad); got != nil || err == nil {
			t.Errorf("%s = %v, %v, want an error", name, got, err)
		}
	}
}

func TestFiltersThatCannotBe(t *testing.T) {
	for name, f := range map[string]tweetstream.Transform{
		"Keep": tweetstream.Keep(nil), "Not": tweetstream.Not(nil), "Tagged": tweetstream.Tagged(), "Languages": tweetstream.Languages(),
		"Sample -1": tweetstream.Sample(-0.1), "Sample 2": tweetstream.Sample(2),
	} {
		for option, opts := range map[string][]tweetstream.Option{
			"WithTransform": {tweetstream.WithTransform(f), tweetstream.WithSink("s", &recorder{})},
			"Through":       {tweetstream.WithSink("s", &recorder{}, tweetstream.Through(f))},
		} {
			if _, err := tweetstream.New(emitting(), opts...); err == nil || !strings.Contains(err.Error(), option) {
				t.Errorf("%s(%s): New() = %v", option, name, err)
			}
		}
	}
}

func TestSampleKeepsItsPart(t *testing.T) {
	for _, rate := range []float64{0.01, 0.1, 0.5, 0.9} {
		f := tweetstream.Sample(rate)
		n := 0
		const all = 100_000
		for i := range all {
			if got, _ := f(t.Context(), &tweetstream.Tweet{ID: fmt.Sprint(1_800_000_000_000_000_000 + i)}); got != nil {
				n++
			}
		}
		// Four standard deviations: the ids are fixed, so this is not a matter of luck.
		if want := rate * all; float64(n) < want-4*160 || float64(n) > want+4*160 {
			t.Errorf("Sample(%v) keeps %d of %d", rate, n, all)
		}
	}
}

func TestMaskSensitive(t *testing.T) {
	const secret = "SECRET"
	in := raw(`{"data":{"id":"1","author_id":"7","text":"SECRET https://t.co/SECRET","note_tweet":{"text":"SECRET"},"note_post":{"text":"SECRET"},` +
		`"entities":{"urls":[{"url":"SECRET"}]},"attachments":{"media_keys":["SECRET"]},"card_uri":"SECRET","new_field":"SECRET","created_at":"2026-01-01T00:00:00.000Z",` +
		`"referenced_tweets":[{"type":"quoted","id":"9"}]},` +
		`"includes":{"media":[{"url":"SECRET"}],"polls":[{"options":[{"label":"SECRET"}]}],"users":[{"id":"7","username":"a&b"}],` +
		`"tweets":[{"id":"9","text":"SECRET","possibly_sensitive":true,"article":{"title":"SECRET"}}],"posts":[{"id":"10","text":"SECRET"}]},` +
		`"matching_rules":[{"id":"3","tag":"coop"}],"errors":[{"value":"SECRET"}]}`)
	out, err := tweetstream.MaskSensitive(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"data":{"author_id":"7","created_at":"2026-01-01T00:00:00.000Z","id":"1","referenced_tweets":[{"id":"9","type":"quoted"}],"text":"[sensitive]"},` +
		`"includes":{"posts":[{"id":"10","text":"[sensitive]"}],"tweets":[{"id":"9","possibly_sensitive":true,"text":"[sensitive]"}],"users":[{"id":"7","username":"a&b"}]},` +
		`"matching_rules":[{"id":"3","tag":"coop"}]}`
	if diff := cmp.Diff(want, string(out.Raw)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if c, err := out.Content(); err != nil || c.FullText != "[sensitive]" || c.Author.Username != "a&b" || len(out.Rules) != 1 || out.ID != "1" {
		t.Errorf("masked: %+v, %v", c, err)
	}
	if !strings.Contains(string(in.Raw), secret) {
		t.Error("the tweet that was given was changed")
	}

	plain := raw(`{"data":{"id":"1","text":"fine"}}`)
	if got, err := tweetstream.MaskSensitive(t.Context(), plain); got != plain || err != nil {
		t.Errorf("MaskSensitive of a Post that is not sensitive = %v, %v", got, err)
	}
	for _, odd := range []string{
		`{"data":{"id":"1","text":"SECRET","possibly_sensitive":true},"includes":{"tweets":"SECRET"}}`,
		`{"data":{"id":"1","text":"SECRET","possibly_sensitive":true},"includes":["SECRET"]}`,
		`{"data":{"id":"1","text":"SECRET","possibly_sensitive":true},"includes":null,"x":"SECRET"}`,
		`{"data":{"id":"1","text":"SECRET","possibly_sensitive":true},"includes":{"tweets":["SECRET"]}}`,
	} {
		got, err := tweetstream.MaskSensitive(t.Context(), raw(odd))
		if got != nil && (strings.Contains(string(got.Raw), secret) || !json.Valid(got.Raw)) {
			t.Errorf("MaskSensitive(%s) = %s", odd, got.Raw)
		}
		if (got == nil) == (err == nil) {
			t.Errorf("MaskSensitive(%s) = %v, %v", odd, got, err)
		}
	}
}
