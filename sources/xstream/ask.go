package xstream

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/tweetstream-go/tweetstream"
)

// found is a Post that search gave for some rules.
type found struct {
	page   *page
	raw    []byte
	rules  []tweetstream.Rule
	billed bool
}

// ask asks all rules for the Posts of a slice, from a little before it. It returns
// them in the order of their ids, those too that came before an error, and how many
// of them were bought.
func (f *filler) ask(ctx context.Context, s slice, from time.Time) (tweets []*tweetstream.Tweet, bought int, err error) {
	to := s.to
	if s.last {
		to = minTime(to.Add(margin), maxTime(to, f.clock()))
	}
	if now, known := f.budget.clock(); known {
		from = maxTime(from, oldest(now)) // of the overlap; the gap itself is younger
	}
	all := map[string]*found{}
	for _, rule := range f.rulesToAsk() {
		q := question{rule: rule, since: firstID(from), until: firstID(to)}
		if q.until <= q.since {
			break
		}
		for err == nil {
			left := s.most - bought
			if left <= 0 {
				err = errLimit
				break
			}
			q.most = max(smallestPage, min(largestPage, left))
			var p *page
			var fresh int
			p, fresh, err = f.page(ctx, q, all)
			bought += fresh
			if err != nil || p.next == "" || p.next == q.next {
				break
			}
			q.next = p.next
		}
		var refused *Error
		if errors.As(err, &refused) && refused.aboutQuery() {
			// The others may do.
			f.refuseRule(rule, f.clean(refused.Error()))
			err = nil
		}
		if err != nil {
			break
		}
	}
	received := time.Now()
	for _, one := range all {
		t, bad := tweetstream.ParseTweet(one.page.compose(one.raw, one.rules))
		if bad != nil {
			f.count(func(st *Stats) { st.Malformed++ })
			continue
		}
		t.Received, t.Recovered = received, true
		f.count(func(*Stats) { f.complete(t) })
		f.book(t, one.billed)
		tweets = append(tweets, t)
	}
	slices.SortFunc(tweets, func(a, b *tweetstream.Tweet) int {
		return cmp.Or(cmp.Compare(len(a.ID), len(b.ID)), cmp.Compare(a.ID, b.ID))
	})
	return tweets, bought, err
}

// aboutQuery reports whether an answer refuses one query, not all.
func (e *Error) aboutQuery() bool { return e.Status == 400 || e.Status == 422 }

// rulesToAsk returns the rules that search takes.
func (f *filler) rulesToAsk() []tweetstream.Rule {
	rules := f.only
	if rules == nil {
		rules = f.active()
	}
	f.Source.mu.Lock()
	defer f.Source.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(rules), func(r tweetstream.Rule) bool { return f.unsearched[r.Value] != "" })
}

// page asks for one page, again and again until it is there or refused, and adds
// its Posts to all. bought is how many of them are billed.
func (f *filler) page(ctx context.Context, q question, all map[string]*found) (p *page, bought int, err error) {
	policy := newReconnect()
	cuts, said := 0, ""
	for ctx.Err() == nil {
		if now, known := f.budget.clock(); known && idTime(strconv.FormatUint(q.since, 10)).Before(oldest(now).Add(-30*time.Second)) {
			return nil, bought, errOld // X would refuse the query
		}
		if wait := min(f.resets.Sub(f.clock()), maxRateLimit) + time.Second; wait > time.Second {
			f.logger.Info("recovery waits: X allows no more searches for now", "wait", wait.Round(time.Millisecond))
			sleep(ctx, wait)
			continue
		}
		reserved := f.budget.reserve(q.most, smallestPage)
		if reserved == 0 {
			return nil, bought, errSpent
		}
		q.most = reserved
		p, header, err := f.search(ctx, q)
		var cut *cutError
		if err == nil {
			for _, raw := range p.posts {
				bought += f.gather(p, raw, q.rule, all)
			}
		} else if errors.As(err, &cut) {
			f.budget.charge(reserved) // the worst
			bought += reserved
		}
		f.budget.release(reserved)
		f.warn()
		if header.Get("X-Rate-Limit-Remaining") == "0" {
			if reset, err := strconv.ParseInt(header.Get("X-Rate-Limit-Reset"), 10, 64); err == nil {
				f.resets = time.Unix(reset, 0)
			}
		}
		if bought > 0 {
			// The count survives whatever comes.
			if err := f.recovered(ctx, nil, func() {}); err != nil {
				return nil, bought, err
			}
		}
		if err == nil {
			return p, bought, nil
		}
		wait := policy.wait(err)
		var refused *Error
		switch {
		case ctx.Err() != nil:
			return nil, bought, ctx.Err()
		case errors.As(err, new(*tokenError)):
			return nil, bought, &Error{Status: 401, Detail: err.Error()}
		case cut != nil:
			if cuts++; cuts == mostCuts {
				return nil, bought, errUnread
			}
			wait = time.Duration(cuts) * 10 * time.Second
		case errors.As(err, &refused) && refused.fatal() && (f.stateless || !refused.foreign):
			return nil, bought, refused // a page of a proxy is waited for, as by the stream
		}
		text, level := f.clean(err.Error()), slog.LevelWarn
		if sameTrouble(text, said) {
			level = slog.LevelDebug // said once
		}
		said = text
		f.logger.Log(ctx, level, "recovery waits: search gives nothing", "tag", f.clean(q.rule.Tag), "error", text, "wait", wait.Round(time.Millisecond))
		sleep(ctx, wait)
	}
	return nil, bought, ctx.Err()
}

// gather adds a Post to all. It returns 1 if the Post is billed.
func (f *filler) gather(p *page, raw []byte, rule tweetstream.Rule, all map[string]*found) (bought int) {
	t, err := tweetstream.ParseTweet(slices.Concat([]byte(`{"data":`), raw, []byte(`}`)))
	if err != nil {
		f.count(func(st *Stats) { st.Malformed++ })
		return 0
	}
	if f.budget.read(t.ID) {
		bought = 1
	}
	one := all[t.ID]
	if one == nil {
		one = &found{page: p, raw: raw}
		all[t.ID] = one
		one.billed = bought == 1
	}
	if !slices.ContainsFunc(one.rules, func(r tweetstream.Rule) bool { return r.ID == rule.ID }) {
		one.rules = append(one.rules, rule)
	}
	return bought
}
