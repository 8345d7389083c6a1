package xtest

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A Response is an answer that [Server.Fail] gives instead of the usual one.
type Response struct {
	Status int
	Header http.Header // set besides, or in place of, the usual headers
	Body   string
}

// problemHost is the host that X's problem types name. It has been both
// api.twitter.com and api.x.com.
const problemHost = "https://api.x.com/2/problems/"

// problem is an error in X's form, after RFC 7807.
type problem struct {
	Title            string   `json:"title"`
	Detail           string   `json:"detail,omitempty"`
	Type             string   `json:"type"`
	Status           int      `json:"status,omitempty"`
	ConnectionIssue  string   `json:"connection_issue,omitempty"`
	DisconnectType   string   `json:"disconnect_type,omitempty"`
	Reason           string   `json:"reason,omitempty"`
	ClientID         string   `json:"client_id,omitempty"`
	RegistrationURL  string   `json:"registration_url,omitempty"`
	RequiredEnrolled string   `json:"required_enrollment,omitempty"`
	AccountID        int64    `json:"account_id,omitempty"`
	Value            string   `json:"value,omitempty"` // of a rule, like those below
	ID               string   `json:"id,omitempty"`
	Details          []string `json:"details,omitempty"`
	Period           string   `json:"period,omitempty"`
	Scope            string   `json:"scope,omitempty"`
}

func (p problem) response(status int) Response {
	return respond(status, p)
}

func respond(status int, body any) Response {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // a Post is found as it was sent
	if err := e.Encode(body); err != nil {
		panic("xtest: " + err.Error()) // only types of this package come here
	}
	return Response{Status: status, Body: strings.TrimSuffix(b.String(), "\n")}
}

// Problem returns X's own answer with this status: 401, 402 (out of credits),
// 403 (the app may not use the stream), 409 (no rules), 429 (rate limit, with
// x-rate-limit-remaining 0), 503; for others a plain one of the same form.
func Problem(status int) Response {
	text := http.StatusText(status)
	p := problem{Title: text, Detail: text, Type: "about:blank", Status: status}
	switch status {
	case http.StatusPaymentRequired:
		p = problem{
			Title:     "CreditsDepleted",
			Detail:    "Your enrolled account [1000000000000000001] does not have any credits to fulfill this request.",
			Type:      problemHost + "credits-depleted",
			AccountID: 1000000000000000001,
		}
	case http.StatusForbidden:
		p = problem{
			Title: "Client Forbidden",
			Detail: "When authenticating requests to the X API v2 endpoints, you must use keys and tokens from " +
				"a developer App that is attached to a Project. You can create a project via the developer portal.",
			Type:             problemHost + "client-forbidden",
			Reason:           "client-not-enrolled",
			ClientID:         "10000001",
			RegistrationURL:  "https://developer.x.com/en/docs/projects/overview",
			RequiredEnrolled: "Appropriate Level of API Access",
		}
	case http.StatusConflict:
		p = problem{
			Title:           "ConnectionException",
			Detail:          "You must define rules on your stream before connecting.",
			Type:            problemHost + "streaming-connection",
			ConnectionIssue: "RuleConfigurationIssue",
		}
	}
	resp := p.response(status)
	if status == http.StatusTooManyRequests {
		resp.Header = http.Header{"X-Rate-Limit-Remaining": {"0"}}
	}
	return resp
}

// TooManyConnections returns the answer, a 429, that X gives when another
// connection to the stream is live.
func TooManyConnections() Response {
	return problem{
		Title:           "ConnectionException",
		Detail:          "This stream is currently at the maximum allowed connection limit.",
		Type:            problemHost + "streaming-connection",
		ConnectionIssue: "TooManyConnections",
	}.response(http.StatusTooManyRequests)
}

// disconnect is the last message of a stream that X ends.
func disconnect(kind, detail string) []byte {
	r := respond(0, struct {
		Errors []problem `json:"errors"`
	}{[]problem{{
		Title:          "operational-disconnect",
		DisconnectType: kind,
		Detail:         detail,
		Type:           problemHost + "operational-disconnect",
	}}})
	return []byte(r.Body + "\r\n")
}

// bareDisconnect is the other form of it, without a list around.
func bareDisconnect(kind, detail string) []byte {
	r := respond(0, problem{
		Title:          "operational-disconnect",
		DisconnectType: kind,
		Detail:         detail,
		Type:           problemHost + "operational-disconnect",
	})
	return []byte(r.Body + "\r\n")
}

// usageCap is X's answer when a cap on reads is reached.
func usageCap(period string, status int) Response {
	return problem{
		Title:     "UsageCapExceeded",
		Detail:    "Usage cap exceeded: " + period + " product cap",
		Type:      problemHost + "usage-capped",
		Period:    period,
		Scope:     "Product",
		AccountID: 1000000000000000001,
	}.response(status)
}

// invalid is X's form for what is wrong with parameters or the body.
type invalid struct {
	Errors []invalidPart `json:"errors"`
	Title  string        `json:"title"`
	Detail string        `json:"detail"`
	Type   string        `json:"type"`
}

type invalidPart struct {
	Parameters map[string][]string `json:"parameters"`
	Message    string              `json:"message"`
}

func newInvalid(parameters map[string][]string, message string) invalid {
	return invalid{
		Errors: []invalidPart{{parameters, message}},
		Title:  "Invalid Request",
		Detail: "One or more parameters to your request was invalid.",
		Type:   problemHost + "invalid-request",
	}
}

// invalidRequest is X's 400 for a query parameter.
func invalidRequest(param, value, message string) Response {
	return respond(http.StatusBadRequest, newInvalid(map[string][]string{param: {value}}, message))
}

// invalidBody is X's 400 for the body of a request.
func invalidBody(message string) Response {
	return respond(http.StatusBadRequest, newInvalid(map[string][]string{}, message))
}

// rateLimits counts requests for the x-rate-limit headers, in windows of 15
// minutes for each endpoint.
type rateLimits struct {
	enforce atomic.Bool
	unsaid  atomic.Bool // no header tells of them

	mu      sync.Mutex
	windows map[string]*window
}

type window struct {
	reset time.Time
	used  int
}

// EnforceLimits answers 429 to requests beyond X's rate limits. By default they
// are only counted, in the x-rate-limit headers.
func EnforceLimits() Option {
	return func(c *config) { c.enforce = true }
}

// limitOf returns how many requests X takes in 15 minutes; 0 if nothing is known.
func limitOf(method, path string) int {
	switch method + " " + path {
	case "GET " + streamPath, "GET " + samplePath, "GET " + usagePath:
		return 50
	case "POST " + rulesPath:
		return 100
	case "GET " + rulesPath, "GET " + recentPath:
		return 450
	case "GET " + countsPath:
		return 300
	}
	return 0
}

// spent reports whether one more request is too many.
func (l *rateLimits) spent(method, path string, now time.Time) bool {
	if !l.enforce.Load() {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.windows[method+path]
	return w != nil && !now.After(w.reset) && w.used >= limitOf(method, path)
}

func (l *rateLimits) header(h http.Header, method, path string, now time.Time) {
	limit := limitOf(method, path)
	if limit == 0 || l.unsaid.Load() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.windows == nil {
		l.windows = map[string]*window{}
	}
	w := l.windows[method+path]
	if w == nil || now.After(w.reset) {
		w = &window{reset: now.Add(15 * time.Minute)}
		l.windows[method+path] = w
	}
	w.used++
	h.Set("x-rate-limit-limit", strconv.Itoa(limit))
	h.Set("x-rate-limit-remaining", strconv.Itoa(max(0, limit-w.used)))
	h.Set("x-rate-limit-reset", strconv.FormatInt(w.reset.Unix(), 10))
}
