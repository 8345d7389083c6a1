import { connect } from './client.js'; // of package wshub
import { read } from './message.js';
import { Timeline } from './timeline.js';

const $ = (id) => document.getElementById(id);
const count = new Intl.NumberFormat();
const posts = (n) => `${count.format(n)} ${n === 1 ? 'Post' : 'Posts'}`;

// A connection begins with Posts of before, which say nothing about the rate.
const catchUp = 500; // milliseconds

const state = { total: 0, paused: false, connection: 'connecting', retryAt: 0, rateFrom: 0, came: [] };

// The list stays still while it is paused, or while somebody reads further down
// or is in it with the keyboard.
const reading = () => window.scrollY > 60 || ($('posts').contains(document.activeElement) && document.activeElement !== $('posts'));
const timeline = new Timeline($('posts'), () => state.paused || reading(), show);

// Tags.

const tags = new Map(); // by name: how many Posts, and the button
const tagsAtMost = 40;
const chosen = new Set();

function countTags(names) {
  for (const name of names.length > 0 ? names : ['']) {
    let tag = tags.get(name);
    if (!tag) {
      if (tags.size >= tagsAtMost) continue;
      tag = { posts: 0, button: tagButton(name || 'untagged', () => toggle(name)) };
      tags.set(name, tag);
      // By name, so that a button keeps its place among the others.
      const after = [...tags.keys()].filter((n) => n !== '' && n.localeCompare(name) > 0).sort((a, b) => a.localeCompare(b))[0];
      $('tags').insertBefore(tag.button, name === '' ? null : tags.get(after)?.button ?? tags.get('')?.button ?? null);
      $('tags').hidden = tags.size === 1 && tags.has('');
    }
    tag.posts++;
  }
}

function tagButton(name, onclick) {
  const button = document.createElement('button');
  button.type = 'button';
  button.title = name;
  button.onclick = onclick;
  button.setAttribute('aria-pressed', 'false');
  const label = document.createElement('bdi');
  label.className = 'name';
  label.textContent = name;
  const number = document.createElement('span');
  number.className = 'count';
  button.append(label, number);
  return button;
}

const all = tagButton('All', () => toggle(null));
$('tags').append(all);

function toggle(name) {
  if (name === null) chosen.clear();
  else if (!chosen.delete(name)) chosen.add(name);
  timeline.choose(chosen);
  window.scrollTo(0, 0);
  say(chosen.size === 0 ? 'Showing all Posts' : `Showing ${[...chosen].map((n) => n || 'untagged').join(', ')}`);
  show();
}

// The bar.

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function show() {
  const waiting = timeline.waiting;
  set($('total'), count.format(state.total));
  set($('rate'), rate(performance.now()));

  set(all.lastElementChild, count.format(state.total));
  all.setAttribute('aria-pressed', String(chosen.size === 0));
  for (const [name, tag] of tags) {
    set(tag.button.lastElementChild, count.format(tag.posts));
    tag.button.setAttribute('aria-pressed', String(chosen.has(name)));
  }

  $('pause').setAttribute('aria-pressed', String(state.paused));
  set($('pause-text'), state.paused ? 'Resume' : 'Pause');
  set($('waiting'), count.format(waiting));
  $('waiting').hidden = !state.paused || waiting === 0;

  $('news').hidden = state.paused || waiting === 0 || !reading();
  set($('news'), `${count.format(waiting)} new ${waiting === 1 ? 'Post' : 'Posts'}`);

  showState();
  showEmpty();
}

function showState() {
  const words = {
    connecting: 'Connecting',
    live: state.paused ? 'Paused' : 'Live',
    waiting: `Reconnecting in ${Math.max(0, Math.ceil((state.retryAt - Date.now()) / 1000))} s`,
  };
  const s = state.connection === 'live' && state.paused ? 'paused' : state.connection;
  $('state').dataset.state = s;
  set($('state-text'), words[state.connection]);
  $('retry').hidden = state.connection !== 'waiting';
  document.title = state.connection === 'live' ? (state.paused && timeline.waiting > 0 ? `(${count.format(timeline.waiting)}) tweetstream` : 'tweetstream') : 'tweetstream (not connected)';
}

function showEmpty() {
  $('empty').hidden = timeline.length > 0;
  if (timeline.length > 0) return;
  if (state.connection !== 'live') {
    set($('empty-title'), state.total === 0 ? 'Connecting' : 'Not connected');
    set($('empty-text'), 'Posts appear here once the server answers.');
  } else if (state.paused && timeline.waiting > 0) {
    set($('empty-title'), 'Paused');
    set($('empty-text'), `${posts(timeline.waiting)} ${timeline.waiting === 1 ? 'waits' : 'wait'}: press Resume to see them.`);
  } else if (chosen.size > 0) {
    set($('empty-title'), 'No Posts with these tags yet');
    set($('empty-text'), 'They appear here as they come in.');
  } else {
    set($('empty-title'), 'Waiting for Posts');
    set($('empty-text'), 'They appear here as they come in.');
  }
}

// rate is how many Posts a second came in the last five seconds.
function rate(now) {
  while (state.came.length > 0 && state.came[0].at < now - 5_000) state.came.shift();
  const n = state.came.reduce((sum, c) => sum + c.posts, 0) / Math.min(5, Math.max(1, (now - state.rateFrom) / 1000));
  return n > 0 && n < 9.95 ? n.toFixed(1) : count.format(Math.round(n));
}

function counted() {
  const now = performance.now();
  state.total++;
  if (now < state.rateFrom) return;
  const last = state.came.at(-1);
  if (last && now - last.at < 100) last.posts++;
  else state.came.push({ at: now, posts: 1 });
}

$('pause').onclick = () => {
  state.paused = !state.paused;
  say(state.paused ? 'Paused' : `${posts(timeline.waiting)} more`);
  if (!state.paused) latest();
  show();
};

$('news').onclick = () => {
  $('posts').focus({ preventScroll: true }); // the button is about to go
  latest();
};

function latest() {
  window.scrollTo(0, 0);
  timeline.show();
}

addEventListener('scroll', () => timeline.update(), { passive: true });
$('posts').addEventListener('focusout', () => timeline.update());
setInterval(show, 500);
setInterval(() => timeline.tick(), 5_000);

// What a screen reader says: changes at once, Posts by their number and seldom.

const saysEvery = 20_000;
let said = 0;

function say(words) {
  $('says').textContent = words;
}

setInterval(() => {
  if (state.total > said && !state.paused) say(`${posts(state.total - said)} came in`);
  said = state.total;
}, saysEvery);

// The feed.

const feed = connect('/ws', {
  onpost(_, raw) {
    const message = read(raw);
    if (message && timeline.add(message)) {
      counted();
      countTags(message.tags);
    }
  },
  onstate(connection, retryAt) {
    if (connection !== 'connecting' && connection !== state.connection) {
      say(connection === 'live' ? 'Connected' : 'The connection is lost. It is tried again.');
    }
    if (connection === 'live') state.rateFrom = performance.now() + catchUp;
    state.connection = connection;
    state.retryAt = retryAt;
    show();
  },
});
$('retry').onclick = feed.retry;
