package xflags

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tweetstream-go/tweetstream/sources/xstream"
)

// Money are the flags about what reading may cost.
type Money struct {
	Budget   []string `sep:"none" placeholder:"N/day" help:"Hold the stream when so many Posts have been read in a UTC day, or, as N/month, in a billing cycle. Can be given for both; none means no limit. By default 10000/day at X itself, none elsewhere."`
	CycleDay int      `default:"1" placeholder:"DAY" help:"The day of the month on which X's billing cycle begins (${default})."`
	Price    float64  `default:"0.005" placeholder:"DOLLARS" help:"What X takes for a Post, for the costs that the log names (${default})."`
}

// Options returns the flags as options of the source.
func (m *Money) Options(s Settings) ([]xstream.Option, error) {
	opts := []xstream.Option{xstream.CycleDay(m.CycleDay), xstream.Price(m.Price)}
	if m.CycleDay < 1 || m.CycleDay > 31 {
		return nil, fmt.Errorf("%s: want a day of the month, not %d", s.Given("cycle-day"), m.CycleDay)
	}
	if !(m.Price >= 0 && m.Price <= 1000) {
		return nil, fmt.Errorf("%s: want dollars for a Post, not %v", s.Given("price"), m.Price)
	}
	if len(m.Budget) == 0 {
		return opts, nil
	}
	most, err := parseBudget(m.Budget)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Given("budget"), err)
	}
	return append(opts, xstream.Budget(most)), nil
}

var errBudget = errors.New("want N/day or N/month, as in 10000/day, each once, or none")

func parseBudget(texts []string) (most xstream.Reads, err error) {
	if len(texts) == 1 && texts[0] == "none" {
		return most, nil
	}
	for _, text := range texts {
		count, per, _ := strings.Cut(text, "/")
		n, err := strconv.Atoi(count)
		of := map[string]*int{"day": &most.Day, "month": &most.Month}[per]
		if err != nil || n < 1 || of == nil || *of != 0 {
			return most, errBudget
		}
		*of = n
	}
	return most, nil
}
