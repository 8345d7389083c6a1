// A search in the history.

import { card } from './card.js';
import { el, posts, set } from './element.js';
import { fold } from './filter.js';
import { parse } from './message.js';
import { ask } from './server.js';

const calm = 250; // milliseconds without a key

/** search returns the panel's part. */
export function search(open) {
  const input = el('input', { type: 'search', id: 'search', autocomplete: 'off', maxLength: 200, 'aria-describedby': 'found', placeholder: 'Words, names' });
  const found = el('p', { id: 'found', className: 'hint', role: 'status' }, 'In the history, by the beginnings of words.');
  const list = el('ol', { className: 'posts', 'aria-label': 'Found' });
  const more = el('button', { type: 'button', className: 'older', hidden: true, onclick: () => find(true) }, 'Show older Posts');
  const form = el('form', { role: 'search', onsubmit: (e) => { e.preventDefault(); find(false); } }, el('label', 'field', el('span', '', 'Search what came'), input));
  let timer;
  let under = null; // the question that is asked

  input.oninput = () => {
    clearTimeout(timer);
    timer = setTimeout(() => find(false), calm);
  };

  async function find(older) {
    clearTimeout(timer);
    under?.abort();
    under = new AbortController();
    const words = input.value.trim();
    if (fold(words).trim() === '') {
      list.replaceChildren();
      more.hidden = true;
      set(found, 'In the history, by the beginnings of words.');
      return;
    }
    const q = new URLSearchParams({ q: words });
    if (older && list.lastElementChild) q.set('before', list.lastElementChild.dataset.id);
    list.setAttribute('aria-busy', 'true');
    try {
      const got = await ask('/posts?' + q, { signal: under.signal });
      const cards = got.posts.flatMap((raw) => {
        const message = parse(raw);
        return message ? [card(message, () => open({ message, raw }))] : [];
      });
      if (older) list.append(...cards);
      else list.replaceChildren(...cards);
      more.hidden = !got.more;
      const n = list.childElementCount;
      set(found, n === 0 ? (got.late ? 'Nothing was found in time.' : 'Nothing in the history has these words.') : `${posts(n)}${got.more ? ' so far' : ''}${got.late ? '; the time was up' : ''}, newest first.`);
      if (older) cards[0]?.firstElementChild.focus();
    } catch (e) {
      if (e.name !== 'AbortError') set(found, e.message);
    } finally {
      list.removeAttribute('aria-busy');
    }
  }

  return {
    root: el('div', 'part', form, found, list, more),
    every: 0,
    update: async () => {},
    focus: () => input.select(),
    drop(ids) {
      for (const li of [...list.children]) if (ids.includes(li.dataset.id)) li.remove();
    },
  };
}
