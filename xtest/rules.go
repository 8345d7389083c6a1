package xtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/tweetstream-go/tweetstream/internal/rulelang"
)

const (
	maxRules = 1000
	maxBody  = 1 << 20
	bodyTime = 30 * time.Second
)

// rule is one rule of the app.
type rule struct {
	ID    string `json:"id"`
	Value string `json:"value"`
	Tag   string `json:"tag,omitempty"`

	node    *rulelang.Node
	since   time.Time // in effect from then on
	until   time.Time // and until then, if deleted
	deleted bool
}

// ruleBook holds the rules, oldest first.
type ruleBook struct {
	mu     sync.Mutex
	listed []*rule // as X lists them
	all    []*rule // also those deleted but still in effect
	lastID uint64

	active []*rule   // in effect
	stale  time.Time // when active must be computed again; zero: never
	dirty  bool
}

func (b *ruleBook) empty() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.listed) == 0
}

// inEffect returns the rules that count now. The caller must not change the slice.
func (b *ruleBook) inEffect(now time.Time) []*rule {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.dirty && (b.stale.IsZero() || now.Before(b.stale)) {
		return b.active
	}
	b.dirty, b.stale, b.active = false, time.Time{}, nil
	soonest := func(t time.Time) {
		if b.stale.IsZero() || t.Before(b.stale) {
			b.stale = t
		}
	}
	b.all = slices.DeleteFunc(b.all, func(r *rule) bool { return r.deleted && !now.Before(r.until) })
	for _, r := range b.all {
		if now.Before(r.since) {
			soonest(r.since)
			continue
		}
		b.active = append(b.active, r)
		if r.deleted {
			soonest(r.until)
		}
	}
	return b.active
}

type rulesMeta struct {
	Sent        string         `json:"sent"`
	ResultCount *int           `json:"result_count,omitempty"`
	NextToken   string         `json:"next_token,omitempty"`
	Summary     map[string]int `json:"summary,omitempty"`
}

type rulesAnswer struct {
	Data   []*rule   `json:"data,omitempty"`
	Meta   rulesMeta `json:"meta"`
	Errors []any     `json:"errors,omitempty"`
}

const millis = "2006-01-02T15:04:05.000Z"

func (s *Server) listRules(r *http.Request) Response {
	q := r.URL.Query()
	if resp, ok := checkParams(q, []string{"ids", "max_results", "pagination_token"}); !ok {
		return resp
	}
	size := maxRules
	if v := q.Get("max_results"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > maxRules {
			return invalidRequest("max_results", v, "The `max_results` query parameter value ["+v+"] is not between 1 and 1000")
		}
		size = n
	}
	var after uint64
	if v := q.Get("pagination_token"); v != "" {
		n, err := strconv.ParseUint(v, 36, 64)
		if err != nil {
			return invalidRequest("pagination_token", v, "The `pagination_token` query parameter value ["+v+"] is not valid")
		}
		after = n
	}
	var ids []string
	for _, v := range q["ids"] {
		ids = append(ids, strings.Split(v, ",")...)
	}

	s.rules.mu.Lock()
	defer s.rules.mu.Unlock()
	a := rulesAnswer{Meta: rulesMeta{Sent: s.now().Format(millis)}}
	for _, r := range s.rules.listed {
		id, _ := strconv.ParseUint(r.ID, 10, 64)
		if id <= after || len(ids) > 0 && !slices.Contains(ids, r.ID) {
			continue
		}
		if len(a.Data) == size {
			last, _ := strconv.ParseUint(a.Data[size-1].ID, 10, 64)
			a.Meta.NextToken = fmt.Sprintf("%016s", strings.ToUpper(strconv.FormatUint(last, 36)))
			break
		}
		a.Data = append(a.Data, r)
	}
	n := len(a.Data)
	a.Meta.ResultCount = &n
	return respond(http.StatusOK, a)
}

type rulesRequest struct {
	Add []struct {
		Value string `json:"value"`
		Tag   string `json:"tag"`
	} `json:"add"`
	Delete *struct {
		IDs    []json.Number `json:"ids"`
		Values []string      `json:"values"`
	} `json:"delete"`
}

func (s *Server) changeRules(w http.ResponseWriter, r *http.Request) Response {
	q := r.URL.Query()
	if resp, ok := checkParams(q, []string{"dry_run", "delete_all"}); !ok {
		return resp
	}
	dry := q.Get("dry_run") == "true"

	ctl := http.NewResponseController(w)
	ctl.SetReadDeadline(time.Now().Add(bodyTime))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	ctl.SetReadDeadline(time.Time{})
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return Problem(http.StatusRequestEntityTooLarge)
	} else if err != nil {
		return Problem(http.StatusBadRequest)
	}
	var req rulesRequest
	if err := json.Unmarshal(body, &req); err != nil && len(body) > 0 {
		return invalidBody("The request body is not valid JSON of the expected form")
	}
	switch {
	case q.Get("delete_all") == "true" && len(req.Add) == 0 && req.Delete == nil:
		return s.deleteRules(req, dry)
	case len(req.Add) > 0 && req.Delete == nil:
		return s.addRules(req, dry)
	case req.Delete != nil && len(req.Add) == 0 && (len(req.Delete.IDs) > 0) != (len(req.Delete.Values) > 0):
		return s.deleteRules(req, dry)
	}
	return invalidBody("The request body must have one of `add`, `delete.ids` and `delete.values`, not empty, or be empty with `delete_all`")
}

func (s *Server) addRules(req rulesRequest, dry bool) Response {
	now := s.now()
	b := &s.rules
	b.mu.Lock()
	defer b.mu.Unlock()

	a := rulesAnswer{Meta: rulesMeta{Sent: now.Format(millis)}}
	known := map[string]string{} // id by value
	for _, r := range b.listed {
		known[r.Value] = r.ID
	}
	valid, invalid := 0, 0
	for _, add := range req.Add {
		value := strings.TrimSpace(add.Value)
		n, err := rulelang.Parse(value)
		if l := utf8.RuneCountInString(value); l > rulelang.MaxPayPerUse {
			err = &rulelang.Error{Message: fmt.Sprintf("Rules may contain up to %d characters", rulelang.MaxPayPerUse), Pos: rulelang.MaxPayPerUse + 1}
		}
		if err != nil {
			invalid++
			a.Errors = append(a.Errors, problem{
				Value: add.Value, Details: []string{err.Error()},
				Title: "UnprocessableEntity", Type: problemHost + "invalid-rules",
			})
			continue
		}
		if id, ok := known[value]; ok {
			invalid++
			a.Errors = append(a.Errors, problem{Value: value, ID: id, Title: "DuplicateRule", Type: problemHost + "duplicate-rules"})
			continue
		}
		valid++
		b.lastID = max(b.lastID+1, uint64(now.UnixMilli()-epoch)<<22)
		r := &rule{ID: strconv.FormatUint(b.lastID, 10), Value: value, Tag: add.Tag, node: n, since: now.Add(s.cfg.ruleDelay)}
		known[value] = r.ID
		a.Data = append(a.Data, r)
	}
	if len(b.listed)+len(a.Data) > maxRules {
		return problem{
			Title:  "RulesCapExceeded",
			Detail: fmt.Sprintf("Rule limit exceeded: %d rules are allowed, and there are %d.", maxRules, len(b.listed)),
			Type:   problemHost + "rule-cap",
		}.response(http.StatusUnprocessableEntity)
	}
	status := http.StatusOK
	if !dry && len(a.Data) > 0 {
		status = http.StatusCreated
	}
	a.Meta.Summary = map[string]int{
		"created": len(a.Data), "not_created": len(req.Add) - len(a.Data), "valid": valid, "invalid": invalid,
	}
	if !dry {
		b.listed = append(b.listed, a.Data...)
		b.all = append(b.all, a.Data...)
		b.dirty = true
	}
	return respond(status, a)
}

// firstRules adds the rules of [Rule], which are in effect at once.
func (s *Server) firstRules() error {
	for _, r := range s.cfg.rules {
		var req rulesRequest
		req.Add = append(req.Add, struct {
			Value string `json:"value"`
			Tag   string `json:"tag"`
		}{r.Value, r.Tag})
		if resp := s.addRules(req, false); resp.Status != http.StatusCreated {
			return fmt.Errorf("xtest: Rule: %.64q is refused: it is given twice, too long or one too many", r.Value)
		}
	}
	for _, r := range s.rules.all {
		r.since = time.Time{}
	}
	return nil
}

// deleteRules deletes what req names, or, when it names nothing, all.
func (s *Server) deleteRules(req rulesRequest, dry bool) Response {
	now := s.now()
	b := &s.rules
	b.mu.Lock()
	defer b.mu.Unlock()

	a := rulesAnswer{Meta: rulesMeta{Sent: now.Format(millis)}}
	gone := map[*rule]bool{}
	remove := func(key, value string, is func(*rule) bool) {
		i := slices.IndexFunc(b.listed, func(r *rule) bool { return is(r) && !gone[r] })
		if i < 0 {
			a.Errors = append(a.Errors, newInvalid(map[string][]string{key: {value}}, "Rule does not exist"))
			return
		}
		gone[b.listed[i]] = true
	}
	if req.Delete == nil {
		for _, r := range b.listed {
			gone[r] = true
		}
	} else {
		for _, id := range req.Delete.IDs {
			remove("id", id.String(), func(r *rule) bool { return r.ID == id.String() })
		}
		for _, v := range req.Delete.Values {
			remove("value", v, func(r *rule) bool { return r.Value == strings.TrimSpace(v) })
		}
	}
	a.Meta.Summary = map[string]int{"deleted": len(gone), "not_deleted": len(a.Errors)}
	if !dry && len(gone) > 0 {
		listed := make([]*rule, 0, len(b.listed))
		for _, r := range b.listed {
			if gone[r] {
				r.deleted, r.until = true, now.Add(s.cfg.ruleDelay)
			} else {
				listed = append(listed, r)
			}
		}
		b.listed, b.dirty = listed, true
	}
	return respond(http.StatusOK, a)
}
