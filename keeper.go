package tweetstream

import (
	"context"
	"maps"
	"sync"
	"time"
)

// keeper does now and then what need not be done for every tweet: it stores how
// far the sinks are, names what was lost, and says which sink hangs.
type keeper struct {
	*config
	intake *intake
	sinks  []*delivery
	losses *losses

	state    []byte // passed by all sinks, not stored yet
	troubled bool   // the last try to store failed

	mu        sync.Mutex
	committed map[string]uint64 // cursors, as the journal has them
}

func newKeeper(c *config, in *intake, sinks []*delivery, l *losses) *keeper {
	return &keeper{config: c, intake: in, sinks: sinks, losses: l, committed: map[string]uint64{}}
}

// A crash repeats what sinks got since they were last stored. In a journal that
// goes along with a commit of tweets, most of the time; a checkpoint is a file of
// its own.
const (
	journalEvery    = 200 * time.Millisecond
	checkpointEvery = time.Second
)

// run stores how far the sinks are until ctx is done, and then once more.
func (k *keeper) run(ctx context.Context) {
	d := checkpointEvery
	if k.journal != nil {
		d = journalEvery
	}
	every(ctx, d, func() { k.store(context.WithoutCancel(ctx)) })
}

// say logs every second what there is to say, likewise. A logger that blocks keeps
// it from that, and nobody else from anything.
func (k *keeper) say(ctx context.Context) {
	every(ctx, time.Second, func() {
		k.losses.flush()
		for _, d := range k.sinks {
			d.sayIfStuck()
		}
	})
}

// every calls f again and again until ctx is done, and then once more.
func every(ctx context.Context, d time.Duration, f func()) {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for running := true; running; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			running = false
		}
		f()
	}
}

// store keeps how far the sinks are, in the journal or the checkpoint.
func (k *keeper) store(ctx context.Context) {
	var err error
	switch {
	case k.journal != nil:
		err = k.storeCursors(ctx)
	case k.checkpoint != "":
		err = k.storeState()
	}
	switch {
	case err != nil && !k.troubled:
		k.logger.Error("how far the sinks are can't be stored: a restart would repeat tweets", "error", safeError(err))
	case err == nil && k.troubled:
		k.logger.Info("how far the sinks are is stored again")
	}
	k.troubled = err != nil
}

func (k *keeper) storeCursors(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	moved := map[string]uint64{}
	for _, d := range k.sinks {
		if d.set["Live"] {
			continue
		}
		pos := d.cursor()
		if stored, known := k.committed[d.name]; !known || pos != stored {
			moved[d.name] = pos
		}
	}
	return k.commit(ctx, moved)
}

// storeSought stores where a sink was sent to.
func (k *keeper) storeSought(ctx context.Context, d *delivery, pos uint64) error {
	if d.set["Live"] {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.commit(ctx, map[string]uint64{d.name: pos})
}

// commit is called under the mutex.
func (k *keeper) commit(ctx context.Context, moved map[string]uint64) error {
	if len(moved) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := k.journal.Commit(ctx, moved); err != nil {
		return err
	}
	maps.Copy(k.committed, moved)
	return nil
}

func (k *keeper) storeState() error {
	slowest := k.sinks[0].cursor()
	for _, d := range k.sinks[1:] {
		slowest = min(slowest, d.cursor())
	}
	if state := k.intake.passed(slowest); state != nil {
		k.state = state
	}
	if k.state == nil {
		return nil
	}
	if err := writeCheckpoint(k.checkpoint, k.state); err != nil {
		return err
	}
	k.state = nil
	return nil
}
