// Package rulelang reads X's rules, and tells which Posts they match, as far as
// that can be known outside of X. The simulator goes by it, and so does what is
// checked of a rule before it is sent.
package rulelang

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// How many characters a rule of the stream may have, by the plan.
const (
	MaxPayPerUse  = 1024
	MaxEnterprise = 2048
)

// Error is what is wrong with a rule.
type Error struct {
	Message string
	Pos     int // of the character, from 1
}

func (e *Error) Error() string { return fmt.Sprintf("%s (at position %d)", e.Message, e.Pos) }

// Kind is what a Node is.
type Kind int

const (
	And      Kind = iota // of its children
	Or                   // of its children
	Not                  // of its one child
	Word                 // a word or a phrase
	Operator             // such as lang:en
)

// Node is a rule, or a part of it.
type Node struct {
	Kind     Kind
	Children []*Node
	Op       string // "#", "@", "$", or the name before the colon
	Value    string // as written, without quotes
	Folded   string // for comparing
	Pos      int

	near bool // a phrase whose words need only be near each other
}

// Parse reads a rule of the operators that the simulator has. The error is an
// *Error.
//
//	or    = and { "OR" and }
//	and   = unary { unary }
//	unary = [ "-" ] ( "(" or ")" | phrase | operator | word )
func Parse(value string) (*Node, error) {
	p := parser{in: []rune(value)}
	n, err := p.rule(value)
	if err != nil {
		return nil, err
	}
	if !n.standsAlone() {
		return nil, p.fail(n.first(), noPositive)
	}
	return n, nil
}

const noPositive = "Rules must contain at least one positive, non-stopword clause"

func (p *parser) rule(value string) (*Node, error) {
	p.space()
	if p.end() {
		return nil, p.fail(1, "Rule must not be empty")
	}
	if !utf8.ValidString(value) {
		return nil, p.fail(utf8.RuneCountInString(value[:strings.IndexRune(value, utf8.RuneError)])+1, "Rule is not valid UTF-8")
	}
	n, err := p.or(0)
	if err != nil {
		return nil, err
	}
	if !p.end() { // only a parenthesis ends a rule early
		return nil, p.fail(p.i+1, "extraneous input ')' expecting <EOF>")
	}
	return n, nil
}

// maxDepth bounds the parentheses within each other.
const maxDepth = 100

type parser struct {
	in []rune
	i  int

	lenient bool // what X may know, though it is not known here, is a doubt
	doubts  []*Error
	not     bool // what is read stands behind a "-"
}

// doubt notes what X may refuse. It reports whether the parser goes on.
func (p *parser) doubt(pos int, format string, args ...any) bool {
	if p.lenient {
		p.doubts = append(p.doubts, &Error{fmt.Sprintf(format, args...), pos})
	}
	return p.lenient
}

func (p *parser) fail(pos int, format string, args ...any) error {
	return &Error{fmt.Sprintf(format, args...), pos}
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

func (p *parser) or(depth int) (*Node, error) {
	n := &Node{Kind: Or, Pos: p.i + 1}
	for {
		child, err := p.and(depth)
		if err != nil {
			return nil, err
		}
		n.Children = append(n.Children, child)
		if p.end() || !p.isOr() {
			break
		}
		p.i += len("OR")
	}
	if len(n.Children) == 1 {
		return n.Children[0], nil
	}
	return n, nil
}

func (p *parser) and(depth int) (*Node, error) {
	n := &Node{Kind: And, Pos: p.i + 1}
	for {
		p.space()
		if p.end() || p.in[p.i] == ')' || p.isOr() {
			break
		}
		child, err := p.unary(depth)
		if err != nil {
			return nil, err
		}
		n.Children = append(n.Children, child)
	}
	switch len(n.Children) {
	case 0:
		return nil, p.fail(p.i+1, "missing operand at %s", p.next())
	case 1:
		return n.Children[0], nil
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

func (p *parser) unary(depth int) (*Node, error) {
	pos := p.i + 1
	not := p.in[p.i] == '-'
	if not {
		p.i++
		if p.end() {
			return nil, p.fail(pos, "no viable alternative at character '-'")
		}
	}
	p.not = not
	n, err := p.primary(depth)
	if err != nil {
		return nil, err
	}
	if not {
		if n.Kind == And || n.Kind == Or {
			p.doubt(pos, "X wants no group negated: put a - before each of its parts")
		}
		n = &Node{Kind: Not, Children: []*Node{n}, Pos: pos}
	}
	return n, nil
}

func (p *parser) primary(depth int) (*Node, error) {
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
		n := &Node{Kind: Word, Value: s, Folded: Fold(s), Pos: pos}
		if n.Folded == " " && (strings.TrimSpace(s) == "" || !p.doubt(pos, "there is no letter or digit in this phrase")) {
			return nil, p.fail(pos, "Quoted phrase has no words")
		}
		n.near = p.proximity()
		return n, nil
	case r == '#' || r == '@' || r == '$':
		p.i++
		word := p.run(WordRune)
		if word == "" {
			if p.doubt(pos, "no word follows '%c'", r) {
				return p.odd(pos), nil
			}
			return nil, p.fail(pos, "no viable alternative at character '%c'", r)
		}
		return &Node{Kind: Operator, Op: string(r), Value: word, Folded: strings.ToLower(word), Pos: pos}, p.boundary()
	}
	word := p.run(func(r rune) bool { return WordRune(r) || symbolRune(r) })
	if word == "" {
		if !p.end() && !strings.ContainsRune(")", p.in[p.i]) && !unicode.IsSpace(p.in[p.i]) && p.doubt(p.i+1, "a word does not begin with %s: put quotes around what has punctuation", p.next()) {
			return p.odd(pos), nil
		}
		return nil, p.fail(p.i+1, "no viable alternative at character %s", p.next())
	}
	if !p.end() && p.in[p.i] == ':' {
		p.i++
		return p.operator(strings.ToLower(word), pos)
	}
	switch word {
	case "AND", "NOT", "or":
		p.doubt(pos, "%s is taken for a word: in rules a space means and, OR is written in capitals, and - means not", word)
	}
	n := &Node{Kind: Word, Value: word, Folded: Fold(word), Pos: pos}
	if n.Folded == " " && !p.doubt(pos, "there is no letter or digit in this word") {
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
	if p.doubt(p.i+1, "a word has no %s in it: put quotes around what has punctuation", p.next()) {
		p.odd(p.i)
		return nil
	}
	return p.fail(p.i+1, "no viable alternative at character %s", p.next())
}

// odd takes what stands up to the next space or parenthesis for a word.
func (p *parser) odd(pos int) *Node {
	word := p.run(func(r rune) bool { return !unicode.IsSpace(r) && !strings.ContainsRune("()\"", r) })
	return &Node{Kind: Word, Value: word, Folded: Fold(word), Pos: pos}
}

// proximity passes by what may follow a phrase, as in "social media"~5.
func (p *parser) proximity() bool {
	if !p.lenient || p.end() || p.in[p.i] != '~' {
		return false
	}
	p.i++
	pos := p.i + 1
	n := p.run(func(r rune) bool { return '0' <= r && r <= '9' })
	if len(n) != 1 || n[0] < '1' || n[0] > '6' {
		p.doubt(pos, "X takes ~1 to ~6 behind a phrase")
	}
	return true
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

func (p *parser) operator(name string, pos int) (*Node, error) {
	o := operators[name]
	if o.value == nil && p.lenient {
		return p.foreign(name, pos)
	}
	if o.value == nil {
		return nil, p.invalid(name, pos)
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
	if folded == "" && p.lenient {
		return nil, p.fail(at, "nothing follows %s:", name)
	}
	if !o.value(folded) && !p.doubt(at, "%q may be no value for %s:", value, name) {
		if name == "is" || name == "has" {
			return nil, p.fail(pos, "Reference to invalid operator '%s:%s'. Operator is not available in current product or product packaging", name, value)
		}
		return nil, p.fail(at, "Invalid value '%s' for operator '%s'", value, name)
	}
	if sign := name + ":" + folded; sign == "is:nullcast" && !p.not && !p.doubt(pos, "is:nullcast is to be negated") {
		return nil, p.fail(pos, "The operator 'is:nullcast' must be negated")
	}
	if p.not && o.positive && !p.doubt(pos, "%s: can't be negated", name) {
		return nil, p.fail(pos, "The operator '%s' can not be negated", name)
	}
	return &Node{Kind: Operator, Op: name, Value: value, Folded: folded, Pos: pos}, p.boundary()
}

// invalid is X's error for an operator that it does not know there.
func (p *parser) invalid(name string, pos int) error {
	return p.fail(pos, "Reference to invalid operator '%s'. Operator is not available in current product or product packaging. "+
		"Please refer to complete available operator list at https://docs.x.com/x-api/posts/filtered-stream/integrate/operators", name)
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
func (n *Node) standsAlone() bool {
	switch n.Kind {
	case And:
		for _, c := range n.Children {
			if c.standsAlone() {
				return true
			}
		}
		return false
	case Or:
		for _, c := range n.Children {
			if !c.standsAlone() {
				return false
			}
		}
		return true
	case Not:
		return false
	case Operator:
		o, known := operators[n.Op]
		return o.alone || !known
	}
	return !stopWords[n.Folded]
}

// first is the position of the first clause that can't stand alone.
func (n *Node) first() int {
	for _, c := range n.Children {
		if !c.standsAlone() {
			return c.first()
		}
	}
	return n.Pos
}
