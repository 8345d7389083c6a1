package main

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/examples/internal/web"
	"github.com/tweetstream-go/tweetstream/examples/internal/xflags"
	"github.com/tweetstream-go/tweetstream/sources/xstream"
)

// runCmd takes Posts off the stream.
type runCmd struct {
	declares

	To     []string `sep:"none" placeholder:"[NAME=]URL" help:"Hand the Posts to this sink: ${schemes}. Can be given again, with a NAME for each further one of a scheme. By default stdout:."`
	Stream string   `enum:"filtered,sample" default:"filtered" help:"Read the filtered stream, which goes by rules, or a sample of 1 % of all Posts, which knows no rules: filtered or sample."`

	Remote bool `help:"Let a ws: sink listen on an address that other machines reach. Anybody there can then read the Posts."`

	Prune   *string `placeholder:"PREFIX" help:"At the start, delete the rules at X that are not declared here and whose tag begins with PREFIX."`
	Recover string  `default:"15m/1000" placeholder:"TIME/POSTS" help:"After a gap ask for what X sent up to TIME ago, and for up to so many Posts, for each is billed; or none (${default})."`
	// Zero: it is not tried.
	Backfill time.Duration `placeholder:"TIME" help:"On plans that have it, let X send again what was missed up to TIME ago, 1m to 5m, instead of asking for it by search. By default it is not tried."`
	xflags.Money

	TakeOver     bool `help:"When another connection with this token is in the way, close it. Of two programs that do, the later one keeps the stream."`
	Gzip         bool `help:"Let X compress the stream: a fifth of the traffic, for some 10 µs of CPU time a Post."`
	StopWhenHeld bool `help:"End, with exit code 1, when credits, a usage cap or the budget hold the stream, instead of waiting."`

	sinkFlags

	keeps
}

// Run is called by kong.
func (c *runCmd) Run(ctx context.Context, common *common, s *settings, con *console) error {
	rules, targets, err := c.check(s)
	if err != nil {
		return err
	}
	logger := common.logger(con)
	opts, err := c.sourceOptions(common, s, rules, logger)
	if err != nil {
		return err
	}
	token, err := common.token(ctx, s, logger, slog.LevelInfo)
	if err != nil {
		return err
	}
	source, err := xstream.New(token, opts...)
	if err != nil {
		return usageError{err}
	}
	all, err := open(ctx, targets, c.keeps, logger)
	if err != nil {
		return err
	}
	if c.Checkpoint == nil && c.Journal == nil && !xflags.IsSimulator(common.APIURL) {
		logger.Warn("without --checkpoint or --journal a restart begins at now: what X sends meanwhile is not asked for, and the budget's count begins anew")
	}
	streamer, err := tweetstream.New(source, all.opts...)
	if err != nil {
		return errors.Join(err, all.close())
	}
	if c.Stream == "filtered" && len(rules) == 0 {
		logger.Info("no --tag, --rule or --rules: the stream brings what the rules bring that are at X")
	}
	feed := feed{
		note: func(st tweetstream.Stats) string {
			if all.journal != nil {
				if note := journalNote(st, all.journal.Stats()); note != "" {
					return note
				}
			}
			return connection(source.Stats())
		},
		figures: func() []any {
			x := source.Stats()
			fs := append([]any{"connects", x.Connects, "malformed", x.Malformed, "oversized", x.Oversized}, bought(x)...)
			if all.journal != nil {
				j := all.journal.Stats()
				fs = append(fs, slog.Group("journal", "entries", j.Entries, "bytes", j.Used, "limit", j.Limit))
			}
			return fs
		},
	}
	stop := c.reload(ctx, source, s, logger)
	defer stop()
	_, err = follow(ctx, streamer, feed, con, logger, !showsPosts(targets))
	return errors.Join(err, all.close())
}

// check finds what can't be, before anything is opened.
func (c *runCmd) check(s *settings) ([]tweetstream.Rule, []target, error) {
	if c.Stream == "sample" {
		for flag, given := range map[string]bool{"tag": len(c.Tag) > 0, "rule": len(c.Rule) > 0, "rules": c.Rules != nil, "prune": c.Prune != nil} {
			if given {
				return nil, nil, misuse("--stream sample knows no rules: leave out %s", s.Given(flag))
			}
		}
	}
	if c.Prune != nil && *c.Prune == "" {
		return nil, nil, misuse("--prune: the PREFIX is empty, and would stand for every rule, of other programs too")
	}
	if s.level("backfill") != unset && (c.Backfill < time.Minute || c.Backfill > 5*time.Minute) {
		return nil, nil, misuse("%s: want 1m to 5m, not %v", s.Given("backfill"), c.Backfill)
	}
	rules, err := c.declares.read(s)
	if err != nil {
		return nil, nil, err
	}
	targets, err := checkTargets(c.To, c.Remote, s)
	if err != nil {
		return nil, nil, err
	}
	if err := c.sinkFlags.complete(targets, s); err != nil {
		return nil, nil, err
	}
	return rules, targets, c.keeps.check(targets, s)
}

// checkTargets reads all --to; without any it is standard output.
func checkTargets(to []string, remote bool, s *settings) ([]target, error) {
	if len(to) == 0 {
		to = []string{"stdout:"}
	}
	targets, err := parseTargets(to, s)
	if err != nil {
		return nil, err
	}
	for i, t := range targets {
		if t.listen == "" || remote {
			continue
		}
		if loopback, err := web.IsLoopbackAddr(t.listen); err != nil || !loopback {
			return nil, misuse("%s %s: other machines could reach it: if that is meant, give --remote too", s.Given("to"), shown(to[i]))
		}
	}
	return targets, nil
}

// costOptions are the options about what is asked for again, and what all may cost.
func (c *runCmd) costOptions(s *settings) ([]xstream.Option, error) {
	back, posts, err := parseRecover(c.Recover)
	if err != nil {
		return nil, misuse("%s %q: %w", s.Given("recover"), c.Recover, err)
	}
	opts, err := c.Money.Options(s)
	if err != nil {
		return nil, usageError{err}
	}
	return append(opts, xstream.Recover(back, posts), xstream.Backfill(c.Backfill)), nil
}

func (c *runCmd) sourceOptions(common *common, s *settings, rules []tweetstream.Rule, logger *slog.Logger) ([]xstream.Option, error) {
	opts, err := c.costOptions(s)
	if err != nil {
		return nil, err
	}
	opts = append(opts, xstream.BaseURL(common.APIURL), xstream.Logger(logger))
	if c.Stream == "sample" {
		opts = append(opts, xstream.Sample())
	}
	if len(rules) > 0 {
		opts = append(opts, xstream.Rules(rules...))
	}
	if c.Prune != nil {
		opts = append(opts, xstream.Prune(*c.Prune))
	}
	if c.TakeOver {
		opts = append(opts, xstream.TakeOver())
	}
	if c.Gzip {
		opts = append(opts, xstream.Gzip())
	}
	if c.StopWhenHeld {
		opts = append(opts, xstream.StopWhenHeld())
	}
	return opts, nil
}

// A feed is what the figures say of a source.
type feed struct {
	note    func(tweetstream.Stats) string // in the line of figures; it may be empty
	figures func() []any                   // in the log, at the end
}

// follow runs the streamer, shows its figures meanwhile and logs them at the end.
func follow(ctx context.Context, streamer *tweetstream.Streamer, feed feed, con *console, logger *slog.Logger, show bool) (tweetstream.Stats, error) {
	begin := time.Now()
	stop := func() {}
	if show {
		p := &progress{streamer: streamer, note: feed.note}
		stop = con.refresh(p.line)
	}
	noted := make(chan struct{})
	leaveOut := context.AfterFunc(ctx, func() {
		defer close(noted)
		logger.Info("stopping: what was received is delivered first; a second signal ends it at once")
	})
	err := streamer.Run(ctx)
	if !leaveOut() {
		<-noted // it comes before the figures
	}
	stop()
	st := streamer.Stats()
	logger.Info("ended", figures(st, feed.figures(), time.Since(begin))...)
	return st, err
}

// parseRecover reads TIME/POSTS.
func parseRecover(text string) (back time.Duration, posts int, err error) {
	if text == "none" {
		return 0, 0, nil
	}
	length, count, _ := strings.Cut(text, "/")
	back, err = time.ParseDuration(length)
	if err == nil {
		posts, err = strconv.Atoi(count)
	}
	if err != nil || back <= 0 || back > 7*24*time.Hour || posts < 1 {
		return 0, 0, errors.New("want TIME/POSTS, as in 15m/1000, the TIME up to 168h, or none")
	}
	return back, posts, nil
}
