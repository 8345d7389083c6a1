package xtest

import (
	"net/http"
	"slices"
	"time"
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
	params := r.URL.Query()
	if resp, ok := checkParams(params, countsParams); !ok {
		return resp
	}
	q, refused, ok := s.parseQuery(params)
	if !ok {
		return refused
	}
	step, ok := steps[params.Get("granularity")]
	if !ok {
		return badParam(params, "granularity", "is not one of [minute,hour,day]")
	}
	if q.end.IsZero() {
		q.end = s.now()
	}
	// The first and the last step may be shorter, as at X.
	var buckets []countBucket
	bounds := []time.Time{q.start}
	for at := q.start.Truncate(step).Add(step); at.Before(q.end); at = at.Add(step) {
		bounds = append(bounds, at)
	}
	bounds = append(bounds, q.end)
	for i := range len(bounds) - 1 {
		buckets = append(buckets, countBucket{Start: bounds[i].UTC().Format(millis), End: bounds[i+1].UTC().Format(millis)})
	}
	total := 0
	s.find(q, func(e *entry) bool {
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
