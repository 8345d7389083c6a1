package xtest

import (
	"slices"
	"strings"
	"unicode"
)

// doc is what rules and queries look at in a Post. Strings are folded to lower
// case.
type doc struct {
	words        string // of the full text, as fold gives them
	hashtags     []string
	mentions     []string
	cashtags     []string
	urls         []string
	from         [2]string // id and username
	to           [2]string
	lang         string
	conversation string
	flags        flag
}

type flag uint16

const (
	isRetweet flag = 1 << iota
	isReply
	isQuote
	isVerified
	hasImages
	hasVideos
	hasMedia
	hasLinks
	hasHashtags
	hasMentions
	hasCashtags
)

var flagNames = map[string]flag{
	"is:retweet": isRetweet, "is:reply": isReply, "is:quote": isQuote, "is:verified": isVerified,
	"has:images": hasImages, "has:videos": hasVideos, "has:media": hasMedia, "has:links": hasLinks,
	"has:hashtags": hasHashtags, "has:mentions": hasMentions, "has:cashtags": hasCashtags,
}

func (n *node) matches(d *doc) bool {
	switch n.kind {
	case nodeAnd:
		for _, c := range n.children {
			if !c.matches(d) {
				return false
			}
		}
		return true
	case nodeOr:
		for _, c := range n.children {
			if c.matches(d) {
				return true
			}
		}
		return false
	case nodeNot:
		return !n.children[0].matches(d)
	case nodeWord:
		return strings.Contains(d.words, n.folded)
	}
	switch n.op {
	case "#":
		return slices.Contains(d.hashtags, n.folded)
	case "@":
		return slices.Contains(d.mentions, n.folded)
	case "$":
		return slices.Contains(d.cashtags, n.folded)
	case "from":
		return n.folded == d.from[0] || n.folded == d.from[1]
	case "to":
		return n.folded == d.to[0] || n.folded == d.to[1]
	case "lang":
		return n.folded == d.lang
	case "conversation_id":
		return n.folded == d.conversation
	case "url":
		return slices.ContainsFunc(d.urls, func(u string) bool { return strings.Contains(u, n.folded) })
	}
	return d.flags&flagNames[n.op+":"+n.folded] != 0
}

// wordRune reports whether r belongs to a word: a letter, digit, mark or
// underscore, or a joiner between them.
func wordRune(r rune) bool {
	if r < 0x80 {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_'
	}
	return unicode.In(r, unicode.L, unicode.N, unicode.M) || r == '\u200c' || r == '\u200d'
}

// symbolRune reports whether r belongs to an emoji; a character of its own for
// rules. Marks and joiners that emoji also use are word characters.
func symbolRune(r rune) bool {
	return r >= 0x80 && unicode.In(r, unicode.So, unicode.Sk)
}

// unspaced are the scripts written without spaces between words. Each of their
// letters is a word for matching, so that a rule finds its word inside a
// sentence.
var unspaced = []*unicode.RangeTable{
	unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar,
}

// fold turns text into its words in lower case, with one space before, between
// and after them, so that a phrase is found as a part of the string.
func fold(text string) string {
	b := make([]byte, 1, len(text)+len(text)/4+2)
	b[0] = ' '
	const (
		between = iota
		inWord
		inEmoji
	)
	state := between
	stop := func() {
		if b[len(b)-1] != ' ' {
			b = append(b, ' ')
		}
		state = between
	}
	var last rune
	for _, r := range text {
		before := last
		last = r
		switch {
		case r < 0x80 && wordRune(r):
			if state == inEmoji {
				stop()
			}
			if 'A' <= r && r <= 'Z' {
				r += 'a' - 'A'
			}
			b = append(b, byte(r))
			state = inWord
		case r < 0x80:
			stop()
		case r == '\u200d' || r == '\u200c':
			// Joiners belong to what is before them, and are not compared.
		case unicode.Is(unicode.M, r):
			if state == inWord && !unicode.Is(unicode.Variation_Selector, r) {
				b = append(b, string(unicode.ToLower(r))...)
			}
		case symbolRune(r):
			// A family, a skin tone and a flag are one emoji each.
			flag := regional(r) && regional(before)
			if state != inEmoji || before != '\u200d' && !unicode.Is(unicode.Sk, r) && !flag {
				stop()
			}
			if flag {
				last = 0 // the next flag is another one
			}
			b = append(b, string(r)...)
			state = inEmoji
		case !wordRune(r):
			stop()
		case unicode.In(r, unspaced...):
			stop()
			b = append(b, string(r)...)
			state = inWord
			// The next letter begins a word of its own; marks may still follow.
		default:
			if state == inEmoji {
				stop()
			}
			b = append(b, string(unicode.ToLower(r))...)
			state = inWord
		}
	}
	stop()
	return string(b)
}

func regional(r rune) bool { return 0x1F1E6 <= r && r <= 0x1F1FF }
