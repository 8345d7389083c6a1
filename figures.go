package tweetstream

import (
	"maps"
	"time"
)

// figures are what a delivery counts, under its mutex.
type figures struct {
	delivered, failures, retries uint64

	lost map[Reason]uint64

	tweets, bytes int64 // read, for the mean size

	state      State
	struggles  int       // that have said Retrying or Outage
	outages    int       // that have said Outage
	unreadable int       // workers that can't read the journal
	since      time.Time // of the outage
	warned     time.Time // when a failure was last logged
	stuck      bool      // said to hang

	lastError   string
	lastErrorAt time.Time
}

func (d *delivery) stats() SinkStats {
	unread, kept, bytes, oldest := d.reader.Waiting()
	d.mu.Lock()
	defer d.mu.Unlock()
	bytes -= int64(kept) * tweetSize
	if onDisk := unread - kept; onDisk > 0 && d.figures.tweets > 0 {
		bytes += int64(float64(onDisk) * float64(d.figures.bytes) / float64(d.figures.tweets))
	}
	st := SinkStats{
		Name:         d.name,
		State:        d.state(),
		Delivered:    d.figures.delivered,
		Failures:     d.figures.failures,
		Retries:      d.figures.retries,
		Deleted:      d.deleted.Load(),
		Lost:         maps.Clone(d.figures.lost),
		Waiting:      unread,
		WaitingBytes: bytes,
		LastError:    d.figures.lastError,
		LastErrorAt:  d.figures.lastErrorAt,
	}
	if n := d.overflow.Load(); n > 0 {
		st.Lost[Overflowed] = n
	}
	if d.ended && d.journal == nil {
		st.Waiting, st.WaitingBytes = 0, 0 // all are accounted for
		return st
	}
	for i := len(d.batches) - 1; i >= 0; i-- {
		for _, t := range d.batches[i].tweets {
			st.Waiting++
			st.WaitingBytes += int64(len(t.Raw))
		}
		if len(d.batches[i].tweets) > 0 {
			oldest = d.batches[i].tweets[0]
		}
	}
	if oldest != nil {
		st.Oldest = max(0, time.Since(oldest.Received))
	}
	return st
}

// state is called under the mutex.
func (d *delivery) state() State {
	for _, since := range d.calls {
		if time.Since(since)-d.timeout > abandonAfter {
			return Stuck
		}
	}
	switch {
	case d.paused != nil:
		return Paused
	case d.figures.outages > 0 || d.figures.unreadable > 0:
		return Outage
	case d.figures.struggles > 0:
		return Retrying
	}
	return Running
}

// read notes what was read from the log. It is called under the mutex.
func (f *figures) read(tweets []*Tweet) {
	f.tweets += int64(len(tweets))
	for _, t := range tweets {
		f.bytes += int64(len(t.Raw))
	}
}

// unreadable notes that the journal can't be read.
func (d *delivery) unreadable(text string, first bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if first {
		d.figures.unreadable++
	}
	d.figures.lastError, d.figures.lastErrorAt = text, time.Now()
}

// readable takes that back.
func (d *delivery) readable() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.figures.unreadable--
}

// retrying notes a call of the sink with tweets that have failed before.
func (d *delivery) retrying() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.figures.retries++
}

// calling and called note when a Deliver began and that it returned.
func (d *delivery) calling(b *batch) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls[b] = time.Now()
}

func (d *delivery) called(b *batch) {
	d.mu.Lock()
	delete(d.calls, b)
	back := d.figures.stuck && d.state() != Stuck
	if back {
		d.figures.stuck = false
	}
	d.mu.Unlock()
	if back {
		d.logger.Info("the sink has returned from Deliver at last")
	}
}

// delivered notes tweets that the sink has.
func (d *delivery) delivered(b *batch, tweets []*Tweet) {
	d.mu.Lock()
	if !d.ended {
		d.figures.delivered += uint64(len(tweets))
	}
	d.mu.Unlock()
	d.resolve(b, tweets)
}

// failed notes a call of the sink that failed.
func (d *delivery) failed(err error, tweets []*Tweet) {
	text := safeError(err, tweets...)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.figures.failures++
	d.figures.lastError, d.figures.lastErrorAt = text, time.Now()
}

// warnEvery is how often a sink that fails now and then is logged.
const warnEvery = 10 * time.Second

// trouble says of the sink what s knows of it, once. Nothing is logged under the
// mutex: a logger may block.
func (d *delivery) trouble(s *struggle) {
	d.mu.Lock()
	f := &d.figures
	warn, outage, text := false, false, f.lastError
	if s.said == "" {
		s.said = Retrying
		f.struggles++
		if warn = time.Since(f.warned) >= warnEvery; warn {
			f.warned = time.Now()
		}
	}
	if s.tries >= suspicious && len(s.poison) == 0 && s.said != Outage {
		s.said = Outage
		f.outages++
		if outage = f.outages == 1; outage {
			f.since = s.first
		}
	}
	d.mu.Unlock()
	if warn {
		d.logger.Warn("delivery failed and is tried again", "count", len(s.tweets), "first", s.tweets[0].ID, "error", text)
	}
	if outage {
		d.logger.Error("the sink takes nothing: an outage", "tries", s.tries, "error", text)
	}
}

// calm takes back what s has said.
func (d *delivery) calm(s *struggle) {
	d.mu.Lock()
	f := &d.figures
	if s.said != "" {
		f.struggles--
	}
	over := false
	if s.said == Outage {
		f.outages--
		over = f.outages == 0 && len(s.tweets) == 0
	}
	since := f.since
	d.mu.Unlock()
	if over {
		d.logger.Info("the sink takes tweets again", "after", time.Since(since).Round(time.Millisecond))
	}
}

// sayIfStuck logs a Deliver that does not return, once.
func (d *delivery) sayIfStuck() {
	d.mu.Lock()
	say := d.state() == Stuck && !d.figures.stuck
	if say {
		d.figures.stuck = true
	}
	d.mu.Unlock()
	if say {
		d.logger.Error("the sink does not return from Deliver or a transform, though its time is over", "timeout", d.timeout)
	}
}
