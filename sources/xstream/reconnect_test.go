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
