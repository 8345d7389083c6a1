package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"time"
)

// answerTime is how long the history may be looked through for an answer.
const answerTime = 10 * time.Second

// maxWhole is how many whole Posts one may hand on; of ids there may be more. See
// X's policy for developers.
const (
	maxWhole = 500
	maxIDs   = 50_000
)

// findPosts answers with the messages that a question finds, newest first.
func (h *history) findPosts(w http.ResponseWriter, r *http.Request) {
	q, err := parseQuestion(r.URL.Query())
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), answerTime)
	defer cancel()
	answer := struct {
		Posts []string `json:"posts"` // as X sent them, which no JSON of ours may change
		More  bool     `json:"more"`  // there may be older ones
		Late  bool     `json:"late"`  // the time was up before all was looked through
	}{Posts: []string{}}
	err = h.find(ctx, q, func(_ string, raw json.RawMessage) error {
		answer.Posts = append(answer.Posts, string(raw))
		return nil
	})
	answer.Late = errors.Is(ctx.Err(), context.DeadlineExceeded)
	if err != nil && !answer.Late {
		refuse(w, http.StatusInternalServerError, errors.New("the history can't be read"))
		return
	}
	answer.More = len(answer.Posts) == q.limit
	respond(w, r, http.StatusOK, answer)
}

// export hands out what a question finds as a file, one JSON object a line.
func (h *history) export(w http.ResponseWriter, r *http.Request) {
	q, err := parseQuestion(r.URL.Query())
	what := r.PathValue("what")
	if err == nil && what != "ids" && what != "posts" {
		http.NotFound(w, r)
		return
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	if q.limit = maxWhole; what == "ids" {
		q.limit = maxIDs
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", what+".ndjson"))
	w.Header().Set("Cache-Control", "no-store")
	err = h.find(r.Context(), q, func(id string, raw json.RawMessage) error {
		line := append(raw, '\n')
		if what == "ids" {
			line = fmt.Appendf(nil, "{\"id\":%q}\n", id)
		}
		_, err := w.Write(line)
		return err
	})
	if err != nil {
		panic(http.ErrAbortHandler) // a file that ends too early must not look whole
	}
}

var postID = regexp.MustCompile(`^[0-9]{1,20}$`)

// takeAway has Posts vanish that are gone from X, from every page that is open and
// from the history. X's stream does not tell of them: programs that look the ids up
// or run X's compliance jobs do.
func (v *viewers) takeAway(w http.ResponseWriter, r *http.Request) {
	var asked struct{ IDs []string }
	if !read(w, r, &asked) {
		return
	}
	for _, id := range asked.IDs {
		if !postID.MatchString(id) {
			refuse(w, http.StatusBadRequest, fmt.Errorf("%.32q is no id of a Post", id))
			return
		}
	}
	if err := errors.Join(v.history.Delete(r.Context(), asked.IDs), v.hub.Delete(r.Context(), asked.IDs)); err != nil {
		refuse(w, http.StatusInternalServerError, errors.New("some Posts could not be taken away: try again"))
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
