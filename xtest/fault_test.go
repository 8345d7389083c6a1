package xtest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream/xtest"
)

func inject(t *testing.T, x *xtest.Server, script string) {
	t.Helper()
	if err := x.Inject(script); err != nil {
		t.Fatal(err)
	}
}

func TestInjectedAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newServer(t)
		addRule(t, x, "coop", "")
		inject(t, x, "503x2 cap=daily cap=monthly-403 toomany html redirect html200 empty nostream 10s:401 429@rules 402@usagex*")
		var got []string
		for range 11 {
			req, _ := http.NewRequestWithContext(t.Context(), "GET", x.URL+streamPath, nil)
			req.Header.Set("Authorization", "Bearer b")
			resp, err := x.Client().Transport.RoundTrip(req) // follows no redirect
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(io.LimitReader(resp.Body, 1))
			if len(got) < 10 {
				resp.Body.Close()
			}
			got = append(got, resp.Status[:3]+" "+resp.Header.Get("Content-Type")[:9]+" "+string(body))
			if len(got) == 10 {
				time.Sleep(10 * time.Second)
			}
		}
		want := []string{
			"503 applicati {", "503 applicati {", "429 applicati {", "403 applicati {", "429 applicati {", "502 text/html <", "302 applicati ",
			"200 text/html <", "200 applicati ", "200 applicati {", "401 applicati {",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if a := call(t, x, "GET", rulesPath, ""); a.status != 429 {
			t.Errorf("rules: %d", a.status)
		}
		for range 3 {
			if a := call(t, x, "GET", "/2/usage/tweets", ""); a.status != 402 {
				t.Errorf("usage: %d", a.status)
			}
		}
		inject(t, x, "ok@usage")
		if a := call(t, x, "GET", "/2/usage/tweets", ""); a.status != 200 {
			t.Errorf("usage: %d after ok", a.status)
		}
		inject(t, x, "cap=daily")
		if a := call(t, x, "GET", streamPath, ""); a.Title != "UsageCapExceeded" || !strings.Contains(a.raw, `"period":"Daily"`) || !strings.Contains(a.raw, `"scope":"Product"`) {
			t.Errorf("cap=daily: %s", a.raw)
		}
	})
}

// The times of Faults count from the first request.
func TestFaultsOfConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newServer(t, xtest.Faults("2s:garbage 3s:unknown 4s:bigline=1 5s:disconnect=SlowReader 7s:disconnect-bare=ForceDisconnect 9s:halfline 11s:clean 13s:reset"))
		time.Sleep(time.Hour)
		addRule(t, x, "coop", "")
		s := connect(t, x, streamPath)
		begin := time.Now()
		for _, want := range []string{"<garbage", `{"surprise"`, `{"data":{"id":"1","text":"xxx`, `{"errors":[{"title":"operational-disconnect"`} {
			l, err := s.line()
			if !strings.HasPrefix(l, want) || err != nil {
				t.Errorf("line %.60q, %v; want %s", l, err, want)
			}
			if want[2:5] == "dat" && len(l) != 1<<20 {
				t.Errorf("a line of %d bytes, want 1 MB", len(l))
			}
		}
		if took := time.Since(begin); took != 5*time.Second {
			t.Errorf("they came within %v, want 5s", took)
		}
		s = connect(t, x, streamPath)
		if l, err := s.line(); !strings.HasPrefix(l, `{"title":"operational-disconnect"`) || !strings.Contains(l, `"ForceDisconnect"`) || err != nil {
			t.Errorf("line %q, %v", l, err)
		}
		s = connect(t, x, streamPath)
		if l, err := s.line(); l != `{"data":{"id":"1` || err != io.ErrUnexpectedEOF {
			t.Errorf("line %q, %v; want the half of one and a cut", l, err)
		}
		s = connect(t, x, streamPath)
		if l, err := s.line(); l != "" || err != io.EOF {
			t.Errorf("line %q, %v; want EOF", l, err)
		}
		s = connect(t, x, streamPath)
		if l, err := s.line(); err == nil || err == io.EOF {
			t.Errorf("line %q, %v; want a cut", l, err)
		}
	})
}

func TestSlowAndMuteConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newServer(t)
		s := connect(t, x, samplePath)
		inject(t, x, "nokeepalive=45s")
		begin := time.Now()
		if l, err := s.line(); l != "" || err != nil || time.Since(begin) != time.Minute {
			t.Errorf("line %q, %v after %v; want a keep-alive after 60s", l, err, time.Since(begin))
		}
		inject(t, x, "slow=10 stall=5s")
		begin = time.Now()
		x.Send([]byte(strings.Repeat("x", 98)))
		if l, err := s.line(); len(l) != 98 || err != nil || time.Since(begin) != 14*time.Second {
			t.Errorf("line of %d bytes, %v after %v; want 98 after 14s", len(l), err, time.Since(begin))
		}
		for _, end := range []string{"slow=0", "clean"} {
			inject(t, x, "slow=10")
			begin = time.Now()
			x.Send([]byte(strings.Repeat("x", 98)))
			time.Sleep(2500 * time.Millisecond)
			inject(t, x, end)
			if l, err := s.line(); len(l) != 98 || err != nil || time.Since(begin) != 2500*time.Millisecond {
				t.Errorf("%s: line of %d bytes, %v after %v; want 98 at once", end, len(l), err, time.Since(begin))
			}
		}
		if l, err := s.line(); l != "" || err != io.EOF {
			t.Errorf("after clean there is %q, %v", l, err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		x := newServer(t)
		s := connect(t, x, samplePath)
		for lag, want := range []time.Duration{10 * time.Second, 4 * time.Second} {
			begin := time.Now()
			inject(t, x, "lag=10s")
			first := x.Post(xtest.Post{Text: "coop"})
			time.Sleep(time.Second)
			second := x.Post(xtest.Post{Text: "coop"})
			if ids, _ := search(t, x, "query", "coop"); len(ids) != 2*lag+2 {
				t.Errorf("search finds %d Posts while delivery lags", len(ids))
			}
			if lag > 0 {
				inject(t, x, "3s:lag=0s") // the one that waits comes at once
			}
			if got := s.next().Data.ID; got != first || time.Since(begin) != want {
				t.Errorf("Post %s after %v, want %s after %v", got, time.Since(begin), first, want)
			}
			if got := s.next().Data.ID; got != second || lag == 0 && time.Since(begin) != 11*time.Second {
				t.Errorf("Post %s after %v, want %s a second later", got, time.Since(begin), second)
			}
		}
	})
	synctest.Test(t, func(t *testing.T) {
		x := newServer(t)
		addRule(t, x, "coop", "")
		s := connect(t, x, streamPath)
		inject(t, x, "flood=200")
		for range 190 {
			s.next()
		}
	})
}

func TestWrongScripts(t *testing.T) {
	x := newServer(t)
	for script, want := range map[string]string{
		"2s:reset nonsense":           `fault 2, "nonsense": there is no fault "nonsense"`,
		"2x:reset":                    `fault 1, "2x:reset": "2x" is no time`,
		"reset=1":                     "it takes no argument",
		"resetx3":                     "it happens once",
		"200":                         "there is no fault",
		"stall=soon":                  "want a time such as 30s",
		"stall=-1s":                   "want a time such as 30s",
		"search-late":                 "want a time",
		"lag":                         "want a time",
		"cap":                         "want daily or monthly",
		"disconnect=Rudely":           "want one of OperationalDisconnect",
		"503@moon":                    "want an answer at one of",
		"reset@rules":                 "want an answer at one of",
		"503x0":                       "want a number from 1",
		"503x99999":                   "want a number from 1",
		"garbagex*":                   "want a number from 1",
		"bigline=9999":                "want 1 to 256 MB",
		"backfill=maybe":              "want on, or 400 or 403",
		"limits=1":                    "want on, off or none",
		"=":                           "want [AT:]NAME",
		strings.Repeat("ok ", 10_001): "more than 10000 faults",
	} {
		if err := x.Inject(script); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Inject(%.40q) = %v, want %q", script, err, want)
		}
	}
	if _, err := xtest.New(xtest.Faults("nonsense")); err == nil || !strings.Contains(err.Error(), "Faults: fault 1") {
		t.Errorf("New(Faults) = %v", err)
	}
}

func FuzzInject(f *testing.F) {
	for _, script := range []string{"2s:reset 5s:stall=30s 9s:503x3", "cap=daily-403@searchx*", "1h:disconnect-bare=SlowReader", ":=@x", "9999999h:ok"} {
		f.Add(script)
	}
	f.Fuzz(func(t *testing.T, script string) {
		_ = xtest.ParseFaults(script)
	})
}

// Only a program on this machine injects faults while the server runs.
func TestFaultsOverHTTP(t *testing.T) {
	x, err := xtest.New()
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	do := func(method, host, from, script string, header http.Header) (int, string) {
		r := httptest.NewRequest(method, "http://"+host+"/_faults", strings.NewReader(script))
		r.RemoteAddr = from
		for k, v := range header {
			r.Header[k] = v
		}
		w := httptest.NewRecorder()
		x.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	const near, local = "127.0.0.1:4711", "127.0.0.1:8089"
	for _, c := range []struct {
		method, host, from string
		header             http.Header
		status             int
	}{
		{"POST", "evil.example", near, nil, 403},
		{"POST", "10.0.0.1:8089", near, nil, 403},
		{"POST", local, "10.0.0.7:4711", nil, 403},
		{"POST", local, near, http.Header{"Origin": {"http://evil.example"}}, 403},
		{"POST", local, near, http.Header{"Origin": {"null"}}, 403},
		{"POST", local, near, http.Header{"Sec-Fetch-Site": {"cross-site"}}, 403},
		{"GET", local, near, nil, 405},
		{"POST", local, near, nil, 204},
		{"POST", "localhost", "[::1]:4711", nil, 204},
	} {
		status, body := do(c.method, c.host, c.from, "503@search", c.header)
		if status != c.status {
			t.Errorf("%s to %s from %s, %v: %d %s, want %d", c.method, c.host, c.from, c.header, status, body, c.status)
		}
	}
	if status, body := do("POST", local, near, "reset 5s:nonsense", nil); status != 400 || !strings.Contains(body, `fault 2, "5s:nonsense"`) {
		t.Errorf("a wrong script: %d %s", status, body)
	}
	for i, want := range []int{503, 503, 400} { // what the two good ones have planned
		r := httptest.NewRequest("GET", "http://"+local+recentPath, nil)
		r.Header.Set("Authorization", "Bearer b")
		w := httptest.NewRecorder()
		if x.ServeHTTP(w, r); w.Code != want {
			t.Errorf("search %d: %d, want %d", i+1, w.Code, want)
		}
	}
}

func TestConnectionsAPI(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newServer(t, xtest.Connections(2))
		addRule(t, x, "coop", "")
		one, two, sample := connect(t, x, streamPath), connect(t, x, streamPath), connect(t, x, samplePath)
		a := call(t, x, "GET", "/2/connections?status=active&endpoints=filtered_stream", "")
		if strings.Count(a.raw, `"endpoint_name":"filtered_stream"`) != 2 || a.Meta.ResultCount != 2 || !strings.Contains(a.raw, `"connected_at":"2026-01-01T`) {
			t.Errorf("list: %s", a.raw)
		}
		if a := call(t, x, "DELETE", "/2/connections/filtered_stream", ""); a.status != 200 || !strings.Contains(a.raw, `"successful_kills":2`) {
			t.Errorf("delete: %d %s", a.status, a.raw)
		}
		for _, s := range []*stream{one, two} {
			if l, err := s.line(); !strings.Contains(l, `"ForceDisconnect"`) || err != nil {
				t.Errorf("line %q, %v", l, err)
			}
		}
		if a := call(t, x, "GET", "/2/connections", ""); a.Meta.ResultCount != 1 {
			t.Errorf("list: %s", a.raw)
		}
		if a := call(t, x, "GET", "/2/connections?status=inactive", ""); a.status != 200 || a.Meta.ResultCount != 0 {
			t.Errorf("list of those that ended: %d %s", a.status, a.raw)
		}
		if a := call(t, x, "GET", "/2/connections?status=moon", ""); a.status != 400 {
			t.Errorf("list of moon: %d", a.status)
		}
		if a := call(t, x, "DELETE", "/2/connections/moon", ""); a.status != 400 {
			t.Errorf("delete of moon: %d", a.status)
		}
		call(t, x, "DELETE", "/2/connections/all", "")
		if l, err := sample.line(); !strings.Contains(l, `"ForceDisconnect"`) || err != nil {
			t.Errorf("line %q, %v", l, err)
		}
	})
}

func TestUsageCountsWhatWasRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newServer(t)
		addRule(t, x, "coop", "")
		s := connect(t, x, streamPath)
		for range 3 {
			x.Post(xtest.Post{Text: "coop"})
			s.next()
		}
		search(t, x, "query", "coop")
		time.Sleep(24 * time.Hour)
		search(t, x, "query", "coop")
		a := call(t, x, "GET", "/2/usage/tweets?days=2&usage.fields=daily_project_usage", "")
		want := `{"data":{"cap_reset_day":1,"project_cap":"3000000","project_id":"1000000000000000002","project_usage":"9","daily_project_usage":{"project_id":"1000000000000000002",` +
			`"usage":[{"date":"2026-01-01T00:00:00.000Z","usage":6},{"date":"2026-01-02T00:00:00.000Z","usage":3}]}}}`
		if a.raw != want {
			t.Errorf("usage: %s\nwant   %s", a.raw, want)
		}
		for days, want := range map[string]int{"0": 400, "90": 200, "91": 400, "x": 400} {
			if a := call(t, x, "GET", "/2/usage/tweets?days="+days, ""); a.status != want {
				t.Errorf("usage of %s days: %d, want %d", days, a.status, want)
			}
		}
	})
}

func TestLimitsAreEnforcedWhenAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newServer(t, xtest.EnforceLimits())
		for i := range 51 {
			a := call(t, x, "GET", "/2/usage/tweets", "")
			if want := map[bool]int{true: 200, false: 429}[i < 50]; a.status != want {
				t.Fatalf("request %d: %d, want %d", i+1, a.status, want)
			}
		}
		time.Sleep(15*time.Minute + time.Second)
		if a := call(t, x, "GET", "/2/usage/tweets", ""); a.status != 200 {
			t.Errorf("after the window: %d", a.status)
		} else if left := a.header.Get("x-rate-limit-remaining"); left != "49" {
			t.Errorf("after the window %s are left, want 49", left)
		}
		inject(t, x, "limits=off")
		for range 60 {
			if a := call(t, x, "GET", "/2/usage/tweets", ""); a.status != 200 {
				t.Fatalf("with limits=off: %d", a.status)
			}
		}
		for _, c := range [][4]string{
			{"GET", rulesPath, "", "450"},
			{"POST", rulesPath, `{"add":[{"value":"coop"}]}`, "100"},
			{"GET", "/2/tweets/search/recent?query=coop", "", "450"},
			{"GET", "/2/tweets/counts/recent?query=coop", "", "300"},
		} {
			if a := call(t, x, c[0], c[1], c[2]); a.header.Get("x-rate-limit-limit") != c[3] {
				t.Errorf("%s %s: %v, want a limit of %s", c[0], c[1], a.header, c[3])
			}
		}
		inject(t, x, "limits=none")
		if a := call(t, x, "GET", rulesPath, ""); a.header.Get("x-rate-limit-limit") != "" {
			t.Errorf("with limits=none: %v", a.header)
		}
	})
}

// A script may name its faults in any order.
func TestFaultsHappenInTheOrderOfTheirTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newServer(t)
		inject(t, x, "2m:ok@rules 1m:503@rules")
		for _, want := range []int{200, 503, 200} {
			if a := call(t, x, "GET", rulesPath, ""); a.status != want {
				t.Errorf("%d, want %d", a.status, want)
			}
			time.Sleep(61 * time.Second)
		}
	})
}

// Nothing passes by what lags, also once the lag is gone.
func TestLagKeepsTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newServer(t)
		addRule(t, x, "coop", "")
		s := connect(t, x, streamPath)
		inject(t, x, "lag=10s")
		var want, got []string
		for range 3 {
			want = append(want, x.Post(xtest.Post{Text: "coop"}))
			time.Sleep(time.Second)
		}
		inject(t, x, "lag=0s")
		want = append(want, x.Post(xtest.Post{Text: "coop"}))
		for range want {
			got = append(got, s.next().Data.ID)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Posts (-want +got):\n%s", diff)
		}
	})
}

func TestSearchIndexesLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newServer(t, xtest.Faults("search-late=20s"))
		addRule(t, x, "coop", "")
		id := x.Post(xtest.Post{Text: "coop"})
		time.Sleep(19 * time.Second)
		if ids, _ := search(t, x, "query", "coop"); len(ids) != 0 {
			t.Errorf("found %v after 19s", ids)
		}
		time.Sleep(time.Second)
		if ids, _ := search(t, x, "query", "coop"); len(ids) != 1 || ids[0] != id {
			t.Errorf("found %v after 20s", ids)
		}
	})
}

// Backfill brings all of its time, some of it twice, and not in order.
func TestBackfill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newServer(t)
		rule := addRule(t, x, "coop", "c")
		x.Post(xtest.Post{Text: "coop, too long ago"})
		time.Sleep(3 * time.Minute)
		want := map[string]bool{}
		for range 20 {
			want[x.Post(xtest.Post{Text: "coop"})] = true
			x.Post(xtest.Post{Text: "something else"})
			time.Sleep(time.Second)
		}
		s := connect(t, x, streamPath+"?backfill_minutes=2")
		last := x.Post(xtest.Post{Text: "coop, live"})
		got := map[string]bool{}
		lines, ordered, before := 0, true, ""
		for {
			m := s.next()
			if m.Data.ID == last {
				break
			}
			if len(m.Rules) != 1 || m.Rules[0].ID != rule || m.Rules[0].Tag != "c" {
				t.Errorf("rules of a Post: %v", m.Rules)
			}
			ordered = ordered && m.Data.ID >= before // some come twice
			before = m.Data.ID
			got[m.Data.ID] = true
			lines++
		}
		if diff := cmp.Diff(want, got); diff != "" || lines == len(got) || ordered {
			t.Errorf("%d lines, ordered %v (-want +got):\n%s", lines, ordered, diff)
		}
		if a := call(t, x, "GET", "/2/usage/tweets", ""); !strings.Contains(a.raw, fmt.Sprintf(`"project_usage":"%d"`, lines+1)) {
			t.Errorf("usage after %d lines and a live one: %s", lines, a.raw)
		}
		s.body.Close()
		synctest.Wait()
		for _, status := range []string{"400", "403"} {
			inject(t, x, "backfill="+status)
			if a := call(t, x, "GET", streamPath+"?backfill_minutes=2", ""); a.status != map[string]int{"400": 400, "403": 403}[status] {
				t.Errorf("backfill=%s: %d", status, a.status)
			}
		}
	})
	x := newServer(t, xtest.NoBackfill())
	addRule(t, x, "coop", "")
	if a := call(t, x, "GET", streamPath+"?backfill_minutes=2", ""); a.status != 400 {
		t.Errorf("NoBackfill: %d", a.status)
	}
}
