package xtest

import (
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// fault is one thing of a script that is to go wrong.
type fault struct {
	at      time.Duration
	do      func(*Server, fault)
	once    bool   // several times are no more than one
	times   int    // below 0: for ever
	answers bool   // it is an answer to a request
	secure  bool   // it happens to a handshake of TLS
	target  string // the path that answers so; "" for the streams
}

// kinds are the faults by name. Each reads its argument, "" for none, and says
// what it wants instead when that is wrong.
var kinds = map[string]func(arg string) (fault, error){
	"clean":    ending{}.fault,
	"reset":    ending{abort: true}.fault,
	"halfline": ending{message: []byte(`{"data":{"id":"1`), cut: true}.fault,
	"disconnect": func(arg string) (fault, error) {
		return disconnectFault(arg, disconnect)
	},
	"disconnect-bare": func(arg string) (fault, error) {
		return disconnectFault(arg, bareDisconnect)
	},
	"stall":       timed(0, (*Server).Stall),
	"nokeepalive": timed(0, (*Server).mute),
	"slow": counted(0, 1<<20, 16, "bytes a second", func(s *Server, n int) {
		for _, c := range s.hub.connected() {
			c.slacken(n)
		}
	}),
	"flood":   counted(1, 1_000_000, 1000, "Posts", func(s *Server, n int) { s.makePosts(n) }),
	"bigline": counted(1, 256, 12, "MB", func(s *Server, n int) { s.Send(bigLine(n << 20)) }),
	"garbage": plain(func(s *Server) { s.Send([]byte("<garbage \x00\xff {\"data\":")) }),
	"unknown": plain(func(s *Server) { s.Send([]byte(`{"surprise":{"kind":"of a new kind"}}`)) }),

	"toomany":  answering(TooManyConnections()),
	"html":     answering(htmlPage(http.StatusBadGateway)),
	"html200":  answering(htmlPage(http.StatusOK)),
	"redirect": answering(Response{Status: http.StatusFound, Header: http.Header{"Location": {"https://example.com/login"}}}),
	"empty":    answering(Response{Status: http.StatusOK}),
	"nostream": answering(respond(http.StatusOK, problem{Title: "Service Unavailable", Detail: "Something is wrong.", Type: "about:blank"})),
	"cap": func(arg string) (fault, error) {
		period, status := strings.CutSuffix(arg, "-403")
		if period != "daily" && period != "monthly" {
			return fault{}, errors.New("want daily or monthly, and -403 behind it for X's other status")
		}
		resp := usageCap(strings.ToUpper(period[:1])+period[1:], http.StatusTooManyRequests)
		if status {
			resp.Status = http.StatusForbidden
		}
		return answering(resp)("")
	},
	"ok": func(arg string) (fault, error) {
		f, err := answering(Response{})(arg)
		f.do, f.once = func(s *Server, f fault) {
			s.fail(f.target, 0, Response{})
			if f.target == "" {
				s.handshakes.forget()
			}
		}, true
		return f, err
	},

	"tls-cut":     handshaking(cutHandshake),
	"tls-badcert": handshaking(otherHost),
	"tls-stall": func(arg string) (fault, error) {
		d, err := duration(arg, 0)
		if err != nil {
			return fault{}, err
		}
		return handshaking(stallHandshake(d))("")
	},

	"lag": func(arg string) (fault, error) {
		d, err := duration(arg, -1)
		return fault{once: true, do: func(s *Server, _ fault) { s.setLag(d) }}, err
	},
	"search-late": func(arg string) (fault, error) {
		d, err := duration(arg, -1)
		return fault{once: true, do: func(s *Server, _ fault) { s.searchLate.Store(int64(d)) }}, err
	},
	"backfill": func(arg string) (fault, error) {
		status, known := map[string]int64{"on": 0, "400": 400, "403": 403}[arg]
		if !known {
			return fault{}, errors.New("want on, or 400 or 403 to refuse it")
		}
		return fault{once: true, do: func(s *Server, _ fault) { s.backfillRefused.Store(status) }}, nil
	},
	"limits": func(arg string) (fault, error) {
		if arg != "on" && arg != "off" && arg != "none" {
			return fault{}, errors.New("want on, off or none")
		}
		return fault{once: true, do: func(s *Server, _ fault) {
			s.limits.enforce.Store(arg == "on")
			s.limits.unsaid.Store(arg == "none")
		}}, nil
	},
}

// targets are the endpoints that a fault may name behind "@".
var targets = map[string]string{
	"stream": "", "rules": rulesPath, "search": recentPath, "connections": connectionsPath, "usage": usagePath,
	"counts": countsPath,
}

// disconnectTypes are those that X's documentation knows.
var disconnectTypes = []string{
	"OperationalDisconnect", "UpstreamOperationalDisconnect", "ForceDisconnect", "UpstreamUncleanDisconnect",
	"SlowReader", "InternalError", "ClientApplicationStateDegraded", "InvalidRules",
}

// faultForm takes a fault apart: [AT:]NAME[=ARG][@ENDPOINT][xN].
var faultForm = regexp.MustCompile(`^(?:([0-9][0-9a-zµ.]*):)?([a-z0-9-]+?)(?:=([^@\s]*?))?(?:@([a-z]+))?(?:x([0-9]+|\*))?$`)

const maxFaults = 10_000

// parseFaults reads a script. Its errors name the fault and its place.
func parseFaults(script string) ([]fault, error) {
	var faults []fault
	for i, text := range strings.Fields(script) {
		if i == maxFaults {
			return nil, fmt.Errorf("more than %d faults", maxFaults)
		}
		f, err := parseFault(text)
		if err != nil {
			return nil, fmt.Errorf("fault %d, %.60q: %w", i+1, text, err)
		}
		faults = append(faults, f)
	}
	slices.SortStableFunc(faults, func(a, b fault) int { return int(min(max(a.at-b.at, -1), 1)) })
	return faults, nil
}

func parseFault(text string) (fault, error) {
	m := faultForm.FindStringSubmatch(text)
	if m == nil {
		return fault{}, errors.New("want [AT:]NAME[=ARG][@ENDPOINT][xN], as in 9s:503x3")
	}
	at, name, arg, endpoint, times := m[1], m[2], m[3], m[4], m[5]
	read, known := kinds[name]
	if status, err := strconv.Atoi(name); err == nil && status >= 400 && status < 600 {
		read, known = answering(Problem(status)), true
	}
	if !known {
		return fault{}, fmt.Errorf("there is no fault %q: want a status such as 503, or %s", name, strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))
	}
	f, err := read(arg)
	if err != nil {
		return fault{}, err
	}
	if at != "" {
		if f.at, err = time.ParseDuration(at); err != nil {
			return fault{}, fmt.Errorf("%q is no time such as 2s or 1m30s", at)
		}
	}
	if endpoint != "" {
		path, known := targets[endpoint]
		if !known || !f.answers {
			return fault{}, fmt.Errorf("@%s: want an answer at one of %s", endpoint, strings.Join(slices.Sorted(maps.Keys(targets)), ", "))
		}
		f.target = path
	}
	f.times = 1
	switch {
	case times == "":
	case f.once:
		return fault{}, errors.New("it happens once: leave the number out")
	case times == "*" && (f.answers || f.secure):
		f.times = -1
	default:
		if f.times, err = strconv.Atoi(times); err != nil || f.times < 1 || f.times > 10_000 {
			return fault{}, fmt.Errorf("x%s: want a number from 1 to 10000, and for answers and handshakes also *", times)
		}
	}
	return f, nil
}

// answering makes faults that are answers.
func answering(resp Response) func(string) (fault, error) {
	return func(arg string) (fault, error) {
		return fault{answers: true, do: func(s *Server, f fault) { s.fail(f.target, f.times, resp) }}, none(arg)
	}
}

// handshaking makes faults of handshakes.
func handshaking(do func(net.Conn) (*tls.Config, error)) func(string) (fault, error) {
	return func(arg string) (fault, error) {
		return fault{secure: true, do: func(s *Server, f fault) { s.handshakes.plan(f.times, do) }}, none(arg)
	}
}

// checkTLS refuses faults of handshakes where there are none.
func (c *config) checkTLS(faults []fault) error {
	if !c.tls && slices.ContainsFunc(faults, func(f fault) bool { return f.secure }) {
		return errors.New("faults of TLS are for a server that has it, see TLS")
	}
	return nil
}

func none(arg string) error {
	if arg != "" {
		return errors.New("it takes no argument")
	}
	return nil
}

func plain(do func(*Server)) func(string) (fault, error) {
	return func(arg string) (fault, error) {
		return fault{do: func(s *Server, f fault) {
			for range f.times {
				do(s)
			}
		}}, none(arg)
	}
}

func counted(least, most, usual int, unit string, do func(*Server, int)) func(string) (fault, error) {
	return func(arg string) (fault, error) {
		n, err := usual, error(nil)
		if arg != "" {
			n, err = strconv.Atoi(arg)
		}
		if err != nil || n < least || n > most {
			return fault{}, fmt.Errorf("want %d to %d %s, not %q", least, most, unit, arg)
		}
		return plain(func(s *Server) { do(s, n) })("")
	}
}

// timed makes faults that last for a time, and without one until the connection
// ends.
func timed(usual time.Duration, do func(*Server, time.Duration)) func(string) (fault, error) {
	return func(arg string) (fault, error) {
		d, err := duration(arg, usual)
		return fault{once: true, do: func(s *Server, _ fault) { do(s, d) }}, err
	}
}

// duration reads an argument. A usual time below 0 means that there is none.
func duration(arg string, usual time.Duration) (time.Duration, error) {
	if arg == "" && usual >= 0 {
		return usual, nil
	}
	d, err := time.ParseDuration(arg)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("want a time such as 30s, not %q", arg)
	}
	return d, nil
}

func (e ending) fault(arg string) (fault, error) {
	return fault{once: true, do: func(s *Server, _ fault) { s.end(e) }}, none(arg)
}

func disconnectFault(kind string, message func(kind, detail string) []byte) (fault, error) {
	if kind == "" {
		kind = "UpstreamOperationalDisconnect"
	}
	if !slices.Contains(disconnectTypes, kind) {
		return fault{}, fmt.Errorf("want one of %s, not %q", strings.Join(disconnectTypes, ", "), kind)
	}
	return ending{message: message(kind, "This stream has been disconnected, as asked for.")}.fault("")
}

// htmlPage is what a proxy, or the guard before X, answers.
func htmlPage(status int) Response {
	return Response{
		Status: status,
		Header: http.Header{"Content-Type": {"text/html; charset=utf-8"}},
		Body:   "<!DOCTYPE html>\r\n<html><head><title>Bad gateway</title></head>\r\n<body><h1>Bad gateway</h1></body></html>\r\n",
	}
}

// bigLine is a message of n bytes.
func bigLine(n int) []byte {
	b := slices.Grow([]byte(`{"data":{"id":"1","text":"`), n+4)
	for len(b) < n-3 {
		b = append(b, 'x')
	}
	return append(b, `"}}`...)
}
