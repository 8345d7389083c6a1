// The rules at X: listed, tried on the history, added and deleted.

import { card } from './card.js';
import { count, el, iconButton, isolated, posts, say } from './element.js';
import { parse } from './message.js';
import { ask } from './server.js';

/** rules returns the panel's part. has says whether there is an X behind the page. */
export function rules(has, deps) {
  const list = el('ul', { className: 'rules', 'aria-label': 'Rules at X' });
  const tag = el('input', { id: 'rule-tag', autocomplete: 'off', maxLength: 100, required: true });
  const value = el('textarea', { id: 'rule-value', rows: 3, spellcheck: false, required: true, placeholder: 'cats OR #cats lang:en -is:retweet', 'aria-describedby': 'rule-says' });
  const says = el('div', { id: 'rule-says', className: 'says', role: 'status' });
  const tryIt = el('button', { type: 'button' }, 'Try on the history');
  const add = el('button', { type: 'submit', className: 'main' }, 'Add');
  const form = el('form', 'rule-form',
    el('h3', '', 'A new rule'),
    el('label', 'field', el('span', '', 'Tag'), tag),
    el('label', 'field', el('span', '', 'What it looks for'), value),
    el('div', 'row', tryIt, add),
    says);
  const root = el('div', 'part', el('h3', '', 'Rules at X'), list, form);
  const body = () => ({ tag: tag.value, value: value.value });

  const attempt = async (button, f) => {
    button.disabled = true;
    value.removeAttribute('aria-invalid');
    try {
      await f();
    } catch (e) {
      says.replaceChildren(...fault(e, value));
      if (e.status === 422) value.setAttribute('aria-invalid', 'true');
    } finally {
      button.disabled = false;
    }
  };
  tryIt.onclick = () => attempt(tryIt, async () => {
    const got = await ask('/rules/try', { body: body() });
    const share = got.of > 0 ? ` (${(100 * got.matched / got.of).toFixed(1)} %)` : '';
    says.replaceChildren(
      el('p', 'result', got.of === 0 ? 'The history is empty: there is nothing to try it on.' : `It matches ${count(got.matched)} of the newest ${posts(got.of)}${share}.`),
      el('ol', 'posts', ...got.posts.flatMap((raw) => {
        const message = parse(raw);
        return message ? [card(message, () => deps.open({ message, raw }))] : [];
      })));
  });
  form.onsubmit = (e) => {
    e.preventDefault();
    attempt(add, async () => {
      const rule = await ask('/rules', { body: body() });
      says.replaceChildren(el('p', 'result good', `X has it. A column `, el('button', { type: 'button', className: 'plain', onclick: () => deps.addColumn(rule.tag) }, isolated(rule.tag)), ' would show its Posts.'));
      form.reset();
      await update();
    });
  };

  async function update() {
    if (!has()) {
      root.replaceChildren(el('p', 'hint', 'The Posts come from a streamer in another process: its rules are kept there, by “streamer rules”.'));
      return;
    }
    const got = await ask('/rules');
    deps.known(got.rules);
    form.hidden = !got.change;
    const focused = list.contains(document.activeElement);
    list.replaceChildren(...got.rules.map((r) => el('li', { 'data-rule': r.id }, el('b', '', isolated(r.tag || 'untagged')), el('code', '', isolated(r.value)),
      ...(got.change ? [iconButton('close', `Delete the rule ${r.tag}`, () => remove(r))] : []))));
    if (got.rules.length === 0) list.append(el('li', 'hint', 'There are none.'));
    if (focused) (list.querySelector('button') ?? tag).focus();
  }

  async function remove(r) {
    try {
      await ask(`/rules/${encodeURIComponent(r.id)}`, { method: 'DELETE' });
      say(`Rule ${r.tag} deleted`);
      await update();
    } catch (e) {
      says.replaceChildren(...fault(e));
    }
  }
  return { root, every: 10_000, update };
}

// fault shows what is wrong, and in the rule the place where it is.
function fault(e, field) {
  const words = el('p', 'alarm', e.message);
  if (!e.pos || !field) return [words];
  const characters = Array.from(field.value.trim());
  const at = Math.min(e.pos - 1, characters.length);
  const text = (from, to) => characters.slice(from, to).join('');
  const start = field.value.length - field.value.trimStart().length + text(0, at).length;
  field.focus();
  field.setSelectionRange(start, start + (characters[at] ?? '').length);
  return [words, el('pre', 'place', text(Math.max(0, at - 60), at), el('mark', { title: `character ${e.pos}` }, characters[at] ?? ' '), text(at + 1, at + 60))];
}
