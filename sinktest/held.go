package sinktest

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/tweetstream-go/tweetstream"
)

// holding is what the other end should hold.
type holding struct {
	when    string               // after what
	tweets  []*tweetstream.Tweet // in order
	may     []*tweetstream.Tweet // that it may hold besides
	ordered bool
	rule    string // that a missing tweet breaks; by default ruleNil
	advice  string // for a missing tweet
}

// held looks at what the other end holds. Without Stored it can't.
func (p *probe) held(h holding) {
	if p.Stored == nil {
		return
	}
	var got []*tweetstream.Tweet
	err := guard(func() (err error) {
		got, err = p.Stored()
		return err
	})
	if err != nil {
		p.fatal("Subject.Stored returns what the other end holds.", "See why it fails: this is the test's own function, or what the sink has written can't be read.",
			"%s, Stored fails: %v.", h.when, err)
		return
	}
	if h.rule == "" {
		h.rule = ruleNil
	}
	if h.advice == "" {
		h.advice = "Return nil only when all of the batch is where it belongs, and an error otherwise."
	}

	byID, byRaw := map[string]*tweetstream.Tweet{}, map[string]*tweetstream.Tweet{}
	for _, t := range p.known {
		byID[t.ID], byRaw[string(t.Raw)] = t, t
	}
	times := map[string]int{}
	var order []string
	for i, g := range got {
		t := byRaw[string(g.Raw)]
		if len(g.Raw) == 0 || t == nil || g.ID != "" && t.ID != g.ID {
			if t = byID[g.ID]; t == nil {
				t = byID[idOf(g.Raw)]
			}
			switch {
			case t == nil && p.decoys[g.ID+idOf(g.Raw)]:
				p.fail(ruleSlice, "Copy what is needed later, as in slices.Clone(tweets), before Deliver returns.",
					"%s, a tweet is stored that was put into the slice after Deliver had returned.", h.when)
				return
			case t == nil:
				p.fail(ruleRaw, "Store what Deliver is given and nothing else; newSink must give an empty other end.",
					"%s, number %d of what is stored (id %.70q, %d bytes) is nothing that was delivered.", h.when, i+1, g.ID, len(g.Raw))
				return
			case len(g.Raw) > 0:
				p.fail(ruleRaw, "Store the bytes of Raw, or leave Raw out of what Stored returns.",
					"%s, Post %s is stored with other bytes: %s.", h.when, t.ID, difference(t.Raw, g.Raw))
				return
			}
		}
		if times[t.ID]++; times[t.ID] == 1 {
			order = append(order, t.ID)
		}
	}
	p.compare(h, times, order)
}

func (p *probe) compare(h holding, times map[string]int, order []string) {
	allowed := map[string]bool{}
	for _, t := range h.may {
		allowed[t.ID] = true
	}
	place := map[string]int{}
	var missing []string
	for i, t := range h.tweets {
		place[t.ID], allowed[t.ID] = i, true
		if times[t.ID] == 0 {
			missing = append(missing, t.ID)
		}
	}
	if len(missing) > 0 {
		p.fail(h.rule, h.advice, "%s, %d of %d Posts are not stored: %s.", h.when, len(missing), len(h.tweets), list(missing))
	}
	var doubled, besides []string
	last, misplaced := -1, ""
	for _, id := range order {
		if times[id] > 1 {
			doubled = append(doubled, id)
		}
		if !allowed[id] {
			besides = append(besides, id)
		}
		if i, ok := place[id]; ok {
			if i < last && misplaced == "" {
				misplaced = id
			}
			last = max(last, i)
		}
	}
	if len(besides) > 0 {
		p.fail(ruleDelete, "Take a Post away by its id, wherever the sink has put it.", "%s, Posts are stored that should not be: %s.", h.when, list(besides))
	}
	if len(doubled) > 0 && p.Once {
		p.fail(ruleAgain, "Go by the id (a key, an upsert), or leave Subject.Once out if the other end can't.",
			"%s, Posts are stored more than once: %s.", h.when, list(doubled))
	}
	if misplaced != "" && h.ordered {
		p.fail(ruleOrder, "Store a batch in its order; where the other end keeps none, Stored sorts by id.",
			"%s, what is stored is out of order: Post %s is behind a later one.", h.when, misplaced)
	}
}

// idOf returns the id of a message that can't be found by its bytes.
func idOf(raw []byte) string {
	t, err := tweetstream.ParseTweet(raw)
	if err != nil {
		return ""
	}
	return t.ID
}

// difference tells where two messages part, without their text.
func difference(want, got []byte) string {
	n := 0
	for n < len(want) && n < len(got) && want[n] == got[n] {
		n++
	}
	text := fmt.Sprintf("the first %d of %d bytes are the same, %d are stored", n, len(want), len(got))
	if bytes.Equal(bytes.TrimSpace(got), want) {
		text += ", of them white space around it"
	}
	return text
}

// list names the first few.
func list(ids []string) string {
	const few = 5
	if len(ids) <= few {
		return strings.Join(ids, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(ids[:few], ", "), len(ids)-few)
}
