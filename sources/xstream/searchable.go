package xstream

import (
	"fmt"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/internal/rulelang"
)

// flagRules says at the start for which rules recovery is not to be had.
func (s *Source) flagRules() {
	if s.sample || s.back == 0 {
		return
	}
	reposts, quotes := 0, 0
	for _, r := range s.active() {
		if why := unsearchable(r.Value); why != "" {
			s.refuseRule(r, why)
		}
		if wantsReposts(r.Value) {
			reposts++
		}
		if wantsQuoted(r.Value) {
			quotes++
		}
	}
	s.mu.Lock()
	said := s.saidReposts
	s.saidReposts = true
	s.mu.Unlock()
	if reposts > 0 && !said {
		s.logger.Info("reposts that are missed are not recovered, for search leaves them out", "rules", reposts)
	}
	if quotes > 0 && !said {
		s.logger.Info("quotes that match only by what they quote are not recovered when they are missed, for search does not look there", "rules", quotes)
	}
}

// refuseRule notes and says once that search can't be asked for a rule.
func (s *Source) refuseRule(r tweetstream.Rule, why string) {
	s.mu.Lock()
	_, known := s.unsearched[r.Value]
	s.unsearched[r.Value] = why
	s.mu.Unlock()
	if !known {
		s.logger.Warn("a rule whose Posts are not recovered when they are missed", "tag", s.clean(r.Tag), "id", r.ID, "reason", why)
	}
}

// missing says what a recovered gap lacks, by tag and reason.
func (s *Source) missing() (what []string) {
	if s.sample {
		return nil
	}
	for _, r := range s.active() {
		s.mu.Lock()
		why, refused := s.unsearched[r.Value]
		s.mu.Unlock()
		switch {
		case refused:
			what = append(what, s.clean(r.Tag)+": "+why)
		case wantsReposts(r.Value):
			what = append(what, s.clean(r.Tag)+": reposts")
		}
		if !refused && wantsQuoted(r.Value) {
			what = append(what, s.clean(r.Tag)+": quotes that match by what they quote")
		}
	}
	return what
}

// unsearchable says why recent search can't be asked for a rule; it is empty if
// nothing is known against it.
func unsearchable(value string) string {
	if n := len([]rune(value)); n > longestQuery {
		return fmt.Sprintf("search takes queries of %d characters, and it has %d", longestQuery, n)
	}
	if what := rulelang.Unsearchable(value); what != "" {
		return "search knows no " + what
	}
	return ""
}

// wantsReposts reports whether a rule matches reposts, which search leaves out.
func wantsReposts(value string) bool { return !rulelang.Excludes(value, rulelang.IsRetweet) }

// wantsQuoted reports whether a rule matches quotes for what they quote, where
// search does not look.
func wantsQuoted(value string) bool { return !rulelang.Excludes(value, rulelang.IsQuote) }
