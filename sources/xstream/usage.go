package xstream

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// Usage is what X says was read in this billing cycle by all programs of the
// app's project, this one among them.
type Usage struct {
	Project  int       // Posts
	Cap      int       // at which X refuses to give more
	ResetDay int       // of the month; see [CycleDay]
	At       time.Time // when X said it; zero if it has not
}

const (
	usagePath    = "/2/usage/tweets"
	usageEvery   = time.Hour
	usageTimeout = 10 * time.Second
)

// watchUsage asks X now and then what was read. Without a budget nobody wants to
// know.
func (s *Source) watchUsage(ctx context.Context) {
	if s.budget.limit == (Reads{}) {
		return
	}
	for ctx.Err() == nil {
		s.askUsage(ctx)
		sleep(ctx, usageEvery)
	}
}

// askUsage asks once. It is no harm if there is no answer.
func (s *Source) askUsage(ctx context.Context) {
	u, err := s.usage(ctx)
	if err != nil {
		s.logger.Debug("what the app's project has read is not known", "error", s.clean(err.Error()))
		return
	}
	s.count(func(st *Stats) { st.Usage = u })
	s.logger.Info("read in this billing cycle by all programs of the app's project", "posts", u.Project, "cap", u.Cap, "reset_day", u.ResetDay, "cost", dollars(s.budget.cost(u.Project)))
	if u.ResetDay != 0 && u.ResetDay != s.budget.cycleDay && s.budget.limit.Month > 0 {
		s.logger.Warn("X's billing cycle begins on another day than was said: set the cycle day", "cycle_day", s.budget.cycleDay, "reset_day", u.ResetDay)
	}
}

func (s *Source) usage(ctx context.Context) (Usage, error) {
	ctx, cancel := context.WithTimeout(ctx, usageTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base.JoinPath(usagePath).String(), nil)
	if err != nil {
		return Usage{}, err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return Usage{}, withoutURL(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return Usage{}, err
	}
	if resp.StatusCode != http.StatusOK {
		return Usage{}, s.refusal(resp.StatusCode, resp.Header, body)
	}
	return parseUsage(body)
}

// parseUsage reads X's answer, in which numbers are numbers or strings.
func parseUsage(body []byte) (Usage, error) {
	var answer struct {
		Data struct {
			Usage    any `json:"project_usage"`
			Cap      any `json:"project_cap"`
			ResetDay any `json:"cap_reset_day"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return Usage{}, fmt.Errorf("the answer about usage is not X's")
	}
	u := Usage{Project: number(answer.Data.Usage), Cap: number(answer.Data.Cap), ResetDay: number(answer.Data.ResetDay), At: time.Now()}
	if answer.Data.Usage == nil {
		return Usage{}, fmt.Errorf("the answer about usage does not tell it")
	}
	if u.ResetDay < 1 || u.ResetDay > 31 {
		u.ResetDay = 0
	}
	return u, nil
}

func number(v any) int {
	switch v := v.(type) {
	case string:
		n, _ := strconv.Atoi(v)
		return n
	case float64:
		if v >= 0 && v < 1<<53 {
			return int(v)
		}
	}
	return 0
}
