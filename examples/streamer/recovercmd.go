package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sources/xstream"
)

// recoverCmd asks X for what a gap has left out.
type recoverCmd struct {
	Since time.Time `required:"" placeholder:"TIME" help:"From when on, as in 2026-01-31T23:00:00Z. Search goes back seven days."`
	Until time.Time `required:"" placeholder:"TIME" help:"Up to when."`
	Posts int       `default:"1000" placeholder:"N" help:"Buy no more than N Posts (${default})."`

	Tag    []string `sep:"none" placeholder:"WORD" help:"Ask for this rule, as run declares it. By default for all rules at X."`
	Rule   []string `sep:"none" placeholder:"TAG=VALUE" help:"Likewise."`
	To     []string `sep:"none" placeholder:"[NAME=]URL" help:"Hand the Posts to this sink: ${schemes}. Can be given again. By default stdout:."`
	Remote bool     `help:"Let a ws: sink listen on an address that other machines reach."`

	money
}

// Run is called by kong.
func (c *recoverCmd) Run(ctx context.Context, common *common, s *settings, con *console) error {
	like := runCmd{Tag: c.Tag, Rule: c.Rule, To: c.To, Remote: c.Remote, Stream: "filtered"}
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
	opts, err := c.options(s)
	if err != nil {
		return err
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
	plugs, closeSinks, err := openSinks(ctx, targets, logger)
	if err != nil {
		return err
	}
	streamer, err := tweetstream.New(source.Recovery(c.Since, c.Until), append(plugs, tweetstream.WithLogger(logger))...)
	if err != nil {
		return errors.Join(err, closeSinks())
	}
	logger.Info("search is asked for what is missing", "since", c.Since.UTC(), "until", c.Until.UTC(), "posts_at_most", c.Posts, "cost_at_most", fmt.Sprintf("$%.2f", float64(c.Posts)*c.Price))
	begin := time.Now()
	err = streamer.Run(ctx)
	st := source.Stats()
	logger.Info("bought", "posts", st.Read.Day, "cost", fmt.Sprintf("$%.2f", st.Cost))
	logger.Info("ended", figures(streamer.Stats(), st, time.Since(begin))...)
	return errors.Join(err, closeSinks())
}
