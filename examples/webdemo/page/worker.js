// The feed, in a thread of its own: however many Posts come, the page stays free. It
// hands over what the columns can show, and counts what is skipped.

import { connect } from './client.js'; // of package wshub
import { passes } from './filter.js';
import { read } from './message.js';

const every = 200; // milliseconds between two hand-overs
const perSecond = 25; // Posts that a column gets; nobody reads more
const flood = 1000; // Posts a second from which on it gets fewer: those are a sample anyway, and the page stays calm
const perSecondOfFlood = 5;
const atOnce = 300; // that it may get after a calm, or at the start

let columns = []; // { id, filter, left }
let out = [];
let came = 0;
let skipped = 0;

function receive(message, raw) {
  came++;
  if (columns.length > 0 && columns.every((c) => c.left < 1)) {
    skipped++;
    return;
  }
  const post = read(message);
  if (!post) return;
  const to = [];
  let wanted = false;
  for (const c of columns) {
    if (!passes(c.filter, post)) continue;
    wanted = true;
    if (c.left >= 1) {
      c.left--;
      to.push(c.id);
    }
  }
  if (to.length > 0) out.push({ message: post, raw, to });
  else if (wanted) skipped++;
}

setInterval(() => {
  const gets = came * 1000 / every < flood ? perSecond : perSecondOfFlood;
  for (const c of columns) c.left = Math.min(atOnce, c.left + gets * every / 1000);
  if (came === 0 && out.length === 0) return;
  postMessage({ posts: out, came, skipped });
  out = [];
  came = skipped = 0;
}, every);

let feed;

function start(since) {
  feed = connect('/ws', {
    since,
    onpost: receive,
    ondelete: (ids) => {
      out = out.filter((o) => !ids.includes(o.message.id));
      postMessage({ deleted: ids });
    },
    ongap: (gap) => {
      skipped += gap.reason === 'slow' ? gap.missed ?? 0 : 0;
      postMessage({ gap });
    },
    onstate: (state, retryAt) => postMessage({ state, retryAt }),
  });
}

onmessage = ({ data }) => {
  if (data.columns) {
    columns = data.columns.map(({ id, filter }) => ({ id, filter, left: columns.find((c) => c.id === id)?.left ?? atOnce }));
  }
  if (data.start) start(data.since);
  if (data.retry) feed?.retry();
};
