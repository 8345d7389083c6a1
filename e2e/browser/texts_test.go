package browser_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// texts defines odd(raws), which shows messages as the page does and returns what is
// not shown as plain text: elements that no card has, and texts that are others than
// X's, in which links are written short and & < > are escaped.
const texts = `window.odd = async (raws) => {
	const { card } = await import('/card.js');
	const { parse } = await import('/message.js');
	const ours = new Set('LI ARTICLE DIV P A SPAN BDI TIME BUTTON svg path DETAILS SUMMARY UL BLOCKQUOTE'.split(' '));
	const box = document.body.appendChild(document.createElement('ol'));
	const out = [];
	for (const raw of raws) {
		const li = card(parse(raw), () => {});
		box.append(li);
		for (const e of li.querySelectorAll('*')) {
			if (!ours.has(e.tagName)) out.push(e.tagName + ' in ' + raw);
			for (const a of e.attributes) if (a.name.startsWith('on') || a.name === 'srcdoc' || a.name === 'href' && !a.value.startsWith('https://')) out.push(a.name + ' in ' + raw);
		}
		const message = JSON.parse(raw);
		const others = message.includes?.tweets ?? message.includes?.posts ?? [];
		const reposted = (message.data.referenced_tweets ?? message.data.referenced_posts ?? []).find((r) => r.type === 'retweeted' || r.type === 'reposted');
		const post = others.find((o) => o.id === reposted?.id) ?? message.data;
		const note = post.note_tweet ?? post.note_post;
		let want = note?.text ?? post.text;
		for (const u of (note?.text ? note.entities : post.entities)?.urls ?? []) want = want.replaceAll(u.url, u.display_url ?? u.url);
		want = want.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
		const got = li.querySelector('.text')?.textContent ?? '';
		if (got !== want) out.push(JSON.stringify([got, want]));
	}
	box.remove();
	return out;
};`

// The simulated X makes up Posts that try what breaks those who show them. They are
// text, letter by letter.
func TestMadeUpTexts(t *testing.T) {
	needBrowser(t)
	s := start(t, freeAddr(t), "--rate", "1000")
	b := open(t, s.url, s.url+"/")
	b.until("there are many", total+` > 4000`)
	b.js(texts)
	if n := eval[int](b, `(async () => {
		window.all = [];
		for (let before = '', n = 0; n < 12; n++) {
			const { posts } = await (await fetch('/posts?limit=200' + (before && '&before=' + before))).json();
			if (posts.length === 0) break;
			all.push(...posts);
			before = JSON.parse(posts.at(-1)).data.id;
		}
		return all.length;
	})()`); n < 2000 {
		t.Fatalf("the history has %d Posts", n)
	}
	for _, what := range []string{"<script>", `\u0000`, "javascript:", "DROP TABLE", "\u202e", "<i>"} {
		quoted, _ := json.Marshal(what)
		if n := eval[int](b, fmt.Sprintf(`all.filter((raw) => raw.replaceAll('&lt;', '<').replaceAll('&gt;', '>').includes(%s)).length`, quoted)); n == 0 {
			t.Errorf("no Post has %q", what)
		}
	}
	if diff := cmp.Diff([]string{}, eval[[]string](b, `odd(all)`)); diff != "" {
		t.Errorf("not shown as text (-want +got):\n%.3000s", diff)
	}
}
