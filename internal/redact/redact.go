// Package redact makes text that comes from outside fit for logs and errors:
// the answers of servers, and the errors of drivers and sinks.
package redact

import (
	"bytes"
	"encoding/json"
	"iter"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Max is the length in bytes to which Text cuts.
const Max = 300

const hidden = "[…]"

var (
	credentials = regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://)[^/?#\s"'@]*@`)
	query       = regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://[^\s"'?#]*)[?#][^\s"']*`)
	bearer      = regexp.MustCompile(`(?i)\b(bearer|basic)\s+[^\s"',;]+`)
	assignment  = regexp.MustCompile(`(?i)\b(password|passwd|secret|token|api[_-]?key)(["']?\s*[=:]\s*["']?)[^\s"'&,;]+`)
)

// Text returns s as it may be shown: as [Secrets] does, and with control
// characters escaped, cut to [Max] bytes.
func Text(s string, secrets ...string) string {
	return cut(escape(Secrets(s, secrets...)), Max)
}

// Secrets returns s without what looks like a secret (credentials and queries of
// URLs, bearer tokens, passwords) and without the given secrets. What is far
// longer than [Max] is cut.
func Secrets(s string, secrets ...string) string {
	for _, secret := range secrets {
		if secret != "" {
			s = strings.ReplaceAll(s, secret, hidden)
		}
	}
	s = cut(s, 64*Max)
	s = credentials.ReplaceAllString(s, "${1}")
	s = query.ReplaceAllString(s, "${1}")
	s = bearer.ReplaceAllString(s, "${1} "+hidden)
	return assignment.ReplaceAllString(s, "${1}${2}"+hidden)
}

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	s = s[:n+1]
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// escape writes control characters, and others that a terminal may obey or that
// hide what stands around them, as Go does in quoted strings.
func escape(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r == utf8.RuneError || r != ' ' && !unicode.IsPrint(r) {
			q := strconv.QuoteRuneToASCII(r)
			b.WriteString(q[1 : len(q)-1])
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// shared is how many letters and digits a text may have in common with a Post.
// Words that any error uses, such as "connection refused", stay readable: they
// are taken out only if a Post of the batch says the same.
const shared = 10

// Posts returns s without what it has in common with the given messages: runs
// of ten letters and digits or more, whatever stands between them and however
// they are escaped, but for runs of digits alone, which are ids; and each of the
// texts, however short, if that is a whole one.
func Posts(s string, messages ...[]byte) string {
	// Drivers quote what they refuse, in escapes of their own.
	if plain := unescape([]byte(s)); plain != s {
		if clean := posts(plain, messages); clean != plain {
			return clean
		}
	}
	return posts(s, messages)
}

func posts(s string, messages [][]byte) string {
	text, places := fold(s)
	if len(text) == 0 {
		return s
	}
	runs := map[uint64][]int{}
	for at, hash := range windows(text) {
		runs[hash] = append(runs[hash], at)
	}
	hide := make([]bool, len(text))
	for _, m := range messages {
		if len(runs) > 0 {
			post, _ := fold(unescape(m))
			for _, hash := range windows(post) {
				for _, at := range runs[hash] {
					for j := range shared {
						hide[at+j] = true
					}
				}
				delete(runs, hash) // they are hidden: text that repeats itself has very many
			}
		}
		for _, short := range shortTexts(m) {
			for at := 0; at+len(short) <= len(text); at++ {
				if slices.Equal(text[at:at+len(short)], short) {
					for j := range short {
						hide[at+j] = true
					}
				}
			}
		}
	}
	var b strings.Builder
	end := 0 // of what is written or hidden
	for i := 0; i < len(hide); i++ {
		if !hide[i] {
			continue
		}
		b.WriteString(s[end:places[i]])
		b.WriteString(hidden)
		for i+1 < len(hide) && hide[i+1] {
			i++
		}
		_, n := utf8.DecodeRuneInString(s[places[i]:])
		end = places[i] + n
	}
	b.WriteString(s[end:])
	return b.String()
}

// windows yields each run of letters as its position and a hash, but for those
// of digits alone. Two runs of one hash are taken as the same: it hides more.
func windows(letters []rune) iter.Seq2[int, uint64] {
	const base = 1_000_003
	var drop uint64 = 1 // base to the power of shared
	for range shared {
		drop *= base
	}
	return func(yield func(int, uint64) bool) {
		var hash uint64
		others := 0 // letters in the window that are no digits
		for i, r := range letters {
			hash = hash*base + uint64(r)
			if !unicode.IsDigit(r) {
				others++
			}
			if i >= shared {
				old := letters[i-shared]
				hash -= uint64(old) * drop
				if !unicode.IsDigit(old) {
					others--
				}
			}
			if i >= shared-1 && others > 0 && !yield(i-shared+1, hash) {
				return
			}
		}
	}
}

// fold returns the letters and digits of s, and where each begins.
func fold(s string) (letters []rune, places []int) {
	for i, r := range s {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) {
			letters = append(letters, unicode.ToLower(r))
			places = append(places, i)
		}
	}
	return letters, places
}

// unescape decodes the escapes of JSON, and of Go's quoted strings, wherever they
// stand.
func unescape(m []byte) string {
	if bytes.IndexByte(m, '\\') < 0 {
		return string(m)
	}
	var b strings.Builder
	for i := 0; i < len(m); i++ {
		if m[i] != '\\' || i+1 == len(m) {
			b.WriteByte(m[i])
			continue
		}
		i++
		switch m[i] {
		case 'n', 't', 'r', 'b', 'f':
			b.WriteByte(' ')
		case 'u':
			end := i + 5
			if end+6 <= len(m) && m[end] == '\\' && m[end+1] == 'u' { // perhaps a surrogate pair
				end += 6
			}
			var s string
			if end > len(m) || json.Unmarshal([]byte(`"`+string(m[i-1:end])+`"`), &s) != nil {
				continue
			}
			b.WriteString(s)
			i = end - 1
		case 'x', 'U':
			digits := 2
			if m[i] == 'U' {
				digits = 8
			}
			n, err := strconv.ParseUint(string(m[i+1:min(i+1+digits, len(m))]), 16, 32)
			if err != nil || i+digits >= len(m) {
				continue
			}
			if digits == 2 {
				b.WriteByte(byte(n)) // perhaps one of several that make a letter
			} else {
				b.WriteRune(rune(n))
			}
			i += digits
		default:
			b.WriteByte(m[i])
		}
	}
	return b.String()
}

// shortTexts returns the folded texts of a message, in either of X's spellings,
// that windows does not see: those that are too short, or digits alone.
func shortTexts(m []byte) [][]rune {
	type note struct {
		Text any `json:"text"`
	}
	type post struct {
		Text      any  `json:"text"`
		NoteTweet note `json:"note_tweet"`
		NotePost  note `json:"note_post"`
	}
	var v struct {
		Data     post `json:"data"`
		Includes struct {
			Tweets []post `json:"tweets"`
			Posts  []post `json:"posts"`
		} `json:"includes"`
	}
	_ = json.Unmarshal(m, &v) // what can be read is enough
	var short [][]rune
	for _, p := range append(append(v.Includes.Tweets, v.Includes.Posts...), v.Data) {
		for _, text := range []any{p.Text, p.NoteTweet.Text, p.NotePost.Text} {
			s, _ := text.(string)
			letters, _ := fold(s)
			digits := strings.Trim(string(letters), "0123456789") == ""
			if len(letters) > 2 && (len(letters) < shared || digits) {
				short = append(short, letters)
			}
		}
	}
	return short
}
