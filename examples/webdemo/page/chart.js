// Posts a minute as small charts, one below the other on the same scale, with a table
// for those who do not see them.

import { count, el, isolated, posts, shape } from './element.js';

const width = 300;
const height = 44;

/** charts draws series, [{ name, minutes }] of numbers, the last one not over yet. */
export function charts(series, until) {
  const length = shownMinutes(series);
  const cut = series.map((s) => ({ ...s, minutes: s.minutes.slice(-length) }));
  const most = Math.max(1, ...cut.flatMap((s) => s.minutes));
  return el('div', 'charts',
    ...cut.map((s, i) => chart(s, most, i)),
    el('p', 'axis', el('span', '', `${length} minutes ago`), el('span', '', 'now')),
    table(cut, until));
}

// shownMinutes leaves out the time before the first Post, but for the last quarter
// of an hour.
function shownMinutes(series) {
  const all = series[0]?.minutes.length ?? 0;
  const first = Math.min(all, ...series.map((s) => s.minutes.findIndex((n) => n > 0)).filter((i) => i >= 0));
  return Math.min(all, Math.max(15, all - first));
}

function chart({ name, minutes }, most, i) {
  const step = width / Math.max(1, minutes.length - 1);
  const y = (n) => (height - 3 - (n / most) * (height - 8)).toFixed(1);
  const points = minutes.map((n, at) => `${(at * step).toFixed(1)},${y(n)}`);
  const whole = minutes.slice(0, -1).some((n) => n > 0); // a minute is over since the first Post
  const before = minutes.at(whole ? -2 : -1) ?? 0;
  const sum = minutes.reduce((a, b) => a + b, 0);
  const said = `${name}: ${posts(before)} in the ${whole ? 'last whole' : 'first'} minute, at most ${count(Math.max(...minutes))} a minute, ${count(sum)} in ${minutes.length} minutes`;
  const svg = shape('svg', { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': said },
    shape('path', { class: 'area', d: `M0,${height}L${points.join('L')}L${width},${height}Z` }),
    shape('path', { class: 'line', d: `M${points.join('L')}`, 'vector-effect': 'non-scaling-stroke' }));
  return el('figure', `chart hue-${i % 6}`, el('figcaption', '', el('span', 'name', isolated(name)), el('span', '', el('b', '', count(before)), whole ? ' a minute' : ' so far')), svg);
}

function table(series, until) {
  const rows = [];
  const length = Math.min(10, series[0]?.minutes.length ?? 0);
  for (let back = 1; back <= length; back++) {
    const at = new Date(until - back * 60_000).toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' });
    rows.push(el('tr', '', el('th', { scope: 'row' }, at), ...series.map((s) => el('td', '', count(s.minutes.at(-back))))));
  }
  return el('details', 'astable', el('summary', '', 'The last ten minutes as a table'),
    el('div', { className: 'scrolls', tabIndex: 0, role: 'region', 'aria-label': 'Posts a minute' },
      el('table', '', el('thead', '', el('tr', '', el('th', { scope: 'col' }, 'Minute'), ...series.map((s) => el('th', { scope: 'col' }, isolated(s.name))))), el('tbody', '', ...rows))));
}
