import { choose } from './choose.js';
import { Columns } from './columns.js';
import { hideDetail, showDetail } from './detail.js';
import { count, el, icon, posts, say, set } from './element.js';
import { openFeed } from './feed.js';
import { figures } from './figures.js';
import { none, passes } from './filter.js';
import { about, listen } from './keys.js';
import { parse } from './message.js';
import { Panel } from './panel.js';
import { pipeline } from './pipeline.js';
import { rules } from './rules.js';
import { search } from './search.js';
import { ask, every } from './server.js';
import { Standing } from './standing.js';

const $ = (id) => document.getElementById(id);
for (const e of document.querySelectorAll('[data-icon]')) e.prepend(icon(e.dataset.icon));

const standing = new Standing();
const tags = new Set(); // that are known
const values = new Map(); // of rules, by id
let paused = false;
let waiting = 0; // Posts that came while it is paused

// The columns.

let planned = false;
let turn = 0; // the place of the column that builds cards next

function changed() {
  if (planned) return;
  planned = true;
  requestAnimationFrame(frame);
}

function frame() {
  planned = false;
  // One column a frame: for each the page is laid out anew.
  const all = columns.all;
  const next = all.findIndex((c, i) => i >= turn && c.ready);
  const i = next < 0 ? all.findIndex((c) => c.ready) : next;
  if (i >= 0) {
    all[i].raise();
    turn = i + 1;
    if (all.some((c) => c.ready)) changed();
  }
  show();
}

const open = (item) => showDetail(item, values);
const columns = new Columns($('columns'), $('strip'), {
  paused: () => paused,
  open,
  changed,
  listen: (all) => feed.columns(all),
  edit,
});

async function edit(column) {
  const filter = await choose(tags, column.filter);
  if (filter) columns.choose(column, filter);
}

async function addColumn() {
  const filter = await choose(tags, null);
  if (filter) columns.add(filter);
}

// What the server says of itself.

let latest = null;
let asking = null;

function stats() {
  asking ??= ask('/stats').then((s) => {
    latest = s;
    s.tags.forEach((t) => tags.add(t));
    standing.stats(s);
    return s;
  }).finally(() => { asking = null; });
  return asking;
}

// The panel.

const wordsColumn = (word) => columns.add({ ...none, words: [word] });
const found = search(open);
const panel = new Panel($('panel'), $('open-panel'), {
  figures: { label: 'Figures', ...figures(wordsColumn) },
  pipeline: { label: 'Pipeline', ...pipeline(stats) },
  rules: {
    label: 'Rules',
    ...rules(() => latest?.source !== undefined, {
      open,
      addColumn: (tag) => columns.add({ ...none, tag }),
      known(list) {
        for (const r of list) {
          values.set(r.id, r.value);
          if (r.tag) tags.add(r.tag);
        }
      },
    }),
  },
  search: { label: 'Search', ...found },
});

// The bar.

function show() {
  set($('total'), count(standing.total));
  set($('rate'), standing.rate(performance.now()));
  $('pause').setAttribute('aria-pressed', String(paused));
  set($('pause-text'), paused ? 'Resume' : 'Pause');
  set($('waiting'), count(waiting));
  $('waiting').hidden = !paused || waiting === 0;

  const { state, words, notice, alarm } = standing.now(paused);
  $('state').dataset.state = state;
  set($('state-text'), words);
  set($('notice-text'), notice);
  $('notice').hidden = notice === '';
  $('notice').dataset.alarm = alarm;
  $('retry').hidden = standing.connection !== 'waiting';
  document.title = standing.connection !== 'live' ? 'tweetstream (not connected)' : paused && waiting > 0 ? `(${count(waiting)}) tweetstream` : 'tweetstream';
  for (const c of columns.all) c.show(standing.empty());
}

function pause() {
  paused = !paused;
  say(paused ? 'Paused' : `${posts(waiting)} more`);
  waiting = 0;
  if (!paused) columns.all.forEach((c) => c.latest());
  changed();
}

$('pause').onclick = pause;
$('add').onclick = addColumn;
$('retry').onclick = () => feed.retry();
$('help').onclick = () => about(bindings, settings);

setInterval(() => document.hidden || changed(), 500);
setInterval(() => document.hidden || columns.all.forEach((c) => c.tick(Date.now())), 5_000);

// What a screen reader says: changes at once, Posts by their number and seldom.
const saysEvery = 20_000;
let said = 0;
setInterval(() => {
  if (standing.total > said && !paused) say(`${posts(standing.total - said)} came in`);
  said = standing.total;
}, saysEvery);

// The feed.

const feed = openFeed((data) => {
  if (data.posts) {
    standing.came(data.came, data.skipped, performance.now());
    if (paused) waiting += data.came;
    for (const { message, raw, to } of data.posts) {
      message.tags.forEach((t) => tags.size < 200 && tags.add(t));
      for (const c of columns.all) if (to.includes(c.id) && passes(c.filter, message)) c.add({ message, raw });
    }
  }
  if (data.deleted) {
    for (const c of columns.all) c.drop(data.deleted);
    found.drop(data.deleted);
    hideDetail(data.deleted);
  }
  if (data.gap) standing.gap(data.gap);
  if (data.state) {
    const back = data.state === 'live' && standing.wasLive;
    const words = standing.connected(data.state, data.retryAt, performance.now());
    if (words) say(words);
    if (back) columns.all.forEach((c) => c.fill());
  }
  changed();
});

// Keys.

const current = () => columns.all.find((c) => c.element.contains(document.activeElement));

function step(by) {
  const c = current() ?? columns.all[0];
  if (!c) return;
  const cards = [...c.list.querySelectorAll('article.post')];
  const at = cards.findIndex((a) => a.contains(document.activeElement));
  const next = at < 0 ? cards[0] : cards[at + by];
  if (next) next.focus();
  else if (by < 0) c.latest();
  else if (!c.older.hidden) c.older.focus();
}

function sideways(by) {
  const c = current();
  const to = columns.all[c ? columns.all.indexOf(c) + by : 0];
  if (to) columns.reveal(to);
}

const withColumn = (f) => () => {
  const c = current();
  return c ? f(c) : false;
};

const bindings = {
  j: ['The next Post of the column', () => step(1)],
  ArrowDown: ['', () => (document.activeElement?.closest?.('article.post') ? step(1) : false)],
  k: ['The Post before', () => step(-1)],
  ArrowUp: ['', () => (document.activeElement?.closest?.('article.post') ? step(-1) : false)],
  h: ['The column on the left', () => sideways(-1)],
  l: ['The column on the right', () => sideways(1)],
  H: ['Move the column to the left', withColumn((c) => columns.move(c, columns.all.indexOf(c) - 1))],
  L: ['Move the column to the right', withColumn((c) => columns.move(c, columns.all.indexOf(c) + 1))],
  Enter: ['The Post in detail', withColumn((c) => {
    const li = document.activeElement.closest('.column li[data-id]');
    return li ? open(c.item(li)) : false;
  })],
  n: ['Jump to the newest', () => (current() ? [current()] : columns.all).forEach((c) => c.latest())],
  p: ['Pause, or go on', pause],
  a: ['Add a column', addColumn],
  e: ['Filter and export of the column', withColumn((c) => { edit(c); })],
  x: ['Remove the column', withColumn((c) => columns.remove(c))],
  '/': ['Search', () => panel.show('search', true)],
  f: ['Figures', () => panel.show('figures', true)],
  i: ['Pipeline', () => panel.show('pipeline', true)],
  r: ['Rules', () => panel.show('rules', true)],
  Escape: ['Close the panel, or leave a Post', () => {
    const c = current();
    if (c?.list.contains(document.activeElement)) c.scroller.focus();
    else if (panel.open && (panel.covers || $('panel').contains(document.activeElement))) panel.close();
    else return false;
  }],
  '?': ['This list', () => about(bindings, settings)],
};
listen(bindings);

function settings() {
  const allowed = new URLSearchParams(location.search).get('pictures') === 'x';
  const box = el('input', { type: 'checkbox', checked: allowed, onchange: () => location.assign(box.checked ? '/?pictures=x' : '/') });
  return [
    el('h3', '', 'Pictures'),
    el('label', 'check', box, el('span', '', 'Load pictures from X. X then sees your address and what you look at; without it nothing is asked for anywhere else.')),
  ];
}

// The beginning: what came before, and behind that the feed, without a hole.

async function begin() {
  const newest = await ask('/posts?limit=1').catch(() => null);
  const s = await stats().catch(() => null);
  const filled = columns.restore(s?.tags ?? []);
  panel.restore();
  every(2_000, () => panel.open !== 'pipeline', stats);
  changed();
  await filled;
  feed.start(parse(newest?.posts[0] ?? '')?.id ?? '');
}

begin();
