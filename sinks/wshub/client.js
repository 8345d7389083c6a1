// The browser's end of package wshub: an ES module without dependencies.
//
//   import { connect } from './client.js';
//   const feed = connect('/ws', { onpost: (post) => show(post) });

const firstWait = 500; // milliseconds, doubling up to
const longestWait = 20_000;
const healthyAfter = 10_000; // a connection that lived for so long was a good one
const silentConnect = 10_000; // a connection that is not there by then will not be

/**
 * @typedef {'connecting' | 'live' | 'waiting' | 'closed'} State
 *
 * @typedef {object} Gap
 * @property {string} [after] the last Post before it, if the hub knows it
 * @property {number} [missed] how many messages, if the hub knows it
 * @property {'gone' | 'slow'} reason
 *
 * @typedef {object} Filter What is given must all hold, and of each list one thing.
 * @property {string[]} [tags] of rules
 * @property {string[]} [langs] as X names them: en, de, ...
 * @property {string[]} [words] or phrases in the full text
 * @property {boolean} [sensitive] false leaves out what may be unfit for some
 *
 * @typedef {object} Options
 * @property {(post: any, raw: string) => void} [onpost] a message of the stream, decoded and as it came
 * @property {(ids: string[]) => void} [ondelete] these Posts are gone: take them away
 * @property {(gap: Gap) => void} [ongap] some Posts do not come
 * @property {(filter: string, error?: string) => void} [onfilter] the filter that is in force from here on
 * @property {(state: State, retryAt: number) => void} [onstate] retryAt is when the next try is due, as Date.now has it; 0 if none is
 * @property {Filter} [filter] by default everything comes
 * @property {string} [since] the id of the Post to go on behind
 * @property {number} [replay] with how many of the newest to begin, if not behind a Post
 *
 * @typedef {object} Feed
 * @property {() => void} retry ends a wait at once
 * @property {(filter: Filter) => void} filter asks for other Posts from now on
 * @property {() => void} close ends it for good
 * @property {() => string} last the id of the newest Post that came, '' if none has
 */

/**
 * connect opens the feed at url and keeps it open: after each end of the
 * connection it comes back, later each time and not at the same moment as others,
 * and goes on behind the Post that came last. url may be relative; http becomes
 * ws. What a function of options throws is told to the console.
 *
 * @param {string | URL} url
 * @param {Options} [options]
 * @returns {Feed}
 */
export function connect(url, options = {}) {
  let last = options.since ?? '';
  let filter = options.filter ?? {};
  let tries = 0;
  let closed = false;
  /** @type {WebSocket | null} */
  let socket = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  /** @param {State} state @param {number} [retryAt] */
  const tell = (state, retryAt = 0) => call(options.onstate, state, retryAt);

  function open() {
    clearTimeout(timer);
    timer = undefined;
    tell('connecting');
    if (closed) return;
    const s = new WebSocket(address(url, last, filter, options.replay));
    socket = s;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let healthy;
    const giveUp = setTimeout(() => s.close(), silentConnect);
    s.onopen = () => {
      clearTimeout(giveUp);
      healthy = setTimeout(() => { tries = 0; }, healthyAfter);
      tell('live');
    };
    s.onmessage = (event) => {
      if (typeof event.data === 'string' && !closed) receive(event.data);
    };
    s.onclose = () => {
      clearTimeout(giveUp);
      clearTimeout(healthy);
      socket = null;
      if (closed) return;
      const longest = Math.min(longestWait, firstWait * 2 ** tries++);
      const wait = longest * (0.5 + Math.random() / 2);
      timer = setTimeout(open, wait);
      tell('waiting', Date.now() + wait);
    };
  }

  /** @param {string} raw */
  function receive(raw) {
    let message;
    try {
      message = JSON.parse(raw);
    } catch {
      return;
    }
    if (typeof message !== 'object' || message === null) return;
    if (message.data !== undefined) {
      call(options.onpost, message, raw);
      if (typeof message.data?.id === 'string') last = message.data.id;
    } else if (Array.isArray(message.deleted)) {
      call(options.ondelete, message.deleted);
    } else if (message.gap) {
      call(options.ongap, message.gap);
    } else if (typeof message.filter === 'string') {
      call(options.onfilter, message.filter, message.error);
    }
  }

  const retry = () => {
    if (timer !== undefined) open();
  };
  const visible = () => {
    if (document.visibilityState === 'visible') retry();
  };
  globalThis.addEventListener?.('online', retry);
  globalThis.document?.addEventListener('visibilitychange', visible);
  open();

  return {
    retry,
    filter(to) {
      filter = to;
      if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ filter: query(filter).toString() }));
      else if (socket) socket.close(); // it would open with the old one
    },
    close() {
      closed = true;
      clearTimeout(timer);
      timer = undefined;
      globalThis.removeEventListener?.('online', retry);
      globalThis.document?.removeEventListener('visibilitychange', visible);
      socket?.close(1000);
      tell('closed');
    },
    last: () => last,
  };
}

/** @param {Filter} filter */
function query(filter) {
  const q = new URLSearchParams();
  for (const tag of filter.tags ?? []) q.append('tag', tag);
  for (const lang of filter.langs ?? []) q.append('lang', lang);
  for (const word of filter.words ?? []) q.append('word', word);
  if (filter.sensitive === false) q.append('sensitive', 'false');
  return q;
}

/** @param {string | URL} url @param {string} since @param {Filter} filter @param {number} [replay] */
function address(url, since, filter, replay) {
  const u = new URL(url, globalThis.location?.href);
  u.protocol = u.protocol.replace('http', 'ws');
  for (const [name, value] of query(filter)) u.searchParams.append(name, value);
  if (since !== '') u.searchParams.set('since', since);
  else if (replay !== undefined) u.searchParams.set('replay', String(replay));
  return u.href;
}

/** @param {((...args: any[]) => void) | undefined} f @param {any[]} args */
function call(f, ...args) {
  try {
    f?.(...args);
  } catch (err) {
    console.error(err);
  }
}
