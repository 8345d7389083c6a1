package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/examples/internal/xflags"
	"github.com/tweetstream-go/tweetstream/sources/xstream"
)

// recoverCmd asks X for what a gap has left out.
type recoverCmd struct {
	Since time.Time `required:"" placeholder:"TIME" help:"From when on, as in 2026-01-31T23:00:00Z. Search goes back seven days."`
	Until time.Time `required:"" placeholder:"TIME" help:"Up to when."`
	Posts int       `default:"1000" placeholder:"N" help:"Buy no more than N Posts, but for up to 9 more: X's smallest page has 10 (${default})."`

	declares

	To     []string `sep:"none" placeholder:"[NAME=]URL" help:"Hand the Posts to this sink: ${schemes}. Can be given again. By default stdout:."`
	Remote bool     `help:"Let a ws: sink listen on an address that other machines reach."`

	sinkFlags

	DeadLetter *string `placeholder:"FILE" help:"Keep the Posts that a sink will not get in this file, with the reason."`

	xflags.Money
}

// Run is called by kong.
func (c *recoverCmd) Run(ctx context.Context, common *common, s *settings, con *console) error {
	like := runCmd{declares: c.declares, To: c.To, Remote: c.Remote, Stream: "filtered", sinkFlags: c.sinkFlags, keeps: keeps{DeadLetter: c.DeadLetter}}
	rules, targets, err := like.check(s)
	if err != nil {
		return err
	}
	if !c.Until.After(c.Since) {
		return misuse("--until is not after --since")
	}
	if c.Posts < 1 {
		return misuse("--posts: want a number of Posts, not %d", c.Posts)
	}
	opts, err := c.Money.Options(s)
	if err != nil {
		return usageError{err}
	}
	logger := common.logger(con)
	token, err := common.token(ctx, s, logger, slog.LevelInfo)
	if err != nil {
		return err
	}
	opts = append(opts, xstream.BaseURL(common.APIURL), xstream.Logger(logger), xstream.Rules(rules...), xstream.Recover(time.Hour, c.Posts))
	source, err := xstream.New(token, opts...)
	if err != nil {
		return usageError{err}
	}
	all, err := open(ctx, targets, keeps{DeadLetter: c.DeadLetter}, logger)
	if err != nil {
		return err
	}
	streamer, err := tweetstream.New(source.Recovery(c.Since, c.Until), all.opts...)
	if err != nil {
		return errors.Join(err, all.close())
	}
	logger.Info("search is asked for what is missing", "since", c.Since.UTC(), "until", c.Until.UTC(), "posts_at_most", c.Posts, "cost_at_most", dollars(float64(c.Posts)*c.Price))
	feed := feed{
		note:    func(tweetstream.Stats) string { return source.Stats().Held },
		figures: func() []any { return bought(source.Stats()) },
	}
	_, err = follow(ctx, streamer, feed, con, logger, !showsPosts(targets))
	return errors.Join(err, all.close())
}
