package xstream_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream/sources/xstream"
	"github.com/tweetstream-go/tweetstream/xtest"
)

func inject(t *testing.T, x *xtest.Server, script string) {
	t.Helper()
	if err := x.Inject(script); err != nil {
		t.Fatal(err)
	}
}

// attempts returns how many streams were asked for.
func attempts(x *xtest.Server) (n int) {
	for _, r := range x.Requests() {
		if r.Path == streamPath && r.Method == http.MethodGet {
			n++
		}
	}
	return n
}

// Money and caps hold the source; it asks seldom, says so once, and goes on by
// itself.
func TestMoneyHoldsTheSource(t *testing.T) {
	for fault, c := range map[string]struct {
		held, says string
		most       int           // attempts in three hours
		least      time.Duration // until it is held no more, when that is over after an hour
		longest    time.Duration
	}{
		"402x*":             {"out of credits at X", "buy credits", 9, time.Hour, 2*time.Hour + 30*time.Minute},
		"cap=monthlyx*":     {"X's monthly usage cap", "the monthly usage cap of the product is used up: raise it in X's developer console, or wait until the billing cycle turns", 4, time.Hour, 2*time.Hour + 30*time.Minute},
		"cap=monthly-403x*": {"X's monthly usage cap", "raise it", 4, time.Hour, 2*time.Hour + 30*time.Minute},
		"cap=dailyx*":       {"X's daily usage cap", "wait until the UTC day turns", 2, 23 * time.Hour, 24*time.Hour + 2*time.Minute},
		"cap=daily-403x*":   {"X's daily usage cap", "wait until the UTC day turns", 2, 23 * time.Hour, 24*time.Hour + 2*time.Minute},
	} {
		t.Run(fault, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x, opts := server(t)
				defer x.Close()
				s := start(t, nil, xstream.Token("secret"), append(opts, coop)...)
				after(time.Minute)
				before := attempts(x)
				inject(t, x, fault+" clean")
				begin := time.Now()
				after(3 * time.Hour)
				if st := s.Stats(); st.Held != c.held || st.Connected {
					t.Errorf("Stats: %+v, want it held for %q", st, c.held)
				}
				if n := attempts(x) - before; n < 1 || n > c.most {
					t.Errorf("%d attempts in three hours, want 1 to %d", n, c.most)
				}
				if n := strings.Count(s.logged(), "level=ERROR"); n != 1 || !strings.Contains(s.logged(), c.says) {
					t.Errorf("it is said %d times, want once, with %q:\n%s", n, c.says, s.logged())
				}
				inject(t, x, "ok")
				for s.Stats().Held != "" && time.Since(begin) < 48*time.Hour {
					after(time.Second)
				}
				if took := time.Since(begin) - 2*time.Hour; took < c.least-2*time.Hour || took > c.longest {
					t.Errorf("held for %v", time.Since(begin))
				}
				if !s.Stats().Connected || !strings.Contains(s.logged(), "held no more") {
					t.Errorf("it does not go on: %+v", s.Stats())
				}
				s.stop()
			})
		})
	}
}

// The next time that credits are out, waiting begins anew; and X may say so in the
// stream.
func TestHeldAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		s := start(t, nil, xstream.Token("secret"), append(opts, coop)...)
		after(time.Minute)
		inject(t, x, "402x4 clean") // for 75 minutes and more
		after(2 * time.Hour)
		if !s.Stats().Connected {
			t.Fatalf("not connected:\n%s", s.logged())
		}
		x.Send([]byte(`{"title":"CreditsDepleted","detail":"none left","type":"https://api.twitter.com/2/problems/credits-depleted"}`))
		after(time.Millisecond)
		inject(t, x, "reset")
		after(time.Minute)
		if st := s.Stats(); st.Held != "out of credits at X" || st.Ends["operational"] != 1 {
			t.Errorf("Stats: %+v", st)
		}
		after(5 * time.Minute)
		if st := s.Stats(); !st.Connected || st.Held != "" {
			t.Errorf("after six minutes: %+v\n%s", st, s.logged())
		}
		s.stop()
	})
}

// What X said is no reason any more once Posts have come behind it.
func TestTroubleThatIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		s := start(t, nil, xstream.Token("secret"), append(opts, coop)...)
		x.Send([]byte(`{"errors":[{"title":"operational-disconnect","disconnect_type":"InternalError"}]}`))
		x.Post(xtest.Post{Text: "coop"})
		after(time.Second)
		inject(t, x, "clean")
		after(time.Second)
		if st := s.Stats(); st.Ends["closed"] != 1 || len(st.Ends) != 1 {
			t.Errorf("Ends: %v", st.Ends)
		}
		s.stop()
	})
}

func TestStopWhenHeld(t *testing.T) {
	for _, fault := range []string{"402", "402@rules", "cap=daily"} {
		synctest.Test(t, func(t *testing.T) {
			x, opts := server(t, xtest.Faults(fault))
			defer x.Close()
			s := start(t, nil, xstream.Token("secret"), append(opts, coop, xstream.StopWhenHeld())...)
			var refused *xstream.Error
			select {
			case err := <-s.err:
				if !errors.As(err, &refused) || refused.Advice == "" {
					t.Errorf("%s: Stream() = %v, want an *Error with advice", fault, err)
				}
			case <-time.After(time.Hour):
				t.Errorf("%s: Stream goes on", fault)
			}
		})
	}
}

// What is no stream, though X or a proxy answers 200, is waited for as a refusal,
// and no end comes without its reason.
func TestAnswersThatAreNoStream(t *testing.T) {
	for fault, c := range map[string]struct{ reason, says string }{
		"html200":  {"no_stream", "an HTML page, from a proxy perhaps"},
		"nostream": {"no_stream", "an answer 200 that is no stream: Service Unavailable"},
		"empty":    {"no_stream", "it ended before it brought a byte"},
		"br":       {"no_stream", "nobody asked for the encoding"},
		"html":     {"refused", "an answer that is not X's"},
		"503":      {"refused", "X answers 503"},
	} {
		t.Run(fault, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x, opts := server(t)
				defer x.Close()
				s := start(t, nil, xstream.Token("secret"), append(opts, coop)...)
				after(time.Minute)
				before := attempts(x)
				if fault == "br" {
					x.Fail(streamPath, 4, xtest.Response{Status: 200, Header: http.Header{"Content-Encoding": {"br"}}, Body: "?"})
					inject(t, x, "clean")
				} else {
					inject(t, x, fault+"x4 clean")
				}
				begin := time.Now()
				for attempts(x) < before+5 && time.Since(begin) < time.Hour {
					after(100 * time.Millisecond)
				}
				if took := time.Since(begin); took < 30*time.Second || took > 100*time.Second {
					t.Errorf("back after %v, want X's 5 s doubling", took)
				}
				after(time.Second)
				if st := s.Stats(); st.Ends[c.reason] != 4 || st.Ends["closed"] != 1 || !st.Connected {
					t.Errorf("Stats: %+v, want 4 of %s", st, c.reason)
				}
				if !strings.Contains(s.logged(), c.says) {
					t.Errorf("the log does not say %q:\n%s", c.says, s.logged())
				}
				s.stop()
			})
		})
	}
}

// X's limit of 50 connects in 15 minutes is never met, whatever X does and however
// often the source is started anew.
func TestConnectsStayBelowXsLimit(t *testing.T) {
	for name, script := range map[string]string{
		"closed at once":       "emptyx10000",
		"errors":               "nostreamx10000",
		"resets":               "",
		"a token that changes": "",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x, opts := server(t, xtest.Faults(script), xtest.EnforceLimits(), xtest.Token("secret"))
				defer x.Close()
				token := xstream.Token("secret")
				var given atomic.Int64
				if strings.HasPrefix(name, "a token") {
					token = func(context.Context) (string, error) { // each request is refused, and then goes again
						return []string{"secret", "former"}[given.Add(1)%2], nil
					}
				}
				s := start(t, nil, token, append(opts, coop)...)
				begin := time.Now()
				starts := 0
				for time.Since(begin) < time.Hour {
					x.Disconnect(xtest.Reset)
					after(50 * time.Millisecond)
					if starts < 200 { // a program that restarts its stream again and again
						starts++
						s.cancel()
						<-s.err
						ctx, cancel := context.WithCancel(t.Context())
						s.cancel = cancel
						go func() { s.err <- s.Source.Stream(ctx, nil, s.emit) }()
					}
				}
				s.stop()
				var times []time.Time
				for _, r := range x.Requests() {
					if r.Path != streamPath || r.Method != http.MethodGet {
						continue
					}
					if times = append(times, r.Time); len(times) > 50 && r.Time.Sub(times[len(times)-51]) < 15*time.Minute {
						t.Fatalf("51 attempts within %v", r.Time.Sub(times[len(times)-51]))
					}
				}
				if len(times) < 50 || script == "" && len(times) < 150 {
					t.Errorf("%d attempts in an hour, want nearly as many as X allows", len(times))
				}
			})
		})
	}
}

// The limit holds with a client that does not say what it has sent.
func TestConnectsOfAnotherTransport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		connects := 0
		client := &http.Client{Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
			connects++
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("\r\n")), Request: req}, nil
		})}
		s := start(t, nil, xstream.Token("secret"), xstream.HTTPClient(client), xstream.Sample())
		after(15 * time.Minute)
		s.stop()
		if connects < 40 || connects > 50 {
			t.Errorf("%d connects in 15 minutes, want up to 50", connects)
		}
	})
}

// A dial that fails never reached X, and does not count.
func TestFailedDialsAreFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		var down atomic.Bool
		down.Store(true)
		dials := 0
		transport := x.Client().Transport.(*http.Transport)
		dial := transport.DialContext
		transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if down.Load() {
				dials++
				return nil, errors.New("connection refused")
			}
			return dial(ctx, network, addr)
		}
		s := start(t, nil, xstream.Token("secret"), append(opts, xstream.Sample())...)
		after(15 * time.Minute)
		if dials < 80 || s.Stats().Ends["dial"] != uint64(dials) {
			t.Errorf("%d dials in 15 minutes, %v", dials, s.Stats().Ends)
		}
		down.Store(false)
		after(18 * time.Second) // X's 16 s, jittered
		if !s.Stats().Connected {
			t.Errorf("not connected though the network is back:\n%s", s.logged())
		}
		s.stop()
	})
}

// An outage is said once by the stream, and once by recovery, though each of its
// errors names another local port.
func TestAnOutageIsSaidOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		var down atomic.Bool
		var port atomic.Int64
		client := &http.Client{Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
			if n := port.Add(1); down.Load() {
				return nil, fmt.Errorf("lookup api.x.com on 10.0.0.2:53: read udp 10.0.0.1:%d->10.0.0.2:53: i/o timeout", n)
			}
			return x.Client().Transport.RoundTrip(req)
		})}
		s := start(t, nil, xstream.Token("secret"), append(opts, originals, xstream.HTTPClient(client))...)
		after(time.Minute)
		inject(t, x, "clean") // a gap, of which the last part is asked for after half a minute
		after(time.Second)
		down.Store(true)
		x.Disconnect(xtest.Reset)
		after(time.Hour)
		s.stop()
		for _, message := range []string{"the stream is down", "recovery waits"} {
			// The stream has ended twice, and then there was the outage.
			want := map[string]int{"the stream is down": 3, "recovery waits": 1}[message]
			if n := strings.Count(s.logged(), "level=WARN msg=\""+message); n != want || strings.Count(s.logged(), message) < 100 {
				t.Errorf("%d warnings that %s, want %d:\n%s", n, message, want, s.logged())
			}
		}
	})
}

// The same trouble is said again when the stream has stood meanwhile.
func TestTroubleThatComesAgainIsSaidAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		s := start(t, nil, xstream.Token("secret"), append(opts, coop)...)
		for n := 1; n <= 3; n++ {
			after(5 * time.Minute)
			x.Disconnect(xtest.Clean)
			after(time.Second)
			if got := strings.Count(s.logged(), `level=WARN msg="the stream is down`); got != n {
				t.Errorf("warned %d times of %d ends", got, n)
			}
		}
		s.stop()
	})
}

// Where no rule is declared, X's answer that there is none ends the stream at once.
func TestNoRulesDeclaredEndsTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		s := start(t, nil, xstream.Token("secret"), opts...)
		if err := <-s.err; err == nil || !strings.Contains(err.Error(), "declare one") || attempts(x) != 1 {
			t.Errorf("Stream() = %v after %d attempts", err, attempts(x))
		}
	})
}

// That there are too many connections is waited for as X asks, also when X says it in
// the stream.
func TestTooManyConnectionsInTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		s := start(t, nil, xstream.Token("secret"), append(opts, coop)...)
		after(time.Minute)
		x.Send([]byte(`{"title":"ConnectionException","detail":"Too many.","connection_issue":"TooManyConnections","type":"https://api.twitter.com/2/problems/streaming-connection"}`))
		after(time.Millisecond)
		x.Disconnect(xtest.Clean)
		after(59 * time.Second)
		if s.Stats().Connected || !strings.Contains(s.logged(), "another connection with this token is live") {
			t.Errorf("not waited for:\n%s", s.logged())
		}
		after(10 * time.Second)
		if !s.Stats().Connected {
			t.Errorf("not connected again:\n%s", s.logged())
		}
		s.stop()
	})
}

// Each disconnect_type of X, in both forms, has its advice and its wait.
func TestDisconnectsOfX(t *testing.T) {
	slow := 4 * time.Second
	for kind, c := range map[string]struct {
		says string
		wait time.Duration
	}{
		"OperationalDisconnect":          {"", 0},
		"UpstreamOperationalDisconnect":  {"", 0},
		"UpstreamUncleanDisconnect":      {"", 0},
		"InternalError":                  {"", 0},
		"SlowReader":                     {"read too slowly", 0},
		"ForceDisconnect":                {"another program with this token", slow},
		"InvalidRules":                   {"list them, and delete what is wrong", slow},
		"ClientApplicationStateDegraded": {"developer console", slow},
	} {
		for _, form := range []string{"disconnect=", "disconnect-bare="} {
			t.Run(form+kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					x, opts := server(t)
					defer x.Close()
					s := start(t, nil, xstream.Token("secret"), append(opts, coop)...)
					after(time.Minute)
					inject(t, x, form+kind)
					after(time.Second)
					if got := s.Stats().Connected; got != (c.wait == 0) {
						t.Errorf("connected after a second: %v", got)
					}
					after(c.wait + time.Second)
					if st := s.Stats(); st.Ends["operational"] != 1 || !st.Connected || st.Malformed+st.Unknown != 0 {
						t.Errorf("Stats: %+v", st)
					}
					if !strings.Contains(s.logged(), "disconnect_type="+kind) || !strings.Contains(s.logged(), c.says) {
						t.Errorf("the log does not say %q:\n%s", c.says, s.logged())
					}
					s.stop()
				})
			})
		}
	}
}

// What ends the stream says what to do about it.
func TestAdviceOfRefusals(t *testing.T) {
	for status, says := range map[int]string{
		http.StatusBadRequest:        "look at the fields and expansions",
		http.StatusProxyAuthRequired: "put them into HTTPS_PROXY",
	} {
		synctest.Test(t, func(t *testing.T) {
			x, opts := server(t)
			defer x.Close()
			x.Fail(streamPath, -1, xtest.Problem(status))
			s := start(t, nil, xstream.Token("secret"), append(opts, coop)...)
			after(time.Minute)
			select {
			case err := <-s.err:
				if err == nil || !strings.Contains(err.Error(), says) {
					t.Errorf("%d: Stream() = %v, want %q in it", status, err, says)
				}
			default:
				t.Errorf("%d: the stream goes on:\n%s", status, s.logged())
			}
		})
	}
}

// One with a title that nobody knows is known by its disconnect_type.
func TestADisconnectOfAnotherTitle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		s := start(t, nil, xstream.Token("secret"), append(opts, coop)...)
		after(time.Minute)
		x.Send([]byte(`{"errors":[{"title":"surprise","disconnect_type":"InternalError","detail":"X went away"}]}`))
		x.Disconnect(xtest.Clean)
		after(5 * time.Second)
		if st := s.Stats(); st.Ends["operational"] != 1 || !st.Connected || st.Malformed+st.Unknown != 0 {
			t.Errorf("Stats: %+v", st)
		}
		s.stop()
	})
}

// A connection in the way is closed if that is wanted, and else waited for.
func TestTakeOver(t *testing.T) {
	for _, takes := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			x, opts := server(t)
			defer x.Close()
			opts = append(opts, coop)
			first := start(t, nil, xstream.Token("secret"), append(opts, xstream.TakeOver())...)
			after(time.Minute)
			if takes {
				opts = append(opts, xstream.TakeOver())
			}
			second := start(t, nil, xstream.Token("secret"), opts...)
			after(3 * time.Second)
			if got := second.Stats().Connected; got != takes {
				t.Errorf("takes over: %v; connected: %v\n%s", takes, got, second.logged())
			}
			// The first takes over too, but it was closed by force.
			after(time.Hour)
			if got := second.Stats(); got.Connected != takes || takes && got.Connects != 1 {
				t.Errorf("after an hour: %+v\n%s", got, first.logged())
			}
			deletes := 0
			for _, r := range x.Requests() {
				if r.Method == http.MethodDelete {
					deletes++
				}
			}
			if deletes > 1 || takes != (deletes == 1) {
				t.Errorf("%d connections were closed", deletes)
			}
			if takes && !strings.Contains(second.logged(), "the stream is taken over") {
				t.Errorf("it is not said:\n%s", second.logged())
			}
			first.stop()
			second.stop()
		})
	}
}

// A plain 429 is none of a connection in the way.
func TestTakeOverIsForTooManyConnectionsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t, xtest.Faults("429x2 503x2"))
		defer x.Close()
		s := start(t, nil, xstream.Token("secret"), append(opts, coop, xstream.TakeOver())...)
		after(time.Hour)
		for _, r := range x.Requests() {
			if strings.HasPrefix(r.Path, "/2/connections") {
				t.Errorf("%s %s", r.Method, r.Path)
			}
		}
		s.stop()
	})
	// If it can't be taken over, it is waited for.
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t, xtest.Faults("toomanyx2 403@connectionsx*"))
		defer x.Close()
		s := start(t, nil, xstream.Token("secret"), append(opts, coop, xstream.TakeOver())...)
		after(4 * time.Minute)
		if !s.Stats().Connected || !strings.Contains(s.logged(), "can't be taken over") {
			t.Errorf("not connected:\n%s", s.logged())
		}
		s.stop()
	})
}

// A page of a proxy ends a source that never had a stream, for its settings may
// be wrong, but not one that had.
func TestForeignAnswersEndNoStreamThatStood(t *testing.T) {
	page := xtest.Response{Status: 403, Header: http.Header{"Content-Type": {"text/html"}}, Body: "<html>Are you a robot?</html>"}
	redirect := xtest.Response{Status: 302, Header: http.Header{"Location": {"http://127.0.0.1:1/login"}}}
	for name, resp := range map[string]xtest.Response{"403": page, "302": redirect} {
		synctest.Test(t, func(t *testing.T) {
			x, opts := server(t)
			defer x.Close()
			s := start(t, nil, xstream.Token("secret"), append(opts, coop)...)
			after(time.Minute)
			x.Fail(streamPath, 3, resp)
			x.Disconnect(xtest.Clean)
			after(time.Minute)
			if !s.Stats().Connected {
				t.Errorf("%s: not connected:\n%s", name, s.logged())
			}
			s.stop()
			x.Fail(streamPath, 1, resp)
			s = start(t, nil, xstream.Token("secret"), append(opts, coop)...)
			if err := <-s.err; err == nil {
				t.Errorf("%s at the start: Stream() = nil", name)
			}
		})
	}
}

// Errors beside data leave the Post good; messages of a new kind are named.
func TestPartialErrorsAndUnknownMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		s := start(t, nil, xstream.Token("secret"), append(opts, coop)...)
		line := `{"data":{"id":"1","text":"a"},"errors":[{"title":"Not Found Error","detail":"Could not find user"}]}`
		x.Send([]byte(line))
		x.Send([]byte(`{"data":{"id":"2","text":"\"errors\":[ in a text"}}`))
		inject(t, x, "unknown garbage unknownx3 garbage")
		// Before the matching rules, behind them, and with lists in what they say.
		x.Send([]byte(`{"data":{"id":"3"},"includes":{"users":[{"id":"1"}]},"errors":[{"title":"a"}],"matching_rules":[{"id":"1","tag":"a"}]}`))
		x.Send([]byte(`{"data":{"id":"4"},"matching_rules":[{"id":"1","tag":"[a"}],"errors":[{"detail":"b[","path":["c"]}]}`))
		// Posts with nothing amiss.
		x.Send([]byte(`{"data":{"id":"5"},"includes":{"users":[{"id":"1"}]},"matching_rules":[{"id":"1","tag":"\"errors\":["}]}`))
		x.Send([]byte(`{"data":{"id":"6"},"matching_rules":[{"id":"1"}]}`))
		after(time.Second)
		if diff := cmp.Diff([]string{"1", "2", "3", "4", "5", "6"}, s.got()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if st := s.Stats(); st.Partial != 3 || st.Unknown != 4 || st.Malformed != 2 || !st.Connected || st.Bytes < uint64(len(line))+100 {
			t.Errorf("Stats: %+v", st)
		}
		if !strings.Contains(s.logged(), "members=surprise") || !strings.Contains(s.logged(), "level=DEBUG msg=\"X could not read") {
			t.Errorf("the log does not name them:\n%s", s.logged())
		}
		// Each kind is said at once, and then with its number now and then.
		after(10 * time.Second)
		inject(t, x, "unknown garbage")
		after(time.Second)
		for _, says := range []string{"of a kind that is not known are left out\" count=1", "of a kind that is not known are left out\" count=4", "that are no Posts are left out\" count=1", "that are no Posts are left out\" count=2"} {
			if strings.Count(s.logged(), says) != 1 {
				t.Errorf("the log does not say once %q:\n%s", says, s.logged())
			}
		}
		s.stop()
	})
}

func TestLagIsByXsClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		s := start(t, nil, xstream.Token("secret"), append(opts, coop)...)
		x.Stall(10 * time.Second)
		x.Post(xtest.Post{Text: "coop"})
		after(10 * time.Second)
		if lag := s.Stats().Lag; lag < 9*time.Second || lag > 11*time.Second { // Date has seconds only
			t.Errorf("lag %v, want about 10s", lag)
		}
		x.Send([]byte(`{"data":{"id":"17"}}`))
		after(time.Second)
		if lag := s.Stats().Lag; lag != 0 {
			t.Errorf("lag %v of an id that tells no time", lag)
		}
		if ago := time.Since(s.Stats().LastReceived); ago != time.Second {
			t.Errorf("the last byte came %v ago, want 1s", ago)
		}
		s.stop()
	})
}

// If closing the connection in the way did not help, X's waits are kept.
func TestTakeOverIsTriedOnceAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t, xtest.Faults("toomanyx4"))
		defer x.Close()
		s := start(t, nil, xstream.Token("secret"), append(opts, coop, xstream.TakeOver())...)
		after(time.Minute)
		if n := attempts(x); n != 2 {
			t.Errorf("%d attempts in the first minute, want 2", n)
		}
		after(20 * time.Minute)
		if !s.Stats().Connected {
			t.Errorf("not connected:\n%s", s.logged())
		}
		s.stop()
	})
}

// Once a connection has proved healthy, what was in the way before counts no more:
// neither that this one was closed by force, nor that one was taken over.
func TestTakeOverBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		s := start(t, nil, xstream.Token("secret"), append(opts, coop, xstream.TakeOver())...)
		after(time.Minute)
		inject(t, x, "disconnect=ForceDisconnect")
		for range 2 {
			after(time.Minute)
			inject(t, x, "toomany clean")
			after(3 * time.Second)
			if !s.Stats().Connected {
				t.Errorf("not taken over:\n%s", s.logged())
			}
		}
		s.stop()
	})
}

// A usage cap is known by its title, too.
func TestACapIsKnownByItsTitle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		x.Fail(streamPath, 1, xtest.Response{Status: 403, Body: `{"title":"UsageCapExceeded","detail":"Usage cap exceeded","period":"Monthly"}`})
		s := start(t, nil, xstream.Token("secret"), append(opts, coop)...)
		if held := s.Stats().Held; held != "X's monthly usage cap" {
			t.Errorf("held for %q\n%s", held, s.logged())
		}
		s.stop()
	})
}

// When X finds the rules invalid, they are brought in line again.
func TestInvalidRulesAreBroughtInLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t)
		defer x.Close()
		s := start(t, nil, xstream.Token("secret"), append(opts, coop)...)
		after(time.Minute)
		for _, kind := range []string{"InvalidRules", "InternalError"} {
			before := asked(x, rulesPath)
			inject(t, x, "disconnect="+kind)
			after(time.Minute)
			if again := asked(x, rulesPath) > before; again != (kind == "InvalidRules") {
				t.Errorf("%s: the rules are asked for: %v", kind, again)
			}
		}
		s.stop()
	})
}
