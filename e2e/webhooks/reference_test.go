// Package webhooks_test shows that what httpsink signs and httpsource takes are
// webhooks as others know them: the reference libraries of Standard Webhooks, X's
// documentation, and nginx in between.
//
// It needs node 20 with the library (run "npm ci" in this folder) and nginx.
// Without them the tests are skipped, unless TWEETSTREAM_E2E=1 says that they must
// run.
package webhooks_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinks/httpsink"
	"github.com/tweetstream-go/tweetstream/sources/httpsource"
)

const (
	secret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	oldSecret = "whsec_b3RoZXJvdGhlcm90aGVyb3RoZXJvdGhlcm90aGVy"
	consumer  = "z3ZX4v7mAAUGykl3EcmkqbartmuW8VFOOzCloLx9Q45P0hLrFu"
)

func message(id int, text string) string {
	return fmt.Sprintf(`{"data":{"id":"%d","text":%q}}`, id, text)
}

func parse(t testing.TB, raw string) *tweetstream.Tweet {
	t.Helper()
	tw, err := tweetstream.ParseTweet([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return tw
}

// need skips the test if something is not there.
func need(t *testing.T, what string, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if os.Getenv("TWEETSTREAM_E2E") == "1" {
		t.Fatalf("%s: %v", what, err)
	}
	t.Skipf("%s: %v", what, err)
}

// questions are what reference.mjs reads, and answers what it prints.
type questions struct {
	Verify []verification `json:"verify"`
	Sign   []signing      `json:"sign"`
	X      []xSigning     `json:"x"`
}

type verification struct {
	Secret  string            `json:"secret"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

type signing struct {
	Secret  string `json:"secret"`
	ID      string `json:"id"`
	Seconds int64  `json:"seconds"`
	Body    string `json:"body"`
}

type xSigning struct {
	Secret  string `json:"secret"`
	Message string `json:"message"`
}

type answers struct {
	Verified   []string `json:"verified"`
	Signatures []string `json:"signatures"`
	Tokens     []string `json:"tokens"`
}

// ask runs reference.mjs.
func ask(t *testing.T, q questions) (a answers) {
	t.Helper()
	_, err := exec.LookPath("node")
	need(t, "node is not installed", err)
	_, err = os.Stat("node_modules/standardwebhooks/package.json")
	need(t, "run npm ci in e2e/webhooks", err)
	if q.Verify == nil {
		q.Verify = []verification{}
	}
	if q.Sign == nil {
		q.Sign = []signing{}
	}
	if q.X == nil {
		q.X = []xSigning{}
	}
	in, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "reference.mjs")
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node reference.mjs: %v\n%s", err, stderr.Bytes())
	}
	if err := json.Unmarshal(out, &a); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return a
}

// What httpsink signs is verified by both libraries, with either of two secrets;
// and neither verifies what was changed on the way.
func TestTheReferenceVerifies(t *testing.T) {
	type got struct {
		header http.Header
		body   []byte
	}
	var mu sync.Mutex
	var all []got
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		all = append(all, got{r.Header, body})
	}))
	defer server.Close()
	to, err := httpsink.New(server.URL, httpsink.Secret(oldSecret, secret))
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	text := "café \u2028 \"q\" <b> 👩‍👩‍👧 עברית"
	one, two := parse(t, message(1, text)), parse(t, message(2, text))
	for _, batch := range [][]*tweetstream.Tweet{{one}, {one, two}} {
		if err := to.Deliver(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	var q questions
	for _, g := range all {
		for _, s := range []string{secret, oldSecret} {
			reference, err := standardwebhooks.NewWebhook(s)
			if err != nil {
				t.Fatal(err)
			}
			if err := reference.Verify(g.body, g.header); err != nil {
				t.Errorf("Go: %v", err)
			}
			if err := reference.Verify(append([]byte(" "), g.body...), g.header); err == nil {
				t.Error("Go: another body is verified")
			}
			v := verification{s, map[string]string{}, string(g.body)}
			for _, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
				v.Headers[name] = g.header.Get(name)
			}
			q.Verify = append(q.Verify, v)
			v.Body = " " + v.Body
			q.Verify = append(q.Verify, v)
		}
	}
	if len(q.Verify) != 8 {
		t.Fatalf("%d questions", len(q.Verify))
	}
	for i, said := range ask(t, q).Verified {
		if want := i%2 == 1; strings.Contains(said, "No matching signature") != want || !want && said != "" {
			t.Errorf("JavaScript, %d: %q", i, said)
		}
	}
}

// receive serves a source, and returns where, and what the log has taken.
func receive(t *testing.T, opts ...httpsource.Option) (url string, ids func() []string) {
	t.Helper()
	src, err := httpsource.New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var got []string
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	s, err := tweetstream.New(src, tweetstream.WithSink("recorder", tweetstream.SinkFunc(func(_ context.Context, tw *tweetstream.Tweet) error {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, tw.ID)
		return nil
	}), tweetstream.Batch(1_000, 0)))
	if err != nil {
		t.Fatal(err)
	}
	go func() { ended <- s.Run(ctx) }()
	server := httptest.NewServer(src)
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		server.Close()
	})
	t.Cleanup(stop)
	return server.URL, func() []string { stop(); return got }
}

// post posts until the stream runs.
func post(t *testing.T, url, body string, header map[string]string) int {
	t.Helper()
	for {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		for name, value := range header {
			req.Header.Set(name, value)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusServiceUnavailable {
			return resp.StatusCode
		}
	}
}

// httpsource takes what both libraries sign, and nothing that was changed.
func TestTheReferenceSigns(t *testing.T) {
	url, ids := receive(t, httpsource.Secret(oldSecret, secret))
	now := time.Now()
	body := []string{1: message(1, "Go"), 2: message(2, "JavaScript é"), 3: message(3, "old")}
	reference, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	byGo, err := reference.Sign("msg_1", now, []byte(body[1]))
	if err != nil {
		t.Fatal(err)
	}
	a := ask(t, questions{Sign: []signing{{secret, "msg_2", now.Unix(), body[2]}, {oldSecret, "msg_3", now.Unix() - 301, body[3]}}})
	header := func(id string, at int64, signature string) map[string]string {
		return map[string]string{"webhook-id": id, "webhook-timestamp": strconv.FormatInt(at, 10), "webhook-signature": signature}
	}
	for _, c := range []struct {
		body   string
		header map[string]string
		want   int
	}{
		{body[1], header("msg_1", now.Unix(), byGo), 204},
		{body[2], header("msg_2", now.Unix(), a.Signatures[0]), 204},
		{body[2], header("msg_2", now.Unix(), byGo), 401},
		{body[1], header("msg_9", now.Unix(), byGo), 401},
		{body[3], header("msg_3", now.Unix()-301, a.Signatures[1]), 401},
	} {
		if got := post(t, url, c.body, c.header); got != c.want {
			t.Errorf("%s with %v: answered %d, want %d", c.body, c.header, got, c.want)
		}
	}
	if diff := cmp.Diff([]string{"1", "2"}, ids()); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}

// X's challenge and its signature, as its documentation computes them.
func TestXsDocumentation(t *testing.T) {
	url, ids := receive(t, httpsource.XWebhook(consumer))
	body := message(1, "café")
	token := "9b4507b3-9040-4669-9ca3-6b94edb50553"
	a := ask(t, questions{X: []xSigning{{consumer, token}, {consumer, body}}})
	resp, err := http.Get(url + "/?crc_token=" + token)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var said map[string]string
	if err := json.NewDecoder(resp.Body).Decode(&said); err != nil || resp.StatusCode != 200 {
		t.Errorf("answered %s, %v", resp.Status, err)
	}
	if diff := cmp.Diff(map[string]string{"response_token": a.Tokens[0]}, said); diff != "" {
		t.Errorf("the challenge (-want +got):\n%s", diff)
	}
	for signature, want := range map[string]int{a.Tokens[1]: 200, a.Tokens[0]: 401} {
		if got := post(t, url, body, map[string]string{"x-twitter-webhooks-signature": signature}); got != want {
			t.Errorf("answered %d, want %d", got, want)
		}
	}
	if diff := cmp.Diff([]string{"1"}, ids()); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}
