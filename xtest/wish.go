package xtest

import (
	"math/rand/v2"
	"strings"
)

// wish is what a made-up Post should be like so that a rule matches it.
type wish struct {
	parts        []string // of the text: words, phrases, #hashtags, @mentions, $cashtags
	from, to     string   // id or username
	lang         string
	link         string
	conversation string
	want, no     flag
}

// wish gathers what the rule asks for; of alternatives it takes one at random.
func (n *node) wish(r *rand.Rand, w *wish) {
	switch n.kind {
	case nodeAnd:
		for _, c := range n.children {
			c.wish(r, w)
		}
	case nodeOr:
		n.children[r.IntN(len(n.children))].wish(r, w)
	case nodeNot:
		if c := n.children[0]; c.op == "is" || c.op == "has" {
			w.no |= flagNames[c.op+":"+c.folded]
		}
	case nodeWord:
		w.parts = append(w.parts, n.value)
	case nodeOperator:
		switch n.op {
		case "#", "@", "$":
			w.parts = append(w.parts, n.op+n.value)
		case "from":
			w.from = n.folded
		case "to":
			w.to = n.folded
			w.want |= isReply
		case "lang":
			w.lang = n.folded
		case "url":
			w.link = n.value
			w.want |= hasLinks
		case "conversation_id":
			w.conversation = n.value
		default:
			w.want |= flagNames[n.op+":"+n.folded]
		}
	}
}

// topicWish is a wish for one of the words, as a word or as a hashtag.
func topicWish(r *rand.Rand, words []string) wish {
	w := pick(r, words)
	if r.IntN(4) == 0 && !strings.ContainsFunc(w, func(c rune) bool { return !wordRune(c) }) {
		w = "#" + w
	}
	return wish{parts: []string{w}}
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }
