package browser_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/google/go-cmp/cmp"
)

const (
	posts   = `document.querySelectorAll('.column:first-of-type .posts > li').length`
	first   = `document.querySelector('.column .posts > li')?.dataset.id`
	live    = `document.querySelector('#state').dataset.state === 'live'`
	total   = `Number(document.querySelector('#total').textContent.replace(/\D/g, ''))`
	waiting = `Number(document.querySelector('#waiting').textContent.replace(/\D/g, ''))`
)

// Posts come into their columns, wait while the page is paused, and keep still while
// somebody reads.
func TestLiveTimeline(t *testing.T) {
	needBrowser(t)
	s := start(t, freeAddr(t), "--rate", "20")
	b := open(t, s.url, s.url+"/")
	b.until("it is live", live)
	b.until("30 Posts are shown", posts+` >= 30`)
	b.until("a rate is shown", `parseFloat(document.querySelector('#rate').textContent) > 5`)
	if diff := cmp.Diff([]string{"Everything", "coop", "golang"}, eval[[]string](b, titles)); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
	b.until("the column of golang has Posts", `document.querySelectorAll('.column:nth-of-type(3) .posts > li').length > 5`)
	if n := eval[int](b, without(3, "golang")); n != 0 {
		t.Errorf("in the column of golang %d other Posts are shown", n)
	}
	if eval[int](b, without(1, "golang")) == 0 {
		t.Error("in the column of everything all Posts are of golang")
	}

	// Pause, by keyboard.
	b.do(chromedp.KeyEvent("p"))
	b.until("it is paused", `document.querySelector('#state').dataset.state === 'paused'`)
	top := eval[string](b, first)
	b.until("Posts wait", waiting+` >= 10`)
	if now := eval[string](b, first); now != top {
		t.Error("the list has changed while it was paused")
	}
	b.js(`document.querySelector('#pause').focus()`)
	b.do(chromedp.KeyEvent(kb.Enter))
	b.until("what waited is shown", fmt.Sprintf(`%s && %s !== %q && document.querySelector('#waiting').hidden`, live, first, top))
	b.until("the one that was newest is below those that waited", fmt.Sprintf(`[...document.querySelectorAll('.column:first-of-type .posts > li')].findIndex((li) => li.dataset.id === %q) >= 10`, top))

	// Who reads further down is not disturbed.
	const scroller = `document.querySelector('.column .scroller')`
	b.until("there is something to scroll", posts+` > 60`)
	b.until("it is at its top", scroller+`.scrollTop === 0`)
	b.js(scroller + `.dispatchEvent(new WheelEvent('wheel')); ` + scroller + `.scrollTo(0, 1500)`)
	b.until("it is scrolled", scroller+`.scrollTop >= 1500`)
	const inView = `(() => { const li = document.elementFromPoint(100, 500).closest('li'); return li.dataset.id + ' ' + li.getBoundingClientRect().top; })()`
	b.until("new Posts are announced", `!document.querySelector('.column .news').hidden`)
	place := eval[string](b, inView)
	b.until("more come", `parseInt(document.querySelector('.column .news').textContent) >= 20`)
	if now := eval[string](b, inView); now != place {
		t.Errorf("what is read has moved from %q to %q", place, now)
	}
	b.screenshot("news")
	b.click(".column .news")
	b.until("the newest are shown", scroller+`.scrollTop === 0 && document.querySelector('.column .news').hidden`)

	// No more links than there should be.
	if bad := eval[int](b, `[...document.querySelectorAll('.posts a')].filter((a) => !a.href.startsWith('https://') || a.rel !== 'noopener noreferrer nofollow').length`); bad != 0 {
		t.Errorf("%d links are not https:, or tell where they come from", bad)
	}
}

// titles are the names of the columns.
const titles = `[...document.querySelectorAll('.column h2')].map((h) => h.textContent)`

// without counts the Posts of a column, the first being 1, without this tag.
func without(column int, tag string) string {
	return fmt.Sprintf(`[...document.querySelectorAll('.column:nth-of-type(%d) .posts > li')].filter((li) => ![...li.querySelectorAll('.foot li')].some((t) => t.textContent === %q)).length`, column, tag)
}

// The server is killed and comes back: so does the page, by itself.
func TestConnectionComesBack(t *testing.T) {
	needBrowser(t)
	addr := freeAddr(t)
	s := start(t, addr, "--rate", "20")
	b := open(t, s.url, s.url+"/")
	b.until("Posts are shown", live+` && `+posts+` > 5`)
	before := eval[int](b, total)

	b.expectOutage(true)
	last := eval[string](b, first)
	s.kill()
	b.until("it says that it waits", `/tries again in \d+ s/.test(document.querySelector('#notice-text').textContent) && !document.querySelector('#retry').hidden`)
	b.until("it keeps what was there", posts+` > 5`)
	b.screenshot("reconnecting")
	start(t, addr, "--rate", "20")
	b.until("it is live again, with new Posts", fmt.Sprintf(`%s && %s >= %d`, live, total, before+10))
	if n := eval[int](b, posts+` - new Set([...document.querySelectorAll('.column:first-of-type .posts > li')].map((li) => li.dataset.id)).size`); n != 0 {
		t.Errorf("%d Posts are there twice", n)
	}
	if n := eval[int](b, fmt.Sprintf(`document.querySelectorAll('.column:first-of-type li[data-id="%s"]').length`, last)); n != 1 {
		t.Errorf("the Post that was newest is shown %d times", n)
	}
	// A connection that is cut and comes back at once shows nothing twice.
	b.until("it goes on", fmt.Sprintf(`%s >= %d`, total, before+20))
}

func message(t *testing.T, m map[string]any) string {
	t.Helper()
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

type object = map[string]any

// What strangers write is text, whatever it looks like.
func TestHostilePosts(t *testing.T) {
	needBrowser(t)
	s := start(t, freeAddr(t), "--receive")
	b := open(t, s.url, s.url+"/")
	b.until("it is live", live)
	const script = `<script>window.pwned = 1</script><img src=x onerror="window.pwned = 2; alert(1)">`
	const address = `javascript:window.pwned=3//`
	for i, m := range []object{
		{"data": object{"id": "1", "text": script, "author_id": "9"}, "includes": object{"users": []object{{"id": "9", "username": `"><svg onload=alert(1)>`, "name": script}}}},
		{
			"data": object{
				"id": "2", "text": address + " see", "author_id": "9", "lang": `en" onclick="alert(1)`,
				"entities":    object{"urls": []object{{"start": 0, "end": len(address), "url": address, "display_url": "good.example", "expanded_url": address}}},
				"attachments": object{"media_keys": []string{"m", "none"}},
			},
			"includes":       object{"users": []object{{"id": "9", "username": "javascript:alert(1)", "name": "n"}}, "media": []object{{"media_key": "m", "type": script, "alt_text": script, "url": address}}},
			"matching_rules": []object{{"id": "1", "tag": script}},
		},
		{"data": object{"id": "3", "text": "http is no https", "entities": object{"urls": []object{{"start": 0, "end": 4, "url": "http", "display_url": "x"}}}}},
		{"data": object{"id": "4", "text": "𝒳 &amp;lt;b> #tag 𝒳", "entities": object{"hashtags": []object{{"start": 13, "end": 17, "tag": "../../x?y#z"}, {"start": -1, "end": 4e9}, {"start": "0", "end": nil}}}}},
		{"data": object{"id": "5", "text": 5, "entities": []int{1}, "author_id": object{}, "created_at": "x", "referenced_tweets": "x", "attachments": nil, "edit_history_tweet_ids": "12"}, "includes": "x", "matching_rules": object{}},
		{"data": object{"id": "6", "text": "constructor", "author_id": "__proto__"}, "includes": object{"users": []object{{"id": "__proto__", "name": "x"}}}, "matching_rules": []object{{"tag": "__proto__"}, {"tag": "constructor"}}},
	} {
		if status := s.post(t, message(t, m)); status != 204 {
			t.Fatalf("message %d: status %d, want 204", i+1, status)
		}
	}
	b.until("all are shown", posts+` === 6`)
	text := func(id int) string {
		return eval[string](b, fmt.Sprintf(`document.querySelector('li[data-id="%d"] .text').textContent`, id))
	}
	for id, want := range map[int]string{1: script, 2: address + " see", 3: "http is no https", 4: "𝒳 &lt;b> #tag 𝒳", 6: "constructor"} {
		if got := text(id); got != want {
			t.Errorf("Post %d is shown as %q, want %q", id, got, want)
		}
	}
	if name := eval[string](b, `document.querySelector('li[data-id="1"] .name').textContent`); name != script {
		t.Errorf("the name is shown as %q, want it as it is", name)
	}
	want := []string{"https://x.com/hashtag/..%2F..%2Fx%3Fy%23z"}
	if diff := cmp.Diff(want, eval[[]string](b, `[...document.querySelectorAll('.column .text a')].map((a) => a.href)`)); diff != "" {
		t.Errorf("links in texts (-want +got):\n%s", diff)
	}
	if n := eval[int](b, `document.querySelectorAll('.posts script, .posts img, .posts [onclick], .posts svg[onload], a[href^="javascript"]').length`); n != 0 {
		t.Errorf("%d elements come out of Posts", n)
	}
	if eval[bool](b, `'pwned' in window`) || b.dialogs > 0 {
		t.Error("a script out of a Post has run")
	}
	b.do(chromedp.KeyEvent("a"))
	b.until("a column can be added", `document.querySelector('#choose').open`)
	if diff := cmp.Diff([]string{"Everything", "__proto__", script, "constructor"}, eval[[]string](b, `[...document.querySelectorAll('#choose select[name=tag] option')].map((e) => e.textContent)`)); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	b.do(chromedp.KeyEvent(kb.Escape))
	// In detail, too.
	b.js(`document.querySelector('li[data-id="2"] article').focus()`)
	b.do(chromedp.KeyEvent(kb.Enter))
	b.until("the detail is open", `document.querySelector('#detail').open`)
	if raw := eval[string](b, `document.querySelector('#detail pre').textContent`); !strings.Contains(raw, `\u003cscript\u003e`) && !strings.Contains(raw, "<script>") {
		t.Errorf("the message in detail is %q", raw)
	}
	if n := eval[int](b, `document.querySelectorAll('#detail script, #detail img').length`); n != 0 || eval[bool](b, `'pwned' in window`) {
		t.Errorf("%d elements come out of a Post in detail", n)
	}
	b.do(chromedp.KeyEvent(kb.Escape))
	b.screenshot("hostile")
}

// Each kind of Post is shown as X wants it shown.
func TestKindsOfPosts(t *testing.T) {
	needBrowser(t)
	s := start(t, freeAddr(t), "--receive")
	samples, err := os.ReadFile("testdata/kinds.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(samples)), "\n")
	for _, line := range lines {
		if status := s.post(t, line); status != 204 {
			t.Fatalf("status %d for %.80s", status, line)
		}
	}
	b := open(t, s.url, s.url+"/")
	b.until("all are shown", fmt.Sprintf("%s === %d", posts, len(lines)))
	shown := func(id, selector string) string {
		return eval[string](b, fmt.Sprintf(`document.querySelector('li[data-id="%s"] %s')?.innerText ?? '(none)'`, id, selector))
	}
	for _, want := range []struct{ id, selector, text string }{
		{"101", ".who .name", "Ada Example"},
		{"101", ".who .user", "@ada_example"},
		{"101", ".text", "Tea & trains with @grace_example, see example.com/timetables… #coop $TEA"},
		{"102", ".edited", "Edited"},
		{"103", ".about", "@ada_example reposted"},
		{"103", ".who .name", "Grace Example"},
		{"103", ".text", "The whole of a long Post, which is longer than what the repost shows of it."},
		{"104", ".about", "Replying to @grace_example"},
		{"105", ".quoted .name", "Grace Example"},
		{"105", ".quoted .text", "The Post that is quoted"},
		{"106", ".quoted", "The quoted Post did not come along"},
		{"107", "summary", "This Post may hold sensitive content"},
		{"107", ".text", ""},
		{"108", ".media", "Photo: A red kite\nVideo 1:05"},
		{"109", ".poll", "Tea\nCoffee"},
	} {
		if got := shown(want.id, want.selector); strings.TrimSpace(got) != want.text {
			t.Errorf("Post %s, %s: %q, want %q", want.id, want.selector, got, want.text)
		}
	}
	links := eval[map[string]string](b, `Object.fromEntries([...document.querySelectorAll('li[data-id="101"] a')].map((a) => [a.textContent, a.href]))`)
	for text, want := range map[string]string{
		"Ada Example":             "https://x.com/ada_example",
		"@ada_example":            "https://x.com/ada_example",
		"@grace_example":          "https://x.com/grace_example",
		"#coop":                   "https://x.com/hashtag/coop",
		"$TEA":                    "https://x.com/search?q=%24TEA",
		"example.com/timetables…": "https://t.co/aaaaaaaaaa",
		"View on X":               "https://x.com/ada_example/status/101",
	} {
		if links[text] != want {
			t.Errorf("the link %q goes to %q, want %q", text, links[text], want)
		}
	}
	b.click(`li[data-id="107"] summary`)
	b.until("the veil is lifted", `document.querySelector('li[data-id="107"] .text').checkVisibility()`)
	if got := shown("107", ".text"); got != "What not all want to see" {
		t.Errorf("behind the veil is %q", got)
	}
	b.js(`document.activeElement.blur(); document.querySelector('li[data-id="107"] details').open = false`)

	b.scheme("light")
	b.do(chromedp.EmulateViewport(1000, 1500))
	b.screenshot("kinds-light")
	b.scheme("dark")
	b.do(chromedp.EmulateViewport(390, 1900, chromedp.EmulateScale(2), chromedp.EmulateMobile))
	b.screenshot("kinds-dark-phone")
}

// A list to which Posts come one soon after the other jumps to its top, or it would
// never rest; after a calm it glides.
func TestColumnGlides(t *testing.T) {
	needBrowser(t)
	s := start(t, freeAddr(t), "--rate", "1")
	b := open(t, s.url, s.url+"/")
	got := eval[[]bool](b, `(async () => {
		const { Column } = await import('/column.js');
		const { filterOf } = await import('/filter.js');
		const { parse } = await import('/message.js');
		const now = performance.now.bind(performance);
		const loaded = now();
		performance.now = () => now() - loaded; // as on a page that has just been loaded
		const column = new Column(filterOf({}), { paused: () => false, changed() {} });
		document.querySelector('#columns').append(column.element);
		let id = 0;
		const glides = () => {
			const raw = JSON.stringify({ data: { id: String(++id), text: 'one of many' } });
			column.add({ message: parse(raw), raw });
			column.raise();
			return column.scroller.scrollTop > 0;
		};
		const said = [glides(), glides(), glides()]; // into an empty list nothing glides
		await new Promise((done) => setTimeout(done, 600));
		said.push(glides(), glides());
		return said;
	})()`)
	if want := []bool{false, true, false, true, false}; !slices.Equal(got, want) {
		t.Errorf("the list glides: %v, want %v", got, want)
	}
}
