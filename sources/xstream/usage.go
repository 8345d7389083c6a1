package xstream

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// Usage is what X says was read in this billing cycle by all programs of the
// app's project, this one among them.
type Usage struct {
	Posts    int
	Cap      int       // at which X refuses to give more
	ResetDay int       // of the month; see [CycleDay]
	At       time.Time // when X said it; zero if it has not
}

const usageEvery = time.Hour

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
	u, err := s.Usage(ctx)
	if err != nil {
		s.logger.Debug("what the app's project has read is not known", "error", s.clean(err.Error()))
		return
	}
	s.count(func(st *Stats) { st.Usage = u })
	s.logger.Info("read in this billing cycle by all programs of the app's project", "posts", u.Posts, "cap", u.Cap, "reset_day", u.ResetDay, "cost", dollars(s.budget.cost(u.Posts)))
	if u.ResetDay != 0 && u.ResetDay != s.budget.cycleDay && s.budget.limit.Month > 0 {
		s.logger.Warn("X's billing cycle begins on another day than was said: set the cycle day", "cycle_day", s.budget.cycleDay, "reset_day", u.ResetDay)
	}
}

// Usage asks X what was read. It costs nothing, and X answers 50 times in 15
// minutes.
func (s *Source) Usage(ctx context.Context) (Usage, error) {
	var answer usageAnswer
	if err := s.ask(ctx, "usage", http.MethodGet, "/2/usage/tweets", nil, &answer); err != nil {
		return Usage{}, err
	}
	return answer.usage()
}

type usageAnswer struct {
	Data *struct {
		Cap      number  `json:"project_cap"`
		Usage    *number `json:"project_usage"`
		ResetDay number  `json:"cap_reset_day"`
	} `json:"data"`
}

func (answer usageAnswer) usage() (Usage, error) {
	if answer.Data == nil || answer.Data.Usage == nil {
		return Usage{}, errors.New("usage: X says nothing about it")
	}
	u := Usage{Posts: int(*answer.Data.Usage), Cap: int(answer.Data.Cap), ResetDay: int(answer.Data.ResetDay), At: time.Now()}
	if u.ResetDay < 1 || u.ResetDay > 31 {
		u.ResetDay = 0
	}
	return u, nil
}
