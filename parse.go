package tweetstream

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
	"unicode/utf8"
)

// maxID is the longest id that is taken. Ids stand in logs, headers and keys,
// so that they may hold only letters, digits, '-' and '_'.
const maxID = 64

// ParseTweet makes a Tweet of one message of the stream. Raw keeps the bytes as
// they are, and shares raw's memory, which is not to be changed afterwards. What
// is not one line of valid UTF-8 is copied and mended: bytes that are no UTF-8
// become U+FFFD, and line breaks between values are taken out. White space before
// and after the message is no part of it.
//
// The message is not decoded: ParseTweet reads the id and the rules, and skips
// the rest without looking whether it is well formed. Received is left zero.
//
// The error says what is wrong with the message and never holds a part of it.
func ParseTweet(raw []byte) (*Tweet, error) {
	raw, err := oneLine(raw)
	if err != nil {
		return nil, err
	}
	t := &Tweet{Raw: raw}
	if !t.scan(raw) {
		if err := t.decode(raw); err != nil {
			return nil, err
		}
	}
	if err := checkID(t.ID); err != nil {
		return nil, err
	}
	return t, nil
}

var (
	errNoID   = errors.New("message has no data.id")
	errBadID  = fmt.Errorf("data.id is not 1 to %d letters, digits, '-' or '_'", maxID)
	errNoJSON = errors.New("message is not a JSON object")
)

func checkID(id string) error {
	if id == "" {
		return errNoID
	}
	if len(id) > maxID {
		return errBadID
	}
	for i := range len(id) {
		c := id[i]
		if !('0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '-' || c == '_') {
			return errBadID
		}
	}
	return nil
}

// oneLine returns raw as one line of valid UTF-8: raw itself where it is that.
func oneLine(raw []byte) ([]byte, error) {
	raw = bytes.TrimSpace(raw)
	if !utf8.Valid(raw) {
		raw = bytes.ToValidUTF8(raw, []byte("\uFFFD"))
	}
	if bytes.IndexByte(raw, '\n') < 0 && bytes.IndexByte(raw, '\r') < 0 {
		return raw, nil
	}
	var line bytes.Buffer
	if err := json.Compact(&line, raw); err != nil {
		return nil, errNoJSON // json's own error would quote the message
	}
	return line.Bytes(), nil
}

// scan reads the id and the rules of a message in the form that X sends:
//
//	{"data":{…,"id":"…",…},…,"matching_rules":[{"id":"…","tag":"…"},…]}
//
// It walks over all else without a look inside. It reports false, and leaves t
// as it was, where the message is in any other form: white space between
// values, escapes in keys, keys that stand twice. Then decode is asked.
func (t *Tweet) scan(b []byte) bool {
	if len(b) == 0 || b[0] != '{' {
		return false
	}
	var id []byte
	var rules []Rule
	var seenRules bool
	for i := 1; ; i++ {
		key, end := scanString(b, i)
		if key == nil || end >= len(b) || b[end] != ':' {
			return false
		}
		i = end + 1
		switch string(key) {
		case "data":
			if id != nil {
				return false
			}
			id, i = scanData(b, i)
		case "matching_rules":
			if seenRules {
				return false
			}
			seenRules = true
			rules, i = scanRules(b, i)
		default:
			i = skipValue(b, i)
		}
		if i < 0 || i >= len(b) {
			return false
		}
		if b[i] == '}' && i == len(b)-1 && id != nil {
			t.ID, t.Rules = string(id), rules
			return true
		}
		if b[i] != ',' {
			return false
		}
	}
}

// scanData walks the members of the object that begins at b[i] and returns the
// value of the id at its own depth (X sends ids of other things before it), and
// the position behind the object, or -1 where the id is missing, stands twice or
// is not a plain string.
func scanData(b []byte, i int) (id []byte, end int) {
	if i >= len(b) || b[i] != '{' {
		return nil, -1
	}
	for i++; ; i++ {
		key, end := scanString(b, i)
		if key == nil || end >= len(b) || b[end] != ':' {
			return nil, -1
		}
		i = end + 1
		if string(key) == "id" {
			if id != nil {
				return nil, -1
			}
			if id, i = scanString(b, i); id == nil {
				return nil, -1
			}
		} else if i = skipValue(b, i); i < 0 {
			return nil, -1
		}
		if i >= len(b) {
			return nil, -1
		}
		if b[i] == '}' && id != nil {
			return id, i + 1
		}
		if b[i] != ',' {
			return nil, -1
		}
	}
}

// scanRules reads the array that begins at b[i], and returns the position
// behind it, or -1 where it is in another form than X's.
func scanRules(b []byte, i int) (rules []Rule, end int) {
	rest := b[min(i, len(b)):]
	if bytes.HasPrefix(rest, []byte("[]")) {
		return nil, i + 2
	}
	rules = make([]Rule, 0, bytes.Count(rest, []byte(`{"id":"`)))
	for open := `[{"id":`; ; open = `,{"id":` {
		var r Rule
		var ok bool
		if r.ID, i, ok = scanMember(b, i, open); !ok {
			return nil, -1
		}
		if tag, end, ok := scanMember(b, i, `,"tag":`); ok {
			r.Tag, i = tag, end
		}
		rules = append(rules, r)
		switch {
		case bytes.HasPrefix(b[i:], []byte("}]")):
			return rules, i + 2
		case !bytes.HasPrefix(b[i:], []byte("},")):
			return nil, -1
		}
		i++ // open begins with the comma
	}
}

// scanMember reads the string behind prefix at b[i], and returns the position
// behind it. It may hold escapes, for tags do.
func scanMember(b []byte, i int, prefix string) (value string, end int, ok bool) {
	if i > len(b) || !bytes.HasPrefix(b[i:], []byte(prefix)) {
		return "", i, false
	}
	i += len(prefix)
	if s, end := scanString(b, i); s != nil {
		return string(s), end, true
	}
	if i >= len(b) || b[i] != '"' {
		return "", i, false
	}
	if end = skipString(b, i); end < 0 {
		return "", i, false
	}
	value, ok = unquote(b[i:end])
	return value, end, ok
}

func unquote(b []byte) (s string, ok bool) {
	err := json.Unmarshal(b, &s)
	return s, err == nil
}

// scanString returns the string that begins with the quote at b[i], and the
// position behind it; nil where there is none or it holds an escape.
func scanString(b []byte, i int) (s []byte, end int) {
	if i >= len(b) || b[i] != '"' {
		return nil, 0
	}
	n := bytes.IndexByte(b[i+1:], '"')
	if n < 0 {
		return nil, 0
	}
	s = b[i+1 : i+1+n]
	if bytes.IndexByte(s, '\\') >= 0 {
		return nil, 0
	}
	return s, i + n + 2
}

// skipString returns the position behind the string that begins with the quote
// at b[i], or -1.
func skipString(b []byte, i int) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for i++; i+8 <= len(b); {
		// Eight bytes as one number, in which a quote is made a 0, and the
		// lowest 0 is found by what the subtraction borrows. Most strings of a
		// Post are so short that it takes an eighth off the whole parse,
		// compared with bytes.IndexByte.
		w := binary.LittleEndian.Uint64(b[i:]) ^ '"'*ones
		zeros := (w - ones) &^ w & highs
		if zeros == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(zeros)/8 + 1
		if b[i-2] != '\\' || !escaped(b, i-1) {
			return i
		}
	}
	for ; i < len(b); i++ {
		if b[i] == '"' && !escaped(b, i) {
			return i + 1
		}
	}
	return -1
}

// escaped reports whether an odd number of backslashes stands before the quote
// at b[i]. The string's own opening quote ends the count.
func escaped(b []byte, i int) bool {
	n := 0
	for b[i-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}

// skipValue returns the position behind the value that begins at b[i], or -1
// where it does not end or white space stands in it.
func skipValue(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			if i = skipString(b, i); i < 0 {
				return -1
			}
			if depth == 0 {
				return i
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i // behind a number, true, false or null
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',':
			if depth == 0 {
				return i
			}
		case ' ', '\t':
			return -1
		}
		i++
	}
	return -1
}

// decode reads the id and the rules of a message in whatever form, with a real
// decoder. Where a key stands twice, the last one counts.
func (t *Tweet) decode(raw []byte) error {
	var m struct {
		Data  json.RawMessage `json:"data"`
		Rules json.RawMessage `json:"matching_rules"`
	}
	if err := unmarshalExact(raw, map[string]*json.RawMessage{"data": &m.Data, "matching_rules": &m.Rules}); err != nil {
		return errNoJSON
	}
	var id json.RawMessage
	if err := unmarshalExact(m.Data, map[string]*json.RawMessage{"id": &id}); err != nil {
		return errNoID
	}
	t.ID = scalar(id)

	var rules []json.RawMessage
	if json.Unmarshal(m.Rules, &rules) != nil {
		return nil // a shape that nobody knows: the Post itself is good
	}
	for _, raw := range rules {
		var id, tag json.RawMessage
		if unmarshalExact(raw, map[string]*json.RawMessage{"id": &id, "tag": &tag}) != nil {
			continue
		}
		t.Rules = append(t.Rules, Rule{ID: scalar(id), Tag: scalar(tag)})
	}
	return nil
}

// unmarshalExact reads the named members of a JSON object. Unlike a struct it
// does not take "ID" for "id".
func unmarshalExact(raw []byte, members map[string]*json.RawMessage) error {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		return err
	}
	if all == nil {
		return errNoJSON
	}
	for name, dst := range members {
		*dst = all[name]
	}
	return nil
}

// scalar returns a string's value, or a number as it is written: rule ids have
// been seen as numbers too large for a float.
func scalar(raw json.RawMessage) string {
	if len(raw) == 0 {
		return ""
	}
	switch c := raw[0]; {
	case c == '"':
		s, _ := unquote(raw)
		return s
	case c == '-' || '0' <= c && c <= '9':
		return string(raw)
	}
	return ""
}
