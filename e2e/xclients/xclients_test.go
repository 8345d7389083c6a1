// Package xclients_test shows that other clients of the X API, X's own among
// them, work against xtest: that what it simulates is X and not this project's
// idea of X.
//
// It needs node 20 and the clients: run "npm ci" in this folder. Without them the
// tests are skipped, unless TWEETSTREAM_E2E=1 says that they must run.
package xclients_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream/xtest"
)

// seen is what a script prints.
type seen struct {
	Added     []string `json:"added"`
	Duplicate []string `json:"duplicate"`
	Invalid   []string `json:"invalid"`
	Listed    []string `json:"listed"`
	Streamed  []string `json:"streamed"`
	Found     []string `json:"found"`
	Pages     int      `json:"pages"`
	Deleted   int      `json:"deleted"`
	Left      int      `json:"left"`
}

func TestXDK(t *testing.T) {
	need(t, "@xdevplatform/xdk")
	x := xtest.NewServer(xtest.Token("token"))
	defer x.Close()
	run(t, x, x.URL, "xdk.mjs")
}

func TestTwitterAPIV2(t *testing.T) {
	need(t, "twitter-api-v2")
	x, err := xtest.New(xtest.Token("token"))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(x)
	defer server.Close()
	defer x.Close()
	run(t, x, server.URL, "twitter-api-v2.mjs")
}

// need skips the test if node or the client is not there.
func need(t *testing.T, client string) {
	t.Helper()
	missing := t.Skipf
	if os.Getenv("TWEETSTREAM_E2E") == "1" {
		missing = t.Fatalf
	}
	if _, err := exec.LookPath("node"); err != nil {
		missing("node is not installed: %v", err)
	}
	if _, err := os.Stat("node_modules/" + client + "/package.json"); err != nil {
		missing("%s is not installed: run npm ci in e2e/xclients", client)
	}
}

// run starts a script, sends Posts once it streams, and compares what it saw.
func run(t *testing.T, x *xtest.Server, url, script string) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	want := seen{
		Added:     []string{"coop OR #coop", "golang"},
		Duplicate: []string{"DuplicateRule"},
		Invalid:   []string{"missing ')' for the '(' (at position 6)"},
		Listed:    []string{"coop OR #coop = coop", "golang = go"},
		Streamed: []string{
			"coop number 0 [coop]",
			"golang at the #coop: \u2028 \"quoted\" <b>bold</b> 👩‍👩‍👧 עברית number 1 [coop,go]",
		},
		Pages:   3,
		Deleted: 2,
	}
	posts := []string{
		"coop number 0",
		"nobody asked for this",
		"golang at the #coop: \u2028 \"quoted\" <b>bold</b> 👩‍👩‍👧 עברית number 1",
	}
	for i := 2; i < 25; i++ {
		text := fmt.Sprintf("golang number %d", i)
		posts = append(posts, text)
		want.Streamed = append(want.Streamed, text+" [go]")
	}
	for _, text := range slices.Backward(posts) {
		if text != posts[1] {
			want.Found = append(want.Found, text)
		}
	}

	cmd := exec.CommandContext(ctx, "node", script)
	cmd.Env = append(os.Environ(), "XTEST_URL="+url, fmt.Sprintf("XTEST_POSTS=%d", len(want.Streamed)))
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		ended <- cmd.Wait()
		cancel()
	}()
	if x.WaitConnected(ctx) == nil {
		for _, text := range posts {
			x.Post(xtest.Post{Text: text})
		}
	}
	if err := <-ended; err != nil {
		t.Fatalf("node %s: %v\n%s%s", script, err, stdout.Bytes(), stderr.Bytes())
	}
	lines := bytes.Split(bytes.TrimSpace(stdout.Bytes()), []byte("\n"))
	var got seen
	if err := json.Unmarshal(lines[len(lines)-1], &got); err != nil {
		t.Fatalf("%v in %s", err, stdout.Bytes())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what the client saw (-want +got):\n%s", diff)
	}
	if t.Failed() {
		for _, r := range x.Requests() {
			t.Log(r.Method, r.Path, r.Query, r.Status)
		}
	}
}
