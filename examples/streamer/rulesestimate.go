package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sources/xstream"
)

type rulesEstimateCmd struct {
	declares
	Yes  bool `help:"Ask X, and pay for it. Without it, only what that costs is said."`
	JSON bool `name:"json" help:"Write one JSON object a line instead of a table."`
}

// What X bills on pay-per-use, in dollars.
const (
	pricePost  = 0.005
	priceCount = 0.005
)

// maxQuery is how many characters X takes for a count.
const maxQuery = 512

// estimate is what a rule would bring.
type estimate struct {
	rule tweetstream.Rule
	day  float64 // Posts a day
	err  error
}

// Run is called by kong.
func (c *rulesEstimateCmd) Run(ctx context.Context, common *common, s *settings, con *console) error {
	if !c.given() {
		return misuse("no rules are declared: give --rules FILE, --tag or --rule")
	}
	rules, err := c.read(s)
	if err != nil {
		return err
	}
	ask := 0
	for _, r := range rules {
		if utf8.RuneCountInString(r.Value) <= maxQuery {
			ask++
		}
	}
	price := fmt.Sprintf("%s at $%.3f: $%.3f", plural(ask, "request"), priceCount, float64(ask)*priceCount)
	if !c.Yes {
		return misuse("X is not asked yet, for it bills that (%s): give --yes too", price)
	}
	fmt.Fprintf(con, "Asking X: %s.\n", price)
	source, err := common.rulesSource(ctx, s, con)
	if err != nil {
		return err
	}
	var all []estimate
	var failed error
	for _, r := range rules {
		e := estimate{rule: r}
		if n := utf8.RuneCountInString(r.Value); n > maxQuery {
			e.err = fmt.Errorf("has %d characters, and X counts for %d at most", n, maxQuery)
		} else if e.day, e.err = postsADay(ctx, source, r.Value); e.err != nil {
			// What is not about this rule would be the same for the next, and billed.
			if answer, ok := errors.AsType[*xstream.Error](e.err); !ok || answer.Status != 400 {
				failed = e.err
				break
			}
		}
		all = append(all, e)
	}
	if c.JSON {
		err = writeEstimatesJSON(all)
	} else {
		err = writeEstimates(all, con)
	}
	return errors.Join(err, failed)
}

func postsADay(ctx context.Context, source *xstream.Source, query string) (float64, error) {
	count, err := source.CountRecent(ctx, query)
	if err != nil {
		return 0, err
	}
	return float64(count.Posts) * float64(24*time.Hour) / float64(count.Until.Sub(count.Since)), nil
}

func writeEstimates(all []estimate, con *console) error {
	t := newTable(os.Stdout, "TAG", "POSTS A DAY", "$ A DAY", "$ IN 30 DAYS", "")
	sum, unknown := 0.0, 0
	row := func(name string, day float64) {
		t.row(name, posts(day), fmt.Sprintf("%.2f", day*pricePost), fmt.Sprintf("%.2f", 30*day*pricePost))
	}
	for _, e := range all {
		if e.err != nil {
			unknown++
			t.row(e.rule.Tag, "-", "-", "-", strings.ReplaceAll(e.err.Error(), "\n", "; "))
			continue
		}
		row(e.rule.Tag, e.day)
		sum += e.day
	}
	if len(all)-unknown > 1 {
		row("(all)", sum)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if len(all) > unknown {
		fmt.Fprintf(con, "Of the last 7 days, at $%.3f a Post. A Post that several rules match is billed once, so all may be less.\n", pricePost)
	}
	return nil
}

// posts is a number of Posts a day as the table shows it.
func posts(day float64) string {
	if day > 0 && day < 10 {
		return fmt.Sprintf("%.1f", day)
	}
	return thousands(int64(day + 0.5))
}

// thousands writes a number with commas.
func thousands(n int64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func writeEstimatesJSON(all []estimate) error {
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for _, e := range all {
		line := struct {
			Tag   string   `json:"tag"`
			Value string   `json:"value"`
			Day   *float64 `json:"posts_a_day,omitempty"`
			Price *float64 `json:"dollars_a_day,omitempty"`
			Error string   `json:"error,omitempty"`
		}{Tag: e.rule.Tag, Value: e.rule.Value}
		if e.err != nil {
			line.Error = e.err.Error()
		} else {
			price := e.day * pricePost
			line.Day, line.Price = &e.day, &price
		}
		if err := out.Encode(line); err != nil {
			return err
		}
	}
	return nil
}
