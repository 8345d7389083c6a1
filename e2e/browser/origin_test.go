package browser_test

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/chromedp"
)

// attack is a page of somebody else, who tries all that a page can do to the
// server at TARGET, and notes what came of it.
const attack = `<!doctype html><title>attack</title><script>
window.done = null;
const target = 'TARGET';
const json = '{"data":{"id":"666","text":"from elsewhere"}}';
async function attempt(f) {
  try { return await f(); } catch (e) { return 'refused'; }
}
const socket = (path) => () => new Promise((resolve) => {
  const ws = new WebSocket(target.replace('http', 'ws') + path);
  ws.onmessage = () => resolve('read a Post');
  ws.onopen = () => resolve('connected');
  ws.onerror = () => resolve('refused');
});
const read = (path) => async () => (await (await fetch(target + path)).text()) ? 'read' : 'nothing';
const send = (options) => async () => { const r = await fetch(target + '/tweets', { method: 'POST', body: json, ...options }); return r.type === 'opaque' ? 'unseen' : String(r.status); };
(async () => {
  const got = {};
  got.socket = await attempt(socket('/ws'));
  got.filtered = await attempt(socket('/ws?tag=coop'));
  got.stats = await attempt(read('/stats'));
  got.page = await attempt(read('/'));
  got.json = await attempt(send({ headers: { 'Content-Type': 'application/json' } }));
  got.credentials = await attempt(send({ headers: { 'Content-Type': 'application/json' }, credentials: 'include' }));
  got.simple = await attempt(send({ mode: 'no-cors', headers: { 'Content-Type': 'text/plain' } }));
  got.blob = await attempt(send({ mode: 'no-cors', body: new Blob([json], { type: 'application/json' }) }));
  got.beacon = String(navigator.sendBeacon(target + '/tweets', new Blob([json], { type: 'text/plain' })));
  const frame = document.createElement('iframe');
  frame.name = 'frame';
  document.body.append(frame);
  const form = document.createElement('form');
  Object.assign(form, { method: 'post', action: target + '/tweets', enctype: 'text/plain', target: 'frame' });
  const field = document.createElement('input');
  field.name = '{"data":{"id":"667","text":"'; field.value = '"}}';
  form.append(field);
  document.body.append(form);
  await new Promise((resolve) => { frame.onload = resolve; setTimeout(resolve, 5000); form.submit(); });
  const page = document.createElement('iframe');
  page.src = target + '/';
  await new Promise((resolve) => { page.onload = resolve; setTimeout(resolve, 5000); document.body.append(page); });
  got.framed = await attempt(() => page.contentDocument ? 'readable' : 'refused');
  window.done = got;
})();
</script><body></body>`

// A page of another origin can neither read the feed nor post, whatever it tries:
// from another port, which is the same site, and from another site.
func TestOtherOrigins(t *testing.T) {
	needBrowser(t)
	s := start(t, freeAddr(t), "--receive")
	if status := s.post(t, `{"data":{"id":"1","text":"secret"},"matching_rules":[{"id":"1","tag":"coop"}]}`); status != 204 {
		t.Fatalf("status %d", status)
	}
	attacker := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, strings.ReplaceAll(attack, "TARGET", s.url))
	}))
	defer attacker.Close()
	_, port, err := net.SplitHostPort(attacker.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{"127.0.0.1", "localhost", "elsewhere.test"} {
		t.Run(from, func(t *testing.T) {
			b := open(t, "", "http://"+from+":"+port+"/", chromedp.Flag("host-resolver-rules", "MAP elsewhere.test 127.0.0.1"),
				// The browser's own protection of local addresses would hide a hole here.
				chromedp.Flag("disable-features", "LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests"))
			b.ignore() // refusals are errors in the console
			b.until("it has tried all", `window.done`)
			for what, got := range eval[map[string]string](b, `window.done`) {
				if !slices.Contains([]string{"refused", "unseen", "true"}, got) {
					t.Errorf("%s: %s, want it refused", what, got)
				}
			}
		})
	}
	resp, err := http.Get(s.url + "/stats")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var stats bytes.Buffer
	if _, err := stats.ReadFrom(resp.Body); err != nil || !strings.Contains(stats.String(), `"received":1,`) {
		t.Errorf("stats are %s, %v; want no Post but the first", stats.String(), err)
	}
}

// A name of an attacker's that points to this machine shows nothing (DNS
// rebinding).
func TestRebinding(t *testing.T) {
	needBrowser(t)
	s := start(t, freeAddr(t), "--receive")
	_, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	b := open(t, "", "http://rebind.test:"+port+"/", chromedp.Flag("host-resolver-rules", "MAP rebind.test 127.0.0.1"))
	b.ignore()
	if got := eval[string](b, `document.body.innerText`); !strings.Contains(got, "this Host is not served here") {
		t.Errorf("it shows %q", got)
	}
	if got := eval[string](b, `new Promise((done) => { const ws = new WebSocket('ws://' + location.host + '/ws'); ws.onopen = () => done('open'); ws.onerror = () => done('refused'); })`); got != "refused" {
		t.Errorf("the WebSocket is %s, want it refused", got)
	}
	if got := eval[int](b, `fetch('/tweets', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{"data":{"id":"1"}}' }).then((r) => r.status)`); got != http.StatusMisdirectedRequest {
		t.Errorf("POST /tweets: status %d, want 421", got)
	}
}

// With a password the page works as it does without: the browser sends it for
// what the page loads, and for the WebSocket.
func TestPassword(t *testing.T) {
	needBrowser(t)
	const secret = "correct horse battery"
	file := filepath.Join(t.TempDir(), "password.txt")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, freeAddr(t), "--rate", "20", "--password-file", file)
	b := open(t, "", "about:blank")
	b.expectOutage(true) // the first answer is 401
	events := func(event any) {
		switch e := event.(type) {
		case *fetch.EventAuthRequired:
			go func() {
				_, _ = chromedp.Call(b.ctx, fetch.ContinueWithAuth, fetch.ContinueWithAuthParams{RequestID: e.RequestID, AuthChallengeResponse: &fetch.AuthChallengeResponse{
					Response: fetch.AuthChallengeResponseResponseProvideCredentials, Username: "any", Password: secret,
				}})
			}()
		case *fetch.EventRequestPaused:
			go func() {
				_, _ = chromedp.Call(b.ctx, fetch.ContinueRequest, fetch.ContinueRequestParams{RequestID: e.RequestID})
			}()
		}
	}
	if err := chromedp.Listen(b.ctx, events); err != nil {
		t.Fatal(err)
	}
	handle := true
	if _, err := chromedp.Call(b.ctx, fetch.Enable, fetch.EnableParams{HandleAuthRequests: &handle}); err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.Navigate(s.url + "/"))
	b.until("Posts are shown", live+` && `+posts+` > 5`)
}
