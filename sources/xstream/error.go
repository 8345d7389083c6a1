package xstream

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/tweetstream-go/tweetstream/internal/redact"
)

// An Error is an answer by which X refuses a request. Its text says what to do,
// and holds no token.
type Error struct {
	Status int    // of HTTP
	Title  string // X's own, cut
	Detail string // X's own, cut; for a rule with the position in it
	Type   string // the last element of X's problem type, such as "client-forbidden"
	Advice string // what to do; empty if nothing is known

	connectionIssue string
	period          string // of a usage cap: "daily", "monthly", or "" if X did not say
	scope           string // of a usage cap
	foreign         bool   // the answer is not X's, but of whoever stands between
	header          http.Header
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "X answers %d %s", e.Status, http.StatusText(e.Status))
	if e.Title != "" && e.Title != http.StatusText(e.Status) {
		fmt.Fprintf(&b, ", %s", e.Title)
	}
	if e.Detail != "" && e.Detail != e.Title {
		fmt.Fprintf(&b, ": %s", strings.TrimSuffix(e.Detail, "."))
	}
	if e.Advice != "" {
		fmt.Fprintf(&b, ": %s", e.Advice)
	}
	return b.String()
}

// fatal reports whether trying again is no use.
func (e *Error) fatal() bool {
	if e.money() {
		return false
	}
	switch e.Status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return e.Status >= 300 && e.Status < 500
}

const tooManyConnections = "TooManyConnections"

// money reports whether X refuses because of money or a usage cap, for as long as
// nobody pays or the time of the cap goes on. X has sent caps as 429 and as 403.
func (e *Error) money() bool { return credits(e) || e.capped() }

func credits(e *Error) bool {
	return e.Status == http.StatusPaymentRequired || e.Type == "credits-depleted" || e.Title == "CreditsDepleted"
}

func (e *Error) capped() bool {
	return e.Type == "usage-capped" || strings.HasSuffix(e.Title, "CapExceeded") && !e.rulesCap()
}

// rulesCap reports whether the plan has no room for more rules.
func (e *Error) rulesCap() bool { return e.Title == "RulesCapExceeded" || e.Type == "rule-cap" }

// held returns why an error holds the source, "" if it does not.
func held(err error) string {
	var e *Error
	switch {
	case !errors.As(err, &e) || !e.money():
		return ""
	case e.capped() && e.period != "":
		return "X's " + e.period + " usage cap"
	case e.capped():
		return "X's usage cap"
	}
	return "out of credits at X"
}

// problem is X's description of an error: an answer, a member of "errors", or a
// message in the stream.
type problem struct {
	Title           string   `json:"title"`
	Detail          string   `json:"detail"`
	Details         []string `json:"details"`
	Message         string   `json:"message"`
	Period          string   `json:"period"`
	Scope           string   `json:"scope"`
	Type            string   `json:"type"`
	ConnectionIssue string   `json:"connection_issue"`
	DisconnectType  string   `json:"disconnect_type"`
	Value           any      `json:"value"`
	ID              string   `json:"id"`
}

// parseProblem reads what an answer or a message says is wrong: the first of its
// errors, or itself. ok is false if it says nothing.
func parseProblem(body []byte) (p problem, ok bool) {
	var v struct {
		problem
		Errors []json.RawMessage `json:"errors"`
	}
	// A member of an unexpected type is left out; the others may do.
	if err := json.Unmarshal(body, &v); err != nil && !errors.As(err, new(*json.UnmarshalTypeError)) {
		return problem{}, false
	}
	p = v.problem
	if len(v.Errors) > 0 && (p.Title == "" || p.Detail == "") {
		var first problem
		_ = json.Unmarshal(v.Errors[0], &first)
		if first.Title != "" || first.Message != "" {
			p = first
		}
	}
	if p.Detail == "" {
		p.Detail = p.Message
	}
	if len(p.Details) > 0 {
		p.Detail = strings.Join(p.Details, "; ")
	}
	return p, p.Title != "" || p.Detail != "" || p.Type != ""
}

// refusal makes an Error of an answer that is no 2xx.
func (s *Source) refusal(status int, header http.Header, body []byte) *Error {
	p, ok := parseProblem(body)
	if !ok && len(body) > 0 {
		text := s.clean(string(bytes.TrimSpace(body))) // before it is cut: it may hold the token
		p.Detail = "an answer that is not X's: " + strconv.Quote(text[:min(len(text), 80)])
	}
	e := s.refused(status, header, p)
	e.foreign = !ok
	return e
}

// refused makes an Error of what X says about a refusal.
func (s *Source) refused(status int, header http.Header, p problem) *Error {
	e := &Error{
		Status:          status,
		Title:           s.clean(p.Title),
		Detail:          s.clean(p.Detail),
		connectionIssue: p.ConnectionIssue,
		header:          header,
	}
	if p.Type != "" {
		// The host has been seen as api.x.com and api.twitter.com.
		if e.Type = s.clean(path.Base(p.Type)); e.Type == "blank" { // about:blank
			e.Type = ""
		}
	}
	switch e.scope = s.clean(p.Scope); strings.ToLower(p.Period) {
	case "daily":
		e.period = "daily"
	case "monthly":
		e.period = "monthly"
	}
	e.Advice = s.advice(e)
	return e
}

func (s *Source) advice(e *Error) string {
	switch {
	case e.capped():
		return e.capAdvice()
	case credits(e):
		return "buy credits in X's developer console: the source goes on by itself then, at the latest an hour later"
	case e.rulesCap():
		return "the plan has no room for more rules (pay-per-use has 1,000): delete some, or join several by OR"
	case e.Status == http.StatusUnauthorized:
		return fmt.Sprintf("the token is refused (%s): put the app's current Bearer Token there, from X's developer console", s.token.name())
	case e.Status == http.StatusForbidden:
		return fmt.Sprintf("the app of this token (%s) has no access to the stream: look at its project and plan in X's developer console", s.token.name())
	case e.Status == http.StatusConflict && (e.connectionIssue == "RuleConfigurationIssue" || e.connectionIssue == ""):
		return "the filtered stream needs a rule: declare one"
	case e.connectionIssue == tooManyConnections:
		return "another connection with this token is live, perhaps one of this program that X has not noticed the end of: stop the other program, or take the stream over"
	case e.Status >= 300 && e.Status < 400:
		return "redirects are not followed, for they would carry the token elsewhere: is the base URL right?"
	case e.Status == http.StatusNotFound:
		return "is the base URL right?"
	case e.Status == http.StatusProxyAuthRequired:
		return "the proxy wants a user and password: put them into HTTPS_PROXY"
	case e.Status == http.StatusBadRequest:
		return "X does not take what the request asks for: look at the fields and expansions"
	}
	return ""
}

func (e *Error) capAdvice() string {
	what := "the usage cap"
	if e.period != "" {
		what = "the " + e.period + " usage cap"
	}
	if e.scope != "" {
		what += " of the " + strings.ToLower(e.scope)
	}
	until := "it is lifted"
	switch e.period {
	case "daily":
		until = "the UTC day turns"
	case "monthly":
		until = "the billing cycle turns"
	}
	return what + " is used up: raise it in X's developer console, or wait until " + until
}

// clean makes text that comes from X, or from whoever stands between, fit for
// errors and logs.
func (s *Source) clean(text string) string {
	secret, _ := s.secret.Load().(string)
	former, _ := s.former.Load().(string)
	return redact.Text(text, secret, former)
}

// now returns the time by the clock of an answer, so that a wrong clock here
// waits neither for ever nor too little.
func now(header http.Header) time.Time {
	if t, err := http.ParseTime(header.Get("Date")); err == nil {
		return t
	}
	return time.Now()
}
