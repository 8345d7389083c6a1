package sinktest

import (
	"context"
	"errors"
	"slices"

	"github.com/tweetstream-go/tweetstream"
)

const adviceHostile = "Store the message whole, or refuse it by a TweetError that is Permanent."

// hostilePosts delivers each of them between two others.
func hostilePosts(p *probe) {
	neighbours := p.posts(2)
	var stored []*tweetstream.Tweet
	for _, h := range p.hostiles() {
		stored = append(stored, p.hostilePost(h, neighbours)...)
		neighbours = p.posts(2)
	}
	p.held(holding{when: "After hostile Posts", tweets: stored, advice: adviceHostile})
}

// hostilePost delivers one as a Streamer would, and returns what must be stored.
func (p *probe) hostilePost(h hostile, neighbours []*tweetstream.Tweet) []*tweetstream.Tweet {
	batch := []*tweetstream.Tweet{neighbours[0], h.tweet, neighbours[1]}
	err := p.hostileDeliver(h, batch)
	if err == nil {
		return batch
	}
	v := read(err)
	switch {
	case err == errPanic:
		return nil
	case len(v.others) == 0 && len(v.named) > 0:
		for i, e := range v.named {
			if e.ID != h.tweet.ID {
				p.fail(ruleNamed, "Fail the Post at fault alone.", "A Post with %s fails another one of its batch: %v.", h.name, e)
			} else if !v.permanent[i] {
				p.notPermanent(h, e)
			}
		}
		return neighbours
	case v.whole: // the batch is split, until the Post stands alone
		for _, t := range neighbours {
			if err := p.deliver(p.ctx, []*tweetstream.Tweet{t}); err != nil {
				p.fail(rulePermanent, "Fail the Post at fault alone.", "After a Post with %s, another one fails alone: %v.", h.name, err)
			}
		}
		if err := p.hostileDeliver(h, batch[1:2]); err == nil {
			return batch
		} else if !blames(err) {
			p.notPermanent(h, err)
		}
		return neighbours
	}
	p.notPermanent(h, err)
	return nil
}

func (p *probe) notPermanent(h hostile, err error) {
	p.fail(rulePermanent, adviceHostile, "A Post with %s fails for ever: %v.", h.name, err)
}

var errPanic = errors.New("a panic, which is noted")

// hostileDeliver is deliver, but goes on after a panic.
func (p *probe) hostileDeliver(h hostile, batch []*tweetstream.Tweet) error {
	p.known = append(p.known, batch...)
	slice := slices.Clone(batch)
	late, err := call(p.ctx, func(ctx context.Context) error { return p.Sink.Deliver(ctx, slice) })
	if e, ok := err.(*panicked); ok {
		p.fail(rulePanic, adviceHostile, "A Post with %s: Deliver ends in a %v.", h.name, e)
		return errPanic
	}
	p.judgeCall("Deliver", err, late)
	return err
}
