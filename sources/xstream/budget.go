package xstream

import (
	"context"
	"fmt"
	"hash/maphash"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Reads are numbers of Posts as X bills them: each Post once a UTC day, by
// whatever way and however often it came, and for whatever number of rules.
type Reads struct {
	Day   int // in a UTC day
	Month int // in a billing cycle, see [CycleDay]
}

// DefaultBudget is what is read of X itself if no [Budget] is given.
var DefaultBudget = Reads{Day: 10_000}

// Budget holds the source when that many Posts have been read: the stream is
// closed, for X bills what it sends, and opened again when the UTC day or the
// billing cycle turns. What was sent meanwhile is a gap, see [Recover]; what
// recovery reads counts too. At 80 % there is a warning. A zero means no limit.
// By default [DefaultBudget] at api.x.com and api.twitter.com, and none
// elsewhere.
//
// More than the budget is read by as much as one read of the stream brought, at
// most. The count is part of the state that the source stores along with its
// Posts, and so goes on after a restart, with [tweetstream.WithJournal] or
// [tweetstream.WithCheckpoint]. Which Posts were read on that day is not part of
// it: those that come again after a restart are counted again, though X bills
// them once.
func Budget(most Reads) Option {
	return func(c *config) { c.budget = &most }
}

// CycleDay sets the day of the month on which X's billing cycle begins, as the
// developer console shows it; in shorter months it is their last day. By default
// 1.
func CycleDay(day int) Option {
	return func(c *config) { c.cycleDay = day }
}

// Price sets what X takes for reading a Post, for the costs that logs and Stats
// name. By default 0.005.
func Price(dollars float64) Option {
	return func(c *config) { c.price = dollars }
}

// budget counts what was read.
type budget struct {
	limit    Reads
	price    float64
	cycleDay int

	mu       sync.Mutex
	skew     time.Duration // of X's clock from ours
	known    bool          // skew is
	counted  counted
	turns    time.Time // nothing turns before, unless the clock is set back
	ids      idSet     // of the Posts read on the day
	reserved int       // for pages that are being asked for
	warned   Reads     // what had been read when it was warned; 0: not yet
}

// counted is how much was read of the day and of the cycle that began at these
// times.
type counted struct {
	day, cycle time.Time
	reads      Reads
}

// isX reports whether the API is X's own, where reading costs money.
func isX(base *url.URL) bool {
	switch strings.TrimSuffix(strings.ToLower(base.Hostname()), ".") {
	case "api.x.com", "api.twitter.com":
		return true
	}
	return false
}

// setClock learns X's clock.
func (b *budget) setClock(x time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.skew, b.known = time.Until(x), true
}

// clock returns the time at X, and whether X has told it.
func (b *budget) clock() (x time.Time, known bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Now().Add(b.skew).UTC(), b.known
}

// clock returns the time at X, as far as it is known.
func (s *Source) clock() time.Time {
	now, _ := s.budget.clock()
	return now
}

// restore takes over what an earlier run has counted.
func (b *budget) restore(c counted) {
	b.mu.Lock()
	defer b.mu.Unlock()
	// A second stream of this source goes on with its own count, which may be
	// ahead of the state.
	if c.day.After(b.counted.day) || c.day.Equal(b.counted.day) && c.reads.Day > b.counted.reads.Day {
		b.counted, b.turns = c, time.Time{}
	}
}

// turn begins a new day and a new cycle when it is time. The clock here may be
// wrong, so that nothing turns before X has told the time; and X's is known to
// the second only, so that one that steps back a little turns nothing.
// It is called under the mutex.
func (b *budget) turn() {
	if !b.known {
		return
	}
	now := time.Now().Add(b.skew).UTC()
	c := &b.counted
	if !now.Before(c.day) && now.Before(b.turns) {
		return // it is called for each Post
	}
	day := now.Truncate(24 * time.Hour)
	cycle := cycleOf(now, b.cycleDay)
	b.turns = day.Add(24 * time.Hour)
	if day.After(c.day) {
		c.day, c.reads.Day, b.warned.Day = day, 0, 0
		b.ids.clear()
	}
	if cycle.After(c.cycle) {
		c.cycle, c.reads.Month, b.warned.Month = cycle, 0, 0
	}
	if c.day.Sub(now) > 24*time.Hour {
		// A clock far ahead had been believed. What it counted stays counted.
		c.day = day
	}
	if c.cycle.Sub(now) > 24*time.Hour {
		c.cycle = cycle
	}
}

// cycleOf returns when the cycle began that t is in.
func cycleOf(t time.Time, day int) time.Time {
	y, m, _ := t.Date()
	begin := func(m time.Month) time.Time {
		last := time.Date(y, m+1, 0, 0, 0, 0, 0, time.UTC).Day()
		return time.Date(y, m, min(day, last), 0, 0, 0, 0, time.UTC)
	}
	if b := begin(m); !t.Before(b) {
		return b
	}
	return begin(m - 1)
}

// read counts a Post. It reports whether it is billed, for it is the first time
// on this day.
func (b *budget) read(id string) (billed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn()
	if !b.ids.add(id) {
		return false
	}
	b.counted.reads.Day++
	b.counted.reads.Month++
	return true
}

// charge counts Posts that X has sent and that were not seen.
func (b *budget) charge(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn()
	b.counted.reads.Day += n
	b.counted.reads.Month += n
}

// left returns how many more Posts may be read. It is called under the mutex.
func (b *budget) left() int {
	b.turn()
	left := int(^uint(0) >> 1)
	if b.limit.Day > 0 {
		left = min(left, b.limit.Day-b.counted.reads.Day-b.reserved)
	}
	if b.limit.Month > 0 {
		left = min(left, b.limit.Month-b.counted.reads.Month-b.reserved)
	}
	return left
}

// reserve sets aside reads for a page of at most n and at least least Posts. It
// returns how many, 0 if that is more than what is left.
func (b *budget) reserve(n, least int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n = min(n, b.left()); n < least {
		return 0
	}
	b.reserved += n
	return n
}

// release gives back what reserve has set aside.
func (b *budget) release(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reserved -= n
}

// spent says which budget is spent, and when it turns; why is empty if none is.
// least is how much must be left.
func (b *budget) spent(least int) (why string, turns time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left() >= least {
		return "", time.Time{}
	}
	c := b.counted
	// Of two, the one that turns later.
	if n := c.reads.Month + b.reserved; b.limit.Month > 0 && b.limit.Month-n < least {
		return "the budget of " + strconv.Itoa(b.limit.Month) + " Posts a month is spent", cycleOf(c.cycle.AddDate(0, 0, 45), b.cycleDay)
	}
	return "the budget of " + strconv.Itoa(b.limit.Day) + " Posts a day is spent", c.day.Add(24 * time.Hour)
}

// now returns what is counted.
func (b *budget) now() counted {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn()
	return b.counted
}

// cost returns what X takes for n Posts, in dollars.
func (b *budget) cost(n int) float64 { return float64(n) * b.price }

// warn logs, once for each period, that most of its budget is spent.
func (s *Source) warn() {
	b := &s.budget
	b.mu.Lock()
	var day, month bool
	c := b.counted.reads
	if l := b.limit.Day; l > 0 && b.warned.Day == 0 && float64(c.Day) >= 0.8*float64(l) {
		b.warned.Day, day = c.Day, true
	}
	if l := b.limit.Month; l > 0 && b.warned.Month == 0 && float64(c.Month) >= 0.8*float64(l) {
		b.warned.Month, month = c.Month, true
	}
	b.mu.Unlock()
	const text = "80 % of the budget is spent: at 100 % the stream is held"
	if day {
		s.logger.Warn(text, "period", "day", "read", c.Day, "budget", b.limit.Day, "cost", dollars(b.cost(c.Day)))
	}
	if month {
		s.logger.Warn(text, "period", "month", "read", c.Month, "budget", b.limit.Month, "cost", dollars(b.cost(c.Month)))
	}
}

func dollars(d float64) string { return "$" + strconv.FormatFloat(d, 'f', 2, 64) }

// sayBudget logs at the start what the stream may cost.
func (s *Source) sayBudget() {
	b := &s.budget
	if b.limit.Day > 0 {
		s.logger.Info("the budget: at most so many Posts a UTC day", "posts", b.limit.Day, "cost", dollars(b.cost(b.limit.Day)), "read", b.now().reads.Day)
	}
	if b.limit.Month > 0 {
		s.logger.Info("the budget: at most so many Posts a billing cycle", "posts", b.limit.Month, "cost", dollars(b.cost(b.limit.Month)), "read", b.now().reads.Month, "cycle_day", b.cycleDay)
	}
	if b.limit == (Reads{}) && isX(s.base) {
		s.logger.Warn("no budget: each Post is billed, whatever their number", "price", b.price)
	}
}

// afford waits while the budget is spent. An error means not to wait.
func (p *position) afford(ctx context.Context) error {
	held := false
	for ctx.Err() == nil {
		why, turns := p.budget.spent(1)
		if why == "" {
			break
		}
		now, known := p.budget.clock()
		if !known {
			// Is it still the day of which the stored count is? X tells.
			p.askUsage(ctx)
			if now, known = p.budget.clock(); known {
				continue
			}
		}
		if p.stopHeld {
			return fmt.Errorf("%s until %s", why, turns.Format(time.RFC3339))
		}
		if !held {
			held = true
			p.mu.Lock()
			p.held = true
			p.mu.Unlock()
			c := p.budget.now().reads
			p.logger.Warn("the stream is held by the budget", "reason", why, "until", turns, "read_day", c.Day, "read_month", c.Month)
			p.setHeld(why)
		}
		// In steps, for the machine may sleep meanwhile, and pages that are asked
		// for may bring less than was set aside for them.
		sleep(ctx, max(min(turns.Sub(now), time.Minute), time.Second))
	}
	if held && ctx.Err() == nil {
		p.setHeld("")
	}
	return nil
}

// checkMoney checks the options about recovery and the budget.
func (c *config) checkMoney(bad func(option, format string, args ...any)) {
	if c.back < 0 || c.back > searchDays || c.posts < 0 || (c.back == 0) != (c.posts == 0) {
		bad("Recover", "want up to 7 days and a number of Posts, or 0 and 0, not %v and %d", c.back, c.posts)
	}
	if c.backfill != 0 && (c.backfill < time.Minute || c.backfill > 5*time.Minute) {
		bad("Backfill", "want 1 to 5 minutes, not %v", c.backfill)
	}
	if c.budget != nil && (c.budget.Day < 0 || c.budget.Month < 0) {
		bad("Budget", "want numbers of Posts, 0 for no limit")
	}
	if c.cycleDay < 1 || c.cycleDay > 31 {
		bad("CycleDay", "want a day of the month, not %d", c.cycleDay)
	}
	if !(c.price >= 0 && c.price <= 1000) {
		bad("Price", "want dollars for a Post, not %v", c.price)
	}
}

// maxIDs is how many Posts of a day are known at the most. Then all are
// forgotten, and counted again if they come again.
const maxIDs = 4 << 20

// idSet is a set of ids: numbers in a hash table, 16 to 32 bytes each.
type idSet struct {
	slots []uint64 // 0: free
	n     int
}

var idSeed = maphash.MakeSeed()

// add reports whether id is new.
func (s *idSet) add(id string) bool {
	n, err := strconv.ParseUint(id, 10, 63)
	if err != nil || n == 0 {
		n = maphash.String(idSeed, id) | 1<<63
	}
	if s.n >= maxIDs {
		s.clear()
	}
	if 2*(s.n+1) > len(s.slots) {
		old := s.slots
		s.slots = make([]uint64, max(2*len(old), 1<<10))
		for _, n := range old {
			if n != 0 {
				s.slots[s.find(n)] = n
			}
		}
	}
	i := s.find(n)
	if s.slots[i] == n {
		return false
	}
	s.slots[i] = n
	s.n++
	return true
}

// find returns where n is or should be.
func (s *idSet) find(n uint64) int {
	mask := len(s.slots) - 1
	i := int(n*0x9e3779b97f4a7c15>>32) & mask
	for s.slots[i] != 0 && s.slots[i] != n {
		i = (i + 1) & mask
	}
	return i
}

func (s *idSet) clear() { s.slots, s.n = nil, 0 }
