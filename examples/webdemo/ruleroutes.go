package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/internal/rulelang"
	"github.com/tweetstream-go/tweetstream/sources/xstream"
)

// rules is what the page does with the rules at X.
type rules struct {
	source  *xstream.Source
	history *history
	change  bool // whoever reaches the page may change them
}

type rule struct {
	ID    string `json:"id"`
	Tag   string `json:"tag"`
	Value string `json:"value"`
}

// fault says what is wrong with a rule, and where.
type fault struct {
	Error string `json:"error"`
	Pos   int    `json:"pos,omitempty"` // of the character that it is about, from 1
}

const (
	xTime     = 30 * time.Second // for an answer of X
	tryPosts  = 2_000            // on which a rule is tried
	tryShown  = 5
	maxTagLen = 100
)

func (ru rules) list(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), xTime)
	defer cancel()
	at, err := ru.source.ListRules(ctx)
	if err != nil {
		refuse(w, http.StatusBadGateway, err)
		return
	}
	answer := struct {
		Rules  []rule `json:"rules"`
		Change bool   `json:"change"`
	}{[]rule{}, ru.change}
	for _, one := range at {
		answer.Rules = append(answer.Rules, rule{one.ID, one.Tag, one.Value})
	}
	respond(w, r, http.StatusOK, answer)
}

// asked reads a rule out of a request, or answers that there is none.
func asked(w http.ResponseWriter, r *http.Request) (tweetstream.Rule, bool) {
	var a rule
	if !read(w, r, &a) {
		return tweetstream.Rule{}, false
	}
	one := tweetstream.Rule{Tag: strings.TrimSpace(a.Tag), Value: strings.TrimSpace(a.Value)}
	wrong := ""
	switch {
	case one.Value == "":
		wrong = "write what the rule looks for"
	case len(one.Tag) > maxTagLen:
		wrong = "the tag is too long"
	case !utf8.ValidString(a.Tag+a.Value) || strings.ContainsFunc(one.Tag+one.Value, unicode.IsControl):
		wrong = "there are characters that no rule has"
	}
	if wrong != "" {
		respond(w, r, http.StatusUnprocessableEntity, fault{Error: wrong})
		return one, false
	}
	return one, true
}

func (ru rules) add(w http.ResponseWriter, r *http.Request) {
	one, ok := asked(w, r)
	if !ok || !ru.mayChange(w) {
		return
	}
	if one.Tag == "" {
		respond(w, r, http.StatusUnprocessableEntity, fault{Error: "give the rule a tag: it names its column"})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), xTime)
	defer cancel()
	added, err := ru.source.AddRules(ctx, one)
	var refused *xstream.RuleError
	switch {
	case errors.As(err, &refused):
		respond(w, r, http.StatusUnprocessableEntity, fault{faultText(refused), refused.Pos})
	case err != nil:
		refuse(w, http.StatusBadGateway, err)
	case len(added) == 0:
		respond(w, r, http.StatusConflict, fault{Error: "X has a rule with this value already"})
	default:
		respond(w, r, http.StatusCreated, rule{added[0].ID, added[0].Tag, added[0].Value})
	}
}

func faultText(e *xstream.RuleError) string {
	if e.Detail != "" {
		return e.Detail
	}
	if e.Title != "" {
		return "X refuses the rule: " + e.Title
	}
	return "X refuses the rule"
}

func (ru rules) mayChange(w http.ResponseWriter) bool {
	if !ru.change {
		refuse(w, http.StatusForbidden, errors.New("with --remote rules are changed only behind --password-file"))
	}
	return ru.change
}

// delete deletes a rule, but not the last: X ends a stream without rules.
func (ru rules) delete(w http.ResponseWriter, r *http.Request) {
	if !ru.mayChange(w) {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), xTime)
	defer cancel()
	at, err := ru.source.ListRules(ctx)
	switch {
	case err != nil:
	case len(at) == 1 && at[0].ID == r.PathValue("id"):
		refuse(w, http.StatusConflict, errors.New("this is the last rule, and X sends nothing without one: add another first"))
		return
	default:
		err = ru.source.DeleteRules(ctx, r.PathValue("id"))
	}
	if err != nil {
		refuse(w, http.StatusBadGateway, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// try tries a rule on the newest Posts of the history, and changes nothing.
func (ru rules) try(w http.ResponseWriter, r *http.Request) {
	one, ok := asked(w, r)
	if !ok {
		return
	}
	if _, err := rulelang.Check(one.Value); err != nil {
		respond(w, r, http.StatusUnprocessableEntity, faultAt(err))
		return
	}
	node, err := rulelang.Parse(one.Value)
	if err != nil { // X may know what is not known here
		respond(w, r, http.StatusUnprocessableEntity, faultAt(err))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), answerTime)
	defer cancel()
	answer := struct {
		Of      int      `json:"of"`
		Matched int      `json:"matched"`
		Posts   []string `json:"posts"` // some of them
	}{Posts: []string{}}
	err = ru.history.find(ctx, question{sensitive: true, limit: tryPosts}, func(_ string, raw json.RawMessage) error {
		var m struct{ Data, Includes json.RawMessage }
		if json.Unmarshal(raw, &m) != nil {
			return nil
		}
		doc, err := rulelang.PostDoc(m.Data, m.Includes)
		if err != nil {
			return nil
		}
		answer.Of++
		if node.Matches(doc) {
			if answer.Matched++; len(answer.Posts) < tryShown {
				answer.Posts = append(answer.Posts, string(raw))
			}
		}
		return nil
	})
	if err != nil {
		refuse(w, http.StatusInternalServerError, errors.New("the history can't be read"))
		return
	}
	respond(w, r, http.StatusOK, answer)
}

func faultAt(err error) fault {
	var e *rulelang.Error
	if errors.As(err, &e) {
		return fault{e.Message, e.Pos}
	}
	return fault{Error: err.Error()}
}
