package xstream

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/tweetstream-go/tweetstream"
)

// position is how much of the stream is in the log. All Posts go to the log
// through it, together with the state that says so.
type position struct {
	*Source
	emit tweetstream.Emit

	mu    sync.Mutex // held while emitting too, so that states are stored in their order
	heard time.Time  // by X's clock: up to here all is in the log, but for the gaps; zero at first
	gaps  []*gap     // that are open, the oldest first
	rate  rate       // of live Posts
	news  bool       // the state says less than is known
	held  bool       // the next gap is the budget's doing
	began time.Time  // by X's clock: what was read of it since is known

	late   time.Duration // how long after it was made X has sent a Post of late
	lateAt time.Time

	stateless bool          // a recovery by hand, which is no place in the stream
	wake      chan struct{} // holds a token when there may be a gap to be recovered
	ready     chan struct{} // closed when a connection has stood
	once      sync.Once
}

func (s *Source) newPosition(from []byte, emit tweetstream.Emit) (*position, error) {
	p := &position{Source: s, emit: emit, wake: make(chan struct{}, 1), ready: make(chan struct{})}
	if from == nil {
		return p, nil
	}
	st, err := decodeState(from)
	if err != nil {
		return nil, err
	}
	p.heard = st.Heard
	p.rate.restore(st.Rate)
	for _, g := range st.Gaps {
		p.gaps = append(p.gaps, &gap{since: g.Since, until: g.Until, begin: g.Since, allowed: s.posts})
	}
	s.budget.restore(st.counted())
	p.publish()
	return p, nil
}

// start lets recovery and all else run that goes on beside the stream, until end
// is called.
func (p *position) start(ctx context.Context) (_ context.Context, end func()) {
	p.sayBudget()
	ctx, cancel := context.WithCancelCause(ctx)
	var beside sync.WaitGroup
	beside.Go(func() {
		if err := p.recover(ctx); err != nil {
			cancel(err)
		}
	})
	beside.Go(func() {
		select {
		case <-p.ready:
			p.watchUsage(ctx)
		case <-ctx.Done():
		}
	})
	return ctx, func() {
		cancel(nil)
		beside.Wait()
	}
}

// failed returns the error of the log by which ctx was ended, if it was.
func (p *position) failed(ctx context.Context) error {
	var e *emitError
	if errors.As(context.Cause(ctx), &e) {
		return e
	}
	return nil
}

// live emits Posts of the stream, and that all is heard up to then.
func (p *position) live(ctx context.Context, tweets []*tweetstream.Tweet, heard time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if g := p.backfilled(); g != nil {
		for _, t := range tweets {
			if at := idTime(t.ID); !at.IsZero() && at.Before(g.until) {
				t.Recovered = true
				g.brought++
			}
		}
		if heard.Sub(g.until) > backfillTakes {
			p.close(g)
		}
	} else {
		heard = maxTime(p.heard, heard.Add(-p.lagging(tweets)))
	}
	for _, t := range tweets {
		p.book(t, p.budget.read(t.ID))
	}
	p.warn()
	p.rate.add(len(tweets), time.Now())
	var state []byte
	if p.news || len(tweets) > 0 || !heard.Equal(p.heard) {
		state = p.encode(heard)
	}
	if err := p.emit(ctx, tweets, state); err != nil {
		return &emitError{err}
	}
	p.heard, p.news = heard, false
	return nil
}

// lagging returns how far behind X sends, if that is more than usual: what was made
// since then may be on its way yet, and is not heard. It is called under the mutex.
func (p *position) lagging(tweets []*tweetstream.Tweet) time.Duration {
	now := time.Now()
	for i := range tweets {
		if i > 0 && i < len(tweets)-1 {
			continue // between them
		}
		if at := idTime(tweets[i].ID); !at.IsZero() {
			lag := p.clock().Sub(at)
			if lag < lagLongest && (lag > p.late || now.Sub(p.lateAt) > lagKept) {
				p.late, p.lateAt = lag, now
			}
		}
	}
	if p.late < lagUsual {
		return 0
	}
	return min(p.late, p.back)
}

const (
	// lagUsual is not exceeded by 99 in 100 Posts
	// (https://docs.x.com/x-api/posts/filtered-stream/introduction).
	lagUsual = 10 * time.Second
	// lagKept is how long the longest lag counts.
	lagKept = 5 * time.Minute
	// lagLongest is for Posts that are old, not late.
	lagLongest = time.Hour
)

// recovered emits Posts that a search brought. change is what is then known of
// the gaps.
func (p *position) recovered(ctx context.Context, tweets []*tweetstream.Tweet, change func()) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	p.publish()
	var state []byte
	if !p.stateless {
		state = p.encode(p.heard)
	} else if len(tweets) == 0 {
		return nil
	}
	if err := p.emit(ctx, tweets, state); err != nil {
		return &emitError{err}
	}
	return nil
}

// book counts a Post for Stats.
func (s *Source) book(t *tweetstream.Tweet, billed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.Recovered {
		s.stats.Recovered++
		if !billed {
			s.stats.Known++
		}
	}
	for _, r := range t.Rules {
		f := s.tags[r.Tag]
		if f == nil {
			if len(s.tags) >= maxTags {
				continue
			}
			f = new(TagStats)
			s.tags[r.Tag] = f
		}
		f.Posts++
		if billed {
			f.Billed++
			f.Cost = s.budget.cost(int(f.Billed))
		}
		f.Last = t.Received
	}
}

// maxTags bounds the figures: X knows no more rules.
const maxTags = 25_000

// publish makes the gaps known to Stats. It is called under the mutex.
func (p *position) publish() {
	open := make([]Gap, 0, len(p.gaps))
	for _, g := range p.gaps {
		open = append(open, Gap{Since: g.since, Until: g.until, Posts: g.posts})
	}
	p.count(func(st *Stats) { st.OpenGaps = open })
}

// state is what the source stores along with the tweets: up to Heard, by X's
// clock, all that X sent is in the log or named as lost, but for the Gaps, which
// are being recovered.
type state struct {
	Source string      `json:"source"`
	Heard  time.Time   `json:"heard"`
	Gaps   []storedGap `json:"gaps"`
	Rate   float64     `json:"rate"` // live Posts a second, of late
	Reads  struct {
		Day   string `json:"day"`
		Posts int    `json:"posts"`
		Cycle string `json:"cycle"`
		Month int    `json:"month"`
	} `json:"reads"`
}

type storedGap struct {
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
}

// counted is what the budget had counted. Without a day it is nothing.
func (st *state) counted() (c counted) {
	c.day, _ = time.Parse(time.DateOnly, st.Reads.Day)
	c.cycle, _ = time.Parse(time.DateOnly, st.Reads.Cycle)
	c.reads = Reads{Day: max(st.Reads.Posts, 0), Month: max(st.Reads.Month, 0)}
	return c
}

// encode returns the state. It is called for each read of the stream.
func (p *position) encode(heard time.Time) []byte {
	b := append(make([]byte, 0, 256), `{"source":"xstream","heard":"`...)
	b = append(heard.UTC().AppendFormat(b, time.RFC3339Nano), '"')
	for i, g := range p.gaps {
		if i == 0 {
			b = append(b, `,"gaps":[`...)
		} else {
			b = append(b, ',')
		}
		b = g.since.UTC().AppendFormat(append(b, `{"since":"`...), time.RFC3339Nano)
		b = g.until.UTC().AppendFormat(append(b, `","until":"`...), time.RFC3339Nano)
		b = append(b, `"}`...)
	}
	if len(p.gaps) > 0 {
		b = append(b, ']')
	}
	if r := p.rate.perSecond(time.Now()); r >= 0.001 {
		b = strconv.AppendFloat(append(b, `,"rate":`...), r, 'f', 3, 64)
	}
	if c := p.budget.now(); c.reads != (Reads{}) {
		b = c.day.AppendFormat(append(b, `,"reads":{"day":"`...), time.DateOnly)
		b = strconv.AppendInt(append(b, `","posts":`...), int64(c.reads.Day), 10)
		b = c.cycle.AppendFormat(append(b, `,"cycle":"`...), time.DateOnly)
		b = strconv.AppendInt(append(b, `","month":`...), int64(c.reads.Month), 10)
		b = append(b, '}')
	}
	return append(b, '}')
}

func decodeState(from []byte) (st state, err error) {
	if json.Unmarshal(from, &st) != nil || st.Source != "xstream" {
		return state{}, errors.New("the stored state is that of another source: use another checkpoint or journal, or move this one away")
	}
	return st, nil
}

// rate is how many Posts a second came of late: what came counts less the longer
// ago it was.
type rate struct {
	sum       float64
	begin, at time.Time
}

const rateOver = 5 * time.Minute

// restore goes on with the rate of an earlier run.
func (r *rate) restore(perSecond float64) {
	if perSecond > 0 && perSecond < 1e6 {
		r.sum = perSecond * rateOver.Seconds()
		r.begin = time.Now().Add(-10 * rateOver)
	}
}

// resume leaves out the time that has passed without a connection.
func (r *rate) resume(now time.Time) {
	if !r.at.IsZero() {
		r.begin = r.begin.Add(now.Sub(r.at))
	} else if r.begin.IsZero() {
		r.begin = now
	}
	r.at = now
}

func (r *rate) add(n int, now time.Time) {
	r.sum = r.sum*math.Exp(-now.Sub(r.at).Seconds()/rateOver.Seconds()) + float64(n)
	r.at = now
}

// perSecond returns 0 if too little was seen to know.
func (r *rate) perSecond(now time.Time) float64 {
	seen := r.at.Sub(r.begin)
	if r.at.IsZero() {
		seen = now.Sub(r.begin) // a rate that was restored
	}
	if r.begin.IsZero() || seen < 10*time.Second {
		return 0
	}
	return r.sum / (rateOver.Seconds() * (1 - math.Exp(-seen.Seconds()/rateOver.Seconds())))
}
