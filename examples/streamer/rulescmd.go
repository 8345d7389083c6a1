package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sources/xstream"
)

// rulesCmd sees to the rules at X.
type rulesCmd struct {
	List     rulesListCmd     `cmd:"" help:"List all rules at X, whoever has put them there."`
	Add      rulesAddCmd      `cmd:"" help:"Add rules."`
	Delete   rulesDeleteCmd   `cmd:"" help:"Delete rules."`
	Diff     rulesDiffCmd     `cmd:"" help:"Show what sync would add and delete. The exit code is 3 if there is anything."`
	Sync     rulesSyncCmd     `cmd:"" help:"Add the rules that are declared and not at X; with --prune, delete others."`
	Test     rulesTestCmd     `cmd:"" help:"Try rules on an archive, without asking X, and count what each matches."`
	Estimate rulesEstimateCmd `cmd:"" help:"Ask X how many Posts a day each rule would bring, and what they cost. Each question costs $0.005."`
}

type rulesListCmd struct {
	JSON bool `name:"json" help:"Write one JSON object a line instead of a table."`
}

type rulesAddCmd struct {
	Rules []string `arg:"" name:"TAG=VALUE" help:"A tag, and what the rule looks for, as in cats='cats OR #cats lang:en'."`
}

type rulesDeleteCmd struct {
	IDs []string `arg:"" name:"ID" help:"The id of a rule, as list shows it."`
}

// rulesSource returns a source that is not streamed from.
func (c *common) rulesSource(ctx context.Context, s *settings, con *console, opts ...xstream.Option) (*xstream.Source, error) {
	logger := c.logger(con)
	token, err := c.token(ctx, s, logger, slog.LevelDebug)
	if err != nil {
		return nil, err
	}
	source, err := xstream.New(token, append(opts, xstream.BaseURL(c.APIURL), xstream.Logger(logger))...)
	if err != nil {
		return nil, usageError{err}
	}
	return source, nil
}

// Run is called by kong.
func (c *rulesListCmd) Run(ctx context.Context, common *common, s *settings, con *console) error {
	source, err := common.rulesSource(ctx, s, con)
	if err != nil {
		return err
	}
	rules, err := source.ListRules(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		out := json.NewEncoder(os.Stdout)
		out.SetEscapeHTML(false)
		for _, r := range rules {
			err := out.Encode(struct {
				ID    string `json:"id"`
				Tag   string `json:"tag"`
				Value string `json:"value"`
			}{r.ID, r.Tag, r.Value})
			if err != nil {
				return err
			}
		}
		return nil
	}
	if len(rules) == 0 {
		fmt.Fprintln(con, "There are no rules.")
		return nil
	}
	t := newTable(os.Stdout, "ID", "TAG", "VALUE")
	for _, r := range rules {
		t.row(r.ID, r.Tag, r.Value)
	}
	return t.Flush()
}

// Run is called by kong.
func (c *rulesAddCmd) Run(ctx context.Context, common *common, s *settings, con *console) error {
	var rules []tweetstream.Rule
	for _, text := range c.Rules {
		r, err := parseRule(text)
		if err != nil {
			return misuse("%q: %w", text, err)
		}
		rules = append(rules, r)
	}
	source, err := common.rulesSource(ctx, s, con)
	if err != nil {
		return err
	}
	there, err := source.ListRules(ctx)
	if err != nil {
		return err
	}
	added, err := source.AddRules(ctx, rules...)
	t := newTable(os.Stdout, "ID", "TAG", "VALUE", "")
	rows := len(added)
	for _, r := range added {
		t.row(r.ID, r.Tag, r.Value, "added")
	}
	for _, r := range rules {
		i := slices.IndexFunc(there, func(old tweetstream.Rule) bool { return old.Value == r.Value })
		if i < 0 {
			continue
		}
		old := there[i]
		t.row(old.ID, old.Tag, old.Value, "was there")
		rows++
		if old.Tag != r.Tag {
			err = errors.Join(err, fmt.Errorf("the rule %s is there under the tag %q, and X can't change a tag: delete it, then add it", old.ID, old.Tag))
		}
	}
	if rows == 0 {
		return err
	}
	return errors.Join(t.Flush(), err)
}

// Run is called by kong.
func (c *rulesDeleteCmd) Run(ctx context.Context, common *common, s *settings, con *console) error {
	for _, id := range c.IDs {
		if strings.Trim(id, "0123456789") != "" || id == "" {
			return misuse("%q is no id of a rule: rules list shows them", id)
		}
	}
	source, err := common.rulesSource(ctx, s, con)
	if err != nil {
		return err
	}
	if err := source.DeleteRules(ctx, c.IDs...); err != nil {
		return err
	}
	fmt.Printf("deleted: %s\n", strings.Join(c.IDs, " "))
	return nil
}

// table writes rows in columns.
type table struct{ *tabwriter.Writer }

func newTable(w io.Writer, head ...string) table {
	t := table{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	if len(head) > 0 {
		t.row(head...)
	}
	return t
}

// row writes one row, in which texts of others can't command the terminal.
func (t table) row(cells ...string) {
	for i, cell := range cells {
		cells[i] = printable(cell)
	}
	fmt.Fprintln(t, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
}
