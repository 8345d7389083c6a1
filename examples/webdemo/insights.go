package main

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tweetstream-go/tweetstream"
)

const (
	insightMinutes = 60
	insightTop     = 10
	// insightNames bounds the memory of a minute: names beyond it are not counted.
	insightNames = 5_000
	insightTags  = 50
)

// insights counts the Posts of the last hour, once for all who look on. It is a
// tweetstream.Sink.
type insights struct {
	mu      sync.Mutex
	minutes [insightMinutes]minute // by the number of the minute
	answer  insightsAnswer
	made    time.Time // when answer was
}

// minute is what came in one minute.
type minute struct {
	number   int64 // since 1970
	posts    int
	tags     map[string]int
	hashtags map[string]int
	authors  map[string]int
}

type insightsAnswer struct {
	Until    time.Time `json:"until"`   // the end of the last minute, which is not over yet
	Minutes  []int     `json:"minutes"` // Posts in each, the oldest first
	Tags     []series  `json:"tags"`    // the most frequent first
	Authors  []named   `json:"authors"`
	Hashtags []named   `json:"hashtags"`
}

type series struct {
	Tag     string `json:"tag"`
	Posts   int    `json:"posts"`
	Minutes []int  `json:"minutes"`
}

type named struct {
	Name  string `json:"name"`
	Posts int    `json:"posts"`
}

// Defaults asks for all tweets that are there.
func (in *insights) Defaults() []tweetstream.SinkOption {
	return []tweetstream.SinkOption{tweetstream.Batch(1_000, 0)}
}

// Deliver counts. It never fails.
func (in *insights) Deliver(_ context.Context, tweets []*tweetstream.Tweet) error {
	for _, t := range tweets {
		c, err := t.Content() // others need it too: it is decoded once
		if err != nil {
			continue
		}
		in.count(t, c)
	}
	return nil
}

func (in *insights) count(t *tweetstream.Tweet, c *tweetstream.Content) {
	in.mu.Lock()
	defer in.mu.Unlock()
	m := in.at(t.Received.Unix() / 60)
	if m == nil {
		return
	}
	m.posts++
	var tags []string
	for _, r := range t.Rules {
		if r.Tag != "" && !slices.Contains(tags, r.Tag) {
			tags = append(tags, r.Tag)
			tally(m.tags, r.Tag, insightTags)
		}
	}
	if c.Author.Username != "" {
		tally(m.authors, c.Author.Username, insightNames)
	}
	var seen []string
	for _, e := range c.Entities {
		name := strings.ToLower(e.Text)
		if e.Type == "hashtag" && name != "" && !slices.Contains(seen, name) {
			seen = append(seen, name)
			tally(m.hashtags, name, insightNames)
		}
	}
}

func tally(counts map[string]int, name string, most int) {
	if _, ok := counts[name]; ok || len(counts) < most {
		counts[name]++
	}
}

// at returns a minute to count in; nil if it is too long ago. The caller holds mu.
func (in *insights) at(number int64) *minute {
	m := &in.minutes[number%insightMinutes]
	switch {
	case number < m.number:
		return nil
	case number > m.number:
		*m = minute{number: number, tags: map[string]int{}, hashtags: map[string]int{}, authors: map[string]int{}}
	}
	return m
}

// serve answers with the figures, which are worked out once a second at the most.
func (in *insights) serve(w http.ResponseWriter, r *http.Request) {
	respond(w, r, http.StatusOK, in.figures(time.Now()))
}

func (in *insights) figures(now time.Time) insightsAnswer {
	in.mu.Lock()
	defer in.mu.Unlock()
	if now.Sub(in.made) < time.Second {
		return in.answer
	}
	last := now.Unix() / 60
	a := insightsAnswer{Until: time.Unix((last+1)*60, 0).UTC(), Minutes: make([]int, insightMinutes)}
	tags, authors, hashtags := map[string][]int{}, map[string]int{}, map[string]int{}
	for i := range insightMinutes {
		number := last - insightMinutes + 1 + int64(i)
		m := &in.minutes[number%insightMinutes]
		if m.number != number {
			continue
		}
		a.Minutes[i] = m.posts
		for tag, n := range m.tags {
			if tags[tag] == nil {
				tags[tag] = make([]int, insightMinutes)
			}
			tags[tag][i] = n
		}
		for name, n := range m.authors {
			authors[name] += n
		}
		for name, n := range m.hashtags {
			hashtags[name] += n
		}
	}
	sums := map[string]int{}
	for tag, minutes := range tags {
		for _, n := range minutes {
			sums[tag] += n
		}
	}
	a.Tags = []series{}
	for _, t := range top(sums) {
		a.Tags = append(a.Tags, series{t.Name, t.Posts, tags[t.Name]})
	}
	a.Authors, a.Hashtags = top(authors), top(hashtags)
	in.answer, in.made = a, now
	return a
}

// top returns the names with the most Posts.
func top(counts map[string]int) []named {
	all := make([]named, 0, len(counts))
	for name, n := range counts {
		all = append(all, named{name, n})
	}
	slices.SortFunc(all, func(a, b named) int {
		if a.Posts != b.Posts {
			return b.Posts - a.Posts
		}
		return strings.Compare(a.Name, b.Name)
	})
	return all[:min(len(all), insightTop)]
}
