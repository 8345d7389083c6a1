package main_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/tweetstream-go/tweetstream/xtest"
)

// ask sends JSON of the page's own, and decodes the answer.
func (d *demo) ask(method, path, body string, to any) int {
	d.t.Helper()
	resp, got := d.do(request{method, path, body, map[string]string{"Content-Type": jsonType, "Origin": d.url, "Sec-Fetch-Site": "same-origin"}})
	if to != nil {
		if err := json.Unmarshal([]byte(got), to); err != nil {
			d.t.Fatalf("%s %s: status %d, %v: %s", method, path, resp.StatusCode, err, got)
		}
	}
	return resp.StatusCode
}

type atX struct {
	Rules  []struct{ ID, Tag, Value string }
	Change bool
}

// Rules are listed, tried, added and deleted, and what is wrong with one is told
// with its place.
func TestRules(t *testing.T) {
	d := serve(t, "--rate", "100", "--tag", "tea")
	var now atX
	d.eventually("X has the rule", func() bool {
		return d.ask("GET", "/rules", "", &now) == 200 && len(now.Rules) == 1
	})
	if now.Rules[0].Tag != "tea" || now.Rules[0].Value != "tea OR #tea" || !now.Change {
		t.Errorf("rules are %+v", now)
	}
	d.eventually("there is a history", func() bool { return len(d.found("")) == 50 })
	var tried struct {
		Of, Matched int
		Posts       []string
	}
	if status := d.ask("POST", "/rules/try", `{"value":"tea -is:retweet"}`, &tried); status != 200 || tried.Of < 50 || tried.Matched == 0 || tried.Matched > tried.Of || len(tried.Posts) == 0 {
		t.Errorf("trying a rule: status %d, %d of %d, %d shown", status, tried.Matched, tried.Of, len(tried.Posts))
	}
	for _, tt := range []struct {
		method, path, body string
		status, pos        int
		says               string
	}{
		{"POST", "/rules/try", `{"value":"tea (milk"}`, 422, 5, ""},
		{"POST", "/rules", `{"tag":"x","value":"tea (milk"}`, 422, 5, ""},
		{"POST", "/rules", `{"tag":"x","value":"tea nix:y"}`, 422, 5, ""},
		{"POST", "/rules", `{"tag":"x","value":"  "}`, 422, 0, "write what the rule looks for"},
		{"POST", "/rules", `{"tag":"","value":"tea"}`, 422, 0, "give the rule a tag"},
		{"POST", "/rules", `{"tag":"x","value":"a\u0000b"}`, 422, 0, "no rule has"},
		{"POST", "/rules", `{"tag":"x","value":"tea OR #tea"}`, 409, 0, "already"},
		{"POST", "/rules", `[]`, 400, 0, ""},
		{"DELETE", "/rules/" + now.Rules[0].ID, "", 409, 0, "the last rule"},
		{"DELETE", "/rules/123", "", 502, 0, ""},
	} {
		var f struct {
			Error string
			Pos   int
		}
		status := d.ask(tt.method, tt.path, tt.body, &f)
		if status != tt.status || f.Pos != tt.pos || f.Error == "" || !strings.Contains(f.Error, tt.says) {
			t.Errorf("%s %s %s: status %d, %+v; want %d at %d, %q", tt.method, tt.path, tt.body, status, f, tt.status, tt.pos, tt.says)
		}
	}
	var added struct{ ID, Tag string }
	if status := d.ask("POST", "/rules", `{"tag":"cake","value":" cake OR #cake "}`, &added); status != 201 || added.Tag != "cake" {
		t.Fatalf("adding a rule: status %d, %+v", status, added)
	}
	d.eventually("its Posts come", func() bool { return len(d.found("tag=cake")) > 0 })
	if status := d.ask("DELETE", "/rules/"+added.ID, "", nil); status != 204 {
		t.Errorf("deleting it: status %d", status)
	}
	if d.ask("GET", "/rules", "", &now); len(now.Rules) != 1 {
		t.Errorf("rules are %+v", now)
	}
}

// Where anybody may look on, not anybody may spend money.
func TestRulesOfOthers(t *testing.T) {
	x := xtest.NewServer()
	defer x.Close()
	d := serve(t, "--listen", "0.0.0.0:0", "--remote", "--live", "--api-url", x.URL, "--tag", "tea")
	var f struct{ Error string }
	for _, r := range [][2]string{{"POST", "/rules"}, {"DELETE", "/rules/1"}} {
		if status := d.ask(r[0], r[1], `{"tag":"x","value":"y"}`, &f); status != 403 {
			t.Errorf("%s %s: status %d, want 403", r[0], r[1], status)
		}
	}
	if status := d.ask("POST", "/deleted", `{"ids":["1"]}`, nil); status != 404 {
		t.Errorf("what is deleted, by anybody: status %d, want 404", status)
	}
	if status := d.ask("POST", "/faults", `{"fault":"reset"}`, nil); status != 404 {
		t.Errorf("faults at X itself: status %d, want 404", status)
	}
}

type ledger struct {
	Dead     int
	Services []struct {
		Name              string
		Received, Repeats int
		Sinks             []struct {
			Name, State              string
			Delivered, Waiting, Lost int
		}
	}
	Source    struct{ Connects, Recovered, GapsFilled int }
	Simulated struct{ Matched, Sent int }
	Tags      []string
}

// Whatever fault the page asks for, all that X has sent is there in the end.
func TestFaults(t *testing.T) {
	d := serve(t, "--rate", "50", "--tag", "tea")
	look := func() (l ledger) {
		d.t.Helper()
		if status := d.ask("GET", "/stats", "", &l); status != 200 {
			t.Fatalf("/stats: status %d", status)
		}
		return l
	}
	fault := func(name string) {
		t.Helper()
		if status := d.ask("POST", "/faults", fmt.Sprintf(`{"fault":%q}`, name), nil); status != 204 {
			t.Errorf("fault %s: status %d", name, status)
		}
	}
	d.eventually("Posts come", func() bool { return look().Services[0].Received > 20 })
	fault("sink-gone")
	d.eventually("Posts wait for the sink", func() bool { return look().Services[1].Sinks[0].Waiting > 50 })
	fault("reset")
	d.eventually("X is connected again, and the gap is filled", func() bool {
		l := look()
		return l.Source.Connects > 1 && l.Source.GapsFilled > 0
	})
	fault("flood")
	fault("sink-back")
	d.eventually("all that X has sent is delivered", func() bool {
		l := look()
		web, x := l.Services[0], l.Services[1]
		if x.Received-x.Repeats < 5_000 || web.Received < 5_000 {
			return false
		}
		for _, s := range web.Sinks {
			if s.Delivered+s.Waiting+s.Lost < 5_000 {
				return false
			}
		}
		return x.Sinks[0].Lost == 0 && x.Sinks[0].Waiting < 50
	})
	if status := d.ask("POST", "/faults", `{"fault":"stall=1h"}`, nil); status != 400 {
		t.Errorf("a fault of one's own: status %d, want 400", status)
	}
	var in struct {
		Minutes []int
		Tags    []struct {
			Tag     string
			Posts   int
			Minutes []int
		}
		Authors, Hashtags []struct {
			Name  string
			Posts int
		}
	}
	d.ask("GET", "/insights", "", &in)
	if len(in.Minutes) != 60 || len(in.Tags) != 1 || in.Tags[0].Tag != "tea" || in.Tags[0].Posts < 1_000 || len(in.Authors) != 10 || len(in.Hashtags) == 0 {
		t.Errorf("insights are %+v", in)
	}
	if l := look(); l.Tags[0] != "tea" || l.Simulated.Matched < 5_000 {
		t.Errorf("stats are %+v", l)
	}
}

// Answers are compressed for who takes it, and not sent again to who has them.
func TestCompression(t *testing.T) {
	d := serve(t, "--receive")
	plain, whole := d.do(request{method: "GET", path: "/style.css", header: map[string]string{"Accept-Encoding": "br, gzip;q=0"}})
	zipped, small := d.do(request{method: "GET", path: "/style.css", header: map[string]string{"Accept-Encoding": "gzip, deflate, br"}})
	if plain.Header.Get("Content-Encoding") != "" || zipped.Header.Get("Content-Encoding") != "gzip" || len(small)*2 > len(whole) {
		t.Errorf("encodings %q and %q, %d and %d bytes", plain.Header.Get("Content-Encoding"), zipped.Header.Get("Content-Encoding"), len(whole), len(small))
	}
	z, err := gzip.NewReader(bytes.NewReader([]byte(small)))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(z); err != nil || string(got) != whole {
		t.Errorf("it does not become the same again: %v", err)
	}
	for _, r := range []*http.Response{plain, zipped} {
		header := map[string]string{"If-None-Match": `"x", W/` + r.Header.Get("ETag")}
		header["Accept-Encoding"] = cmp.Or(r.Header.Get("Content-Encoding"), "identity")
		if again, body := d.do(request{method: "GET", path: "/style.css", header: header}); again.StatusCode != 304 || body != "" {
			t.Errorf("asked again: status %d, %d bytes", again.StatusCode, len(body))
		}
	}
	if plain.Header.Get("ETag") == zipped.Header.Get("ETag") || plain.Header.Get("Vary") != "Accept-Encoding" {
		t.Error("a cache would take one for the other")
	}
}
