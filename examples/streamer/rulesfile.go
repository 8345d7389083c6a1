package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/internal/rulelang"
	"github.com/tweetstream-go/tweetstream/sources/xstream"
)

// declares are the flags that declare rules.
type declares struct {
	Tag   []string `sep:"none" placeholder:"WORD" help:"Look for this word and hashtag: the rule \"WORD OR #WORD\" under the tag WORD. Can be given again."`
	Rule  []string `sep:"none" placeholder:"TAG=VALUE" help:"Look for what this rule of X's says, under the tag. Can be given again."`
	Rules *string  `placeholder:"FILE" help:"Look for what the rules in this YAML file say, a list of {tag, value, note}. run reads it again on SIGHUP, and changes the rules of the stream as it goes on."`
}

// read returns all rules that are declared, each of them checked.
func (d *declares) read(s *settings) ([]tweetstream.Rule, error) {
	all, err := declared(d.Tag, d.Rule, s)
	if err != nil || d.Rules == nil {
		return all, err
	}
	tags := map[string]string{} // by value
	for _, r := range all {
		tags[r.Value] = r.Tag
	}
	rules, err := readRules(*d.Rules)
	if err != nil {
		return nil, usageError{fmt.Errorf("%s %w", s.Given("rules"), err)}
	}
	for _, r := range rules {
		switch tag, ok := tags[r.Value]; {
		case !ok:
			tags[r.Value] = r.Tag
			all = append(all, r.Rule)
		case tag != r.Tag:
			return nil, misuse("%s %s, line %d: the same rule has the tag %q already, and X keeps one rule of a value", s.Given("rules"), *d.Rules, r.line, tag)
		}
	}
	return all, nil
}

// given reports whether any rule is declared.
func (d *declares) given() bool { return len(d.Tag)+len(d.Rule) > 0 || d.Rules != nil }

// fileRule is a rule of a file.
type fileRule struct {
	tweetstream.Rule
	line int
}

// readRules reads a file of rules. The error joins all that is wrong with it, each
// with its line.
func readRules(path string) ([]fileRule, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
			err = pathErr.Err
		}
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	rules, err := parseRules(data)
	if err != nil {
		return nil, fmt.Errorf("%s, %w", path, err)
	}
	return rules, nil
}

// parseRules reads a YAML list of {tag, value, note}.
func parseRules(data []byte) ([]fileRule, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if len(doc.Content) == 0 || doc.Content[0].Kind == yaml.SequenceNode && len(doc.Content[0].Content) == 0 {
		return nil, errors.New("line 1: there is no rule: want a list of {tag, value, note}")
	}
	top := doc.Content[0]
	if top.Kind != yaml.SequenceNode {
		return nil, fmt.Errorf("line %d: want a list of {tag, value, note}", top.Line)
	}
	var rules []fileRule
	var errs []error
	for _, node := range top.Content {
		r, err := ruleOf(node)
		if err == nil {
			err = checkRule(r)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("line %d: %w", node.Line, err))
			continue
		}
		rules = append(rules, fileRule{r, node.Line})
	}
	return rules, errors.Join(errs...)
}

func ruleOf(node *yaml.Node) (r tweetstream.Rule, err error) {
	if node.Kind != yaml.MappingNode {
		return r, errors.New("want a rule of the form {tag: TAG, value: VALUE}")
	}
	given := map[string]bool{}
	for i := 0; i < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		switch {
		case key.Value != "tag" && key.Value != "value" && key.Value != "note":
			return r, fmt.Errorf("unknown key %.64q: want tag, value, note", key.Value)
		case given[key.Value]:
			return r, fmt.Errorf("%s is given twice", key.Value)
		case value.Kind != yaml.ScalarNode:
			return r, fmt.Errorf("%s: want one text", key.Value)
		case key.Value != "note" && value.Tag != "!!str":
			return r, fmt.Errorf("%s: want a text: put %.64s in quotes", key.Value, value.Value)
		case strings.HasPrefix(value.LineComment, "#") && !strings.HasPrefix(value.LineComment, "# "):
			// A rule such as cats #dogs would lose half of what it says.
			return r, fmt.Errorf("%s: what stands behind # is a comment in YAML: put the text in quotes", key.Value)
		}
		given[key.Value] = true
		switch text := strings.TrimSpace(strings.ReplaceAll(value.Value, "\n", " ")); key.Value {
		case "tag":
			r.Tag = text
		case "value":
			r.Value = text
		}
	}
	switch {
	case r.Tag == "":
		return r, errors.New("a rule has a tag, which its Posts bear")
	case r.Value == "":
		return r, fmt.Errorf("the rule with the tag %.64q has no value", r.Tag)
	case strings.ContainsFunc(r.Tag+r.Value, unicode.IsControl):
		return r, errors.New("has characters that no rule has")
	}
	return r, nil
}

// checkRule finds what no plan of X takes.
func checkRule(r tweetstream.Rule) error {
	_, err := rulelang.Check(r.Value)
	if e, ok := errors.AsType[*rulelang.Error](err); ok {
		return &xstream.RuleError{Rule: r, Detail: e.Error(), Pos: e.Pos}
	}
	return nil
}
