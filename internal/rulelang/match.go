package rulelang

import (
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Doc is what rules and queries look at in a Post. Strings are folded to lower
// case.
type Doc struct {
	ID           string
	Words        string // of the full text, as Fold gives them
	Hashtags     []string
	Mentions     []string
	Cashtags     []string
	URLs         []string
	From         [2]string // id and username
	To           [2]string
	Lang         string
	Conversation string
	Flags        Flag
}

// A Flag is something that a Post is or has.
type Flag uint16

// The flags, as Flags names them.
const (
	IsRetweet Flag = 1 << iota
	IsReply
	IsQuote
	IsVerified
	HasImages
	HasVideos
	HasMedia
	HasLinks
	HasHashtags
	HasMentions
	HasCashtags
	HasGeo
	IsNullcast // never set: X sends promotional Posts to nobody
)

// Flags are the operators that ask for a flag.
var Flags = map[string]Flag{
	"is:retweet": IsRetweet, "is:reply": IsReply, "is:quote": IsQuote, "is:verified": IsVerified,
	"has:images": HasImages, "has:videos": HasVideos, "has:media": HasMedia, "has:links": HasLinks,
	"has:hashtags": HasHashtags, "has:mentions": HasMentions, "has:cashtags": HasCashtags,
	"has:video_link": HasVideos, "has:geo": HasGeo, "is:nullcast": IsNullcast,
}

// Matches reports whether a Post is what the rule asks for.
func (n *Node) Matches(d *Doc) bool {
	switch n.Kind {
	case And:
		for _, c := range n.Children {
			if !c.Matches(d) {
				return false
			}
		}
		return true
	case Or:
		for _, c := range n.Children {
			if c.Matches(d) {
				return true
			}
		}
		return false
	case Not:
		return !n.Children[0].Matches(d)
	case Word:
		return strings.Contains(d.Words, n.Folded)
	}
	switch n.Op {
	case "#":
		return slices.Contains(d.Hashtags, n.Folded)
	case "@":
		return slices.Contains(d.Mentions, n.Folded)
	case "$":
		return slices.Contains(d.Cashtags, n.Folded)
	case "from":
		return n.Folded == d.From[0] || n.Folded == d.From[1]
	case "to":
		return n.Folded == d.To[0] || n.Folded == d.To[1]
	case "lang":
		return n.Folded == d.Lang
	case "conversation_id":
		return n.Folded == d.Conversation
	case "sample":
		// X says of none which it is; the same Post is always in or out.
		h := fnv.New32a()
		_, _ = h.Write([]byte(d.ID))
		percent, _ := strconv.Atoi(n.Folded)
		return int(h.Sum32()%100) < percent
	case "url":
		return slices.ContainsFunc(d.URLs, func(u string) bool { return strings.Contains(u, n.Folded) })
	}
	return d.Flags&Flags[n.Op+":"+n.Folded] != 0
}

// WordRune reports whether r belongs to a word: a letter, digit, mark or
// underscore, or a joiner between them.
func WordRune(r rune) bool {
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

// Fold turns text into its words in lower case, with one space before, between
// and after them, so that a phrase is found as a part of the string.
func Fold(text string) string {
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
		case r < 0x80 && WordRune(r):
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
		case !WordRune(r):
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
