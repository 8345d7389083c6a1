package xtest

import (
	"fmt"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/tweetstream-go/tweetstream/internal/rulelang"
)

const countsPath = "/2/tweets/counts/recent"

var countsParams = []string{
	"query", "start_time", "end_time", "since_id", "until_id", "granularity", "next_token", "pagination_token", "search_count.fields",
}

// steps are the granularities of counts.
var steps = map[string]time.Duration{"": time.Hour, "minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}

// countBucket is what was found in one step.
type countBucket struct {
	Start string `json:"start"`
	End   string `json:"end"`
	Count int    `json:"tweet_count"`
}

// countRecent answers with how many of the Posts that search finds match a query,
// in each minute, hour or day of the last 7 days.
func (s *Server) countRecent(r *http.Request) Response {
	q := r.URL.Query()
	if resp, ok := checkParams(q, countsParams); !ok {
		return resp
	}
	refuse := func(param, why string) Response {
		return invalidRequest(param, q.Get(param), fmt.Sprintf("The `%s` query parameter value [%s] %s", param, q.Get(param), why))
	}
	query := q.Get("query")
	if n := utf8.RuneCountInString(query); n < 1 || n > maxQuery {
		return refuse("query", fmt.Sprintf("is %d characters long, not between 1 and %d", n, maxQuery))
	}
	node, err := rulelang.Parse(query)
	if err != nil {
		return invalidRequest("query", query, "There were errors processing your request: "+err.Error())
	}
	step, ok := steps[q.Get("granularity")]
	if !ok {
		return refuse("granularity", "is not one of [minute,hour,day]")
	}
	end := s.now()
	start := end.AddDate(0, 0, -7)
	for param, t := range map[string]*time.Time{"start_time": &start, "end_time": &end} {
		if v := q.Get(param); v != "" {
			if *t, err = time.Parse(time.RFC3339, v); err != nil {
				return refuse(param, "is not a time in ISO 8601")
			}
		}
	}
	if !start.Before(end) || end.Sub(start) > 7*24*time.Hour+time.Minute {
		return refuse("start_time", "is not within the 7 days before the end")
	}
	// The first and the last step may be shorter, as at X.
	var buckets []countBucket
	bounds := []time.Time{start}
	for at := start.Truncate(step).Add(step); at.Before(end); at = at.Add(step) {
		bounds = append(bounds, at)
	}
	bounds = append(bounds, end)
	for i := range len(bounds) - 1 {
		buckets = append(buckets, countBucket{Start: bounds[i].UTC().Format(millis), End: bounds[i+1].UTC().Format(millis)})
	}
	total := 0
	s.history.newest(func(e *entry) bool {
		if e.at.Before(start) || !e.at.Before(end) || !node.Matches(e.doc) {
			return true
		}
		i, found := slices.BinarySearchFunc(bounds, e.at, time.Time.Compare)
		if !found {
			i--
		}
		buckets[i].Count++
		total++
		return true
	})
	a := struct {
		Data []countBucket `json:"data"`
		Meta struct {
			Total int `json:"total_tweet_count"`
		} `json:"meta"`
	}{Data: buckets}
	a.Meta.Total = total
	return respond(http.StatusOK, a)
}
