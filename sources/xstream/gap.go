package xstream

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// gap is a time in which X sent what is not in the log.
type gap struct {
	since, until time.Time // by X's clock; since grows while it is recovered
	begin        time.Time // since, as it was at first
	asked        time.Time // up to here it was asked for before search had settled
	floor        time.Time // nothing is asked for before; zero if nothing says so
	posts        int       // that were bought for it
	allowed      int       // that may be bought for it
	brought      int       // that it brought, those known already among them
	backfilled   bool      // the stream itself brings it
}

// opened is told of a connection that stands since at, by X's clock, and brings
// the last minutes itself. What is missing before it becomes a gap.
func (p *position) opened(at time.Time, minutes int) {
	p.flagRules()
	p.once.Do(func() { close(p.ready) })
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rate.resume(time.Now())
	since := p.heard
	if g := p.backfilled(); g != nil {
		// Its connection has ended before it had brought all.
		since = g.since
		p.gaps = slices.DeleteFunc(p.gaps, func(o *gap) bool { return o == g })
	}
	if !since.IsZero() {
		if !at.After(since) {
			// X's clock is known to the second, and may seem to step back.
			since = at.Add(-time.Second)
		}
		p.open(since, at, minutes)
	}
	p.heard, p.held, p.news = at, false, true
	if p.began.IsZero() {
		p.began = at
	}
	p.publish()
	p.wakeUp()
}

// open names a gap and sees what of it is to be recovered.
func (p *position) open(since, until time.Time, minutes int) {
	args := []any{"since", since, "until", until, "length", until.Sub(since).Round(time.Millisecond)}
	if r := p.rate.perSecond(time.Now()); r > 0 {
		n := int(math.Ceil(r * until.Sub(since).Seconds()))
		args = append(args, "posts_about", n)
	}
	if p.held {
		args = append(args, "reason", "held by the budget")
	}
	message := "a gap: X is asked for what it sent meanwhile"
	rest := &gap{since: since, until: until, begin: since, allowed: p.posts}
	var sent *gap
	if minutes > 0 {
		message = "a gap: X sends again what it sent meanwhile"
		sent = &gap{since: maxTime(since, until.Add(-time.Duration(minutes)*time.Minute)), until: until, backfilled: true}
		sent.begin = sent.since
		rest.until = sent.since
	}
	var why string
	switch {
	case p.sample:
		why = "search does not give the sampled stream"
	case p.back == 0:
		why = "recovery is off"
	}
	if why != "" && sent == nil {
		message = "a gap: what X sent meanwhile is not here"
	}
	p.logger.Warn(message, args...)
	if sent != nil {
		p.gaps = append(p.gaps, sent)
	}
	if !rest.until.After(rest.since) {
		return
	}
	if why != "" {
		p.lost(rest, why)
		return
	}
	if oldest := until.Add(-p.back); oldest.After(rest.since) {
		old := &gap{since: rest.since, until: minTime(oldest, rest.until)}
		p.lost(old, fmt.Sprintf("it is longer ago than %v", p.back))
		rest.since, rest.begin, rest.floor = oldest, oldest, oldest
		if !rest.until.After(rest.since) {
			return
		}
	}
	// In a storm of reconnects one gap grows: to ask for it as a whole costs
	// less requests.
	if n := len(p.gaps) - 1; n >= 0 && !p.gaps[n].backfilled && rest.since.Sub(p.gaps[n].until) < overlap && rest.until.After(p.gaps[n].until) {
		p.gaps[n].until = rest.until
		p.gaps[n].allowed += p.posts
		return
	}
	p.gaps = append(p.gaps, rest)
}

// missed returns how many minutes the next connection should be asked to bring
// again, 0 for none.
func (p *position) missed() int {
	if p.backfill == 0 || p.noBackfill.Load() {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	since := p.heard
	if g := p.backfilled(); g != nil {
		since = g.since
	}
	if since.IsZero() {
		return 0
	}
	missed := p.clock().Add(margin).Sub(since)
	return int(max(1, min(math.Ceil(missed.Minutes()), p.backfill.Minutes())))
}

// backfilled returns the gap that the stream itself brings; nil if there is none.
func (p *position) backfilled() *gap {
	for _, g := range p.gaps {
		if g.backfilled {
			return g
		}
	}
	return nil
}

// lost names a gap that stays. It is called under the mutex.
func (p *position) lost(g *gap, why string) {
	posts := -1
	args := []any{"since", g.since, "until", g.until, "length", g.until.Sub(g.since).Round(time.Millisecond), "reason", why}
	if r := p.rate.perSecond(time.Now()); r > 0 {
		posts = int(math.Ceil(r * g.until.Sub(g.since).Seconds()))
		args = append(args, "posts_about", posts, "cost_about", dollars(p.budget.cost(posts)))
	}
	if !p.sample {
		args = append(args, "command", fmt.Sprintf("streamer recover --since %s --until %s",
			g.since.UTC().Truncate(time.Second).Format(time.RFC3339), g.until.UTC().Add(time.Second-1).Truncate(time.Second).Format(time.RFC3339)))
	}
	p.logger.Warn("a gap stays: what X sent then is not here", args...)
	p.ended(g, Gap{Since: g.since, Until: g.until, Posts: posts, Lost: why})
}

// close names a gap that is recovered. It is called under the mutex.
func (p *position) close(g *gap) {
	missing := p.missing()
	args := []any{"since", g.begin, "until", g.until, "posts", g.brought, "new", g.posts}
	if g.backfilled {
		args = args[:6]
	}
	if len(missing) > 0 {
		args = append(args, "without", strings.Join(missing, "; "))
	}
	p.logger.Info("a gap is recovered", args...)
	p.ended(g, Gap{Since: g.begin, Until: g.until, Posts: g.posts, Without: missing})
}

func (p *position) ended(g *gap, as Gap) {
	p.gaps = slices.DeleteFunc(p.gaps, func(o *gap) bool { return o == g })
	p.count(func(st *Stats) {
		if as.Lost != "" {
			st.LostGaps++
		} else {
			st.RecoveredGaps++
		}
		st.LastGaps = append(slices.Clone(st.LastGaps[max(0, len(st.LastGaps)-9):]), as)
	})
	p.publish()
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
