package xtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/tweetstream-go/tweetstream/internal/rulelang"
)

const maxQuery = 512

var searchParams = []string{
	"query", "start_time", "end_time", "since_id", "until_id", "max_results", "next_token", "pagination_token", "sort_order",
	"tweet.fields", "post.fields", "expansions", "media.fields", "poll.fields", "user.fields", "place.fields",
}

// searchAnswer is a page of recent search.
type searchAnswer struct {
	Data     []json.RawMessage `json:"data,omitempty"`
	Includes json.RawMessage   `json:"includes,omitempty"`
	Meta     searchMeta        `json:"meta"`
}

type searchMeta struct {
	NewestID    string `json:"newest_id,omitempty"`
	OldestID    string `json:"oldest_id,omitempty"`
	ResultCount int    `json:"result_count"`
	NextToken   string `json:"next_token,omitempty"`
}

func (s *Server) searchRecent(r *http.Request) Response {
	q := r.URL.Query()
	if resp, ok := checkParams(q, searchParams); !ok {
		return resp
	}
	refuse := func(param, why string) Response {
		return invalidRequest(param, q.Get(param), fmt.Sprintf("The `%s` query parameter value [%s] %s", param, q.Get(param), why))
	}
	query := q.Get("query")
	if n := utf8.RuneCountInString(query); n < 1 || n > maxQuery {
		return refuse("query", fmt.Sprintf("is %d characters long, not between 1 and %d", n, maxQuery))
	}
	node, err := rulelang.Parse(query)
	if err != nil {
		return invalidRequest("query", query, "There were errors processing your request: "+err.Error())
	}
	size := 10
	if v := q.Get("max_results"); v != "" {
		if size, err = strconv.Atoi(v); err != nil || size < 10 || size > 100 {
			return refuse("max_results", "is not between 10 and 100")
		}
	}
	var since, until uint64 = 0, 1<<64 - 1
	for param, id := range map[string]*uint64{"since_id": &since, "until_id": &until} {
		if v := q.Get(param); v != "" {
			if *id, err = strconv.ParseUint(v, 10, 64); err != nil {
				return refuse(param, "is not a Post id")
			}
		}
	}
	var start, end time.Time
	for param, t := range map[string]*time.Time{"start_time": &start, "end_time": &end} {
		if v := q.Get(param); v != "" {
			if *t, err = time.Parse(time.RFC3339, v); err != nil {
				return refuse(param, "is not a time in ISO 8601")
			}
		}
	}
	for _, param := range []string{"next_token", "pagination_token"} {
		if v := q.Get(param); v != "" {
			last, err := strconv.ParseUint(v, 36, 64)
			if err != nil {
				return refuse(param, "is not valid")
			}
			until = min(until, last)
		}
	}

	var a searchAnswer
	var inc includes
	indexed := s.now().Add(-time.Duration(s.searchLate.Load()))
	s.history.newest(func(e *entry) bool {
		if e.id <= since {
			return false
		}
		if e.at.After(indexed) || e.id >= until || !start.IsZero() && e.at.Before(start) || !end.IsZero() && !e.at.Before(end) || !node.Matches(e.doc) {
			return true
		}
		if len(a.Data) == size {
			a.Meta.NextToken = fmt.Sprintf("%016s", strconv.FormatUint(mustID(a.Meta.OldestID), 36))
			return false
		}
		id := strconv.FormatUint(e.id, 10)
		if a.Meta.NewestID == "" {
			a.Meta.NewestID = id
		}
		a.Meta.OldestID = id
		a.Data = append(a.Data, e.data)
		inc.add(e.includes)
		return true
	})
	a.Meta.ResultCount = len(a.Data)
	s.reads.add(s.now(), len(a.Data))
	a.Includes = inc.json()
	return respond(http.StatusOK, a)
}

func mustID(s string) uint64 {
	n, _ := strconv.ParseUint(s, 10, 64)
	return n
}

// includes merges the includes of several Posts; each object once.
type includes struct {
	lists map[string][]json.RawMessage
	seen  map[string]bool
}

func (in *includes) add(raw []byte) {
	var m map[string][]json.RawMessage
	if len(raw) == 0 || json.Unmarshal(raw, &m) != nil {
		return
	}
	if in.lists == nil {
		in.lists, in.seen = map[string][]json.RawMessage{}, map[string]bool{}
	}
	for kind, list := range m {
		for _, o := range list {
			var key struct {
				ID       string `json:"id"`
				MediaKey string `json:"media_key"`
			}
			json.Unmarshal(o, &key)
			k := kind + " " + key.ID + " " + key.MediaKey
			if !in.seen[k] {
				in.seen[k] = true
				in.lists[kind] = append(in.lists[kind], o)
			}
		}
	}
}

func (in *includes) json() json.RawMessage {
	if len(in.lists) == 0 {
		return nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.Encode(in.lists)
	return bytes.TrimSpace(b.Bytes())
}
