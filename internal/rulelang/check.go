package rulelang

import (
	"fmt"
	"slices"
	"unicode/utf8"
)

// Check tells what is wrong with a rule, without asking X. The error is an
// *Error, and is about what X takes on no plan. What X may refuse, or take for
// something else than was meant, is a doubt: X has operators that are not known
// here, and others with each plan.
func Check(value string) (doubts []*Error, err error) {
	switch n := utf8.RuneCountInString(value); {
	case n > MaxEnterprise:
		return nil, &Error{fmt.Sprintf("the rule has %d characters: X takes %d, and %d on Enterprise plans", n, MaxPayPerUse, MaxEnterprise), MaxEnterprise + 1}
	case n > MaxPayPerUse:
		doubts = append(doubts, &Error{fmt.Sprintf("the rule has %d characters: X takes more than %d on Enterprise plans only", n, MaxPayPerUse), MaxPayPerUse + 1})
	}
	p := parser{in: []rune(value), lenient: true}
	n, err := p.rule(value)
	if err != nil {
		return nil, err
	}
	doubts = append(doubts, p.doubts...)
	switch {
	case !n.positive():
		return nil, p.fail(n.first(), "nothing here can stand alone: a rule needs a word, a phrase, a #hashtag, from: or the like, not negated")
	case !n.standsAlone():
		doubts = append(doubts, &Error{"this may not be able to stand alone: a word that is no stop word, a phrase, a #hashtag or the like is needed beside it", n.first()})
	}
	return doubts, nil
}

// positive reports whether there is any clause that can stand alone, whatever is
// beside it.
func (n *Node) positive() bool {
	switch n.Kind {
	case And, Or:
		return slices.ContainsFunc(n.Children, (*Node).positive)
	case Word:
		return true
	}
	return n.standsAlone()
}

// foreign reads the value of an operator that is not known here: a text, a
// phrase, or a list in brackets.
func (p *parser) foreign(name string, pos int) (*Node, error) {
	switch o, known := operators[name]; {
	case !known:
		p.doubt(pos, "%s: is no operator that is known here: X may not know it either", name)
	case !o.stream:
		p.doubt(pos, "X's lists have %s: for search only", name)
	case p.not && o.positive:
		p.doubt(pos, "%s: can't be negated", name)
	}
	n := &Node{Kind: Operator, Op: name, Pos: pos}
	at := p.i + 1
	switch {
	case !p.end() && p.in[p.i] == '"':
		var err error
		if n.Value, err = p.quoted(); err != nil {
			return nil, err
		}
		_ = p.proximity()
	case !p.end() && p.in[p.i] == '[':
		n.Value = p.run(func(r rune) bool { return r != ']' })
		if p.end() {
			return nil, p.fail(at, "missing ']' for the '['")
		}
		p.i++
	default:
		n.Value = p.odd(at).Value
	}
	if n.Value == "" {
		return nil, p.fail(at, "nothing follows %s:", name)
	}
	return n, nil
}
