package sinktest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tweetstream-go/tweetstream"
)

// contextDone calls with a context that is done.
func contextDone(p *probe) {
	ctx, cancel := context.WithCancel(p.ctx)
	cancel()
	batch := p.posts(10)
	err := p.deliver(ctx, batch)
	if err == nil {
		p.held(holding{when: "After Deliver had returned nil though its context was done", tweets: batch,
			advice: "Return ctx.Err(), or deliver all the same."})
	}
	p.wantNoBlame("Deliver with a context that is done", err)
	p.mustDeliver("the same batch with a context that lasts", batch)
	p.held(holding{when: "After the same batch with a context that lasts", tweets: batch})
	if _, ok := p.Sink.(tweetstream.Deleter); ok {
		p.wantNoBlame("Delete with a context that is done", p.delete(ctx, batch[0].ID))
		p.mustDelete("the same id with a context that lasts", batch[0].ID)
		p.held(holding{when: "After a delete with a context that lasts", tweets: batch[1:]})
	}
}

func (p *probe) wantNoBlame(what string, err error) {
	if blames(err) {
		p.fail(rulePermanent, "Return the error as it is, and Permanent only for what no other try can help.",
			"%s returns a Permanent error: the Posts would not be tried again. %v", what, err)
	}
}

// contextEndsAHang lets the other end hang.
func contextEndsAHang(p *probe) {
	if p.Hang == nil || p.Mend == nil {
		p.skip("Subject.Hang or Mend is nil: the other end can't be made to hang")
	}
	batch := p.posts(5)
	p.mustDeliver("a batch of 5", batch)
	p.trouble(p.Hang)
	hung := p.posts(5)
	soon := func(what string, f func(context.Context) error) {
		ctx, cancel := context.WithTimeout(p.ctx, 200*time.Millisecond)
		defer cancel()
		err := f(ctx)
		p.wantNoBlame(what+" to an end that hangs", err)
		if err == nil {
			p.fail(ruleNil, "Return ctx.Err() when the context ends first.", "%s returns nil, though the other end hangs.", what)
		}
	}
	soon("Deliver", func(ctx context.Context) error { return p.deliver(ctx, hung) })
	_, deleter := p.Sink.(tweetstream.Deleter)
	if deleter {
		soon("Delete", func(ctx context.Context) error { return p.delete(ctx, batch[0].ID) })
	}
	p.mend()
	p.mustDeliver("the same batch once the other end answers again", hung)
	all := append(batch, hung...)
	if deleter {
		p.mustDelete("the same id once the other end answers again", batch[0].ID)
		all = all[1:]
	}
	p.held(holding{when: "Once the other end answers again", tweets: all})
}

// outage breaks the other end and mends it.
func outage(p *probe) {
	if p.Break == nil || p.Mend == nil {
		p.skip("Subject.Break or Mend is nil: the other end can't be broken")
	}
	before, batch := p.posts(5), p.posts(20)
	p.mustDeliver("a batch of 5", before)
	p.trouble(p.Break)
	swallowed := false
	for range 2 {
		err := p.deliver(p.ctx, batch)
		p.wantNoBlame("Deliver to an end that is broken", err)
		if err == nil {
			swallowed = true
			break
		}
	}
	_, deleter := p.Sink.(tweetstream.Deleter)
	if deleter {
		err := p.delete(p.ctx, before[0].ID)
		p.wantNoBlame("Delete at an end that is broken", err)
		swallowed = swallowed || err == nil && p.Stored == nil
	}
	p.mend()
	if swallowed && p.Stored == nil {
		p.fatal(ruleNil, "Return the error.", "A call returns nil, though the other end is broken.")
	}
	if swallowed {
		p.held(holding{when: "After Deliver had returned nil though the other end was broken", tweets: batch, may: before, advice: "Return the error."})
		return
	}
	p.mustDeliver("the same batch once the other end is mended", batch)
	all := append(before, batch...)
	if deleter {
		p.mustDelete("the same id once the other end is mended", before[0].ID)
		all = all[1:]
	}
	p.held(holding{when: "After an outage", tweets: all, ordered: true})
}

// outcome is an error of a Deliver that was brought about.
type outcome struct {
	how   string
	batch []*tweetstream.Tweet
	err   error
}

// provoke brings about errors of all kinds. It leaves the other end mended.
func (p *probe) provoke() (all []outcome) {
	try := func(how string, ctx context.Context, batch []*tweetstream.Tweet) {
		p.known = append(p.known, batch...)
		slice := slices.Clone(batch)
		late, err := call(ctx, func(ctx context.Context) error { return p.Sink.Deliver(ctx, slice) })
		if _, ok := err.(*panicked); err != nil && !ok && late == "" { // other checks look for these
			all = append(all, outcome{how, batch, err})
		}
	}
	done, cancel := context.WithCancel(p.ctx)
	cancel()
	try("with a context that is done", done, p.posts(10))
	if p.Break != nil && p.Mend != nil {
		p.trouble(p.Break)
		try("to an end that is broken", p.ctx, p.posts(10))
		try("of one Post to an end that is broken", p.ctx, p.posts(1))
		p.mend()
	}
	if p.Hang != nil && p.Mend != nil {
		p.trouble(p.Hang)
		short, cancel := context.WithTimeout(p.ctx, 200*time.Millisecond)
		try("to an end that hangs", short, p.posts(10))
		cancel()
		p.mend()
	}
	for _, h := range p.hostiles() {
		if len(h.tweet.Raw) < 64<<10 {
			try(fmt.Sprintf("with %s", h.name), p.ctx, append(p.posts(1), h.tweet))
		}
	}
	return all
}

// names looks at the TweetErrors.
func names(p *probe) {
	for _, o := range p.provoke() {
		v := read(o.err)
		inBatch, seen := map[string]bool{}, map[string]bool{}
		for _, t := range o.batch {
			inBatch[t.ID] = true
		}
		for _, e := range v.named {
			switch {
			case !inBatch[e.ID]:
				p.fatal(ruleNamed, "Name Posts by Tweet.ID. An error that names another is taken for one of the whole batch.",
					"Deliver %s names %.70q, which was not in the batch.", o.how, e.ID)
			case e.Err == nil:
				p.fatal(ruleNamed, "Put into Err what has happened, and name no Post that was delivered.",
					"Deliver %s names Post %s with an Err that is nil.", o.how, e.ID)
			case seen[e.ID]:
				p.fatal(ruleNamed, "Name each Post once, with errors.Join inside Err if several things have happened.",
					"Deliver %s names Post %s twice.", o.how, e.ID)
			}
			seen[e.ID] = true
		}
		if len(v.named) == 0 || len(v.others) > 0 {
			continue // it speaks of the whole batch
		}
		var delivered []*tweetstream.Tweet
		for _, t := range o.batch {
			if !seen[t.ID] {
				delivered = append(delivered, t)
			}
		}
		p.held(holding{when: fmt.Sprintf("After Deliver %s, which names %d of %d Posts", o.how, len(v.named), len(o.batch)), tweets: delivered, may: p.known,
			rule: ruleNamed, advice: "Name every Post that is not delivered, or return an error of the whole batch."})
		if len(p.failures) > 0 {
			return
		}
	}
}

// silentErrors looks for the text of Posts in errors.
func silentErrors(p *probe) {
	for _, o := range p.provoke() {
		if text := o.err.Error(); strings.Contains(text, secret) {
			p.fatal(ruleText, "Name the Post by its id, and cut what drivers and servers say. The Streamer takes out what it recognises, but logs of your own show all.",
				"The error of Deliver %s holds the text of a Post.", o.how)
		}
	}
}
