package xtest

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// entity is a part of a text that X links. Start and end count characters
// (code points), as X does.
type entity struct {
	kind       byte // '#', '@', '$', or 'u' for a link
	start, end int
	text       string // without the sign
}

const shortLink = "https://t.co/"

// findEntities finds hashtags, mentions, cashtags and t.co links, in order.
func findEntities(text string) []entity {
	var found []entity
	at := 0             // characters before i
	before := rune(' ') // the character before i
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		rest := text[i+size:]
		var e entity
		switch {
		case r == 'h' && strings.HasPrefix(text[i:], shortLink) && !wordRune(before):
			n := prefix(text[i+len(shortLink):], 10, func(r rune) bool { return r < 0x80 && r != '_' && wordRune(r) })
			if n > 0 {
				e = entity{kind: 'u', text: text[i : i+len(shortLink)+n]}
				size = len(e.text)
			}
		case (r == '#' || r == '＃') && before != '&' && !wordRune(before):
			n := prefix(rest, 100, wordRune)
			if strings.ContainsFunc(rest[:n], func(r rune) bool { return r == '_' || unicode.In(r, unicode.L, unicode.M) }) {
				e = entity{kind: '#', text: rest[:n]}
				size += n
			}
		case r == '@' && !wordRune(before):
			n := prefix(rest, 15, func(r rune) bool { return r < 0x80 && wordRune(r) })
			if n > 0 {
				e = entity{kind: '@', text: rest[:n]}
				size += n
			}
		case r == '$' && !wordRune(before):
			n := prefix(rest, 6, func(r rune) bool { return 'a' <= r|0x20 && r|0x20 <= 'z' })
			if n > 0 && prefix(rest[n:], 1, wordRune) == 0 {
				e = entity{kind: '$', text: rest[:n]}
				size += n
			}
		}
		part := text[i : i+size]
		chars := utf8.RuneCountInString(part)
		if e.kind != 0 {
			e.start, e.end = at, at+chars
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
func prefix(s string, most int, f func(rune) bool) int {
	n := 0
	for i, r := range s {
		if n == most || !f(r) {
			return i
		}
		n++
	}
	return len(s)
}

// newDoc begins a doc with what the text says.
func newDoc(text string, found []entity) *doc {
	d := &doc{words: fold(text)}
	for _, e := range found {
		low := strings.ToLower(e.text)
		switch e.kind {
		case '#':
			d.hashtags = append(d.hashtags, low)
			d.flags |= hasHashtags
		case '@':
			d.mentions = append(d.mentions, low)
			d.flags |= hasMentions
		case '$':
			d.cashtags = append(d.cashtags, low)
			d.flags |= hasCashtags
		case 'u':
			d.urls = append(d.urls, low)
			d.flags |= hasLinks
		}
	}
	return d
}
