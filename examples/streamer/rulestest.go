package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/internal/rulelang"
	"github.com/tweetstream-go/tweetstream/sources/replay"
)

type rulesTestCmd struct {
	declares
	Replay []string `required:"" placeholder:"FILE" help:"Try the rules on the Posts of this archive or dead letter. Can be given again."`
	JSON   bool     `name:"json" help:"Write one JSON object a line instead of a table."`
}

// mostExamples is how many ids are shown of what a rule matches.
const mostExamples = 3

// trial is a rule, and what it has matched.
type trial struct {
	rule     tweetstream.Rule
	node     *rulelang.Node
	why      string // it can't be tried
	posts    int
	examples []string
}

// Run is called by kong.
func (c *rulesTestCmd) Run(ctx context.Context, common *common, s *settings, con *console) error {
	if !c.given() {
		return misuse("no rules are declared: give --rules FILE, --tag or --rule")
	}
	rules, err := c.read(s)
	if err != nil {
		return err
	}
	var trials []*trial
	for _, r := range rules {
		t := &trial{rule: r}
		if t.node, err = rulelang.Parse(r.Value); err != nil {
			t.why, _, _ = strings.Cut(err.Error(), ". ")
		}
		trials = append(trials, t)
	}
	source, err := replay.Open(c.Replay[0], replay.Also(c.Replay[1:]...), replay.Logger(common.logger(con)))
	if err != nil {
		return err
	}
	posts, none, unread := 0, 0, 0
	err = source.Stream(ctx, nil, func(_ context.Context, tweets []*tweetstream.Tweet, _ []byte) error {
		for _, tweet := range tweets {
			if tweet.Deleted {
				continue
			}
			posts++
			switch matched, ok := try(trials, tweet); {
			case !ok:
				unread++
			case !matched:
				none++
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return fmt.Errorf("stopped after %d Posts", posts)
	}
	if c.JSON {
		return writeTrialsJSON(trials, posts)
	}
	if err := writeTrials(trials, posts); err != nil {
		return err
	}
	for _, r := range rules {
		fmt.Fprint(con, doubts(r.Tag, r.Value))
	}
	fmt.Fprintf(con, "%d Posts read; %d match no rule.\n", posts, none)
	if st := source.Stats(); unread > 0 || st.Malformed+st.Oversized > 0 {
		return fmt.Errorf("%d messages can't be read", uint64(unread)+st.Malformed+st.Oversized)
	}
	return nil
}

// try tries the rules on one Post. ok is false if it can't be read.
func try(trials []*trial, tweet *tweetstream.Tweet) (matched, ok bool) {
	var m struct{ Data, Includes json.RawMessage }
	if json.Unmarshal(tweet.Raw, &m) != nil {
		return false, false
	}
	doc, err := rulelang.PostDoc(m.Data, m.Includes)
	if err != nil {
		return false, false
	}
	for _, t := range trials {
		if t.node == nil || !t.node.Matches(doc) {
			continue
		}
		matched = true
		if t.posts++; len(t.examples) < mostExamples {
			t.examples = append(t.examples, tweet.ID)
		}
	}
	return matched, true
}

func writeTrials(trials []*trial, posts int) error {
	t := newTable(os.Stdout, "TAG", "POSTS", "SHARE", "EXAMPLES")
	for _, r := range trials {
		if r.node == nil {
			t.row(r.rule.Tag, "-", "-", "can't be tried here: "+r.why)
			continue
		}
		share := 100 * float64(r.posts) / float64(max(posts, 1))
		t.row(r.rule.Tag, fmt.Sprint(r.posts), fmt.Sprintf("%.1f %%", share), cmp.Or(strings.Join(r.examples, " "), "-"))
	}
	return t.Flush()
}

func writeTrialsJSON(trials []*trial, posts int) error {
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for _, r := range trials {
		err := out.Encode(struct {
			Tag      string   `json:"tag"`
			Value    string   `json:"value"`
			Posts    int      `json:"posts"`
			Of       int      `json:"of"`
			Examples []string `json:"examples,omitempty"`
			Error    string   `json:"error,omitempty"`
		}{r.rule.Tag, r.rule.Value, r.posts, posts, r.examples, r.why})
		if err != nil {
			return err
		}
	}
	return nil
}
