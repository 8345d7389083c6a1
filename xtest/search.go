package xtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

var searchParams = []string{
	"query", "start_time", "end_time", "since_id", "until_id", "max_results", "next_token", "pagination_token", "sort_order",
	"tweet.fields", "post.fields", "expansions", "media.fields", "poll.fields", "user.fields", "place.fields",
}

// searchAnswer is a page of recent search.
type searchAnswer struct {
	Data     []json.RawMessage `json:"data,omitempty"`
	Includes json.RawMessage   `json:"includes,omitempty"`
	Errors   []json.RawMessage `json:"errors,omitempty"`
	Meta     searchMeta        `json:"meta"`
}

type searchMeta struct {
	NewestID    string `json:"newest_id,omitempty"`
	OldestID    string `json:"oldest_id,omitempty"`
	ResultCount int    `json:"result_count"`
	NextToken   string `json:"next_token,omitempty"`
}

func (s *Server) searchRecent(r *http.Request) Response {
	params := r.URL.Query()
	if resp, ok := checkParams(params, searchParams); !ok {
		return resp
	}
	q, refused, ok := s.parseQuery(params)
	if !ok {
		return refused
	}
	size := 10
	if v := params.Get("max_results"); v != "" {
		var err error
		if size, err = strconv.Atoi(v); err != nil || size < 10 || size > 100 {
			return badParam(params, "max_results", "is not between 10 and 100")
		}
	}
	for _, param := range []string{"next_token", "pagination_token"} {
		if v := params.Get(param); v != "" {
			last, err := strconv.ParseUint(v, 36, 64)
			if err != nil {
				return badParam(params, param, "is not valid")
			}
			q.until = min(q.until, last)
		}
	}

	var a searchAnswer
	var inc includes
	s.find(q, func(e *entry) bool {
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
		if e.fault != nil {
			a.Errors = append(a.Errors, e.fault)
		}
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
