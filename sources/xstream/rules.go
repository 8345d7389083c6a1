package xstream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/g8rswimmer/go-twitter/v2"

	"github.com/tweetstream-go/tweetstream"
)

// A RuleError says what X has against a rule. The position that X names counts
// the characters of the rule from 1.
type RuleError struct {
	Rule   tweetstream.Rule
	Title  string // X's own, cut
	Detail string // X's own, cut; empty if X gave none
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
		return nil, s.ruleFault("list rules", err)
	}
	rules := make([]tweetstream.Rule, 0, len(answer.Rules))
	for _, r := range answer.Rules {
		rules = append(rules, tweetstream.Rule{ID: string(r.ID), Tag: r.Tag, Value: r.Value})
	}
	return rules, nil
}

// AddRules adds rules at X and returns those that it added, with their ids. A rule
// whose value is there already is no error, and keeps the tag that it has. If X
// refuses some, the error joins a [*RuleError] for each of them; the others are
// added all the same.
func (s *Source) AddRules(ctx context.Context, rules ...tweetstream.Rule) ([]tweetstream.Rule, error) {
	var added []tweetstream.Rule
	var errs []error
	for some := range slices.Chunk(rules, rulesAtOnce) {
		a, err := s.addRules(ctx, some)
		added = append(added, a...)
		errs = append(errs, err)
		if err != nil && !errors.As(err, new(*RuleError)) {
			break // not about these rules: the next would fail too
		}
	}
	return added, errors.Join(errs...)
}

func (s *Source) addRules(ctx context.Context, rules []tweetstream.Rule) (added []tweetstream.Rule, err error) {
	ctx, cancel := context.WithTimeout(ctx, rulesTimeout)
	defer cancel()
	request := make([]twitter.TweetSearchStreamRule, len(rules))
	for i, r := range rules {
		request[i] = twitter.TweetSearchStreamRule{Value: r.Value, Tag: r.Tag}
	}
	answer, err := s.api.TweetSearchStreamAddRule(ctx, request, false)
	if err != nil {
		return nil, s.ruleFault("add rules", err)
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
		errs = append(errs, &RuleError{Rule: rule, Title: s.clean(e.Title), Detail: s.clean(e.Detail)})
	}
	return added, errors.Join(errs...)
}

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
		return s.ruleFault("delete rules", err)
	}
	if len(answer.Errors) > 0 {
		e := answer.Errors[0]
		value, _ := e.Value.(string) // the id
		return fmt.Errorf("delete rules: X did not delete %d of %d: %s: %s: %s", len(answer.Errors), len(ids), s.clean(value), s.clean(e.Title), s.clean(e.Detail))
	}
	return nil
}

// SyncRules brings the rules at X in line with those declared by [Rules]: it
// adds what is missing, and deletes what [Prune] says. What else is there stays,
// and is named in the log. Stream does it at its start; programs that only keep
// rules call it by themselves. It is not for the sampled stream.
func (s *Source) SyncRules(ctx context.Context) error {
	there, err := s.ListRules(ctx)
	if err != nil {
		return err
	}
	// A tag can't be changed: the same value with another tag is another rule.
	declared := func(r tweetstream.Rule) bool {
		return slices.ContainsFunc(s.declared, func(d tweetstream.Rule) bool { return d.Value == r.Value && d.Tag == r.Tag })
	}
	var pruned []string
	var foreign []tweetstream.Rule
	known := map[string]tweetstream.Rule{}
	values := map[string]tweetstream.Rule{}
	for _, r := range there {
		switch {
		case declared(r):
		case s.prune != "" && strings.HasPrefix(r.Tag, s.prune):
			pruned = append(pruned, r.ID)
			continue
		default:
			foreign = append(foreign, r)
		}
		known[r.ID], values[r.Value] = r, r
	}
	if err := s.DeleteRules(ctx, pruned...); err != nil {
		return err
	}
	var missing []tweetstream.Rule
	for _, d := range s.declared {
		if r, ok := values[d.Value]; !ok {
			missing = append(missing, d)
		} else if r.Tag != d.Tag {
			s.logger.Warn("a rule declared is there under another tag, which its Posts will bear: delete it to have it added anew", "value", s.clean(d.Value), "tag", d.Tag, "tag_there", s.clean(r.Tag), "id", r.ID)
		}
	}
	added, err := s.AddRules(ctx, missing...)
	if err != nil {
		return err
	}
	for _, r := range added {
		known[r.ID] = r
	}
	if len(added) < len(missing) {
		s.logger.Warn("another program has added a rule at the same moment", "count", len(missing)-len(added))
	}
	s.mu.Lock()
	s.rules = known
	s.mu.Unlock()
	if len(pruned)+len(added) > 0 {
		s.logger.Info("the rules are in line", "added", len(added), "deleted", len(pruned), "active", len(known))
	}
	s.nameForeign(foreign)
	return nil
}

// nameForeign logs the rules that nobody declared.
func (s *Source) nameForeign(foreign []tweetstream.Rule) {
	const most = 10
	for i, r := range foreign {
		if slices.ContainsFunc(s.declared, func(d tweetstream.Rule) bool { return d.Value == r.Value }) {
			continue // said already
		}
		if i == most {
			s.logger.Warn("and more active rules that nobody declared", "count", len(foreign)-most)
			return
		}
		s.logger.Warn("an active rule that nobody declared: the Posts that it brings are billed", "id", r.ID, "tag", s.clean(r.Tag), "value", s.clean(r.Value))
	}
}

// ruleFault makes an *Error of go-twitter's errors, and keeps all others.
func (s *Source) ruleFault(what string, err error) error {
	var answer *twitter.ErrorResponse
	var other *twitter.HTTPError
	switch {
	case errors.As(err, &answer):
		body, _ := json.Marshal(answer)
		return fmt.Errorf("%s: %w", what, s.refusal(answer.StatusCode, rateHeader(answer.RateLimit), body))
	case errors.As(err, &other):
		return fmt.Errorf("%s: %w", what, s.refusal(other.StatusCode, rateHeader(other.RateLimit), nil))
	}
	return fmt.Errorf("%s: %w", what, withoutURL(err))
}

func rateHeader(limit *twitter.RateLimit) http.Header {
	h := http.Header{}
	if limit != nil {
		h.Set("X-Rate-Limit-Reset", fmt.Sprint(int64(limit.Reset)))
	}
	return h
}

// newAPI returns go-twitter's client for the rules.
func (s *Source) newAPI() *twitter.Client {
	c := *s.client
	c.Transport = &ruleAnswers{c.Transport}
	return &twitter.Client{Authorizer: authorizedBelow{}, Client: &c, Host: strings.TrimSuffix(s.base.String(), "/")}
}

// authorizedBelow leaves the token to the transport.
type authorizedBelow struct{}

func (authorizedBelow) Add(*http.Request) {}

// ruleAnswers brings X's answers about rules into the form that go-twitter
// takes. X has been seen to send 200 and 201 for the same, with errors in the
// body; go-twitter goes by the status, has no place for the details of an error,
// and reads the first page of a listing only.
type ruleAnswers struct{ next http.RoundTripper }

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
		return resp, nil
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

// aboutRules tells an answer about rules from a refusal of the request itself.
func (a *ruleAnswer) aboutRules(status int) bool {
	if status == http.StatusOK || status == http.StatusCreated {
		return true
	}
	if status != http.StatusBadRequest && status != http.StatusConflict && status != http.StatusUnprocessableEntity {
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
		if resp.StatusCode != http.StatusOK || json.Unmarshal(body, &page) != nil {
			return fmt.Errorf("a further page of rules: status %d", resp.StatusCode)
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
