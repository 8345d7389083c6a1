// What the server has counted: Posts a minute for each tag, top authors and hashtags.

import { charts } from './chart.js';
import { anchor, count, el, isolated } from './element.js';
import { ask } from './server.js';

/** figures returns the panel's part, and how it is brought up to date. */
export function figures(addColumn) {
  const root = el('div', 'part');
  return {
    root,
    every: 5_000,
    async update() {
      const open = root.querySelector('details')?.open;
      show(root, await ask('/insights'), addColumn);
      const table = root.querySelector('details');
      if (table) table.open = open ?? false;
    },
  };
}

function show(root, { until, minutes, tags, authors, hashtags }, addColumn) {
  if (root.contains(document.activeElement) && document.activeElement.matches('.astable *')) return; // somebody reads it
  const series = [{ name: 'All', minutes }, ...tags.map((t) => ({ name: t.tag, minutes: t.minutes }))];
  const focused = document.activeElement?.dataset.name;
  root.replaceChildren(
    el('h3', '', 'Posts a minute'),
    charts(series, new Date(until)),
    el('h3', '', 'Top authors', el('small', '', ' of the last hour')),
    top(authors, (a) => link(`https://x.com/${encodeURIComponent(a.name)}`, '@' + a.name)),
    el('h3', '', 'Top hashtags', el('small', '', ' of the last hour')),
    top(hashtags, (h) => el('button', { type: 'button', className: 'plain', title: 'A column for it', 'data-name': h.name, onclick: () => addColumn(h.name) }, isolated('#' + h.name))));
  if (focused) [...root.querySelectorAll('[data-name]')].find((e) => e.dataset.name === focused)?.focus();
}

function link(href, text) {
  const a = anchor(href);
  a.append(isolated(text));
  return a;
}

function top(list, name) {
  if (list.length === 0) return el('p', 'hint', 'None yet.');
  const most = list[0].posts;
  return el('ol', 'top', ...list.map((one) => {
    const li = el('li', '', el('span', 'name', name(one)), el('span', 'bar-of', el('span')), el('b', '', count(one.posts)));
    li.querySelector('.bar-of > span').style.width = `${100 * one.posts / most}%`;
    return li;
  }));
}
