package xtest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream/xtest"
)

func newServer(t *testing.T, opts ...xtest.Option) *xtest.Server {
	t.Helper()
	x := xtest.NewServer(append([]xtest.Option{xtest.InMemory()}, opts...)...)
	t.Cleanup(x.Close)
	return x
}

func TestRules(t *testing.T) {
	x := newServer(t)

	a := call(t, x, "POST", rulesPath, `{"add":[{"value":"coop OR #coop","tag":"coop"},{"value":" golang "}]}`)
	if a.status != http.StatusCreated {
		t.Errorf("add: status %d, want 201", a.status)
	}
	want := map[string]int{"created": 2, "not_created": 0, "valid": 2, "invalid": 0}
	if diff := cmp.Diff(want, a.Meta.Summary); diff != "" {
		t.Errorf("add: summary (-want +got):\n%s", diff)
	}
	added := a.rules(t)
	if strings.Contains(a.raw, `"tag":""`) {
		t.Errorf("add: a tag that was not given is there: %s", a.raw)
	}

	a = call(t, x, "GET", rulesPath, "")
	if diff := cmp.Diff([]rule{{added[0].ID, "coop OR #coop", "coop"}, {added[1].ID, "golang", ""}}, a.rules(t)); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
	if a.status != 200 || a.Meta.ResultCount != 2 {
		t.Errorf("list: status %d, result_count %d, want 200, 2", a.status, a.Meta.ResultCount)
	}

	a = call(t, x, "GET", rulesPath+"?ids="+added[1].ID+",7", "")
	if diff := cmp.Diff([]rule{added[1]}, a.rules(t)); diff != "" {
		t.Errorf("list by id (-want +got):\n%s", diff)
	}

	a = call(t, x, "POST", rulesPath, `{"delete":{"values":["golang","nothing"]}}`)
	if diff := cmp.Diff(map[string]int{"deleted": 1, "not_deleted": 1}, a.Meta.Summary); diff != "" || len(a.Errors) != 1 {
		t.Errorf("delete by value: %s", a.raw)
	}
	a = call(t, x, "POST", rulesPath, `{"delete":{"ids":["`+added[0].ID+`"]}}`)
	if diff := cmp.Diff(map[string]int{"deleted": 1, "not_deleted": 0}, a.Meta.Summary); diff != "" || a.status != 200 {
		t.Errorf("delete by id: %d %s", a.status, a.raw)
	}
	addRule(t, x, "one", "")
	addRule(t, x, "two", "")
	a = call(t, x, "POST", rulesPath+"?delete_all=true", "")
	if diff := cmp.Diff(map[string]int{"deleted": 2, "not_deleted": 0}, a.Meta.Summary); diff != "" {
		t.Errorf("delete all: %d %s", a.status, a.raw)
	}
	a = call(t, x, "GET", rulesPath, "")
	if len(a.Data) > 0 || a.Meta.ResultCount != 0 || a.Meta.Sent == "" {
		t.Errorf("list of nothing: %s", a.raw)
	}
}

func TestRuleErrors(t *testing.T) {
	x := newServer(t)
	id := addRule(t, x, "coop", "one")

	// A duplicate goes by its value, whatever its tag, and names the other's id.
	a := call(t, x, "POST", rulesPath, `{"add":[{"value":"coop","tag":"two"}]}`)
	if a.status != 200 || len(a.Errors) != 1 || a.Errors[0].Title != "DuplicateRule" || a.Errors[0].ID != id ||
		a.Errors[0].Value != "coop" || !strings.HasSuffix(a.Errors[0].Type, "/duplicate-rules") {
		t.Errorf("duplicate: %d %s", a.status, a.raw)
	}
	want := map[string]int{"created": 0, "not_created": 1, "valid": 0, "invalid": 1}
	if diff := cmp.Diff(want, a.Meta.Summary); diff != "" {
		t.Errorf("duplicate: summary (-want +got):\n%s", diff)
	}

	// Of good and bad ones, the good are created.
	a = call(t, x, "POST", rulesPath, `{"add":[{"value":"golang"},{"value":"golang"},{"value":"x (y"}]}`)
	if a.status != 201 || len(a.rules(t)) != 1 || len(a.Errors) != 2 || a.Errors[1].Title != "UnprocessableEntity" ||
		!strings.HasSuffix(a.Errors[1].Type, "/invalid-rules") {
		t.Errorf("mixed: %d %s", a.status, a.raw)
	}
	if diff := cmp.Diff([]string{"missing ')' for the '(' (at position 3)"}, a.Errors[1].Details); diff != "" {
		t.Errorf("details (-want +got):\n%s", diff)
	}

	long := strings.Repeat("a", 1025)
	a = call(t, x, "POST", rulesPath, `{"add":[{"value":"`+long+`"}]}`)
	if len(a.Errors) != 1 || !strings.Contains(a.Errors[0].Details[0], "up to 1024 characters") {
		t.Errorf("too long: %s", a.raw)
	}
	addRule(t, x, long[1:], "")

	for _, body := range []string{``, `{}`, `[]`, `{"add":[]}`, `{"delete":{}}`, `{"delete":{"ids":["1"],"values":["x"]}}`,
		`{"add":[{"value":"a"}],"delete":{"ids":["1"]}}`, `{"add":"coop"}`} {
		if a := call(t, x, "POST", rulesPath, body); a.status != 400 || a.Title != "Invalid Request" {
			t.Errorf("body %q: %d %s", body, a.status, a.raw)
		}
	}
	if a := call(t, x, "POST", rulesPath, strings.Repeat(" ", 2<<20)); a.status != http.StatusRequestEntityTooLarge {
		t.Errorf("2 MiB: %d %s", a.status, a.raw)
	}
	for _, q := range []string{"?max_results=0", "?max_results=1001", "?pagination_token=!", "?nothing=1"} {
		if a := call(t, x, "GET", rulesPath+q, ""); a.status != 400 {
			t.Errorf("list %s: %d %s", q, a.status, a.raw)
		}
	}
}

func TestRuleDryRun(t *testing.T) {
	x := newServer(t)
	a := call(t, x, "POST", rulesPath+"?dry_run=true", `{"add":[{"value":"coop"},{"value":"-a"}]}`)
	if a.Meta.Summary["created"] != 1 || len(a.Errors) != 1 {
		t.Errorf("dry run: %s", a.raw)
	}
	id := addRule(t, x, "coop", "")
	call(t, x, "POST", rulesPath+"?dry_run=true", `{"delete":{"ids":["`+id+`"]}}`)
	if rules := call(t, x, "GET", rulesPath, "").rules(t); len(rules) != 1 {
		t.Errorf("after dry runs: %v, want the one rule", rules)
	}
}

func TestRulePaging(t *testing.T) {
	x := newServer(t)
	type add struct {
		Value string `json:"value"`
	}
	var body struct {
		Add []add `json:"add"`
	}
	for i := range 1000 {
		body.Add = append(body.Add, add{fmt.Sprintf("word%d", i)})
	}
	b, _ := json.Marshal(body)
	if a := call(t, x, "POST", rulesPath, string(b)); len(a.rules(t)) != 1000 {
		t.Fatalf("add 1,000: %d", a.status)
	}
	if a := call(t, x, "POST", rulesPath, `{"add":[{"value":"more"}]}`); a.status != 422 || !strings.HasSuffix(a.Type, "/rule-cap") {
		t.Errorf("rule 1,001: %d %s", a.status, a.raw)
	}

	var got []string
	pages, token := 0, ""
	for {
		a := call(t, x, "GET", rulesPath+"?max_results=300"+token, "")
		for _, r := range a.rules(t) {
			got = append(got, r.Value)
		}
		pages++
		if a.Meta.NextToken == "" {
			break
		}
		token = "&pagination_token=" + a.Meta.NextToken
	}
	if pages != 4 || len(got) != 1000 || got[0] != "word0" || got[999] != "word999" {
		t.Errorf("%d pages, %d rules", pages, len(got))
	}
	if a := call(t, x, "GET", rulesPath, ""); a.Meta.ResultCount != 1000 || a.Meta.NextToken != "" {
		t.Errorf("one page: %d rules, next_token %q", a.Meta.ResultCount, a.Meta.NextToken)
	}
}

func TestAuthorization(t *testing.T) {
	x := newServer(t, xtest.Token("right", "also"))
	for _, c := range []struct {
		header string
		status int
	}{
		{"", 401}, {"Bearer", 401}, {"Bearer ", 401}, {"Bearer wrong", 401}, {"Basic right", 401}, {"right", 401},
		{"Bearer right", 200}, {"bearer also", 200},
	} {
		req, _ := http.NewRequest("GET", x.URL+rulesPath, nil)
		if c.header != "" {
			req.Header.Set("Authorization", c.header)
		}
		resp, err := x.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		a := read(t, resp)
		if a.status != c.status || c.status == 401 && a.Title != "Unauthorized" {
			t.Errorf("Authorization %q: %d %s, want %d", c.header, a.status, a.raw, c.status)
		}
	}
	for _, r := range x.Requests() {
		if strings.Contains(fmt.Sprint(r), "right") {
			t.Errorf("Requests() holds the token: %v", r)
		}
	}
}

func TestAnyTokenByDefault(t *testing.T) {
	x := newServer(t)
	if a := call(t, x, "GET", rulesPath, ""); a.status != 200 {
		t.Errorf("any token: %d", a.status)
	}
	resp, err := x.Client().Get(x.URL + streamPath)
	if err != nil {
		t.Fatal(err)
	}
	if a := read(t, resp); a.status != 401 {
		t.Errorf("no token: %d, want 401", a.status)
	}
	if a := call(t, x, "GET", "/2/users/me", ""); a.status != 404 {
		t.Errorf("unknown path: %d, want 404", a.status)
	}
}
