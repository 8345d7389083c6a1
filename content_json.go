package tweetstream

import (
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deep values may lie in each other, as in encoding/json.
const maxDepth = 10_000

// parser reads JSON into objects and lists. It takes, refuses and understands what
// encoding/json does, by way of which Content took three times as long: it reads
// each byte twice, and makes a map of each object and a string of each text.
type parser struct {
	s     string
	i     int
	depth int
	stack []field // of the objects and lists that are not at their end yet
	space []field // in which those stand that are
}

// parsers are kept for their stack and space: what a message holds would else be a
// third of all that the decoding of it allocates.
var parsers = sync.Pool{New: func() any { return &parser{stack: make([]field, 0, 64), space: make([]field, 0, 256)} }}

// maxKept is how many fields the space of a parser has that is kept.
const maxKept = 1024

// free ends the use of all that the parser has returned, but for the strings.
func (p *parser) free() {
	if cap(p.stack) > maxKept || cap(p.space) > maxKept {
		return
	}
	clear(p.stack[:cap(p.stack)])
	clear(p.space)
	*p = parser{stack: p.stack[:0], space: p.space[:0]}
	parsers.Put(p)
}

// parse returns the object that raw is; false if it is none, or no JSON.
func (p *parser) parse(raw []byte) (object, bool) {
	if !utf8.Valid(raw) {
		raw = []byte(string([]rune(string(raw)))) // each byte that is wrong becomes U+FFFD
	}
	p.s = string(raw)
	p.skipSpace()
	v, ok := p.value()
	p.skipSpace()
	return v.fields, ok && v.kind == isObject && p.i == len(p.s)
}

func (p *parser) skipSpace() {
	for p.i < len(p.s) {
		switch p.s[p.i] {
		case ' ', '\t', '\n', '\r':
			p.i++
		default:
			return
		}
	}
}

// next is the next byte, or 0 at the end.
func (p *parser) next() byte {
	if p.i < len(p.s) {
		return p.s[p.i]
	}
	return 0
}

func (p *parser) value() (v value, ok bool) {
	switch c := p.next(); c {
	case '"':
		v.kind = isString
		v.text, ok = p.string()
		return v, ok
	case '{', '[':
		v.kind = isObject
		if c == '[' {
			v.kind = isList
		}
		v.fields, ok = p.members(c)
		return v, ok
	case 't':
		return value{kind: isTrue}, p.word("true")
	case 'f', 'n':
		return value{}, p.word("false") || p.word("null")
	}
	v.kind = isNumber
	v.text, ok = p.number()
	return v, ok
}

func (p *parser) word(w string) bool {
	if !strings.HasPrefix(p.s[p.i:], w) {
		return false
	}
	p.i += len(w)
	return true
}

// members reads an object or a list. The elements of a list are fields without a
// key.
func (p *parser) members(open byte) ([]field, bool) {
	p.i++
	if p.depth++; p.depth > maxDepth {
		return nil, false
	}
	closing, first := open+2, len(p.stack) // "[" and "]", "{" and "}" are two apart
	if p.skipSpace(); p.next() == closing {
		p.i++
		p.depth--
		return nil, true
	}
	for {
		var f field
		var ok bool
		if open == '{' {
			if p.next() != '"' {
				return nil, false
			}
			if f.key, ok = p.string(); !ok {
				return nil, false
			}
			if p.skipSpace(); p.next() != ':' {
				return nil, false
			}
			p.i++
			p.skipSpace()
		}
		if f.value, ok = p.value(); !ok {
			return nil, false
		}
		p.stack = append(p.stack, f)
		p.skipSpace()
		c := p.next()
		p.i++
		if c == closing {
			break
		}
		if c != ',' {
			return nil, false
		}
		p.skipSpace()
	}
	p.depth--
	n := len(p.stack) - first
	if cap(p.space)-len(p.space) < n {
		p.space = make([]field, 0, max(n, 2*cap(p.space)))
	}
	at := len(p.space)
	p.space = append(p.space, p.stack[first:]...)
	p.stack = p.stack[:first]
	return p.space[at : at+n : at+n], true
}

// number reads -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
func (p *parser) number() (string, bool) {
	begin := p.i
	if p.next() == '-' {
		p.i++
	}
	if p.next() == '0' {
		p.i++
	} else if !p.digits() {
		return "", false
	}
	if p.next() == '.' {
		if p.i++; !p.digits() {
			return "", false
		}
	}
	if c := p.next(); c == 'e' || c == 'E' {
		p.i++
		if c := p.next(); c == '+' || c == '-' {
			p.i++
		}
		if !p.digits() {
			return "", false
		}
	}
	return p.s[begin:p.i], true
}

func (p *parser) digits() bool {
	begin := p.i
	for c := p.next(); '0' <= c && c <= '9'; c = p.next() {
		p.i++
	}
	return p.i > begin
}

// string reads a string, whose bytes it shares unless there are escapes in it.
func (p *parser) string() (string, bool) {
	begin := p.i + 1
	for i := begin; i < len(p.s); i++ {
		switch c := p.s[i]; {
		case c == '"':
			p.i = i + 1
			return p.s[begin:i], true
		case c == '\\':
			return p.escaped(begin, i)
		case c < ' ':
			return "", false
		}
	}
	return "", false
}

// escaped reads on in a string at its first backslash.
func (p *parser) escaped(begin, i int) (string, bool) {
	b := append(make([]byte, 0, i-begin+64), p.s[begin:i]...)
	for i < len(p.s) {
		c := p.s[i]
		i++
		switch {
		case c == '"':
			p.i = i
			return string(b), true
		case c < ' ':
			return "", false
		case c != '\\':
			b = append(b, c)
			continue
		case i == len(p.s):
			return "", false
		}
		c = p.s[i]
		i++
		switch c {
		case '"', '\\', '/':
			b = append(b, c)
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'u':
			r := hex4(p.s[i:])
			if r < 0 {
				return "", false
			}
			i += 4
			if utf16.IsSurrogate(r) {
				// A half by itself is U+FFFD, and what follows it stands for itself.
				low := rune(-1)
				if strings.HasPrefix(p.s[i:], `\u`) {
					low = hex4(p.s[i+2:])
				}
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					i += 6
				}
			}
			b = utf8.AppendRune(b, r)
		default:
			return "", false
		}
	}
	return "", false
}

// hex4 returns the number that s begins with, or -1.
func hex4(s string) rune {
	if len(s) < 4 {
		return -1
	}
	var r rune
	for _, c := range []byte(s[:4]) {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}
