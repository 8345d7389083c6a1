package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sources/xstream"
)

// checkCmd looks whether run would work. It has all the flags of run.
type checkCmd struct {
	runCmd
	JSON bool `name:"json" help:"Write one JSON object instead."`
}

// errChecked is the verdict of a check that has failed. It was said already.
var errChecked = errors.New("the check has failed")

// verdict is how a part of the check came out.
type verdict string

const (
	ok   verdict = "ok"
	warn verdict = "warn"
	fail verdict = "fail"
)

// finding is one line of a check.
type finding struct {
	Verdict verdict `json:"verdict"`
	What    string  `json:"what"`
	Text    string  `json:"text"`
	Action  string  `json:"action,omitempty"` // what to do next
}

// report is all that a check has found.
type report struct {
	Findings []finding `json:"findings"`
	Would    []string  `json:"would"` // what run would do
	OK       bool      `json:"ok"`
}

func (r *report) add(v verdict, what, text, action string) {
	r.Findings = append(r.Findings, finding{v, what, strings.ReplaceAll(text, "\n", "; "), action})
}

// would notes what run would do.
func (r *report) would(format string, args ...any) {
	r.Would = append(r.Would, fmt.Sprintf(format, args...))
}

// Run is called by kong.
func (c *checkCmd) Run(ctx context.Context, common *common, s *settings, con *console) error {
	rules, targets, err := c.check(s)
	if err != nil {
		return err
	}
	var r report
	source, err := c.source(ctx, common, s, rules)
	switch {
	case errors.As(err, new(usageError)):
		return err
	case err != nil:
		r.add(fail, "token", err.Error(), "")
	default:
		c.checkX(ctx, &r, source, rules)
	}
	for _, t := range targets {
		checkTarget(ctx, &r, t)
	}
	c.checkKeeps(ctx, &r)
	if len(targets) > 0 {
		var names []string
		for _, t := range targets {
			names = append(names, t.name)
		}
		r.would("hand each Post to %s", strings.Join(names, ", "))
	}
	c.sayKeeps(&r)
	r.OK = true
	for _, f := range r.Findings {
		r.OK = r.OK && f.Verdict != fail
	}
	if c.JSON {
		out := json.NewEncoder(os.Stdout)
		out.SetEscapeHTML(false)
		err = out.Encode(r)
	} else {
		err = r.write()
	}
	if err == nil && !r.OK {
		return errChecked
	}
	return err
}

// source returns the source that run would have. Its log would say what the check
// says.
func (c *checkCmd) source(ctx context.Context, common *common, s *settings, rules []tweetstream.Rule) (*xstream.Source, error) {
	silent := slog.New(slog.DiscardHandler)
	opts, err := c.sourceOptions(common, s, rules, silent)
	if err != nil {
		return nil, err
	}
	token, err := common.token(ctx, s, silent, slog.LevelDebug)
	if err != nil {
		return nil, err
	}
	source, err := xstream.New(token, opts...)
	if err != nil {
		return nil, usageError{err}
	}
	return source, nil
}

// checkX asks X what costs nothing.
func (c *checkCmd) checkX(ctx context.Context, r *report, source *xstream.Source, rules []tweetstream.Rule) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	diff, err := source.DiffRules(ctx)
	if err != nil {
		what, action := "X", "look at the network and --api-url"
		if answer, isAnswer := errors.AsType[*xstream.Error](err); isAnswer {
			what, action = "token", "" // the error has it
			if answer.Status != 401 && answer.Status != 403 {
				what = "X"
			}
		}
		r.add(fail, what, err.Error(), action)
		return
	}
	r.add(ok, "token", "it is there, and X takes it", "")
	if c.Stream == "sample" {
		r.would("read the sampled stream, 1 %% of all Posts, each of them billed")
	} else {
		c.checkRules(ctx, r, source, diff, rules)
	}
	c.sayMoney(r, source.Stats().Budget)
	c.checkConnections(ctx, r, source)
	checkUsage(ctx, r, source)
}

// sayMoney notes what run may spend.
func (c *checkCmd) sayMoney(r *report, budget xstream.Reads) {
	costs := func(posts int) string {
		return fmt.Sprintf("%s Posts (%s)", thousands(int64(posts)), dollars(float64(posts)*c.Price))
	}
	if budget.Day > 0 {
		r.would("hold the stream at %s in a UTC day", costs(budget.Day))
	}
	if budget.Month > 0 {
		r.would("hold the stream at %s in a billing cycle", costs(budget.Month))
	}
	if budget == (xstream.Reads{}) {
		r.would("read without a budget")
	}
	switch back, posts, _ := parseRecover(c.Recover); {
	case c.Stream == "sample":
	case back == 0:
		r.would("ask for nothing again after a gap")
	default:
		r.would("ask again, after a gap, for what X sent up to %s ago, and for up to %s of it", short(back), costs(posts))
	}
}

// short writes a time without what is zero in it: 15m, not 15m0s.
func short(d time.Duration) string {
	text := d.String()
	if cut, ok := strings.CutSuffix(text, "m0s"); ok {
		text = cut + "m"
	}
	if cut, ok := strings.CutSuffix(text, "h0m"); ok {
		text = cut + "h"
	}
	return text
}

func (c *checkCmd) checkRules(ctx context.Context, r *report, source *xstream.Source, diff xstream.RuleDiff, rules []tweetstream.Rule) {
	there, err := source.ListRules(ctx)
	if err != nil {
		r.add(fail, "rules", err.Error(), "")
		return
	}
	text := fmt.Sprintf("%d declared, %d at X", len(rules), len(there))
	after := len(there) + len(diff.Add) - len(diff.Delete)
	switch {
	case after == 0:
		r.add(fail, "rules", text+": X opens no stream without rules", "declare one with --tag, --rule or --rules")
		return
	case len(diff.Undeclared) > 0 && len(rules) > 0:
		r.add(warn, "rules", fmt.Sprintf("%s, %d of them not declared here: the Posts that they bring are billed", text, len(diff.Undeclared)),
			"look at them with streamer rules diff; delete them with rules delete or --prune")
	default:
		r.add(ok, "rules", text, "")
	}
	if after > 1000 {
		r.add(warn, "rules", fmt.Sprintf("%d then: pay-per-use has room for 1,000", after), "join several by OR, if the plan is not Enterprise")
	}
	for _, d := range rules {
		if said := doubts(d.Tag, d.Value); said != "" {
			line, _, _ := strings.Cut(said, "\n")
			r.add(warn, "rules", line, "streamer rules test shows the place")
		}
	}
	if len(diff.Add) > 0 {
		r.would("add %s at X: %s", plural(len(diff.Add), "rule"), tagsOf(diff.Add))
	}
	if len(diff.Delete) > 0 {
		r.would("delete %s at X: %s", plural(len(diff.Delete), "rule"), tagsOf(diff.Delete))
	}
	r.would("read the filtered stream of %s, each Post billed", plural(after, "rule"))
}

// tagsOf names the first of the rules.
func tagsOf(rules []tweetstream.Rule) string {
	const most = 5
	var tags []string
	for i, r := range rules {
		if i == most {
			tags = append(tags, "…")
			break
		}
		tags = append(tags, printable(r.Tag))
	}
	return strings.Join(tags, ", ")
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (c *checkCmd) checkConnections(ctx context.Context, r *report, source *xstream.Source) {
	endpoint := map[string]string{"filtered": "filtered_stream", "sample": "sample_stream"}[c.Stream]
	live, err := source.Connections(ctx)
	if err != nil {
		r.add(warn, "connections", err.Error(), "run goes without knowing")
		return
	}
	for _, l := range live {
		if l.Endpoint != endpoint {
			continue
		}
		text := "one to this stream is live, since " + day(l.Since)
		if l.From != "" {
			text += " from " + printable(l.From)
		}
		r.add(warn, "connections", text+": where the plan has one only, X lets run in when that has ended",
			"stop the other program, or: streamer connections close "+endpoint)
		return
	}
	r.add(ok, "connections", "none to this stream is live", "")
}

func checkUsage(ctx context.Context, r *report, source *xstream.Source) {
	usage, err := source.Usage(ctx)
	if err != nil {
		r.add(warn, "usage", err.Error(), "run goes without knowing")
		return
	}
	text := thousands(int64(usage.Posts)) + " Posts read in this billing cycle"
	if usage.Cap > 0 {
		text = fmt.Sprintf("%s of %s Posts read in this billing cycle (%.1f %%)", thousands(int64(usage.Posts)), thousands(int64(usage.Cap)), 100*float64(usage.Posts)/float64(usage.Cap))
	}
	if usage.ResetDay > 0 {
		text += fmt.Sprintf(", the next begins on day %d of the month", usage.ResetDay)
	}
	switch {
	case usage.Cap > 0 && usage.Posts >= usage.Cap:
		r.add(fail, "usage", text, "raise the cap in X's developer console, or wait for the next cycle")
	case usage.Cap > 0 && usage.Posts > usage.Cap/10*9:
		r.add(warn, "usage", text, "raise the cap in X's developer console")
	default:
		r.add(ok, "usage", text, "")
	}
}

// write shows the report on standard output.
func (r *report) write() error {
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, f := range r.Findings {
		fmt.Fprintf(t, "%s\t%s\t%s\n", f.Verdict, printable(f.What), printable(f.Text))
		if f.Action != "" {
			fmt.Fprintf(t, "\t\t→ %s\n", printable(f.Action))
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Print("\nrun would\n")
	for _, w := range r.Would {
		fmt.Printf("  - %s\n", printable(w))
	}
	if r.OK {
		fmt.Println("\nIt can be started.")
	} else {
		fmt.Println("\nIt would not work: see what is marked fail.")
	}
	return nil
}
