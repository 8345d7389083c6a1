// A Post in detail: as it is shown, the rules that it matched, and the message as X
// sent it.

import { card } from './card.js';
import { el, iconButton, say } from './element.js';

const dialog = () => document.getElementById('detail');

/** showDetail opens the dialog for an item: { message, raw }. values are rules by their id. */
export function showDetail({ message, raw }, values) {
  const copy = el('button', { type: 'button', className: 'plain' }, 'Copy');
  copy.onclick = async () => {
    try {
      await navigator.clipboard.writeText(raw);
      say('Copied');
      copy.textContent = 'Copied';
    } catch {
      getSelection().selectAllChildren(text);
      copy.textContent = 'Selected';
    }
  };
  const text = el('pre', { tabIndex: 0, role: 'region', 'aria-label': 'The message as X sent it' }, indent(raw));
  const rules = message.rules.map((r) => el('li', '', el('b', '', r.tag || 'untagged'), ' ', el('code', '', values.get(r.id) ?? `rule ${r.id}`)));
  dialog().dataset.id = message.id;
  dialog().replaceChildren(el('div', 'sheet wide',
    el('header', '', el('h2', { id: 'detail-title', tabIndex: -1, autofocus: true }, 'A Post in detail'), iconButton('close', 'Close', () => dialog().close())),
    el('ol', 'posts', card(message)),
    el('h3', '', 'Matched rules'),
    rules.length > 0 ? el('ul', 'matched', ...rules) : el('p', 'hint', 'None came along with it.'),
    el('div', 'row', el('h3', '', 'The message'), copy),
    text));
  dialog().showModal();
}

/** hideDetail closes the dialog if it shows one of these Posts. */
export function hideDetail(ids) {
  if (dialog().open && ids.includes(dialog().dataset.id)) dialog().close();
}

// indent lays JSON out without reading it: numbers stay as they came.
function indent(raw) {
  let out = '';
  let depth = 0;
  let quoted = false;
  const line = () => '\n' + '  '.repeat(Math.min(depth, 40));
  for (let i = 0; i < raw.length; i++) {
    const c = raw[i];
    if (quoted) {
      out += c;
      if (c === '\\') out += raw[++i] ?? '';
      else if (c === '"') quoted = false;
    } else if (c === '"') {
      quoted = true;
      out += c;
    } else if (c === '{' || c === '[') {
      const empty = raw[i + 1] === (c === '{' ? '}' : ']');
      if (empty) out += c + raw[++i];
      else {
        depth++;
        out += c + line();
      }
    } else if (c === '}' || c === ']') {
      depth--;
      out += line() + c;
    } else if (c === ',') out += c + line();
    else if (c === ':') out += ': ';
    else if (!/\s/.test(c)) out += c;
  }
  return out;
}
