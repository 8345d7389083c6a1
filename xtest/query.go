package xtest

import (
	"fmt"
	"net/url"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/tweetstream-go/tweetstream/internal/rulelang"
)

const (
	maxQuery = 512
	// searchBack is how far search goes back.
	searchBack = 7 * 24 * time.Hour
)

// query is what recent search and recent counts are asked for.
type query struct {
	node         *rulelang.Node
	since, until uint64    // ids: after the first and before the second
	start, end   time.Time // from the first on and before the second, which may be zero
}

// parseQuery reads what both have in common.
func (s *Server) parseQuery(q url.Values) (a query, refused Response, ok bool) {
	refuse := func(param, why string) (query, Response, bool) {
		return a, badParam(q, param, why), false
	}
	text := q.Get("query")
	if n := utf8.RuneCountInString(text); n < 1 || n > maxQuery {
		return refuse("query", fmt.Sprintf("is %d characters long, not between 1 and %d", n, maxQuery))
	}
	var err error
	if a.node, err = rulelang.ParseQuery(text); err != nil {
		return a, invalidRequest("query", text, "There were errors processing your request: "+err.Error()), false
	}
	now := s.now()
	a.until, a.start = 1<<64-1, now.Add(-searchBack)
	for param, id := range map[string]*uint64{"since_id": &a.since, "until_id": &a.until} {
		v := q.Get(param)
		if v == "" {
			continue
		}
		if *id, err = strconv.ParseUint(v, 10, 64); err != nil {
			return refuse(param, "is not a Post id")
		}
		if param == "since_id" && snowflakeTime(*id).Before(a.start.Add(-time.Minute)) {
			return refuse(param, "must be a Post id created after ["+a.start.Format(millis)+"]")
		}
	}
	for param, t := range map[string]*time.Time{"start_time": &a.start, "end_time": &a.end} {
		if v := q.Get(param); v != "" {
			if *t, err = time.Parse(time.RFC3339, v); err != nil {
				return refuse(param, "is not a time in ISO 8601")
			}
		}
	}
	if a.start.Before(now.Add(-searchBack-time.Minute)) || !a.end.IsZero() && !a.start.Before(a.end) {
		return refuse("start_time", "is not within the last 7 days, and before the end")
	}
	return a, Response{}, true
}

// badParam is X's 400 for a parameter that has this against it.
func badParam(q url.Values, param, why string) Response {
	return invalidRequest(param, q.Get(param), fmt.Sprintf("The `%s` query parameter value [%s] %s", param, q.Get(param), why))
}

// find calls f for the Posts that search finds, from the newest to the oldest,
// until it returns false. Since May 2026 these are no reposts
// (https://docs.x.com/changelog).
func (s *Server) find(q query, f func(*entry) bool) {
	indexed := s.now().Add(-time.Duration(s.searchLate.Load()))
	s.history.newest(func(e *entry) bool {
		switch {
		case e.id <= q.since:
			return false
		case e.at.After(indexed), e.id >= q.until, e.at.Before(q.start), !q.end.IsZero() && !e.at.Before(q.end),
			e.doc.Flags&rulelang.IsRetweet != 0, !q.node.Matches(e.doc):
			return true
		}
		return f(e)
	})
}
