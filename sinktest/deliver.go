package sinktest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/tweetstream-go/tweetstream"
)

// deliversAll delivers batches of all sizes.
func deliversAll(p *probe) {
	var all []*tweetstream.Tweet
	for _, n := range []int{1, 2, 100, 1_000, 1} {
		batch := p.posts(n)
		all = append(all, batch...)
		p.mustDeliver(fmt.Sprintf("a batch of %d", n), batch)
		p.held(holding{when: fmt.Sprintf("After a batch of %d", n), tweets: all, ordered: true})
		if len(p.failures) > 0 {
			return // the next size fails likewise
		}
	}
	if p.Stored == nil {
		p.skip("Subject.Stored is nil: batches of all sizes pass, what has become of them can't be seen")
	}
}

// keepsNoSlice writes over the slice once Deliver has returned.
func keepsNoSlice(p *probe) {
	if p.Stored == nil {
		p.skip("Subject.Stored is nil: it can't be seen whether the sink keeps the slice")
	}
	decoys := p.posts(10)
	p.decoys = map[string]bool{}
	for _, t := range decoys {
		p.decoys[t.ID], p.decoys[t.ID+t.ID] = true, true // by ID, by Raw, or by both
	}
	var all []*tweetstream.Tweet
	for range 3 {
		batch := p.posts(10)
		all = append(all, batch...)
		p.known = append(p.known, batch...)
		slice := slices.Clone(batch)
		if err := p.deliverSlice(p.ctx, slice); err != nil {
			p.fatal(rulePermanent, "See why it fails.", "Deliver of a batch of 10 fails: %v.", err)
		}
		copy(slice, decoys)
	}
	p.held(holding{when: "After the slices were written over", tweets: all, rule: ruleSlice,
		advice: "Copy what is needed later, as in slices.Clone(tweets), before Deliver returns."})
}

// changesNoTweet compares tweets with copies.
func changesNoTweet(p *probe) {
	batch := p.posts(20)
	for _, h := range p.hostiles()[:20] {
		batch = append(batch, h.tweet)
	}
	copies := make([]*tweetstream.Tweet, len(batch))
	for i, t := range batch {
		copies[i] = t.WithRaw(slices.Clone(t.Raw))
		copies[i].Rules = slices.Clone(t.Rules)
	}
	_ = p.deliver(p.ctx, batch) // hostile ones may be refused
	for i, t := range batch {
		if !t.Equal(copies[i]) {
			p.fail(ruleReadOnly, "Work on a copy: t.WithRaw(…), slices.Clone(t.Rules). Other sinks read the same tweet at the same time.",
				"Deliver has changed tweet %s.", copies[i].ID)
			return
		}
	}
}

// again delivers what was delivered before.
func again(p *probe) {
	batch := p.posts(10)
	p.mustDeliver("a batch of 10", batch)
	p.twice("the same batch again", batch)
	more := append(slices.Clone(batch[5:]), p.posts(5)...)
	p.twice("a batch that overlaps with one before", more)
	two := p.posts(2)
	p.twice("a batch with one tweet twice", []*tweetstream.Tweet{two[0], two[1], two[0]})
	p.twice("a single tweet again", two[:1])

	all := slices.Concat(batch, more[5:], two)
	p.held(holding{when: "After batches that came again", tweets: all, rule: ruleAgain, ordered: p.Once,
		advice: "Skip or overwrite what is there already, and store the rest of the batch."})
	if p.Stored == nil {
		p.skip("Subject.Stored is nil: repeats pass, what has become of them can't be seen")
	}
}

func (p *probe) twice(what string, batch []*tweetstream.Tweet) {
	if err := p.deliver(p.ctx, batch); err != nil {
		p.fatal(ruleAgain, "Take a tweet that is there already for delivered: skip it, or overwrite it.", "Deliver of %s fails: %v.", what, err)
	}
}

// parallel delivers from several goroutines.
func parallel(p *probe) {
	if !p.Parallel {
		p.skip("Subject.Parallel is false: calls come one at a time")
	}
	const workers, calls, size = 8, 20, 5
	all := p.posts(workers * calls * size)
	p.known = append(p.known, all...)
	errs := make(chan error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for c := range calls {
				at := (c*workers + w) * size
				batch := slices.Clone(all[at : at+size])
				if c%4 == 3 { // under two names, the same tweet comes twice
					batch = append(batch, all[at-at%(workers*size)])
				}
				late, err := call(p.ctx, func(ctx context.Context) error { return p.Sink.Deliver(ctx, batch) })
				if late != "" {
					err = errors.New("it " + late)
				}
				if err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	select {
	case err := <-errs:
		p.fatal(ruleParallel, "Guard what calls share with a mutex, or leave Subject.Parallel out and say so in the sink's comment.",
			"%d calls of Deliver at a time: one fails: %v.", workers, err)
	default:
	}
	p.held(holding{when: fmt.Sprintf("After calls of Deliver from %d goroutines", workers), tweets: all, rule: ruleParallel,
		advice: "Guard what calls share with a mutex, and run the suite with -race."})
}
