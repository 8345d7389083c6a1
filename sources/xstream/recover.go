package xstream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/tweetstream-go/tweetstream"
)

// Recover says how much of what X sent while no connection stood is asked for
// again: at most what is not longer ago than back when the stream stands again,
// and at most that many Posts for each gap, for each is billed. By default 15
// minutes and 1,000 Posts. Recover(0, 0) asks for nothing.
//
// X is asked by recent search, once for each rule at X, beside the stream, and
// 60 s on both sides of what is known, for search is late. Such Posts have
// Recovered set; that some come twice does no harm, and X bills them once a day.
// What is not asked for, or not to be had, is logged as a gap that stays, with
// the command that fills it: what lies beyond these limits; reposts, which search
// leaves out; rules that search does not take; the sampled stream.
func Recover(back time.Duration, posts int) Option {
	return func(c *config) { c.back, c.posts = back, posts }
}

// Backfill lets X send again what a reconnect missed, up to that long ago, 1 to 5
// minutes, on plans that have it. If X refuses that, recent search is asked for
// the rest of the run, see [Recover]. By default it is not tried.
func Backfill(d time.Duration) Option {
	return func(c *config) { c.backfill = d }
}

const (
	// overlap is asked for again before the time that is known to be in the log:
	// the stream brings Posts out of order and late.
	overlap = time.Minute
	// settle is how long search may take to find a Post.
	settle = 30 * time.Second
	// margin is for X's clock, which is known to the second.
	margin = 5 * time.Second
	// lastSlice is how much is asked for again once it has settled.
	lastSlice = 2 * time.Minute
	// longSlice is asked for at once, or less if it would bring too much.
	longSlice  = 15 * time.Minute
	sliceReads = 5_000
	// backfillTakes is how long X is given to send what it was asked for again.
	backfillTakes = time.Minute
	// mostCuts is how often a page is bought that does not come to its end.
	mostCuts = 5
)

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
	how := "X is asked for what it sent meanwhile"
	rest := &gap{since: since, until: until, begin: since, allowed: p.posts}
	var sent *gap
	if minutes > 0 {
		how = "X sends again what it sent meanwhile"
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
		how = "what X sent meanwhile is not here"
	}
	p.logger.Warn("a gap: "+how, args...)
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

func (p *position) wakeUp() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
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
		args = append(args, "without", missing)
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

// flagRules says at the start for which rules recovery is not to be had.
func (s *Source) flagRules() {
	if s.sample || s.back == 0 {
		return
	}
	reposts := 0
	for _, r := range s.active() {
		if why := unsearchable(r.Value); why != "" {
			s.refuseRule(r, why)
		}
		if wantsReposts(r.Value) {
			reposts++
		}
	}
	s.mu.Lock()
	said := s.saidReposts
	s.saidReposts = true
	s.mu.Unlock()
	if reposts > 0 && !said {
		s.logger.Info("reposts that are missed are not recovered, for search leaves them out", "rules", reposts)
	}
}

// refuseRule notes and says once that search can't be asked for a rule.
func (s *Source) refuseRule(r tweetstream.Rule, why string) {
	s.mu.Lock()
	_, known := s.unsearched[r.Value]
	s.unsearched[r.Value] = why
	s.mu.Unlock()
	if !known {
		s.logger.Warn("a rule whose Posts are not recovered when they are missed", "tag", s.clean(r.Tag), "id", r.ID, "reason", why)
	}
}

// active returns the rules at X, in a fixed order.
func (s *Source) active() []tweetstream.Rule {
	s.mu.Lock()
	defer s.mu.Unlock()
	rules := make([]tweetstream.Rule, 0, len(s.rules))
	for _, r := range s.rules {
		rules = append(rules, r)
	}
	slices.SortFunc(rules, func(a, b tweetstream.Rule) int {
		return cmp.Or(cmp.Compare(len(a.ID), len(b.ID)), cmp.Compare(a.ID, b.ID))
	})
	return rules
}

// missing says what a recovered gap lacks, by tag and reason.
func (s *Source) missing() (what []string) {
	if s.sample {
		return nil
	}
	for _, r := range s.active() {
		s.mu.Lock()
		why, refused := s.unsearched[r.Value]
		s.mu.Unlock()
		switch {
		case refused:
			what = append(what, s.clean(r.Tag)+": "+why)
		case wantsReposts(r.Value):
			what = append(what, s.clean(r.Tag)+": reposts")
		}
	}
	return what
}

// recover fills the gaps, one after the other, until ctx is done. Its error is
// that of the log.
func (p *position) recover(ctx context.Context) error {
	f := &filler{position: p}
	for ctx.Err() == nil {
		if g := p.nextGap(); g != nil {
			if err := f.fill(ctx, g); err != nil && ctx.Err() == nil {
				return err
			}
			continue
		}
		select {
		case <-p.wake:
		case <-ctx.Done():
		}
	}
	return nil
}

// nextGap returns the oldest gap that search is to be asked for.
func (p *position) nextGap() *gap {
	select {
	case <-p.ready:
	default:
		return nil // those of the state wait for the first connection
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, g := range p.gaps {
		if !g.backfilled {
			return g
		}
	}
	return nil
}

// filler asks recent search for what is missing.
type filler struct {
	*position
	resets time.Time // by X's clock: no more requests are allowed before
	only   []tweetstream.Rule
}

var (
	errSpent = errors.New("the budget is spent")
	errLimit = errors.New("the limit of Posts is reached")
	// errUnread is what comes of answers that were bought and did not come to
	// their end.
	errUnread = errors.New("the answers of search can't be read")
)

// fill recovers one gap, slice after slice, the oldest first. It returns when the
// gap is closed or named as lost; an error is that of the log, or of ctx.
func (f *filler) fill(ctx context.Context, g *gap) error {
	first := true
	for ctx.Err() == nil {
		from, to, last := f.slice(g)
		asked := f.clock()
		found, bought, err := f.ask(ctx, g, maxTime(f.before(from, first), g.floor), to, last)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		// What was bought goes to the log, whatever came after it.
		settled := err == nil && (!last || !asked.Before(to.Add(settle)))
		closed := false
		failed := f.recovered(ctx, found, func() {
			g.posts += bought
			g.brought += len(found)
			var refused *Error
			switch {
			case settled && !g.until.After(to):
				g.since = to
				f.close(g)
				closed = true
			case settled:
				g.since = to
			case errors.Is(err, errLimit):
				f.lost(g, fmt.Sprintf("more than %d Posts for one gap are not asked for", f.posts))
				closed = true
			case errors.As(err, &refused):
				f.lost(g, f.clean(refused.Error()))
				closed = true
			case errors.Is(err, errUnread):
				f.lost(g, errUnread.Error())
				closed = true
			}
		})
		switch {
		case failed != nil:
			return failed
		case closed:
			return nil
		case errors.Is(err, errSpent):
			f.logger.Warn("recovery is held: the budget is spent", "since", from, "until", to)
			f.awaitBudget(ctx)
		case err != nil:
			return err
		case !settled:
			sleep(ctx, to.Add(settle).Sub(f.clock()))
		}
		first = first && !settled
	}
	return ctx.Err()
}

// slice returns what of a gap is asked for next.
func (f *filler) slice(g *gap) (from, to time.Time, last bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := f.clock(); g.until.Sub(now) > time.Minute {
		g.until = now // a clock that was far ahead had been believed
	}
	from, to = g.since, g.until
	if to.Sub(from) <= lastSlice {
		return from, to, true
	}
	length := longSlice
	if r := f.rate.perSecond(time.Now()); r > 0 {
		length = time.Duration(min(longSlice.Seconds(), max(60, sliceReads/r)) * float64(time.Second))
	}
	return from, minTime(from.Add(length), to.Add(-lastSlice)), false
}

// before returns from where a slice is asked for. What is asked for again costs
// nothing if this run has read it on the same day; else it must not eat up the
// Posts that are allowed.
func (f *filler) before(from time.Time, first bool) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	d := overlap
	if f.stateless {
		d = margin
	}
	if r := f.rate.perSecond(time.Now()); first && r > 0 && f.began.After(from.Add(-overlap)) {
		d = min(d, max(margin, time.Duration(float64(f.posts)/10/r*float64(time.Second))))
	}
	return from.Add(-d)
}

// found is a Post that search gave for some rules.
type found struct {
	page   *page
	raw    []byte
	rules  []tweetstream.Rule
	billed bool
}

// ask asks all rules for the Posts between two times. It returns them in the
// order of their ids, those too that came before an error, and how many of them
// were bought.
func (f *filler) ask(ctx context.Context, g *gap, from, to time.Time, last bool) (tweets []*tweetstream.Tweet, bought int, err error) {
	if last {
		to = minTime(to.Add(margin), maxTime(to, f.clock()))
	}
	if now, known := f.budget.clock(); known {
		from = maxTime(from, now.Add(time.Minute-searchDays))
	}
	all := map[string]*found{}
	for _, rule := range f.rulesToAsk() {
		q := question{rule: rule, since: firstID(from), until: firstID(to)}
		if q.until <= q.since {
			break
		}
		for err == nil {
			left := g.allowed - g.posts - bought
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
	cuts := 0
	for ctx.Err() == nil {
		if wait := f.resets.Sub(f.clock()); wait > 0 {
			sleep(ctx, min(wait, maxRateLimit)+time.Second)
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
		case errors.As(err, &refused) && refused.fatal():
			return nil, bought, refused
		}
		f.logger.Warn("recovery waits: search gives nothing", "tag", f.clean(q.rule.Tag), "error", f.clean(err.Error()), "wait", wait)
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

// awaitBudget waits until a page may be asked for.
func (f *filler) awaitBudget(ctx context.Context) {
	for ctx.Err() == nil {
		why, turns := f.budget.spent(smallestPage)
		if why == "" {
			return
		}
		sleep(ctx, max(min(turns.Sub(f.clock()), time.Minute), time.Second))
	}
}

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
	if oldest := r.clock().Add(time.Minute - searchDays); oldest.After(g.since) {
		g.since, g.begin = oldest, oldest
		err = errors.Join(err, fmt.Errorf("recover: search goes back to %s only", oldest.Format(time.RFC3339)))
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
