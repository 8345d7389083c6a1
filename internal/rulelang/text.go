package rulelang

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Entity is a part of a text that X links. Start and end count characters
// (code points), as X does.
type Entity struct {
	Kind       byte // '#', '@', '$', or 'u' for a link
	Start, End int
	Text       string // without the sign
}

// ShortLink is how the links in a Post's text begin.
const ShortLink = "https://t.co/"

// FindEntities finds hashtags, mentions, cashtags and t.co links, in order.
func FindEntities(text string) []Entity {
	var found []Entity
	at := 0             // characters before i
	before := rune(' ') // the character before i
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		rest := text[i+size:]
		var e Entity
		switch {
		case r == 'h' && strings.HasPrefix(text[i:], ShortLink) && !WordRune(before):
			n := Prefix(text[i+len(ShortLink):], 10, func(r rune) bool { return r < 0x80 && r != '_' && WordRune(r) })
			if n > 0 {
				e = Entity{Kind: 'u', Text: text[i : i+len(ShortLink)+n]}
				size = len(e.Text)
			}
		case (r == '#' || r == '＃') && before != '&' && !WordRune(before):
			n := Prefix(rest, 100, WordRune)
			if strings.ContainsFunc(rest[:n], func(r rune) bool { return r == '_' || unicode.In(r, unicode.L, unicode.M) }) {
				e = Entity{Kind: '#', Text: rest[:n]}
				size += n
			}
		case r == '@' && !WordRune(before):
			n := Prefix(rest, 15, func(r rune) bool { return r < 0x80 && WordRune(r) })
			if n > 0 {
				e = Entity{Kind: '@', Text: rest[:n]}
				size += n
			}
		case r == '$' && !WordRune(before):
			n := Prefix(rest, 6, func(r rune) bool { return 'a' <= r|0x20 && r|0x20 <= 'z' })
			if n > 0 && Prefix(rest[n:], 1, WordRune) == 0 {
				e = Entity{Kind: '$', Text: rest[:n]}
				size += n
			}
		}
		part := text[i : i+size]
		chars := utf8.RuneCountInString(part)
		if e.Kind != 0 {
			e.Start, e.End = at, at+chars
			found = append(found, e)
		}
		before, _ = utf8.DecodeLastRuneInString(part)
		at += chars
		i += size
	}
	return found
}

// prefix counts the bytes at the start of s, of at most so many characters, for
// which f holds.
func Prefix(s string, most int, f func(rune) bool) int {
	n := 0
	for i, r := range s {
		if n == most || !f(r) {
			return i
		}
		n++
	}
	return len(s)
}

// NewDoc begins a doc with what the text says.
func NewDoc(text string, found []Entity) *Doc {
	d := &Doc{Words: Fold(text)}
	for _, e := range found {
		low := strings.ToLower(e.Text)
		switch e.Kind {
		case '#':
			d.Hashtags = append(d.Hashtags, low)
			d.Flags |= HasHashtags
		case '@':
			d.Mentions = append(d.Mentions, low)
			d.Flags |= HasMentions
		case '$':
			d.Cashtags = append(d.Cashtags, low)
			d.Flags |= HasCashtags
		case 'u':
			d.URLs = append(d.URLs, low)
			d.Flags |= HasLinks
		}
	}
	return d
}
