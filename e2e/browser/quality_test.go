package browser_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// needModule returns a file of what npm has installed, or skips the test.
func needModule(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join("node_modules", filepath.FromSlash(name))
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("TWEETSTREAM_E2E") == "1" {
			t.Fatalf("%s is not there: run npm ci in this folder", name)
		}
		t.Skipf("%s is not there: run npm ci in this folder", name)
	}
	return path
}

// axe has axe-core look at the page as it is now. The script comes by way of the
// browser's own protocol, so that the page's policy stays as it is.
func (b *tab) axe(t *testing.T, state string) {
	t.Helper()
	script, err := os.ReadFile(needModule(t, "axe-core/axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	b.until("nothing moves", `document.getAnimations().length === 0`)
	b.js(`if (!window.axe) { ` + string(script) + ` } void 0`)
	type violation struct {
		ID, Help string
		Nodes    []struct {
			HTML           string
			FailureSummary string
		}
	}
	found := eval[[]violation](b, `axe.run(document, { resultTypes: ['violations'] }).then((r) => r.violations)`)
	for _, v := range found {
		t.Errorf("%s: %s: %s", state, v.ID, v.Help)
		for _, n := range v.Nodes[:min(len(v.Nodes), 3)] {
			t.Logf("%.300s\n%.500s", n.HTML, n.FailureSummary)
		}
	}
}

// axe-core finds nothing, in any state of the page, light and dark, wide and narrow.
func TestAccessibility(t *testing.T) {
	needBrowser(t)
	needModule(t, "axe-core/axe.min.js")
	addr := freeAddr(t)
	s := start(t, addr, "--rate", "20")
	b := open(t, s.url, s.url+"/")
	b.until("there are Posts", posts+` > 30`)
	kinds, err := os.ReadFile("testdata/kinds.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(kinds)) {
		s.post(t, strings.TrimSpace(line))
	}
	b.until("all kinds of Posts are shown", `document.querySelector('li[data-id="109"]')`)
	b.key("p")
	for _, scheme := range []string{"light", "dark"} {
		b.scheme(scheme)
		for _, width := range []int64{1440, 390} {
			b.do(chromedp.EmulateViewport(width, 900))
			look := func(state string) { t.Helper(); b.axe(t, fmt.Sprintf("%s, %s, %d wide", state, scheme, width)) }
			for _, tab := range []string{"f", "i", "r", "/"} {
				b.key(tab)
				b.until("it is shown", `document.querySelector('#panel .view:not([hidden]) .part').childElementCount > 0`)
				look("panel " + tab)
				if tab == "/" {
					b.do(chromedp.SendKeys(chromedp.CSS("#search"), "coop"))
					b.until("something is found", `document.querySelectorAll('#view-search li').length > 0`)
					look("found")
					b.js(`document.querySelector('#search').value = ''; document.querySelector('#search').dispatchEvent(new Event('input'))`)
				}
			}
			b.key(kb.Escape)
			b.js(`document.querySelector('#panel').hidden || document.querySelector('#open-panel').click()`)
			look("columns")
			b.key("a")
			b.until("the dialog is open", `document.querySelector('#choose').open`)
			look("a new column")
			b.key(kb.Escape, "?")
			b.until("the dialog is open", `document.querySelector('#about').open`)
			look("keys")
			b.key(kb.Escape)
			b.js(`document.querySelector('li[data-id="105"] .foot button').click()`)
			b.until("the dialog is open", `document.querySelector('#detail').open`)
			look("detail")
			b.key(kb.Escape)
		}
	}
	b.expectOutage(true)
	s.kill()
	b.until("it has noticed", `!document.querySelector('#retry').hidden`)
	b.axe(t, "not connected")
	empty := start(t, freeAddr(t), "--receive")
	e := open(t, empty.url, empty.url+"/")
	e.until("it is live", live)
	e.axe(t, "empty")
}

// The policy of the page holds: code in a page, or out of a text, does not run.
func TestPolicy(t *testing.T) {
	needBrowser(t)
	s := start(t, freeAddr(t), "--receive")
	b := open(t, s.url, s.url+"/")
	b.until("it is live", live)
	b.ignore() // what is refused is told
	got := eval[map[string]string](b, `(() => {
		const refused = {};
		const attempt = (name, f) => { try { f(); refused[name] = 'ran'; } catch (e) { refused[name] = 'refused'; } };
		attempt('innerHTML', () => { document.createElement('div').innerHTML = '<b>x</b>'; });
		attempt('another policy', () => trustedTypes.createPolicy('other', {}));
		attempt('another worker', () => new Worker('main.js'));
		const s = document.createElement('script'); s.append('window.inline = 1');
		attempt('inline', () => { document.head.append(s); if (!window.inline) throw 0; });
		return refused;
	})()`)
	for what, how := range got {
		if how != "refused" {
			t.Errorf("%s: %s", what, how)
		}
	}
	if inline := eval[int](b, `document.querySelectorAll('script:not([src]), style, [style]:not(.avatar, .bar-of *, .meter *), [onclick]').length`); inline > 1 {
		t.Errorf("%d elements have code or styles of their own", inline)
	}
}

// Lighthouse finds the page good. It is asked again if it does not, up to three times.
// What other programs do meanwhile counts against the page: how quick it is matters only
// with TWEETSTREAM_ALONE, see TestTenThousandPostsASecond.
func TestLighthouse(t *testing.T) {
	needBrowser(t)
	needModule(t, "lighthouse/package.json")
	s := start(t, freeAddr(t), "--rate", "1")
	b := open(t, s.url, s.url+"/")
	b.until("it is live", live)
	b.js(`fetch('/faults', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{"fault":"flood"}' })`)
	b.until("there is a history", `fetch('/posts?limit=200').then((r) => r.json()).then((a) => { window.kept = a.posts.length; }) && window.kept === 200`)
	b.do(chromedp.Navigate("about:blank"))
	var report struct {
		Scores map[string]float64
		Faults []string
	}
	for range 3 {
		out, err := exec.Command("node", "lighthouse.mjs", chromium, t.TempDir(), s.url+"/").Output()
		if err != nil {
			t.Fatalf("lighthouse: %v\n%s", err, out)
		}
		report.Scores, report.Faults = nil, nil
		if err := json.Unmarshal(out, &report); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		t.Logf("%v\n%s", report.Scores, strings.Join(report.Faults, "\n"))
		good := true
		for _, c := range []string{"performance", "accessibility", "best-practices"} {
			good = good && (report.Scores[c] >= 0.95 || c == "performance" && os.Getenv("TWEETSTREAM_ALONE") == "")
		}
		if good {
			return
		}
	}
	t.Errorf("the scores are %v, want 0.95 at least", report.Scores)
}
