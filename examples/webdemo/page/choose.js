// The dialog in which a column is chosen: its tag and its filter, and what can be
// exported of it.

import { el, iconButton } from './element.js';
import { filterOf, none, query } from './filter.js';

const languages = [['', 'Any'], ['en', 'English'], ['ja', 'Japanese'], ['es', 'Spanish'], ['pt', 'Portuguese'], ['de', 'German'], ['fr', 'French'], ['it', 'Italian'], ['ar', 'Arabic'], ['ko', 'Korean'], ['hi', 'Hindi'], ['tr', 'Turkish'], ['nl', 'Dutch'], ['pl', 'Polish'], ['und', 'Not known']];

/** choose asks for a filter; null if there is to be none. tags are offered. */
export function choose(tags, filter) {
  const dialog = document.getElementById('choose');
  const given = filter ?? none;
  const field = (label, input, hint) => el('label', 'field', el('span', '', label), input, ...(hint ? [el('small', '', hint)] : []));
  const tag = el('select', { name: 'tag', autofocus: true }, el('option', { value: '' }, 'Everything'), ...[...new Set([...tags, given.tag])].filter(Boolean).sort((a, b) => a.localeCompare(b)).map((t) => el('option', { value: t }, t)));
  tag.value = given.tag;
  const words = el('input', { name: 'words', value: given.words.join(', '), autocomplete: 'off', maxLength: 200 });
  const known = languages.some(([code]) => code === (given.langs[0] ?? ''));
  const lang = el('select', { name: 'lang' }, ...[...languages, ...(known ? [] : [[given.langs[0], given.langs[0]]])].map(([code, name]) => el('option', { value: code }, name)));
  lang.value = given.langs[0] ?? '';
  const media = el('input', { type: 'checkbox', checked: given.media, name: 'media' });
  const sensitive = el('input', { type: 'checkbox', checked: !given.sensitive, name: 'sensitive' });
  const chosen = () => filterOf({ tag: tag.value, words: words.value.split(',').map((w) => w.trim()), langs: lang.value ? [lang.value] : [], sensitive: !sensitive.checked, media: media.checked });
  const exported = (what, label) => el('a', { href: `/export/${what}?${query(given)}`, download: '' }, label);
  const form = el('form', { className: 'sheet', method: 'dialog' },
    el('header', '', el('h2', { id: 'choose-title' }, filter ? 'Filter of this column' : 'A new column'), iconButton('close', 'Close', () => dialog.close())),
    field('Posts that matched a rule of', tag),
    field('with one of these words', words, 'Separated by commas. Leave it empty for any.'),
    field('in the language', lang),
    el('label', 'check', media, el('span', '', 'Only with photos or videos')),
    el('label', 'check', sensitive, el('span', '', 'Nothing that may be sensitive')),
    ...(filter ? [el('p', 'export', 'Export as NDJSON, out of the history: ', exported('ids', 'ids'), ' or ', exported('posts', 'at most 500 whole Posts'))] : []),
    el('footer', '', el('button', { type: 'submit', className: 'main' }, filter ? 'Apply' : 'Add column')));
  dialog.replaceChildren(form);
  return new Promise((done) => {
    form.onsubmit = (e) => {
      e.preventDefault();
      dialog.onclose = null;
      dialog.close();
      done(chosen());
    };
    dialog.onclose = () => done(null);
    dialog.showModal();
  });
}
