package xtest

// ParseRule is for the fuzz target.
func ParseRule(value string) error {
	_, err := parseRule(value)
	return err
}

// MatchRule reports whether a rule that must be valid matches a text.
func MatchRule(value, text string) (bool, error) {
	n, err := parseRule(value)
	if err != nil {
		return false, err
	}
	return n.matches(newDoc(text, findEntities(text))), nil
}

// ParseFaults is for the fuzz target.
func ParseFaults(script string) error {
	_, err := parseFaults(script)
	return err
}
