package xstream

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

// The whole of X's policy, to the longest waits: each is what X says at the least,
// and a tenth more at the most, and after a healthy connection it begins anew.
func TestReconnectPolicy(t *testing.T) {
	const s, m = time.Second, time.Minute
	answer := func(status int) *Error { return &Error{Status: status, header: http.Header{}} }
	network := []time.Duration{0}
	for i := range 80 {
		network = append(network, min(time.Duration(i+1)*250*time.Millisecond, 16*s))
	}
	for name, c := range map[string]struct {
		err   error
		waits []time.Duration
	}{
		"network":          {errors.New("connection refused"), network},
		"stall":            {errStall, network},
		"a 200, no stream": {&noStreamError{"an HTML page"}, []time.Duration{0, 5 * s, 10 * s, 20 * s, 40 * s, 80 * s, 160 * s, 320 * s, 320 * s}},
		"5xx":              {answer(503), []time.Duration{5 * s, 10 * s, 20 * s, 40 * s, 80 * s, 160 * s, 320 * s, 320 * s}},
		"429":              {answer(429), []time.Duration{m, 2 * m, 4 * m, 8 * m, 15 * m, 15 * m}},
		"402":              {answer(402), []time.Duration{5 * m, 10 * m, 20 * m, 40 * m, time.Hour, time.Hour}},
		"forced":           {&disconnectError{kind: forceDisconnect}, []time.Duration{5 * s, 10 * s, 20 * s, 40 * s, 80 * s, 160 * s, 320 * s, 320 * s}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReconnect()
			for life := range 2 {
				jittered := false
				for i, want := range c.waits {
					got := r.wait(c.err)
					if got < want || got > want+want/10+1 {
						t.Errorf("life %d: wait %d is %v, want %v to a tenth more", life+1, i+1, got, want)
					}
					jittered = jittered || got != want
				}
				if !jittered {
					t.Error("all come at the same moment: no wait is jittered")
				}
				r.healthy()
			}
		})
	}
}

// No request to another host gets the token, whoever makes it.
func TestNoOtherHostGetsTheToken(t *testing.T) {
	s, err := New(Token("secret"), HTTPClient(&http.Client{Transport: refusing{t}}))
	if err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{"https://api.x.com.example.com/2/connections", "http://api.x.com/2/connections", "https://api.x.com:8443/"} {
		if _, err := s.client.Get(url); err == nil || !strings.Contains(err.Error(), "gets no token") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

type refusing struct{ t *testing.T }

func (r refusing) RoundTrip(req *http.Request) (*http.Response, error) {
	r.t.Errorf("asked: %s", req.URL)
	return nil, errors.New("not here")
}

// X has said in several ways that money or a cap is used up; each of them is enough.
func TestMoneyIsKnownByEachOfItsSigns(t *testing.T) {
	s, err := New(Token("secret"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		status     int
		body, held string
	}{
		{402, `{}`, "out of credits at X"},
		{403, `{"title":"Forbidden","type":"https://api.twitter.com/2/problems/credits-depleted"}`, "out of credits at X"},
		{403, `{"title":"CreditsDepleted"}`, "out of credits at X"},
		{429, `{"title":"Too Many","type":"https://api.x.com/2/problems/usage-capped","period":"Daily"}`, "X's daily usage cap"},
		{403, `{"title":"UsageCapExceeded","period":"Monthly"}`, "X's monthly usage cap"},
		{403, `{"errors":[{"title":"UsageCapExceeded"}]}`, "X's usage cap"},
		{403, `{"title":"RulesCapExceeded"}`, ""},
		{429, `{"title":"Too Many Requests"}`, ""},
		{403, `{"title":"Client Forbidden","type":"https://api.x.com/2/problems/client-forbidden"}`, ""},
	} {
		if got := held(s.refusal(c.status, http.Header{}, []byte(c.body))); got != c.held {
			t.Errorf("%d %s holds for %q, want %q", c.status, c.body, got, c.held)
		}
	}
}

// A refusal ends the stream if trying again is no use.
func TestRefusalsThatPass(t *testing.T) {
	for status, fatal := range map[int]bool{
		302: true, 400: true, 401: true, 403: true, 404: true, 409: true, 410: true, 422: true,
		402: false, 408: false, 425: false, 429: false, 500: false, 502: false, 503: false, 504: false, 529: false,
	} {
		if got := (&Error{Status: status}).fatal(); got != fatal {
			t.Errorf("%d ends the stream: %v, want %v", status, got, fatal)
		}
	}
}

// What X says is found wherever it says it.
func TestProblemsAreReadInEachForm(t *testing.T) {
	for body, want := range map[string]string{
		`{"title":"T","detail":"D"}`:                                       "T: D",
		`{"title":"T","details":["one","two"]}`:                            "T: one; two",
		`{"title":"T","message":"M"}`:                                      "T: M",
		`{"title":"T","errors":[{"message":"M"}]}`:                         ": M",
		`{"title":"T","detail":"D","errors":[{"title":"U","detail":"E"}]}`: "T: D",
		`{"errors":[{"title":"U","detail":"E"},{"title":"V"}]}`:            "U: E",
		`{"title":"T","detail":"D","scope":{"of":"another type"}}`:         "T: D",
		`{"title":{"of":"another type"},"detail":"D","type":["and this"]}`: ": D",
		`{"data":{}}`: "",
		`[]`:          "",
		`<html>`:      "",
	} {
		p, ok := parseProblem([]byte(body))
		got := ""
		if ok {
			got = p.Title + ": " + p.Detail
		}
		if got != want {
			t.Errorf("parseProblem(%s) = %q, want %q", body, got, want)
		}
	}
}
