package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sources/xstream"
)

// declaredRules are the flags of the commands that compare rules with those at X.
type declaredRules struct {
	declares
	Prune *string `placeholder:"PREFIX" help:"Delete the rules at X that are not declared and whose tag begins with PREFIX."`
}

type rulesDiffCmd struct {
	declaredRules
	JSON bool `name:"json" help:"Write one JSON object instead."`
}

type rulesSyncCmd struct{ declaredRules }

// errDiffers is the verdict of a diff. It is no failure, and nothing is said of it.
var errDiffers = errors.New("the rules differ")

// source returns a source with the rules declared, and these.
func (c *declaredRules) source(ctx context.Context, common *common, s *settings, con *console) (*xstream.Source, []tweetstream.Rule, error) {
	if !c.given() {
		return nil, nil, misuse("no rules are declared: give --rules FILE, --tag or --rule")
	}
	if c.Prune != nil && *c.Prune == "" {
		return nil, nil, misuse("--prune: the PREFIX is empty, and would stand for every rule, of other programs too")
	}
	rules, err := c.read(s)
	if err != nil {
		return nil, nil, err
	}
	opts := []xstream.Option{xstream.Rules(rules...)}
	if c.Prune != nil {
		opts = append(opts, xstream.Prune(*c.Prune))
	}
	common.LogLevel = "error" // what the log would say, the command says by itself
	source, err := common.rulesSource(ctx, s, con, opts...)
	return source, rules, err
}

// Run is called by kong.
func (c *rulesDiffCmd) Run(ctx context.Context, common *common, s *settings, con *console) error {
	source, rules, err := c.source(ctx, common, s, con)
	if err != nil {
		return err
	}
	diff, err := source.DiffRules(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		err = writeDiffJSON(diff)
	} else {
		err = writeDiff(diff, rules, con)
	}
	if err == nil && len(diff.Add)+len(diff.Delete) > 0 {
		return errDiffers
	}
	return err
}

// Run is called by kong.
func (c *rulesSyncCmd) Run(ctx context.Context, common *common, s *settings, con *console) error {
	source, rules, err := c.source(ctx, common, s, con)
	if err != nil {
		return err
	}
	diff, err := source.DiffRules(ctx)
	if err != nil {
		return err
	}
	if err := writeDiff(diff, rules, con); err != nil || len(diff.Add)+len(diff.Delete) == 0 {
		return err
	}
	if err := source.SyncRules(ctx); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	fmt.Fprintln(con, "Done. X goes by the rules in some 20 s.")
	return nil
}

// writeDiff shows what is to be done, one rule a line, and sums it up.
func writeDiff(diff xstream.RuleDiff, rules []tweetstream.Rule, con *console) error {
	t := newTable(os.Stdout)
	for _, r := range diff.Add {
		t.row("+", r.Tag, r.Value)
	}
	for _, r := range diff.Delete {
		t.row("-", r.Tag, r.Value, "(id "+r.ID+")")
	}
	for _, r := range diff.Undeclared {
		note := "not declared: stays, and its Posts are billed"
		if i := slices.IndexFunc(rules, func(d tweetstream.Rule) bool { return d.Value == r.Value }); i >= 0 {
			note = fmt.Sprintf("declared with the tag %q: delete it, or prune its tag, to change that", rules[i].Tag)
		}
		t.row("!", r.Tag, r.Value, "(id "+r.ID+") "+note)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, r := range diff.Add {
		fmt.Fprint(con, doubts(r.Tag, r.Value))
	}
	if len(diff.Add)+len(diff.Delete) == 0 {
		fmt.Fprintln(con, "The rules are in line.")
		return nil
	}
	fmt.Fprintf(con, "%d to add, %d to delete.\n", len(diff.Add), len(diff.Delete))
	return nil
}

func writeDiffJSON(diff xstream.RuleDiff) error {
	type rule struct {
		ID    string `json:"id,omitempty"`
		Tag   string `json:"tag"`
		Value string `json:"value"`
	}
	list := func(rules []tweetstream.Rule) []rule {
		all := []rule{}
		for _, r := range rules {
			all = append(all, rule{r.ID, r.Tag, r.Value})
		}
		return all
	}
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	return out.Encode(struct {
		Add        []rule `json:"add"`
		Delete     []rule `json:"delete"`
		Undeclared []rule `json:"undeclared"`
	}{list(diff.Add), list(diff.Delete), list(diff.Undeclared)})
}
