package xstream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/g8rswimmer/go-twitter/v2"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/internal/rulelang"
)

// A RuleError says what X has against a rule, or would have: what no plan of X
// takes is found before it is sent.
type RuleError struct {
	Rule   tweetstream.Rule
	Title  string // X's own, cut; empty if X was not asked
	Detail string // X's own, cut; empty if X gave none
	Pos    int    // of the character that it is about, from 1; 0 if it is not known
}

func (e *RuleError) Error() string {
	text := fmt.Sprintf("X refuses the rule %.200q (tag %.64q)", e.Rule.Value, e.Rule.Tag)
	switch {
	case e.Detail != "":
		text += ": " + e.Detail
	case e.Title != "":
		text += ": " + e.Title
	}
	return text
}

const (
	// rulesTimeout is for one request about rules.
	rulesTimeout = 30 * time.Second
	// rulesAtOnce is how many rules go in one request.
	rulesAtOnce = 100
)

// ListRules returns the rules that are at X, declared or not.
func (s *Source) ListRules(ctx context.Context) ([]tweetstream.Rule, error) {
	ctx, cancel := context.WithTimeout(ctx, rulesTimeout)
	defer cancel()
	answer, err := s.api.TweetSearchStreamRules(ctx, nil)
	if err != nil {
		return nil, ruleFault("list rules", err)
	}
	rules := make([]tweetstream.Rule, 0, len(answer.Rules))
	for _, r := range answer.Rules {
		rules = append(rules, tweetstream.Rule{ID: string(r.ID), Tag: r.Tag, Value: r.Value})
	}
	return rules, nil
}

// AddRules adds rules at X and returns those that it added, with their ids. A rule
// whose value is there already is no error, and keeps the tag that it has. If some
// are no rules, the error joins a [*RuleError] for each of them; the others are
// added all the same.
func (s *Source) AddRules(ctx context.Context, rules ...tweetstream.Rule) ([]tweetstream.Rule, error) {
	var good []tweetstream.Rule
	var errs []error
	for _, r := range rules {
		if err := s.checkRule(r); err != nil {
			errs = append(errs, err)
			continue
		}
		good = append(good, r)
	}
	added, err := s.addRules(ctx, good, false)
	return added, errors.Join(append(errs, err)...)
}

// checkRule finds what no plan of X takes, and logs what X may not take.
func (s *Source) checkRule(r tweetstream.Rule) error {
	doubts, err := rulelang.Check(r.Value)
	if e, ok := errors.AsType[*rulelang.Error](err); ok {
		return &RuleError{Rule: r, Detail: e.Error(), Pos: e.Pos}
	}
	for _, d := range doubts {
		s.logger.Warn("X may refuse this rule, or take it for something else", "tag", r.Tag, "value", s.clean(r.Value), "error", d.Error())
	}
	return nil
}

// addRules adds rules, or with dry only asks whether X would take them.
func (s *Source) addRules(ctx context.Context, rules []tweetstream.Rule, dry bool) (added []tweetstream.Rule, err error) {
	var errs []error
	for some := range slices.Chunk(rules, rulesAtOnce) {
		a, err := s.addSome(ctx, some, dry)
		added = append(added, a...)
		errs = append(errs, err)
		if err != nil && !errors.As(err, new(*RuleError)) {
			break // not about these rules: the next would fail too
		}
	}
	return added, errors.Join(errs...)
}

func (s *Source) addSome(ctx context.Context, rules []tweetstream.Rule, dry bool) (added []tweetstream.Rule, err error) {
	ctx, cancel := context.WithTimeout(ctx, rulesTimeout)
	defer cancel()
	request := make([]twitter.TweetSearchStreamRule, len(rules))
	for i, r := range rules {
		request[i] = twitter.TweetSearchStreamRule{Value: r.Value, Tag: r.Tag}
	}
	answer, err := s.api.TweetSearchStreamAddRule(ctx, request, dry)
	if err != nil {
		return nil, ruleFault("add rules", err)
	}
	for _, r := range answer.Rules {
		added = append(added, tweetstream.Rule{ID: string(r.ID), Tag: r.Tag, Value: r.Value})
	}
	var errs []error
	for _, e := range answer.Errors {
		value, _ := e.Value.(string)
		rule := tweetstream.Rule{Value: value}
		if i := slices.IndexFunc(rules, func(r tweetstream.Rule) bool { return r.Value == value }); i >= 0 {
			rule = rules[i]
		}
		if e.Title == "DuplicateRule" {
			continue
		}
		refused := &RuleError{Rule: rule, Title: s.clean(e.Title), Detail: s.clean(e.Detail)}
		if m := atPosition.FindStringSubmatch(e.Detail); m != nil {
			refused.Pos, _ = strconv.Atoi(m[1])
		}
		errs = append(errs, refused)
	}
	return added, errors.Join(errs...)
}

// atPosition is how X names the place of a fault in a rule.
var atPosition = regexp.MustCompile(`\(at position (\d{1,6})\)`)

// DeleteRules deletes the rules with these ids at X. An id that is not there is
// an error; the others are deleted all the same.
func (s *Source) DeleteRules(ctx context.Context, ids ...string) error {
	var errs []error
	for some := range slices.Chunk(ids, rulesAtOnce) {
		errs = append(errs, s.deleteRules(ctx, some))
	}
	return errors.Join(errs...)
}

func (s *Source) deleteRules(ctx context.Context, ids []string) error {
	ctx, cancel := context.WithTimeout(ctx, rulesTimeout)
	defer cancel()
	request := make([]twitter.TweetSearchStreamRuleID, len(ids))
	for i, id := range ids {
		request[i] = twitter.TweetSearchStreamRuleID(id)
	}
	answer, err := s.api.TweetSearchStreamDeleteRuleByID(ctx, request, false)
	if err != nil {
		return ruleFault("delete rules", err)
	}
	if len(answer.Errors) > 0 {
		e := answer.Errors[0]
		why := s.clean(e.Title + ": " + e.Detail)
		if id, _ := e.Value.(string); id != "" {
			why = s.clean(id) + ": " + why
		}
		return fmt.Errorf("delete rules: X did not delete %d of %d: %s", len(answer.Errors), len(ids), why)
	}
	return nil
}

// ruleFault takes go-twitter's words off an error.
func ruleFault(what string, err error) error {
	return fmt.Errorf("%s: %w", what, withoutURL(err))
}

// newAPI returns go-twitter's client for the rules.
func (s *Source) newAPI() *twitter.Client {
	c := *s.client
	c.Transport = &ruleAnswers{c.Transport, s.refusal}
	return &twitter.Client{Authorizer: authorizedBelow{}, Client: &c, Host: strings.TrimSuffix(s.base.String(), "/")}
}

// authorizedBelow leaves the token to the transport.
type authorizedBelow struct{}

func (authorizedBelow) Add(*http.Request) {}

// ruleAnswers brings X's answers about rules into the form that go-twitter
// takes. X has been seen to send 200 and 201 for the same, with errors in the
// body; go-twitter goes by the status, has no place for the details of an error or
// for the period of a usage cap, and reads the first page of a listing only. An
// answer that is not about rules becomes the error of its request.
type ruleAnswers struct {
	next    http.RoundTripper
	refusal func(status int, header http.Header, body []byte) *Error
}

// ruleAnswer is X's answer about rules, as far as it matters.
type ruleAnswer struct {
	Data   []json.RawMessage `json:"data,omitempty"`
	Meta   map[string]any    `json:"meta,omitempty"`
	Errors []map[string]any  `json:"errors,omitempty"`
}

const (
	maxRulesAnswer = 32 << 20
	maxRulesPages  = 100
)

func (t *ruleAnswers) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, body, err := t.fetch(req)
	if err != nil {
		return nil, err
	}
	var a ruleAnswer
	if json.Unmarshal(body, &a) != nil || !a.aboutRules(resp.StatusCode) {
		return nil, t.refusal(resp.StatusCode, resp.Header, body)
	}
	if req.Method == http.MethodGet {
		if err := t.followPages(req, &a); err != nil {
			return nil, err
		}
	}
	for _, e := range a.Errors {
		var details []string
		all, _ := e["details"].([]any)
		for _, d := range all {
			details = append(details, fmt.Sprint(d))
		}
		if len(details) > 0 {
			e["detail"] = strings.Join(details, "; ")
		}
	}
	a.Meta = nil // go-twitter refuses dates in another form than it expects
	if body, err = json.Marshal(a); err != nil {
		return nil, err
	}
	resp.StatusCode = http.StatusOK
	if isAdd(req) {
		resp.StatusCode = http.StatusCreated
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// isAdd reports whether a request adds rules, for which go-twitter wants a 201.
func isAdd(req *http.Request) bool {
	if req.Method != http.MethodPost || req.GetBody == nil {
		return false
	}
	body, err := req.GetBody()
	if err != nil {
		return false
	}
	defer body.Close()
	var request map[string]json.RawMessage
	return json.NewDecoder(body).Decode(&request) == nil && request["add"] != nil
}

// aboutRules tells an answer about rules from a refusal of the request itself,
// which has come with status 200, too.
func (a *ruleAnswer) aboutRules(status int) bool {
	if (status == http.StatusOK || status == http.StatusCreated) && (a.Data != nil || a.Meta != nil) {
		return true
	}
	switch status {
	case http.StatusOK, http.StatusCreated, http.StatusBadRequest, http.StatusConflict, http.StatusUnprocessableEntity:
	default:
		return false
	}
	for _, e := range a.Errors {
		if e["value"] == nil {
			return false
		}
	}
	return len(a.Errors) > 0
}

// followPages adds the pages of a listing that come after the first.
func (t *ruleAnswers) followPages(req *http.Request, a *ruleAnswer) error {
	for range maxRulesPages {
		next, _ := a.Meta["next_token"].(string)
		if next == "" {
			return nil
		}
		more := req.Clone(req.Context())
		q := more.URL.Query()
		q.Set("pagination_token", next)
		more.URL.RawQuery = q.Encode()
		resp, body, err := t.fetch(more)
		if err != nil {
			return err
		}
		var page ruleAnswer
		if json.Unmarshal(body, &page) != nil || !page.aboutRules(resp.StatusCode) {
			return t.refusal(resp.StatusCode, resp.Header, body)
		}
		a.Data = append(a.Data, page.Data...)
		a.Meta = page.Meta
	}
	return errors.New("the listing of rules does not end")
}

// fetch returns the answer and its body, which is also put back.
func (t *ruleAnswers) fetch(req *http.Request) (*http.Response, []byte, error) {
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxRulesAnswer))
	if err != nil {
		return nil, nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, body, nil
}
