package hub_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinks/wshub"
)

// stage is a server with a hub, which does what a client asks it to.
type stage struct {
	*httptest.Server
	t    *testing.T
	said chan string // the results of pages

	mu      sync.Mutex
	hub     *wshub.Hub
	history memory
}

// memory is a history.
type memory []*tweetstream.Tweet

func (s *stage) After(_ context.Context, id string, max int) ([]*tweetstream.Tweet, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, t := range s.history {
		if t.ID == id {
			rest := s.history[i+1:]
			return append(memory(nil), rest[:min(len(rest), max)]...), nil
		}
	}
	return nil, wshub.ErrUnknown
}

func newStage(t *testing.T) *stage {
	s := &stage{t: t, said: make(chan string, 1)}
	s.open()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /feed", func(w http.ResponseWriter, r *http.Request) { s.now().ServeHTTP(w, r) })
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, r *http.Request) { s.now().Events().ServeHTTP(w, r) })
	mux.Handle("GET /client.js", wshub.Client())
	mux.HandleFunc("GET /scenario.js", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "scenario.js") })
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, `<!doctype html><title>client.js</title><script type="module">
			import { connect } from './client.js';
			import { scenario } from './scenario.js';
			let said;
			try { said = (await scenario(connect, location.origin)).join('\n') || 'well'; } catch (e) { said = String(e); }
			await fetch('/said', { method: 'POST', body: said });
		</script>`)
	})
	mux.HandleFunc("POST /said", func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		s.said <- string(b)
	})
	mux.HandleFunc("POST /do/{what}", s.do)
	s.Server = httptest.NewServer(mux)
	t.Cleanup(func() {
		s.end(s.now())
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

func (s *stage) now() *wshub.Hub {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hub
}

// open begins with a new hub, which has nothing but what the history has.
func (s *stage) open() {
	hub, err := wshub.New(wshub.Resume(s), wshub.Compress())
	if err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hub = hub
}

// end closes a hub.
func (s *stage) end(hub *wshub.Hub) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := hub.Close(ctx); err != nil {
		s.t.Errorf("Close() = %v: a viewer has not answered", err)
	}
}

// restart puts a new hub in the place of the one that is there, which ends: who comes
// back finds the new one, however soon that is.
func (s *stage) restart() {
	old := s.now()
	s.open()
	s.end(old)
}

// post shows the next Posts.
func (s *stage) post(n int) {
	s.mu.Lock()
	hub, from := s.hub, len(s.history)+1
	var tweets []*tweetstream.Tweet
	for i := from; i < from+n; i++ {
		t := &tweetstream.Tweet{ID: strconv.Itoa(i), Raw: fmt.Appendf(nil, `{"data":{"id":"%d","text":"%s%d"}}`, i, strings.Repeat("Grüße ", 50), i)}
		if i%2 == 0 {
			t.Rules = []tweetstream.Rule{{Tag: "even"}}
		}
		tweets = append(tweets, t)
	}
	s.history = append(s.history, tweets...)
	s.mu.Unlock()
	if err := hub.Deliver(s.t.Context(), tweets); err != nil {
		s.t.Errorf("Deliver() = %v", err)
	}
}

// do does what the scenario asks for.
func (s *stage) do(_ http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(r.FormValue("n"))
	switch r.PathValue("what") {
	case "post":
		s.post(n)
	case "restart":
		s.restart()
		s.post(n)
	case "delete":
		if err := s.now().Delete(r.Context(), []string{r.FormValue("id")}); err != nil {
			s.t.Errorf("Delete() = %v", err)
		}
	case "forget":
		s.mu.Lock()
		s.history = append(memory{}, make(memory, len(s.history))...)
		for i := range s.history {
			s.history[i] = &tweetstream.Tweet{}
		}
		s.mu.Unlock()
		s.restart()
		s.post(1)
	}
}

// saying runs a command, which prints "well".
func saying(t *testing.T, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if got := strings.TrimSpace(string(out)); got != "well" || err != nil {
		t.Errorf("%s %v: %v\n%s", name, args, err, got)
	}
}

// program returns the first of these programs that is there.
func program(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	need(t, names[:1])
	return ""
}

// A tool of the command line gets events, live and behind a Post.
func TestCurl(t *testing.T) {
	curl := program(t, "curl")
	s := newStage(t)
	s.post(20)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, curl, "--silent", "--no-buffer", "--header", "Last-Event-ID: 5", s.URL+"/events?tag=even")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	next := 6
	for lines := bufio.NewScanner(out); next <= 40 && lines.Scan(); {
		id, ok := strings.CutPrefix(lines.Text(), "id: ")
		if !ok {
			continue
		}
		if id != fmt.Sprint(next) {
			t.Errorf("event %s, want %d", id, next)
		}
		if next += 2; next == 22 {
			s.post(20)
		}
	}
	if next != 42 {
		t.Errorf("the events end before %d", next)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

// The package ws, of node.
func TestNode(t *testing.T) {
	needNode(t)
	s := newStage(t)
	s.post(2000)
	for _, query := range []string{"?replay=2000", "?replay=2000&compressed"} {
		saying(t, "node", "ws.mjs", strings.Replace(s.URL, "http", "ws", 1)+"/feed"+query, "2000")
	}
}

// client.js by itself, on a clock of the test's own.
func TestClientAlone(t *testing.T) {
	out, err := exec.Command(program(t, "node"), "--test", "client.test.mjs").CombinedOutput()
	if err != nil {
		t.Errorf("node --test: %v\n%s", err, out)
	}
}

// client.js in node, and in browsers. What it is to do stands in scenario.js.
func TestClientInNode(t *testing.T) {
	needNode(t)
	saying(t, "node", "scenario.mjs", newStage(t).URL)
}

func TestClientInChromium(t *testing.T) {
	chromium := program(t, "chromium", "google-chrome")
	s := newStage(t)
	s.browse(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--user-data-dir="+s.t.TempDir(), s.URL)
}

func TestClientInFirefox(t *testing.T) {
	firefox := program(t, "firefox-esr", "firefox")
	s := newStage(t)
	profile := t.TempDir()
	prefs := `user_pref("app.update.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("services.settings.server", "data:,");
user_pref("toolkit.telemetry.reportingpolicy.firstRun", false);
`
	if err := os.WriteFile(filepath.Join(profile, "user.js"), []byte(prefs), 0o600); err != nil {
		t.Fatal(err)
	}
	s.browse(firefox, "--headless", "--no-remote", "--profile", profile, s.URL)
}

// browse has a browser load the page, and waits for what that says.
func (s *stage) browse(browser string, args ...string) {
	s.t.Helper()
	cmd := exec.Command(browser, args...)
	home := s.t.TempDir()
	cmd.Env = append(os.Environ(), "HOME="+home)
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Signal(os.Interrupt)
		ended := make(chan struct{})
		go func() {
			_ = cmd.Wait()
			close(ended)
		}()
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
	}()
	select {
	case said := <-s.said:
		if said != "well" {
			s.t.Error(said)
		}
	case <-time.After(2 * time.Minute):
		s.t.Error("the page has said nothing")
	}
}

// The comments of client.js are types, which hold for it and for who uses it.
func TestClientTypes(t *testing.T) {
	needNode(t)
	if out, err := exec.Command("node_modules/.bin/tsc", "--project", ".").CombinedOutput(); err != nil {
		t.Errorf("tsc: %v\n%s", err, out)
	}
}
