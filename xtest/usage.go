package xtest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	usagePath  = "/2/usage/tweets"
	projectCap = 3_000_000 // reads in a billing cycle
	projectID  = "1000000000000000002"
)

// reads counts what was read, by UTC day: messages written to streams, and Posts
// found by search. A Post read twice counts twice, other than on X.
type reads struct {
	mu    sync.Mutex
	days  map[string]int64
	total int64
}

func (u *reads) add(now time.Time, n int) {
	if n == 0 {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.days == nil {
		u.days = map[string]int64{}
	}
	u.days[now.Format(time.DateOnly)] += int64(n)
	u.total += int64(n)
}

// usage answers with the reads so far.
func (s *Server) usage(r *http.Request) Response {
	q := r.URL.Query()
	if resp, ok := checkParams(q, []string{"days", "usage.fields"}); !ok {
		return resp
	}
	days := 7
	if v := q.Get("days"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > 90 {
			return invalidRequest("days", v, "The `days` query parameter value ["+v+"] is not between 1 and 90")
		}
		days = n
	}
	type day struct {
		Date  string `json:"date"`
		Usage int64  `json:"usage"`
	}
	type daily struct {
		ProjectID string `json:"project_id"`
		Usage     []day  `json:"usage"`
	}
	var a struct {
		Data struct {
			ResetDay int    `json:"cap_reset_day"`
			Cap      string `json:"project_cap"`
			ID       string `json:"project_id"`
			Usage    string `json:"project_usage"`
			Daily    *daily `json:"daily_project_usage,omitempty"`
		} `json:"data"`
	}
	now := s.now()
	s.reads.mu.Lock()
	defer s.reads.mu.Unlock()
	a.Data.ResetDay, a.Data.ID = 1, projectID
	a.Data.Cap = strconv.Itoa(projectCap)
	a.Data.Usage = strconv.FormatInt(s.reads.total, 10)
	if slices.Contains(strings.Split(q.Get("usage.fields"), ","), "daily_project_usage") {
		a.Data.Daily = &daily{ProjectID: projectID}
		for i := range days {
			at := now.AddDate(0, 0, i-days+1)
			a.Data.Daily.Usage = append(a.Data.Daily.Usage, day{
				Date:  at.Truncate(24 * time.Hour).Format(millis),
				Usage: s.reads.days[at.Format(time.DateOnly)],
			})
		}
	}
	return respond(http.StatusOK, a)
}
