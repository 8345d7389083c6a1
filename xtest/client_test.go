package xtest_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/tweetstream-go/tweetstream/xtest"
)

const (
	rulesPath  = "/2/tweets/search/stream/rules"
	streamPath = "/2/tweets/search/stream"
	samplePath = "/2/tweets/sample/stream"
	recentPath = "/2/tweets/search/recent"
)

// answer is any JSON answer of the API.
type answer struct {
	status int
	header http.Header
	raw    string

	Data     json.RawMessage
	Includes map[string][]map[string]any
	Meta     struct {
		Sent        string
		Summary     map[string]int
		ResultCount int    `json:"result_count"`
		NextToken   string `json:"next_token"`
		NewestID    string `json:"newest_id"`
		OldestID    string `json:"oldest_id"`
	}
	Errors []struct {
		ID, Value, Title, Type string
		Details                []string
		Message                string
	}
	Title           string
	Type            string
	ConnectionIssue string `json:"connection_issue"`
}

type rule struct{ ID, Value, Tag string }

func (a answer) rules(t *testing.T) []rule {
	t.Helper()
	var rules []rule
	if len(a.Data) > 0 {
		if err := json.Unmarshal(a.Data, &rules); err != nil {
			t.Fatal(err)
		}
	}
	return rules
}

// open makes a request through the in-memory client.
func open(t *testing.T, x *xtest.Server, method, path, body string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, x.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer secret")
	resp, err := x.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

func call(t *testing.T, x *xtest.Server, method, path, body string) answer {
	t.Helper()
	return read(t, open(t, x, method, path, body))
}

func read(t *testing.T, resp *http.Response) answer {
	t.Helper()
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, raw: string(raw)}
	if err := json.Unmarshal(raw, &a); err != nil {
		t.Fatalf("answer %q: %v", raw, err)
	}
	return a
}

// addRule adds one rule that must be good and returns its id.
func addRule(t *testing.T, x *xtest.Server, value, tag string) string {
	t.Helper()
	body, _ := json.Marshal(map[string]any{"add": []map[string]string{{"value": value, "tag": tag}}})
	a := call(t, x, "POST", rulesPath, string(body))
	if a.status != http.StatusCreated {
		t.Fatalf("add %q: %d %s", value, a.status, a.raw)
	}
	return a.rules(t)[0].ID
}

// stream is a connected stream.
type stream struct {
	t    *testing.T
	body io.ReadCloser
	in   *bufio.Reader
}

// connect opens a stream, which the test's end closes.
func connect(t *testing.T, x *xtest.Server, path string) *stream {
	t.Helper()
	resp := open(t, x, "GET", path, "")
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("connect: %s", read(t, resp).raw)
	}
	s := &stream{t, resp.Body, bufio.NewReaderSize(resp.Body, 1<<16)}
	t.Cleanup(func() { s.body.Close() })
	return s
}

// line reads a line, which must end as X ends lines.
func (s *stream) line() (string, error) {
	l, err := s.in.ReadString('\n')
	if err != nil {
		return l, err
	}
	if !strings.HasSuffix(l, "\r\n") {
		return l, errors.New("line without \\r\\n: " + l)
	}
	return strings.TrimSuffix(l, "\r\n"), nil
}

// message is what a test looks at in a line of the stream.
type message struct {
	Data struct {
		ID, Text, Lang string
		CreatedAt      string                      `json:"created_at"`
		Note           struct{ Text string }       `json:"note_tweet"`
		Referenced     []struct{ ID, Type string } `json:"referenced_tweets"`
	}
	Rules []rule `json:"matching_rules"`
}

// next reads the next line that is not a keep-alive.
func (s *stream) next() message {
	s.t.Helper()
	for {
		l, err := s.line()
		if err != nil {
			s.t.Fatalf("read stream: %v", err)
		}
		if l == "" {
			continue
		}
		var m message
		if err := json.Unmarshal([]byte(l), &m); err != nil {
			s.t.Fatalf("line %q: %v", l, err)
		}
		return m
	}
}

func waitConnected(t *testing.T, x *xtest.Server) {
	t.Helper()
	if err := x.WaitConnected(context.Background()); err != nil {
		t.Fatal(err)
	}
}
