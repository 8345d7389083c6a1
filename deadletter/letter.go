package deadletter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/tweetstream-go/tweetstream"
)

// version of the lines.
const version = 1

// line is a letter as it stands in a file, but for its message.
type line struct {
	Letter    int                `json:"letter"`
	ID        string             `json:"id"`
	Sink      string             `json:"sink,omitempty"`
	Reason    tweetstream.Reason `json:"reason"`
	Error     string             `json:"error,omitempty"`
	Tries     int                `json:"tries,omitempty"`
	First     time.Time          `json:"first,omitzero"`
	Last      time.Time          `json:"last,omitzero"`
	Received  time.Time          `json:"received,omitzero"`
	Recovered bool               `json:"recovered,omitempty"`
	Deleted   bool               `json:"deleted,omitempty"`
	Rules     []rule             `json:"rules,omitempty"`
}

type rule struct {
	ID    string `json:"id,omitempty"`
	Tag   string `json:"tag,omitempty"`
	Value string `json:"value,omitempty"`
}

// appendLine appends a letter and its line break to dst.
func appendLine(dst []byte, l tweetstream.Letter) []byte {
	t := l.Tweet
	facts := line{
		version, t.ID, l.Sink, l.Reason, l.Error, l.Tries, utc(l.First), utc(l.Last), utc(t.Received), t.Recovered, t.Deleted, nil,
	}
	for _, r := range t.Rules {
		facts.Rules = append(facts.Rules, rule(r))
	}
	head, err := json.Marshal(facts)
	if err != nil {
		panic(err) // there is nothing in it that could fail
	}
	begin := len(dst)
	dst = append(dst, head[:len(head)-1]...)
	bare := len(dst)
	if embeddable(t.Raw) {
		dst = append(append(dst, `,"raw":`...), t.Raw...)
		// A message may be valid as deeply nested as JSON can be, and not one
		// level deeper.
		if dst = append(dst, '}'); json.Valid(dst[begin:]) {
			return append(dst, '\n')
		}
		dst = dst[:bare]
	}
	encoded, _ := json.Marshal([]byte(t.Raw)) // base64
	if len(t.Raw) > 0 {
		dst = append(append(dst, `,"raw_base64":`...), encoded...)
	}
	return append(dst, '}', '\n')
}

// utc returns t as it may stand in JSON, which has years of four digits.
func utc(t time.Time) time.Time {
	if t = t.UTC(); t.Year() < 0 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}

// embeddable reports whether a message can stand in a line of JSON and be read
// from there byte for byte.
func embeddable(raw []byte) bool {
	return len(raw) > 0 && bytes.IndexByte(raw, '\n') < 0 && bytes.IndexByte(raw, '\r') < 0 &&
		len(bytes.TrimSpace(raw)) == len(raw) && utf8.Valid(raw) && json.Valid(raw)
}

var (
	errNoLetter = errors.New("deadletter: the line is no letter")
	errNoID     = errors.New("deadletter: the letter has no id")
)

// Parse reads one line of a dead-letter file, with or without its line break. The
// letter's Tweet is as it was when it was kept. The error says what is wrong with
// the line and never holds a part of it.
func Parse(text []byte) (tweetstream.Letter, error) {
	var l struct {
		line
		Raw    json.RawMessage `json:"raw"`
		Base64 []byte          `json:"raw_base64"`
	}
	if json.Unmarshal(text, &l) != nil || l.Letter == 0 {
		return tweetstream.Letter{}, errNoLetter // json's own error would quote the line
	}
	if l.Letter != version {
		return tweetstream.Letter{}, fmt.Errorf("deadletter: the letter has version %d, this program reads %d", l.Letter, version)
	}
	if l.ID == "" {
		return tweetstream.Letter{}, errNoID
	}
	raw := l.Raw
	if raw == nil {
		raw = l.Base64
	}
	t := &tweetstream.Tweet{ID: l.ID, Raw: raw, Received: l.Received, Recovered: l.Recovered, Deleted: l.Deleted}
	for _, r := range l.Rules {
		t.Rules = append(t.Rules, tweetstream.Rule(r))
	}
	return tweetstream.Letter{Tweet: t, Sink: l.Sink, Reason: l.Reason, Error: l.Error, Tries: l.Tries, First: l.First, Last: l.Last}, nil
}
