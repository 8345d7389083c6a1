package tweetstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"time"
)

// A Position is a place in the log: [Oldest], [Newest], a time in the form of
// [time.RFC3339], or the id of a Post.
type Position string

const (
	Oldest Position = "oldest" // the oldest tweet that the journal keeps
	Newest Position = "newest" // behind the newest tweet
)

// At returns the position of the first tweet that was received at t or later.
func At(t time.Time) Position { return Position(t.Format(time.RFC3339Nano)) }

// Pause keeps tweets from a sink until [Streamer.Resume]: they wait for it as
// for one that is slow. A Deliver under way is not cut off, nor what is tried one
// by one at the moment. Pause does not outlive Run. A sink that is paused when
// Run's context ends gets nothing more; a source that ends by itself is waited
// for until the sink has resumed.
//
// Pause and Resume may be called at any time while Run runs, from any goroutine,
// and again without harm. They fail for a sink that is not there.
func (s *Streamer) Pause(sink string) error {
	d, err := s.delivery("Pause", sink)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.paused == nil {
		d.paused = make(chan struct{})
	}
	return nil
}

// Resume lets a sink go on after [Streamer.Pause].
func (s *Streamer) Resume(sink string) error {
	d, err := s.delivery("Resume", sink)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.paused != nil {
		close(d.paused)
		d.paused = nil
	}
	return nil
}

// Seek moves a sink's cursor: it goes on from there, and gets again what it had
// since, or never gets what lies between. The context of a Deliver under way
// ends. It needs a journal, in which an id is looked for from the newest Post
// backwards; that may take seconds. It may be called at any time while Run runs,
// from any goroutine.
func (s *Streamer) Seek(sink string, to Position) error {
	d, err := s.delivery("Seek", sink)
	if err != nil {
		return err
	}
	if s.journal == nil {
		return errors.New("tweetstream: Seek: a journal is needed")
	}
	pos, err := s.find(context.Background(), to)
	if err != nil {
		return fmt.Errorf("tweetstream: Seek: %w", err)
	}
	from, err := d.seek(pos, to == Oldest)
	if err != nil {
		return fmt.Errorf("tweetstream: Seek: %w", err)
	}
	// It is kept before Seek returns: a crash right after it does not undo it.
	if err := s.keeper.storeSought(context.Background(), d, pos); err != nil {
		return fmt.Errorf("tweetstream: Seek: the sink goes on from there, but the journal does not know: %w", err)
	}
	s.logger.Info("a sink's cursor was moved", "sink", sink, "to", string(to), "skipped", pos-min(from, pos), "again", from-min(from, pos))
	return nil
}

// seek moves the sink to pos and returns where its cursor was.
func (d *delivery) seek(pos uint64, oldest bool) (from uint64, err error) {
	from = d.cursor()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.working == 0 {
		return 0, fmt.Errorf("sink %q has come to the end of the log, which has ended", d.name)
	}
	d.turn.over()
	d.nextTurn()
	d.batches, d.taken, d.oldest = nil, pos, oldest
	d.reader.Seek(pos)
	return from, nil
}

// leave says that a worker ends.
func (d *delivery) leave() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.working--
}

// leaveAt says that a worker ends, for it has come to the end of a turn: of the
// log, or of the drain time. It reports false if Seek has begun another one.
func (d *delivery) leaveAt(t turn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ctx.Err() == nil && !d.inTurn(t) {
		return false
	}
	d.working--
	return true
}

// nextTurn begins a turn. It is called under the mutex.
func (d *delivery) nextTurn() {
	d.turn.number++
	d.turn.ctx, d.turn.over = context.WithCancel(d.ctx)
}

func (d *delivery) thisTurn() turn {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.turn
}

// inTurn reports whether t is not over. If it is, what was read in it has moved
// the reader, which is put back to where Seek wants it. It is called under the
// mutex.
func (d *delivery) inTurn(t turn) bool {
	if t.number == d.turn.number {
		return true
	}
	d.reader.Seek(d.taken)
	return false
}

// gate waits while the sink is paused, and returns for how long.
func (d *delivery) gate(ctx context.Context) time.Duration {
	begin := time.Now()
	for {
		d.mu.Lock()
		paused := d.paused
		d.mu.Unlock()
		if paused == nil {
			return time.Since(begin)
		}
		select {
		case <-paused:
		case <-d.closing:
			return time.Since(begin)
		case <-ctx.Done():
			return time.Since(begin)
		}
	}
}

// admit waits while the sink is paused, and returns the tweets that are still to
// be delivered then: none if there is no more time for them.
func (d *delivery) admit(ctx context.Context, b *batch, tweets []*Tweet) []*Tweet {
	d.gate(ctx)
	if ctx.Err() != nil || d.isClosed() {
		return nil
	}
	return d.passBy(b, tweets)
}

// passBy takes those tweets off the batch that are gone from X, and returns the
// others.
func (d *delivery) passBy(b *batch, tweets []*Tweet) []*Tweet {
	left, gone := d.gone.sort(tweets)
	if len(gone) == 0 {
		return tweets
	}
	d.deleted.Add(uint64(len(gone)))
	d.resolve(b, gone)
	return left
}

// close says that Run's context has ended: nobody waits for a sink to resume.
func (d *delivery) close() { close(d.closing) }

// isClosed reports whether the sink is paused and will not resume.
func (d *delivery) isClosed() bool {
	select {
	case <-d.closing:
	default:
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.paused != nil
}

func (s *Streamer) delivery(method, sink string) (*delivery, error) {
	if s.state.Load() != Running {
		return nil, fmt.Errorf("tweetstream: %s: Run is not running", method)
	}
	i := slices.IndexFunc(s.sinks, func(d *delivery) bool { return d.name == sink })
	if i < 0 {
		return nil, fmt.Errorf("tweetstream: %s: there is no sink %.64q", method, sink)
	}
	return s.sinks[i], nil
}

// find returns where a position is in the journal.
func (s *Streamer) find(ctx context.Context, p Position) (uint64, error) {
	end := s.ring.Next()
	if p == Newest {
		return end, nil
	}
	var one [1]Entry
	n, err := s.journal.Read(ctx, 0, one[:])
	if err != nil {
		return 0, fmt.Errorf("read journal: %w", err)
	}
	if n == 0 {
		return end, nil // it is empty: all positions are the same
	}
	oldest := one[0].Pos
	if p == Oldest {
		return oldest, nil
	}
	if at, err := time.Parse(time.RFC3339, string(p)); err == nil {
		return s.findTime(ctx, at, oldest, end)
	}
	return s.findID(ctx, string(p), oldest, end)
}

// findTime looks for the first tweet that was received at t or later.
func (s *Streamer) findTime(ctx context.Context, t time.Time, oldest, end uint64) (uint64, error) {
	var failed error
	n := sort.Search(int(end-oldest), func(i int) bool {
		var one [1]Entry
		n, err := s.journal.Read(ctx, oldest+uint64(i), one[:])
		if err != nil {
			failed = fmt.Errorf("read journal: %w", err)
		}
		return err != nil || n == 0 || !one[0].Tweet.Received.Before(t)
	})
	return oldest + uint64(n), failed
}

// findID looks for the newest entry of a Post, block by block from the end.
func (s *Streamer) findID(ctx context.Context, id string, oldest, end uint64) (uint64, error) {
	block := make([]Entry, 1000)
	failures := 0
	for end > oldest {
		begin := max(oldest, end-min(end, uint64(len(block))))
		found, ok := uint64(0), false
		for pos := begin; pos < end; {
			n, err := s.journal.Read(ctx, pos, block[:end-pos])
			if err != nil {
				// What is sought may stand behind a bad place.
				if failures++; failures > len(block) {
					return 0, fmt.Errorf("read journal: %w", err)
				}
				pos++
				continue
			}
			if n == 0 {
				break
			}
			for _, e := range block[:n] {
				if e.Pos < end && e.Tweet.ID == id {
					found, ok = e.Pos, true
				}
			}
			pos = block[n-1].Pos + 1
		}
		if ok {
			return found, nil
		}
		end = begin
	}
	return 0, fmt.Errorf("position %.64q is not in the journal: want oldest, newest, a time as %s, or the id of a Post", id, time.RFC3339)
}
