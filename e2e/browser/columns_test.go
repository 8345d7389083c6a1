package browser_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/google/go-cmp/cmp"
)

// key presses keys, each once.
func (b *tab) key(keys ...string) {
	b.t.Helper()
	for _, k := range keys {
		b.do(chromedp.KeyEvent(k))
	}
}

// choose fills the dialog in which a column is chosen.
func (b *tab) choose(js string) {
	b.t.Helper()
	b.until("the dialog is open", `document.querySelector('#choose').open`)
	b.js(`(() => { const f = document.querySelector('#choose form').elements; ` + js + `; })()`)
	b.click("#choose button[type=submit]")
	b.until("the dialog is closed", `!document.querySelector('#choose').open`)
}

func (b *tab) wantColumns(want ...string) {
	b.t.Helper()
	if diff := cmp.Diff(want, eval[[]string](b, titles)); diff != "" {
		b.t.Errorf("columns (-want +got):\n%s", diff)
	}
}

// Columns are added, moved by keyboard and by pointer, filtered and removed, and are
// as they were when the page is loaded again.
func TestColumns(t *testing.T) {
	needBrowser(t)
	s := start(t, freeAddr(t), "--rate", "20")
	b := open(t, s.url, s.url+"/")
	b.do(chromedp.EmulateViewport(1800, 900))
	b.until("the columns are there", posts+` > 5`)
	b.wantColumns("Everything", "coop", "golang")

	b.key("a")
	b.choose(`f.tag.value = 'coffee'`)
	b.wantColumns("Everything", "coop", "golang", "coffee")
	b.until("it has Posts", `document.querySelectorAll('.column:nth-of-type(4) .posts > li').length > 3`)
	if n := eval[int](b, without(4, "coffee")); n != 0 {
		t.Errorf("%d Posts in the column of coffee have another tag", n)
	}

	b.key("H", "H") // the new column has the focus
	b.wantColumns("Everything", "coffee", "coop", "golang")
	b.key("L")
	b.wantColumns("Everything", "coop", "coffee", "golang")
	b.click(".column:nth-of-type(4) .buttons button:nth-child(1)")
	b.wantColumns("Everything", "coop", "golang", "coffee")
	if said := eval[string](b, `document.querySelector('#says').textContent`); said != "golang is column 3 of 4" {
		t.Errorf("a screen reader says %q", said)
	}

	// By pointer: the second to the place of the first.
	at := func(n int) (x, y float64) {
		box := eval[[]float64](b, fmt.Sprintf(`(() => { const r = document.querySelector('.column:nth-of-type(%d) .grip').getBoundingClientRect(); return [r.left + 20, r.top + r.height / 2]; })()`, n))
		return box[0], box[1]
	}
	x, y := at(2)
	tox, toy := at(1)
	b.mouse(input.DispatchMouseEventTypeMousePressed, x, y)
	b.mouse(input.DispatchMouseEventTypeMouseMoved, (x+tox)/2, y)
	b.mouse(input.DispatchMouseEventTypeMouseMoved, tox, toy)
	b.mouse(input.DispatchMouseEventTypeMouseReleased, tox, toy)
	b.wantColumns("coop", "Everything", "golang", "coffee")

	// A filter.
	b.click(".column:nth-of-type(2) .buttons button:nth-child(3)")
	b.choose(`f.lang.value = 'en'; f.media.checked = true; f.sensitive.checked = true; f.words.value = 'coop, GOLANG'`)
	if got := eval[string](b, `document.querySelector('.column:nth-of-type(2) .detail').textContent`); got != "coop or GOLANG · en · with media · nothing sensitive" {
		t.Errorf("the column says %q", got)
	}
	b.until("Posts pass the filter", `document.querySelectorAll('.column:nth-of-type(2) .posts > li').length > 2`)
	if n := eval[int](b, `[...document.querySelectorAll('.column:nth-of-type(2) .posts > li')].filter((li) => !li.querySelector('.media') || li.querySelector('.content > .veil') || !/coop|golang/i.test(li.querySelector('.text').textContent)).length`); n != 0 {
		t.Errorf("%d Posts do not pass the filter", n)
	}

	b.click(".column:nth-of-type(3) .buttons button:nth-child(4)")
	b.wantColumns("coop", "Everything", "coffee")
	b.do(chromedp.Navigate(s.url + "/"))
	b.until("the columns are there again", `document.querySelectorAll('.column').length === 3`)
	b.wantColumns("coop", "Everything", "coffee")
	if got := eval[string](b, `document.querySelector('.column:nth-of-type(2) .detail').textContent`); !strings.Contains(got, "with media") {
		t.Errorf("the filter was not kept: %q", got)
	}
	for range 3 {
		b.click(".column:first-of-type .buttons button:nth-child(4)")
	}
	b.until("all are gone", `document.querySelectorAll('.column').length === 0`)
}

func (b *tab) mouse(kind input.DispatchMouseEventType, x, y float64) {
	b.t.Helper()
	one, button := int64(1), input.MouseButtonLeft
	p := input.DispatchMouseEventParams{Type: kind, X: x, Y: y, Button: button, ClickCount: one}
	if kind == input.DispatchMouseEventTypeMouseMoved {
		p.ClickCount, p.Buttons = 0, one
	}
	if _, err := chromedp.Call(b.ctx, input.DispatchMouseEvent, p); err != nil {
		b.t.Fatal(err)
	}
}

// The page is at home on the keyboard: from Post to Post, from column to column, into
// a Post and back.
func TestKeyboard(t *testing.T) {
	needBrowser(t)
	s := start(t, freeAddr(t), "--rate", "10")
	b := open(t, s.url, s.url+"/")
	b.until("there are Posts", posts+` > 10 && document.querySelectorAll('.column:nth-of-type(2) .posts > li').length > 4`)
	b.key("p", "l", "j", "j")
	const place = `(() => { const a = document.activeElement.closest('article'); const c = document.activeElement.closest('.column'); return [...document.querySelectorAll('.column')].indexOf(c) + ':' + (a ? [...c.querySelectorAll('article')].indexOf(a) : 'column'); })()`
	for _, step := range []struct{ key, want string }{
		{"", "0:1"}, {"j", "0:2"}, {"k", "0:1"}, {kb.ArrowDown, "0:2"}, {"l", "1:column"}, {"j", "1:0"}, {"h", "0:column"},
	} {
		if step.key != "" {
			b.key(step.key)
		}
		if got := eval[string](b, place); got != step.want {
			t.Errorf("after %q the focus is at %s, want %s", step.key, got, step.want)
		}
	}
	b.key("j", kb.Enter)
	b.until("the Post is shown in detail", `document.querySelector('#detail').open && document.querySelector('#detail pre').textContent.includes('"data": {')`)
	if rules := eval[string](b, `document.querySelector('#detail .matched').textContent`); rules == "" {
		t.Error("the rules that it matched are not shown")
	}
	b.key("j", kb.Escape)
	b.until("it is closed, and the focus is back", `!document.querySelector('#detail').open && `+place+` === '0:0'`)
	b.key("?")
	b.until("the keys are listed", `document.querySelector('#about').open && document.querySelectorAll('#about kbd').length > 12`)
	b.key(kb.Escape, "/")
	b.until("the search has the focus", `document.activeElement.id === 'search'`)
	b.key("p", "?")
	if got := eval[string](b, `document.querySelector('#search').value + document.querySelector('#state').dataset.state`); !strings.HasSuffix(got, "p?paused") {
		t.Errorf("keys in a field do something else: %s", got)
	}
	b.key(kb.Escape)
	b.until("the panel is closed", `document.querySelector('#panel').hidden`)
}

// A page that is loaded again shows what came before, the search finds it, a column
// is exported, and what X has deleted vanishes.
func TestHistoryOfThePage(t *testing.T) {
	needBrowser(t)
	data := t.TempDir()
	addr := freeAddr(t)
	s := start(t, addr, "--receive", "--data", data)
	for i := range 120 {
		text := fmt.Sprintf("number%d is one of many", i+1)
		if i == 7 {
			text = "the needle of this haystack"
		}
		s.post(t, fmt.Sprintf(`{"data":{"id":"%d","text":%q},"matching_rules":[{"id":"5","tag":"hay"}]}`, 1_000+i, text))
	}
	b := open(t, s.url, s.url+"/")
	b.until("the newest Posts are there", posts+` >= 30`)
	b.expectOutage(true)
	s.kill()
	s = start(t, addr, "--receive", "--data", data)
	b.do(chromedp.Navigate(s.url + "/"))
	b.until("it is live, with what came before", live+` && `+posts+` >= 30`)
	b.expectOutage(false)
	b.until("the newest is on top", first+` === '1119'`)
	b.click(".column .older")
	b.until("older ones are shown", posts+` === 80`)
	b.click(".column .older")
	b.until("all are shown", posts+` === 120`)
	b.until("there is nothing older", `document.querySelector('.column .older').hidden`)
	if n := eval[int](b, `[...document.querySelectorAll('.column .posts > li')].filter((li, i) => li.dataset.id !== String(1119 - i)).length`); n != 0 {
		t.Errorf("%d Posts are not at their place", n)
	}

	b.key("/")
	b.do(chromedp.SendKeys(chromedp.CSS("#search"), "NEEDLE hays"))
	b.until("it is found", `document.querySelectorAll('#view-search li[data-id]').length === 1 && document.querySelector('#view-search li[data-id]').dataset.id === '1007'`)
	b.until("it is told", `document.querySelector('#found').textContent.startsWith('1 Post,')`)
	b.screenshot("search")

	b.click(".column .buttons button:nth-child(3)")
	b.until("the dialog is open", `document.querySelector('#choose').open`)
	for what, want := range map[string]int{"ids": 120, "posts": 120} {
		href := eval[string](b, fmt.Sprintf(`document.querySelector('#choose a[href^="/export/%s"]').href`, what))
		resp, err := http.Get(href)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if n := strings.Count(string(body), "\n"); err != nil || n != want {
			t.Errorf("%d %s are exported, %v; want %d", n, what, err, want)
		}
	}
	b.key(kb.Escape)

	resp, err := http.Post(s.url+"/deleted", "application/json", strings.NewReader(`{"ids":["1007","1119"]}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	b.until("they have vanished", `document.querySelectorAll('li[data-id="1007"], li[data-id="1119"]').length === 0 && `+posts+` === 118`)
	b.do(chromedp.Navigate(s.url + "/"))
	b.until("they stay away", posts+` >= 30 && `+first+` === '1118'`)
}
