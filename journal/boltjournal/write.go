package boltjournal

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/tweetstream-go/tweetstream"
)

// ErrFull is in the chain of what Append returns while the journal has reached
// its [Limit], or the disk the least that is to stay free ([FreeDisk]).
var ErrFull = errors.New("boltjournal: the journal is full")

// request is one call of Append or Commit.
type request struct {
	tweets  []*tweetstream.Tweet
	state   []byte
	cursors map[string]uint64

	next uint64
	err  error
	done chan struct{}
}

// writer is what the one who has the turn uses.
type writer struct {
	arena    []byte
	tweets   []*tweetstream.Tweet
	doubtful bool            // the last commit failed, and may be on disk all the same
	inUse    map[string]bool // names of this session
	began    time.Time       // of the session: its first commit of cursors
	seen     time.Time       // when names were last said to be in use
	level    int             // of the warnings about the limit
	stuck    map[uint64]bool // chunks that can't be dropped, for they are damaged
}

// Append implements [tweetstream.Journal]. Calls that come while a transaction
// is on its way to the disk share the next one. Once the transaction is under way
// the end of ctx does not end the wait for it.
func (j *Journal) Append(ctx context.Context, tweets []*tweetstream.Tweet, state []byte) (next uint64, err error) {
	if slices.Contains(tweets, nil) {
		return 0, errors.New("boltjournal: a tweet is nil")
	}
	r := &request{tweets: tweets, state: state, done: make(chan struct{})}
	err = j.submit(ctx, r)
	return r.next, err
}

// Commit implements [tweetstream.Journal]. It drops what all cursors have passed,
// as far as [History] does not keep it, in chunks of some thousand tweets.
func (j *Journal) Commit(ctx context.Context, cursors map[string]uint64) error {
	for name := range cursors {
		if len(name) > 1<<10 {
			return fmt.Errorf("boltjournal: a sink's name of %d bytes; the longest is %d", len(name), 1<<10)
		}
	}
	return j.submit(ctx, &request{cursors: cursors, done: make(chan struct{})})
}

// submit queues a request and waits until it is done. Of those who wait, the next
// to get the turn writes for all.
func (j *Journal) submit(ctx context.Context, r *request) error {
	if err := j.ready(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	j.mu.Lock()
	j.queue = append(j.queue, r)
	j.mu.Unlock()
	select {
	case <-r.done:
	case j.turn <- struct{}{}:
		j.mu.Lock()
		group := j.queue
		j.queue = nil
		j.mu.Unlock()
		if len(group) > 0 {
			j.write(group)
		}
		<-j.turn
		<-r.done // it was in the group, or in an earlier one
	case <-ctx.Done():
		if j.withdraw(r) {
			return ctx.Err()
		}
		<-r.done
	}
	return r.err
}

// withdraw takes a request back that no transaction has taken.
func (j *Journal) withdraw(r *request) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	i := slices.Index(j.queue, r)
	if i >= 0 {
		j.queue = slices.Delete(j.queue, i, i+1)
	}
	return i >= 0
}

// write carries out requests in one transaction. The caller has the turn.
func (j *Journal) write(group []*request) {
	defer func() {
		for _, r := range group {
			close(r.done)
		}
	}()
	fail := func(err error) {
		for _, r := range group {
			if r.err == nil {
				r.next, r.err = 0, err
			}
		}
	}
	if j.file == nil {
		fail(ErrClosed)
		return
	}
	var s *state
	var committing bool
	try := func() error {
		for _, r := range group {
			r.next, r.err = 0, nil
		}
		w, err := j.file.begin(&j.config, j.current.Load(), j.arena)
		if err != nil {
			return err
		}
		defer w.rollback()
		if err := j.fill(w, group); err != nil {
			return err
		}
		committing = true
		if err := w.commit(); err != nil {
			return err
		}
		s, j.arena = w.state, w.arena
		return nil
	}
	err := guard(j.path, try)
	if errors.Is(err, ErrDamaged) && !committing && j.setAside() {
		err = guard(j.path, try)
	}
	clear(j.tweets)
	if cap(j.arena) > 64<<20 {
		j.arena = nil
	}
	if err != nil {
		// Its last page may have been written, though it was not synced.
		j.doubtful = j.doubtful || committing
		if !errors.Is(err, ErrDamaged) {
			err = fmt.Errorf("boltjournal: write %s: %w", j.path, err)
		}
		fail(err)
		return
	}
	j.doubtful = false
	j.publish(s)
}

// fill puts into a transaction what the requests ask for. A request that fails by
// itself has its error; the others go on.
func (j *Journal) fill(w *writing, group []*request) error {
	if j.doubtful {
		if err := w.repair(); err != nil {
			return err
		}
	}
	if err := j.putCursors(w, group); err != nil {
		return err
	}
	if err := j.retain(w); err != nil {
		return err
	}
	j.tweets = j.tweets[:0]
	if err := j.admit(w, group); err != nil {
		return err
	}
	next := w.state.next
	for _, r := range group {
		if r.err != nil {
			continue
		}
		j.tweets = append(j.tweets, r.tweets...)
		next += uint64(len(r.tweets))
		r.next = next
	}
	if err := w.put(j.tweets); err != nil {
		return err
	}
	for _, r := range slices.Backward(group) {
		if r.err == nil && r.state != nil {
			return w.putState(r.state) // the newest of them
		}
	}
	return nil
}

// admit refuses the requests for whose tweets there is no room.
func (j *Journal) admit(w *writing, group []*request) error {
	j.mu.Lock()
	room := j.limit - j.used
	j.mu.Unlock()
	reusable := int64(j.file.freePages()) * int64(j.file.db.Info().PageSize) / 2 // it is in pieces
	var full error
	for _, r := range group {
		if len(r.tweets) == 0 {
			continue
		}
		if full != nil {
			r.err = full // in their order: none passes another by
			continue
		}
		need := int64(overhead)
		for _, t := range r.tweets {
			need += int64(entryLen(t)) + checksumSize
		}
		need += need / 8 // of pages that are not full
		for room < need && j.droppable(w) {
			room += int64(w.state.chunks[0].bytes)
			if err := w.drop(); err != nil {
				return err
			}
		}
		if room < need {
			full = fmt.Errorf("%w: %d of %d bytes are in use, and %d are needed", ErrFull, j.limit-room, j.limit, need)
		} else if free, known := j.free(filepath.Dir(j.path)); known && j.floor > 0 && free < uint64(j.floor)+uint64(need) && reusable < need {
			full = fmt.Errorf("%w: %d bytes are free on the disk, and %d must stay free", ErrFull, free, j.floor)
		}
		if full != nil {
			r.err = full
			continue
		}
		room -= need
		reusable -= need
	}
	return nil
}

// overhead is about what a transaction of one tweet takes until the next one.
const overhead = 64 << 10

// watch warns of the limit. The caller has the turn.
func (j *Journal) watch(used int64) {
	percent := used * 100 / j.limit
	level := 0
	switch {
	case percent >= 90:
		level = 2
	case percent >= 70:
		level = 1
	}
	args := []any{"journal", j.path, "percent", percent, "used", used, "limit", j.limit}
	switch {
	case level > j.level:
		j.logger.Warn("the journal fills up: a sink is far behind", args...)
		j.level = level
	case j.level > 0 && percent < 65: // not 70, lest it be said again and again
		j.logger.Info("the journal has room again", args...)
		j.level = 0
	}
}
