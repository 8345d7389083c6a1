package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sources/replay"
)

// replayCmd hands the Posts of files to sinks.
type replayCmd struct {
	Files []string `arg:"" name:"FILE" help:"NDJSON, compressed with gzip or not: an archive, or a dead letter, with all its segments. - is standard input."`

	To     []string `sep:"none" placeholder:"[NAME=]URL" help:"Hand the Posts to this sink: ${schemes}. Can be given again, with a NAME for each further one of a scheme. By default stdout:."`
	Remote bool     `help:"Let a ws: sink listen on an address that other machines reach. Anybody there can then read the Posts."`
	Sink   *string  `placeholder:"NAME" help:"Replay only the letters of the sink that had this NAME."`
	Pace   *float64 `placeholder:"N" help:"Replay N times as fast as the Posts came: with 1 at the same pace. By default at full speed."`

	sinkFlags

	Checkpoint *string `argsonly:"" placeholder:"FILE" help:"Keep in this file how far was replayed, to go on there. Settings don't set this one."`
	DeadLetter *string `argsonly:"" placeholder:"FILE" help:"Keep the Posts that a sink will not get in this file. Settings don't set this one."`
}

// Run is called by kong.
func (c *replayCmd) Run(ctx context.Context, common *common, s *settings, con *console) error {
	targets, err := c.check(s)
	if err != nil {
		return err
	}
	logger := common.logger(con)
	source, err := replay.Open(c.Files[0], c.options(replay.Logger(logger))...)
	if err != nil {
		return err
	}
	all, err := open(ctx, targets, c.keeps(), logger)
	if err != nil {
		return err
	}
	streamer, err := tweetstream.New(source, all.opts...)
	if err != nil {
		return errors.Join(err, all.close())
	}
	feed := feed{
		note: func(tweetstream.Stats) string {
			st := source.Stats()
			return fmt.Sprintf("line %d of %s", st.Line, filepath.Base(cmp.Or(st.File, c.Files[0])))
		},
		figures: func() []any {
			st := source.Stats()
			return []any{"others", st.Others, "malformed", st.Malformed, "oversized", st.Oversized}
		},
	}
	st, err := follow(ctx, streamer, feed, con, logger, !showsPosts(targets))
	if err == nil {
		err = c.verdict(st, source.Stats())
	}
	return errors.Join(err, all.close())
}

func (c *replayCmd) keeps() keeps { return keeps{Checkpoint: c.Checkpoint, DeadLetter: c.DeadLetter} }

func (c *replayCmd) options(opts ...replay.Option) []replay.Option {
	opts = append(opts, replay.Also(c.Files[1:]...))
	if c.Sink != nil {
		opts = append(opts, replay.Sink(*c.Sink))
	}
	if c.Pace != nil {
		opts = append(opts, replay.Pace(*c.Pace))
	}
	return opts
}

// check finds what can't be, before anything is opened.
func (c *replayCmd) check(s *settings) ([]target, error) {
	targets, err := checkTargets(c.To, c.Remote, s)
	if err != nil {
		return nil, err
	}
	if err := c.sinkFlags.complete(targets, s); err != nil {
		return nil, err
	}
	k := c.keeps()
	if err := k.check(targets, s); err != nil {
		return nil, err
	}
	if c.Pace != nil && !(*c.Pace > 0 && !math.IsInf(*c.Pace, 0)) {
		return nil, misuse("%s: want more than 0", s.Given("pace"))
	}
	if c.Sink != nil && !targetName.MatchString(*c.Sink) {
		return nil, misuse("%s %q: no sink has such a NAME", s.Given("sink"), *c.Sink)
	}
	for _, file := range c.Files {
		switch {
		case file == "":
			return nil, misuse("FILE: the name is empty")
		case file == "-" && len(c.Files) > 1:
			return nil, misuse("FILE: standard input (-) stands alone")
		case c.DeadLetter != nil && sameFile(file, *c.DeadLetter):
			return nil, misuse("--dead-letter %s is replayed: what fails again must go into another file", *c.DeadLetter)
		case c.Checkpoint != nil && sameFile(file, *c.Checkpoint):
			return nil, misuse("--checkpoint %s is replayed: want another file", *c.Checkpoint)
		}
		for _, t := range targets {
			if t.scheme == "file" && sameFile(file, t.place) {
				return nil, misuse("%s: the sink %s is a file that is replayed", s.Given("to"), t.name)
			}
		}
	}
	return targets, nil
}

// verdict is an error in one line unless all of the files was delivered.
func (c *replayCmd) verdict(st tweetstream.Stats, source replay.Stats) error {
	var faults []string
	if !source.Ended {
		faults = append(faults, fmt.Sprintf("stopped at line %d of %s: what stands behind it was not replayed", source.Line, cmp.Or(source.File, c.Files[0])))
	}
	for _, s := range st.Sinks {
		if n := lost(s); n > 0 {
			where := "they are named in the log"
			if c.DeadLetter != nil {
				where = "they are in " + *c.DeadLetter + ", or named in the log"
			}
			faults = append(faults, fmt.Sprintf("%d not delivered to %s: %s", n, s.Name, where))
		}
	}
	if n := source.Malformed + source.Oversized; n > 0 {
		faults = append(faults, fmt.Sprintf("%d lines can't be read: the log has their numbers", n))
	}
	if len(faults) == 0 {
		return nil
	}
	return errors.New("not all was replayed: " + strings.Join(faults, "; "))
}
