package tweetstream_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream"
)

// likeJSON checks that Content takes and understands a message as encoding/json
// does.
func likeJSON(t *testing.T, raw []byte) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var m map[string]any
	err := dec.Decode(&m)
	if _, end := dec.Token(); err == nil && end != io.EOF {
		err = errors.New("there is more")
	}
	data, ok := m["data"].(map[string]any)
	c, got := (&tweetstream.Tweet{Raw: raw}).Content()
	if (got == nil) != (err == nil && ok) {
		t.Errorf("%.200q: Content() = %v, encoding/json says %v", raw, got, err)
	}
	if got != nil || err != nil {
		return
	}
	scalar := func(v any) string {
		switch v := v.(type) {
		case string:
			return v
		case json.Number:
			return string(v)
		}
		return ""
	}
	// A string, a list, and a value that lies deeper.
	var versions []string
	list, _ := data["edit_history_tweet_ids"].([]any)
	for _, v := range list {
		if s := scalar(v); s != "" {
			versions = append(versions, s)
		}
	}
	withheld, _ := data["withheld"].(map[string]any)
	if c.Text != scalar(data["text"]) || c.Withheld.Scope != scalar(withheld["scope"]) || c.EditHistory != nil && !cmp.Equal(c.EditHistory, versions) {
		t.Errorf("%.200q: %q, %q, %q, want %q, %q, %q", raw, c.Text, c.Withheld.Scope, c.EditHistory, data["text"], withheld["scope"], versions)
	}
}

// theJSON stands for a value in each of the places that likeJSON looks at.
func theJSON(value string) []byte {
	return []byte(`{"data":{"text":` + value + `,"withheld":{"scope":` + value + `},"edit_history_tweet_ids":[` + value + `,"x"]}}`)
}

var someJSON = []string{
	`"a"`, `"\"\\\/\b\f\n\r\t"`, `"\u00e9\uD83D\uDE00"`, `"\ud83d"`, `"\ud83d\ud83d\ude00"`, `"\ude00\ud83d"`, `"\ud83dx"`, `"\ud83d\n"`, `"\ud83d\u12"`,
	`"\u12g4"`, `"\u"`, `"\x"`, `"\`, `"`, "\"\x00\"", "\"\x1f\"", "\"\x7f\"", "\"\xff\xfe\"", "\"\xed\xa0\x80\"", "\"\u2028é😀\"", `"\u0000"`,
	`0`, `-0`, `01`, `-`, `1.`, `.5`, `1.5e`, `1E+5`, `-1.50e-10`, `1e5x`, `+1`, `18446744073709551616`, `1e999999`, `NaN`,
	`true`, `false`, `null`, `tru`, `nul`, `truefalse`, `[]`, `{}`, `[1,]`, `[,1]`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{a:1}`, `{"a":1 "b":2}`, `[1 2]`, `[[[]]]`, `}`, `]`,
	`{"scope":"b","scope":"c"}`, `"a","text":"b"`, `1,"text":{}`, " \t\r\n\"a\" \n", "\v1", "\ufeff1", ``,
	strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000), strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000), strings.Repeat(`{"a":`, 20_000),
}

func TestContentIsLikeJSON(t *testing.T) {
	for _, s := range someJSON {
		likeJSON(t, theJSON(s))
		likeJSON(t, []byte(s))
		likeJSON(t, append(theJSON(`1`), s...))
		likeJSON(t, append([]byte(s), theJSON(`1`)...))
	}
	for i := range fullMessage {
		likeJSON(t, []byte(fullMessage[:i]))
	}
}

func FuzzContentIsLikeJSON(f *testing.F) {
	f.Add([]byte(fullMessage))
	for _, s := range someJSON {
		if len(s) < 1000 {
			f.Add([]byte(s))
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		likeJSON(t, raw)
		likeJSON(t, theJSON(string(raw)))
	})
}
