package xtest

import (
	"math/rand/v2"
	"strings"

	"github.com/tweetstream-go/tweetstream/internal/rulelang"
)

// wish is what a made-up Post should be like so that a rule matches it.
type wish struct {
	parts        []string // of the text: words, phrases, #hashtags, @mentions, $cashtags
	from, to     string   // id or username
	lang         string
	link         string
	conversation string
	want, no     rulelang.Flag
}

// gather adds what the rule asks for to w; of alternatives it takes one at random.
func gather(n *rulelang.Node, r *rand.Rand, w *wish) {
	switch n.Kind {
	case rulelang.And:
		for _, c := range n.Children {
			gather(c, r, w)
		}
	case rulelang.Or:
		gather(n.Children[r.IntN(len(n.Children))], r, w)
	case rulelang.Not:
		if c := n.Children[0]; c.Op == "is" || c.Op == "has" {
			w.no |= rulelang.Flags[c.Op+":"+c.Folded]
		}
	case rulelang.Word:
		w.parts = append(w.parts, n.Value)
	case rulelang.Operator:
		switch n.Op {
		case "#", "@", "$":
			w.parts = append(w.parts, n.Op+n.Value)
		case "from":
			w.from = n.Folded
		case "to":
			w.to = n.Folded
			w.want |= rulelang.IsReply
		case "lang":
			w.lang = n.Folded
		case "url":
			w.link = n.Value
			w.want |= rulelang.HasLinks
		case "conversation_id":
			w.conversation = n.Value
		default:
			w.want |= rulelang.Flags[n.Op+":"+n.Folded]
		}
	}
}

// topicWish is a wish for one of the words, as a word or as a hashtag.
func topicWish(r *rand.Rand, words []string) wish {
	w := pick(r, words)
	if r.IntN(4) == 0 && !strings.ContainsFunc(w, func(c rune) bool { return !rulelang.WordRune(c) }) {
		w = "#" + w
	}
	return wish{parts: []string{w}}
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }
