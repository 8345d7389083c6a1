package main

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/tweetstream-go/tweetstream/internal/rulelang"
	"github.com/tweetstream-go/tweetstream/sources/xstream"
)

// carets shows the place in each rule that an error is about; "" if there is none.
func carets(err error) string {
	var b strings.Builder
	for _, e := range ruleErrors(err) {
		if e.Pos > 0 {
			b.WriteString(caret(e.Rule.Value, e.Pos))
		}
	}
	return b.String()
}

// ruleErrors returns those that err is made of.
func ruleErrors(err error) (all []*xstream.RuleError) {
	if e, ok := err.(*xstream.RuleError); ok {
		return append(all, e)
	}
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		for _, part := range e.Unwrap() {
			all = append(all, ruleErrors(part)...)
		}
	case interface{ Unwrap() error }:
		all = ruleErrors(e.Unwrap())
	}
	return all
}

// doubts says what X may refuse of a rule, though it is not known for sure.
func doubts(tag, value string) string {
	found, err := rulelang.Check(value)
	if err != nil {
		return ""
	}
	var b strings.Builder
	for _, d := range found {
		fmt.Fprintf(&b, "The rule with the tag %q: %s\n%s", tag, d, caret(value, d.Pos))
	}
	return b.String()
}

// around is how much of a long rule is shown on either side of the place.
const around = 50

// caret shows a rule with a mark under the character at pos, which counts from 1.
func caret(value string, pos int) string {
	runes := []rune(value)
	at := min(max(pos-1, 0), len(runes))
	first, last := max(0, at-around), min(len(runes), at+around)
	before, after := string(runes[first:at]), string(runes[at:last])
	if first > 0 {
		before = "…" + before
	}
	if last < len(runes) {
		after += "…"
	}
	return fmt.Sprintf("    %s\n    %s^\n", printable(before+after), strings.Repeat(" ", columns(printable(before))))
}

// printable is a text of others that can't command the terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || unicode.IsPrint(r) || r == '\u200c' || r == '\u200d' {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

// columns returns how wide a terminal shows a text.
func columns(text string) (n int) {
	for _, r := range text {
		switch {
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul), r >= 0xff01 && r <= 0xff60, r >= 0x1f300 && r <= 0x1faff:
			n += 2
		default:
			n++
		}
	}
	return n
}
