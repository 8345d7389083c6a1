package xstream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tweetstream-go/tweetstream"
)

// Recovery returns a source that asks recent search for what X sent between two
// times, at most seven days ago, and ends when it is there: it fills a gap that
// the log has named. It asks for the rules declared by [Rules], without these for
// all rules at X; and for no more Posts than [Recover] says, whose time is not
// looked at. Its Posts have Recovered set. What it could not get is its error.
//
// It keeps no state. What it reads counts in the budget of this Source, not in
// that of another process.
func (s *Source) Recovery(since, until time.Time) tweetstream.Source {
	return &recoverySource{s, since.UTC(), until.UTC()}
}

type recoverySource struct {
	*Source
	since, until time.Time
}

// CanWait says that sinks may hold it back.
func (r *recoverySource) CanWait() bool { return true }

// Stream is called by the Streamer.
func (r *recoverySource) Stream(ctx context.Context, _ []byte, emit tweetstream.Emit) error {
	if r.sample {
		return errors.New("recover: search does not give the sampled stream")
	}
	there, err := r.ListRules(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("recover: %w", err)
	}
	rules := there
	if len(r.declared) > 0 {
		rules = slices.Clone(r.declared)
		for i := range rules {
			if at := slices.IndexFunc(there, func(t tweetstream.Rule) bool { return t.Value == rules[i].Value }); at >= 0 {
				rules[i] = there[at]
			}
		}
	}
	if len(rules) == 0 {
		return errors.New("recover: there is no rule at X, and none was declared")
	}
	r.Source.mu.Lock()
	r.rules = map[string]tweetstream.Rule{}
	for _, rule := range rules {
		r.rules[cmp.Or(rule.ID, rule.Value)] = rule
	}
	r.Source.mu.Unlock()
	p, _ := r.newPosition(nil, emit)
	p.stateless = true
	until := minTime(r.until, r.clock())
	g := &gap{since: r.since, until: until, begin: r.since, allowed: r.posts}
	if from := oldest(r.clock()).Add(2 * time.Minute); from.After(g.since) { // it takes its time
		g.since, g.begin = from, from
		err = errors.Join(err, fmt.Errorf("recover: search goes back to %s only", from.Format(time.RFC3339)))
	}
	for _, rule := range rules {
		if why := unsearchable(rule.Value); why != "" {
			r.refuseRule(rule, why)
		}
	}
	if !g.until.After(g.since) {
		return errors.Join(err, errors.New("recover: there is nothing between these times"))
	}
	f := &filler{position: p, only: rules}
	if failed := f.fill(ctx, g); failed != nil {
		if ctx.Err() != nil {
			return nil
		}
		return failed
	}
	if st := r.Stats(); len(st.LastGaps) > 0 && st.LastGaps[len(st.LastGaps)-1].Lost != "" {
		last := st.LastGaps[len(st.LastGaps)-1]
		err = errors.Join(err, fmt.Errorf("recover: nothing since %s: %s", last.Since.Format(time.RFC3339), last.Lost))
	}
	for _, rule := range rules {
		r.Source.mu.Lock()
		why := r.unsearched[rule.Value]
		r.Source.mu.Unlock()
		if why != "" {
			err = errors.Join(err, fmt.Errorf("recover: nothing for the rule %q: %s", r.clean(rule.Tag), why))
		}
	}
	return err
}
