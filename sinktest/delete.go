package sinktest

import (
	"github.com/tweetstream-go/tweetstream"
)

// deletes tests a Deleter.
func deletes(p *probe) {
	if _, ok := p.Sink.(tweetstream.Deleter); !ok {
		p.skip("the sink is no Deleter: deleted Posts stay where they are")
	}
	b := p.posts(10)
	p.mustDeliver("a batch of 10", b)
	absent := p.posts(2)
	p.mustDelete("one Post", b[0].ID)
	p.mustDelete("two Posts, and one that is not there", b[2].ID, absent[0].ID, b[4].ID)
	p.mustDelete("a Post that is not there", absent[1].ID)
	p.mustDelete("a Post that is gone already", b[0].ID)
	p.mustDelete("one Post twice in a call", b[6].ID, b[6].ID)
	left := []*tweetstream.Tweet{b[1], b[3], b[5], b[7], b[8], b[9]}
	p.held(holding{when: "After deletes", tweets: left, rule: ruleDelete, ordered: true, advice: "Take away only the ids given."})

	// After a crash a Post may come again, and its tombstone behind it.
	if err := p.deliver(p.ctx, b[:1]); err != nil {
		p.fail(ruleAgain, "Store it again, for its tombstone comes again too, or skip it and return nil.", "Deliver of a Post that was deleted fails: %v.", err)
	}
	p.mustDelete("a Post that has come again", b[0].ID)
	p.held(holding{when: "After a Post had come again and was deleted again", tweets: left, rule: ruleDelete, advice: "Take away only the ids given."})
	if p.Stored == nil {
		p.skip("Subject.Stored is nil: deletes pass, what has become of the Posts can't be seen")
	}
}
