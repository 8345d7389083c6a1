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

// Recover says how much of what X sent while no connection stood is asked for
// again: at most what is not longer ago than back when the stream stands again,
// and at most that many Posts for each gap, for each is billed; or up to 9 more, as
// the smallest page of search has 10. By default 15 minutes and 1,000 Posts.
// Recover(0, 0) asks for nothing.
//
// X is asked by recent search, once for each rule at X, beside the stream, and
// 60 s on both sides of what is known, for search is late. Such Posts have
// Recovered set; that some come twice does no harm, and X bills them once a day.
// What is not asked for, or not to be had, is logged as a gap that stays, with
// the command that fills it: what lies beyond these limits; reposts, which search
// leaves out; quotes that match only by what they quote, where search does not look;
// rules that search does not take, for their length or an operator such as sample:;
// the sampled stream. On the other hand, for a rule "café" search finds "cafe" too.
//
// X answers 450 searches in 15 minutes, of up to 100 Posts each: at most 45,000
// Posts, whatever the limit of Posts says. Each rule takes a search of its own, so
// that a recovery with 450 rules takes 15 minutes at least, and one that is far
// behind a stream of more than 50 Posts a second falls behind further. It waits as
// X's x-rate-limit headers say, and the live stream goes on meanwhile.
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
	// longSlice is asked for at once, or less if it would bring too much: the log
	// takes what a slice brings in one go.
	longSlice  = 15 * time.Minute
	sliceReads = 5_000
	// firstSlice is asked for when nobody knows how much a slice would bring.
	firstSlice = 5 * time.Second
	// backfillTakes is how long X is given to send what it was asked for again.
	backfillTakes = time.Minute
	// mostCuts is how often a page is bought that does not come to its end.
	mostCuts = 5
)

func (p *position) wakeUp() {
	select {
	case p.wake <- struct{}{}:
	default:
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

	seen  float64       // Posts a second in the slice before; 0 if there was none
	asked time.Duration // how long that slice was
}

var (
	errSpent = errors.New("the budget is spent")
	errLimit = errors.New("the limit of Posts is reached")
	// errOld is what comes of asking for longer than search goes back.
	errOld = errors.New("search does not go back that far any more")
	// errUnread is what comes of answers that were bought and did not come to
	// their end.
	errUnread = errors.New("the answers of search can't be read")
)

// fill recovers one gap, slice after slice, the oldest first. It returns when the
// gap is closed or named as lost; an error is that of the log, or of ctx.
func (f *filler) fill(ctx context.Context, g *gap) error {
	first := true
	for ctx.Err() == nil {
		if f.expire(g) {
			return nil
		}
		s, wait := f.next(g)
		if wait > 0 {
			sleep(ctx, wait)
			continue
		}
		found, bought, err := f.ask(ctx, s, maxTime(f.before(s, first), g.floor))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		// What was bought goes to the log, whatever came after it.
		closed := false
		failed := f.recovered(ctx, found, func() {
			g.posts += bought
			g.brought += len(found)
			var refused *Error
			switch {
			case err == nil && s.settled && !g.until.After(s.to):
				g.since = s.to
				f.close(g)
				closed = true
			case err == nil && s.settled:
				g.since = s.to
			case err == nil:
				g.asked = s.to
			case errors.Is(err, errLimit) && g.posts < g.allowed:
				// It has grown meanwhile, and more may be bought.
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
		case errors.Is(err, errOld), errors.Is(err, errLimit):
		case errors.Is(err, errSpent):
			f.logger.Warn("recovery is held: the budget is spent", "since", s.from, "until", s.to)
			f.awaitBudget(ctx)
		case err != nil:
			return err
		default:
			first = false
			f.asked = s.to.Sub(s.from)
			f.seen = float64(max(len(found), 1)) / f.asked.Seconds()
		}
	}
	return ctx.Err()
}

// expire names as lost what has become too old for search while it could not be
// asked, for want of a budget perhaps. It reports whether that is all of the gap.
func (f *filler) expire(g *gap) (all bool) {
	now, known := f.budget.clock()
	f.mu.Lock()
	defer f.mu.Unlock()
	if !known || !g.since.Before(oldest(now)) {
		return false
	}
	const why = "search goes back 7 days only"
	until := oldest(now).Add(2 * time.Minute) // so that it is not said for each second
	if !until.Before(g.until) {
		f.lost(g, why)
		return true
	}
	f.lost(&gap{since: g.since, until: until}, why)
	g.since, g.begin, g.asked, g.floor = until, until, time.Time{}, until
	f.publish()
	return false
}

// oldest is from when on search is asked for Posts.
func oldest(now time.Time) time.Time { return now.Add(time.Minute - searchDays) }

// slice is what of a gap is asked for at once.
type slice struct {
	from, to time.Time
	length   time.Duration // that slices have, the last ones may be shorter
	most     int           // Posts that may be bought
	last     bool          // it ends where the gap does
	settled  bool          // search finds all of it by now, and what is before it is done
}

// next returns what of a gap is asked for next, or how long to wait for it. What
// is too young is asked for all the same, so that it comes soon, and once more when
// search has settled. A slice is short enough to be done with in the life of a
// program that is killed again and again.
func (f *filler) next(g *gap) (s slice, wait time.Duration) {
	rules := len(f.rulesToAsk())
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.clock()
	if g.until.Sub(now) > time.Minute {
		g.until = now // a clock that was far ahead had been believed
	}
	s = slice{from: maxTime(g.since, g.asked), length: longSlice, most: g.allowed - g.posts}
	if !s.from.Before(g.until) {
		if wait = g.until.Add(settle).Sub(now); wait > 0 {
			return s, wait
		}
		s.from, g.asked = g.since, time.Time{}
	}
	reads := max(min(sliceReads, s.most/2), rules*largestPage/2)
	during := func(r float64) time.Duration { // it takes until there are so many
		return min(longSlice, max(time.Second, time.Duration(float64(reads)/r*float64(time.Second))))
	}
	if r := f.rate.perSecond(time.Now()); r > 0 {
		s.length = during(r)
	} else if s.most > sliceReads { // else so many can't come
		s.length = firstSlice
		if f.seen > 0 {
			s.length = max(time.Second, min(during(f.seen), 4*f.asked))
		}
	}
	s.to = minTime(s.from.Add(s.length), g.until)
	if tail := g.until.Add(-lastSlice); s.from.Before(tail) {
		s.to = minTime(s.to, tail)
	}
	s.last = !s.to.Before(g.until)
	s.settled = s.from.Equal(g.since) && !now.Before(s.to.Add(settle))
	return s, 0
}

// before returns from where a slice is asked for. What is asked for again costs
// nothing if this run has read it on the same day; else it must not eat up the
// Posts that are allowed.
func (f *filler) before(s slice, first bool) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	d := min(overlap, s.length)
	if f.stateless {
		d = margin
	}
	if r := f.rate.perSecond(time.Now()); first && r > 0 && f.began.After(s.from.Add(-overlap)) {
		d = min(d, max(margin, time.Duration(float64(f.posts)/10/r*float64(time.Second))))
	}
	return s.from.Add(-d)
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
