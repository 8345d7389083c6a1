package main

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/tweetstream-go/tweetstream"
)

// declared returns the rules that --tag and --rule declare.
func declared(words, rules []string, s *settings) ([]tweetstream.Rule, error) {
	var all []tweetstream.Rule
	tags := map[string]string{} // by value
	add := func(r tweetstream.Rule, flag, text string) error {
		tag, ok := tags[r.Value]
		switch {
		case !ok:
			tags[r.Value] = r.Tag
			all = append(all, r)
		case tag != r.Tag:
			return misuse("%s %q: the same rule has the tag %q already, and X keeps one rule of a value", s.Given(flag), text, tag)
		}
		return nil
	}
	for _, word := range words {
		if err := checkWord(word); err != nil {
			return nil, misuse("%s %q: %w", s.Given("tag"), word, err)
		}
		if err := add(tweetstream.Rule{Tag: word, Value: word + " OR #" + word}, "tag", word); err != nil {
			return nil, err
		}
	}
	for _, text := range rules {
		r, err := parseRule(text)
		if err == nil {
			err = checkRule(r)
		}
		if err != nil {
			return nil, misuse("%s %q: %w", s.Given("rule"), text, err)
		}
		if err := add(r, "rule", text); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// parseRule reads TAG=VALUE.
func parseRule(text string) (tweetstream.Rule, error) {
	tag, value, ok := strings.Cut(text, "=")
	r := tweetstream.Rule{Tag: strings.TrimSpace(tag), Value: strings.TrimSpace(value)}
	switch {
	case !ok || r.Tag == "" || r.Value == "":
		return r, errors.New("want TAG=VALUE, as in cats='cats OR #cats lang:en'")
	case strings.ContainsFunc(text, unicode.IsControl):
		return r, errors.New("has characters that no rule has")
	}
	return r, nil
}

// checkWord refuses what is no plain word, and so would be no hashtag, or a rule
// that means something else.
func checkWord(word string) error {
	letters := false
	runes := []rune(word)
	for i, r := range runes {
		switch {
		case unicode.IsLetter(r):
			letters = true
		case unicode.IsDigit(r), unicode.IsMark(r) && i > 0, r == '_':
		case (r == '\u200c' || r == '\u200d') && i > 0 && i < len(runes)-1:
			// The joiners stand in words of Persian and of Indian languages.
		default:
			return noWord(word)
		}
	}
	if !letters || word == "OR" || word == "AND" || word == "NOT" {
		return noWord(word)
	}
	return nil
}

func noWord(word string) error {
	if bare := strings.TrimLeft(word, "#@$"); bare != word && strings.HasPrefix(word, "#") && checkWord(bare) == nil {
		return fmt.Errorf("a WORD stands without #: --tag %s looks for the word and the hashtag", bare)
	}
	return errors.New("no plain word of letters and digits: use --rule TAG=VALUE for anything else")
}
