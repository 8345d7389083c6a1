// Package browser_test opens the page of examples/webdemo in a real browser.
package browser_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is for what happens at once unless something is broken.
const patience = 60 * time.Second

var (
	chromium string // the browser
	webdemo  string // the program
)

func TestMain(m *testing.M) {
	if url := os.Getenv(feedVariable); url != "" {
		feeds(url)
		return
	}
	os.Exit(func() int {
		for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"} {
			if path, err := exec.LookPath(name); err == nil {
				chromium = path
				break
			}
		}
		if chromium == "" && os.Getenv("TWEETSTREAM_E2E") != "1" {
			return m.Run() // each test says why it is skipped
		}
		dir, err := os.MkdirTemp("", "webdemo")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		webdemo = filepath.Join(dir, "webdemo.exe")
		build := exec.Command("go", "build", "-o", webdemo, "./webdemo")
		build.Dir = filepath.Join("..", "..", "examples")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// needBrowser skips the test where there is no browser.
func needBrowser(t *testing.T) {
	t.Helper()
	if chromium == "" {
		if os.Getenv("TWEETSTREAM_E2E") == "1" {
			t.Fatal("no Chromium on this machine, and TWEETSTREAM_E2E asks for one: install chromium, or put it on the PATH")
		}
		t.Skip("no Chromium on this machine: install chromium, or put it on the PATH")
	}
}

// server is a running webdemo.
type server struct {
	cmd    *exec.Cmd
	addr   string
	url    string
	ended  chan struct{}
	stderr *buffer
}

// freeAddr returns an address of the loopback interface on which nobody listens.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start runs webdemo at addr, and waits until it answers.
func start(t *testing.T, addr string, args ...string) *server {
	t.Helper()
	return serve(t, addr, exec.Command(webdemo), args...)
}

// serve is start for a command that runs webdemo.
func serve(t *testing.T, addr string, cmd *exec.Cmd, args ...string) *server {
	t.Helper()
	s := &server{cmd: cmd, addr: addr, url: "http://" + addr, ended: make(chan struct{}), stderr: &buffer{}}
	s.cmd.Args = append(append(s.cmd.Args, "--listen", addr), args...)
	s.cmd.Dir = t.TempDir()
	s.cmd.Stderr = s.stderr
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = s.cmd.Wait()
		close(s.ended)
	}()
	t.Cleanup(s.kill)
	deadline := time.After(patience)
	for {
		resp, err := http.Get(s.url + "/")
		if err == nil {
			resp.Body.Close()
			return s
		}
		select {
		case <-s.ended:
			t.Fatalf("webdemo has ended: %s", s.stderr)
		case <-deadline:
			t.Fatalf("webdemo does not answer: %v\n%s", err, s.stderr)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// kill ends the server as a crash does.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	<-s.ended
}

// post posts one message, and returns the status.
func (s *server) post(t *testing.T, message string) int {
	t.Helper()
	resp, err := http.Post(s.url+"/tweets", "application/json", strings.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// tab is a page in a browser, and what went wrong in it.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu      sync.Mutex
	origin  string   // requests to others are errors
	quiet   bool     // errors of the network are expected
	wrong   []string // what must not be
	dialogs int
}

// open starts a browser and opens url in it. All that goes wrong in the page
// until the end fails the test.
func open(t *testing.T, origin, url string, flags ...chromedp.ExecAllocatorOption) *tab {
	t.Helper()
	needBrowser(t)
	opts := append([]chromedp.ExecAllocatorOption{
		chromedp.ExecPath(chromium), chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.Headless, chromedp.DisableGPU, chromedp.NoSandbox,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("hide-scrollbars", true),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.WindowSize(1100, 900),
	}, flags...)
	allocator, stop := chromedp.NewExecAllocator(context.Background(), opts...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	tb := &tab{t: t, ctx: ctx, origin: origin}
	// The first call starts the browser, which lives as long as its context.
	if err := chromedp.Listen(ctx, tb.listen); err != nil {
		t.Fatal(err)
	}
	_, err := chromedp.Call(ctx, network.Enable, network.EnableParams{})
	_, err2 := chromedp.Call(ctx, cdplog.Enable, cdp.Empty{})
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	tb.do(chromedp.Navigate(url))
	t.Cleanup(tb.check)
	return tb
}

func (b *tab) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	bad := func(format string, args ...any) { b.wrong = append(b.wrong, fmt.Sprintf(format, args...)) }
	switch e := event.(type) {
	case *cdpruntime.EventConsoleAPICalled:
		if e.Type == cdpruntime.ConsoleAPICalledTypeError || e.Type == cdpruntime.ConsoleAPICalledTypeWarning {
			bad("console: %s", e.Args[0].Value)
		}
	case *cdpruntime.EventExceptionThrown:
		bad("exception: %s %s:%d", e.ExceptionDetails.Text, e.ExceptionDetails.URL, e.ExceptionDetails.LineNumber+1)
	case *cdplog.EventEntryAdded:
		expected := b.quiet && e.Entry.Source == cdplog.EntrySourceNetwork || b.quiet && strings.Contains(e.Entry.Text, "WebSocket")
		if (e.Entry.Level == cdplog.EntryLevelError || e.Entry.Level == cdplog.EntryLevelWarning) && !expected {
			bad("log: %s %s", e.Entry.Source, e.Entry.Text)
		}
	case *network.EventRequestWillBeSent:
		if b.origin != "" && !strings.HasPrefix(e.Request.URL, b.origin+"/") {
			bad("request to %s", e.Request.URL)
		}
	case *network.EventWebSocketCreated:
		if at, _, _ := strings.Cut(e.URL, "?"); b.origin != "" && at != "ws"+strings.TrimPrefix(b.origin, "http")+"/ws" {
			bad("WebSocket to %s", e.URL)
		}
	case *page.EventJavascriptDialogOpening:
		b.dialogs++
		bad("a dialog opens: %s", e.Message)
		go func() { _, _ = chromedp.Call(b.ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{}) }()
	}
}

// check fails the test if anything went wrong.
func (b *tab) check() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range b.wrong {
		b.t.Error("in the page: ", w)
	}
	b.wrong = nil
}

// ignore forgets what went wrong, until the end: the page is not ours.
func (b *tab) ignore() {
	b.t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.wrong = nil
	})
}

// expectOutage tells whether errors of the network are to be expected.
func (b *tab) expectOutage(yes bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.quiet = yes
}

// do runs steps in the page.
func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	run(b, chromedp.Steps(steps...))
}

func run[T any](b *tab, a chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, a)
	if err != nil {
		b.t.Fatal(err)
	}
	return v
}

// js runs a script in the page.
func (b *tab) js(script string) {
	b.t.Helper()
	b.do(chromedp.Evaluate[chromedp.Void](script))
}

// eval returns the value of an expression.
func eval[T any](b *tab, js string) T {
	b.t.Helper()
	return run(b, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
}

// until waits until an expression is true.
func (b *tab) until(what, js string) {
	b.t.Helper()
	const wait = `new Promise((done) => {
		const end = Date.now() + %d;
		const look = () => { if (%s) done(true); else if (Date.now() > end) done(false); else setTimeout(look, 20); };
		look();
	})`
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	look := chromedp.Evaluate[bool](fmt.Sprintf(wait, (patience/2).Milliseconds(), js), chromedp.EvalAwaitPromise)
	ok, err := chromedp.Run(ctx, look)
	for err != nil && ctx.Err() == nil && strings.Contains(err.Error(), "navigated") {
		ok, err = chromedp.Run(ctx, look) // the page was loaded anew meanwhile
	}
	if err != nil {
		b.t.Fatal(err)
	}
	if !ok {
		b.t.Fatalf("never: %s\n%s", what, eval[string](b, "(document.querySelector('#view-pipeline') ?? document.body).innerText.slice(0, 3000)"))
	}
}

// click clicks the first element of a selector.
func (b *tab) click(selector string) {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// screenshot keeps a picture of what is seen, for people to look at.
func (b *tab) screenshot(name string) {
	b.t.Helper()
	dir := os.Getenv("TWEETSTREAM_SCREENSHOTS")
	if dir == "" {
		dir = b.t.TempDir()
	}
	b.until("nothing fades in", `document.getAnimations().length === 0`)
	picture := run(b, chromedp.CaptureScreenshot())
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o600)); err != nil {
		b.t.Fatal(err)
	}
}

// scheme sets what the user prefers: light or dark.
func (b *tab) scheme(name string) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
	}); err != nil {
		b.t.Fatal(err)
	}
}

// buffer is a bytes.Buffer for two goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
