package xtest

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxRule is how many characters a rule of the stream may have.
const maxRule = 1024

// ruleError is one of the details of an invalid rule.
type ruleError struct {
	message string
	pos     int // of the character, from 1
}

func (e *ruleError) Error() string { return fmt.Sprintf("%s (at position %d)", e.message, e.pos) }

type nodeKind int

const (
	nodeAnd nodeKind = iota
	nodeOr
	nodeNot
	nodeWord // a word or a phrase
	nodeOperator
)

// node is a rule, or a part of it.
type node struct {
	kind     nodeKind
	children []*node
	op       string // "#", "@", "$", or the name before the colon
	value    string // as written, without quotes
	folded   string // for comparing
	pos      int
}

// parseRule reads a rule. The error is a *ruleError.
//
//	or    = and { "OR" and }
//	and   = unary { unary }
//	unary = [ "-" ] ( "(" or ")" | phrase | operator | word )
func parseRule(value string) (*node, error) {
	p := parser{in: []rune(value)}
	p.space()
	if p.end() {
		return nil, p.fail(1, "Rule must not be empty")
	}
	if !utf8.ValidString(value) {
		return nil, p.fail(strings.IndexRune(value, utf8.RuneError)+1, "Rule is not valid UTF-8")
	}
	n, err := p.or(0)
	if err != nil {
		return nil, err
	}
	if !p.end() { // only a parenthesis ends a rule early
		return nil, p.fail(p.i+1, "extraneous input ')' expecting <EOF>")
	}
	if !n.standsAlone() {
		return nil, p.fail(n.first(), "Rules must contain at least one positive, non-stopword clause")
	}
	return n, nil
}

// maxDepth bounds the parentheses within each other.
const maxDepth = 100

type parser struct {
	in []rune
	i  int
}

func (p *parser) fail(pos int, format string, args ...any) error {
	return &ruleError{fmt.Sprintf(format, args...), pos}
}

func (p *parser) end() bool { return p.i >= len(p.in) }

func (p *parser) space() {
	for !p.end() && unicode.IsSpace(p.in[p.i]) {
		p.i++
	}
}

// isOr reports whether the next word is OR.
func (p *parser) isOr() bool {
	if p.i+2 > len(p.in) || p.in[p.i] != 'O' || p.in[p.i+1] != 'R' {
		return false
	}
	return p.i+2 == len(p.in) || unicode.IsSpace(p.in[p.i+2]) || strings.ContainsRune("()\"", p.in[p.i+2])
}

func (p *parser) or(depth int) (*node, error) {
	n := &node{kind: nodeOr, pos: p.i + 1}
	for {
		child, err := p.and(depth)
		if err != nil {
			return nil, err
		}
		n.children = append(n.children, child)
		if p.end() || !p.isOr() {
			break
		}
		p.i += len("OR")
	}
	if len(n.children) == 1 {
		return n.children[0], nil
	}
	return n, nil
}

func (p *parser) and(depth int) (*node, error) {
	n := &node{kind: nodeAnd, pos: p.i + 1}
	for {
		p.space()
		if p.end() || p.in[p.i] == ')' || p.isOr() {
			break
		}
		child, err := p.unary(depth)
		if err != nil {
			return nil, err
		}
		n.children = append(n.children, child)
	}
	switch len(n.children) {
	case 0:
		return nil, p.fail(p.i+1, "missing operand at %s", p.next())
	case 1:
		return n.children[0], nil
	}
	return n, nil
}

// next names the next character for an error.
func (p *parser) next() string {
	if p.end() {
		return "<EOF>"
	}
	return "'" + string(p.in[p.i]) + "'"
}

func (p *parser) unary(depth int) (*node, error) {
	pos := p.i + 1
	not := p.in[p.i] == '-'
	if not {
		p.i++
		if p.end() {
			return nil, p.fail(pos, "no viable alternative at character '-'")
		}
	}
	n, err := p.primary(depth)
	if err != nil {
		return nil, err
	}
	if not {
		n = &node{kind: nodeNot, children: []*node{n}, pos: pos}
	}
	return n, nil
}

func (p *parser) primary(depth int) (*node, error) {
	pos := p.i + 1
	switch r := p.in[p.i]; {
	case r == '(':
		if depth == maxDepth {
			return nil, p.fail(pos, "Rule has more than %d nested parentheses", maxDepth)
		}
		p.i++
		n, err := p.or(depth + 1)
		if err != nil {
			return nil, err
		}
		if p.end() {
			return nil, p.fail(pos, "missing ')' for the '('")
		}
		p.i++ // and stops before ')' only
		return n, nil
	case r == '"':
		s, err := p.quoted()
		if err != nil {
			return nil, err
		}
		n := &node{kind: nodeWord, value: s, folded: fold(s), pos: pos}
		if n.folded == " " {
			return nil, p.fail(pos, "Quoted phrase has no words")
		}
		return n, nil
	case r == '#' || r == '@' || r == '$':
		p.i++
		word := p.run(wordRune)
		if word == "" {
			return nil, p.fail(pos, "no viable alternative at character '%c'", r)
		}
		return &node{kind: nodeOperator, op: string(r), value: word, folded: strings.ToLower(word), pos: pos}, p.boundary()
	}
	word := p.run(func(r rune) bool { return wordRune(r) || symbolRune(r) })
	if word == "" {
		return nil, p.fail(p.i+1, "no viable alternative at character %s", p.next())
	}
	if !p.end() && p.in[p.i] == ':' {
		p.i++
		return p.operator(strings.ToLower(word), pos)
	}
	n := &node{kind: nodeWord, value: word, folded: fold(word), pos: pos}
	if n.folded == " " {
		return nil, p.fail(pos, "no viable alternative at character '%c'", []rune(word)[0])
	}
	return n, p.boundary()
}

// boundary refuses a character that can't follow a word: words with punctuation
// want quotes.
func (p *parser) boundary() error {
	if p.end() || unicode.IsSpace(p.in[p.i]) || strings.ContainsRune("()\"", p.in[p.i]) {
		return nil
	}
	return p.fail(p.i+1, "no viable alternative at character %s", p.next())
}

func (p *parser) run(f func(rune) bool) string {
	start := p.i
	for !p.end() && f(p.in[p.i]) {
		p.i++
	}
	return string(p.in[start:p.i])
}

// quoted reads a phrase; a backslash takes the next character as it is.
func (p *parser) quoted() (string, error) {
	pos := p.i + 1
	p.i++
	var b strings.Builder
	for !p.end() {
		r := p.in[p.i]
		p.i++
		switch {
		case r == '"':
			return b.String(), nil
		case r == '\\' && !p.end():
			r = p.in[p.i]
			p.i++
		}
		b.WriteRune(r)
	}
	return "", p.fail(pos, "missing closing '\"' for the quoted phrase")
}

// operators are those with a colon, each with what its value may be.
var operators = map[string]func(string) bool{
	"from":            isAccount,
	"to":              isAccount,
	"url":             func(v string) bool { return v != "" },
	"conversation_id": isDigits,
	"lang":            isLanguage,
	"is":              oneOf("retweet", "reply", "quote", "verified"),
	"has":             oneOf("media", "images", "videos", "links", "hashtags", "mentions", "cashtags"),
}

func (p *parser) operator(name string, pos int) (*node, error) {
	valid, ok := operators[name]
	if !ok {
		return nil, p.fail(pos, "Reference to invalid operator '%s'. Operator is not available in current product or product packaging. "+
			"Please refer to complete available operator list at https://docs.x.com/x-api/posts/filtered-stream/integrate/operators", name)
	}
	var value string
	at := p.i + 1
	if !p.end() && p.in[p.i] == '"' {
		var err error
		if value, err = p.quoted(); err != nil {
			return nil, err
		}
	} else {
		value = p.run(func(r rune) bool { return !unicode.IsSpace(r) && !strings.ContainsRune("()\"", r) })
	}
	folded := strings.ToLower(value)
	if name == "from" || name == "to" {
		folded = strings.TrimPrefix(folded, "@")
	}
	if !valid(folded) {
		if name == "is" || name == "has" {
			return nil, p.fail(pos, "Reference to invalid operator '%s:%s'. Operator is not available in current product or product packaging", name, value)
		}
		return nil, p.fail(at, "Invalid value '%s' for operator '%s'", value, name)
	}
	return &node{kind: nodeOperator, op: name, value: value, folded: folded, pos: pos}, p.boundary()
}

func oneOf(values ...string) func(string) bool {
	return func(v string) bool {
		for _, w := range values {
			if v == w {
				return true
			}
		}
		return false
	}
}

func isDigits(v string) bool {
	return v != "" && strings.Trim(v, "0123456789") == ""
}

func isAccount(v string) bool {
	return v != "" && len(v) <= 20 && strings.Trim(v, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

func isLanguage(v string) bool {
	main, region, _ := strings.Cut(v, "-")
	return len(main) >= 2 && len(main) <= 3 && strings.Trim(v, "abcdefghijklmnopqrstuvwxyz-") == "" && len(region) <= 4
}

// stopWords can't make a rule by themselves.
var stopWords = func() map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq("a an and at but by com from http https if in is it its me my or rt the this to too via we www you") {
		m[" "+w+" "] = true
	}
	return m
}()

// standsAlone reports whether the rule can match only by a positive clause of
// its own: not a negation, a stop word, or an operator that only narrows others.
func (n *node) standsAlone() bool {
	switch n.kind {
	case nodeAnd:
		for _, c := range n.children {
			if c.standsAlone() {
				return true
			}
		}
		return false
	case nodeOr:
		for _, c := range n.children {
			if !c.standsAlone() {
				return false
			}
		}
		return true
	case nodeNot:
		return false
	case nodeOperator:
		return n.op != "lang" && n.op != "is" && n.op != "has"
	}
	return !stopWords[n.folded]
}

// first is the position of the first clause that can't stand alone.
func (n *node) first() int {
	for _, c := range n.children {
		if !c.standsAlone() {
			return c.first()
		}
	}
	return n.pos
}
