package xtest

import "github.com/tweetstream-go/tweetstream/internal/rulelang"

// ParseRule is for the fuzz target.
func ParseRule(value string) error {
	_, err := rulelang.Parse(value)
	return err
}

// MatchRule reports whether a rule that must be valid matches a text.
func MatchRule(value, text string) (bool, error) {
	n, err := rulelang.Parse(value)
	if err != nil {
		return false, err
	}
	return n.Matches(rulelang.NewDoc(text, rulelang.FindEntities(text))), nil
}

// ParseFaults is for the fuzz target.
func ParseFaults(script string) error {
	_, err := parseFaults(script)
	return err
}
