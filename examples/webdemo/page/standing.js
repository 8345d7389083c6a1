// How the page stands: connected or not, how many Posts come, whether it is behind, or
// the source held; and what that means, in words.

import { count, posts } from './element.js';

const span = 5_000; // milliseconds over which a rate is taken
const catchUp = 1_000; // a connection begins with Posts of before, which say nothing about the rate
const behindFor = 4_000;
const goneFor = 60_000;

export class Standing {
  connection = 'connecting';
  total = 0;
  skipped = 0;
  #retryAt = 0;
  #rateFrom = 0;
  #batches = []; // { at, posts } of the last seconds
  #behindUntil = 0;
  wasLive = false; // at any time before
  #goneUntil = 0; // it is said that Posts were missed for good
  #held = '';
  #source = null;

  came(posts, skipped, now) {
    this.total += posts;
    this.skipped += skipped;
    if (skipped > 0) this.#behindUntil = now + behindFor;
    if (now >= this.#rateFrom) this.#batches.push({ at: now, posts });
  }

  gap(gap) {
    if (gap.reason === 'gone') this.#goneUntil = performance.now() + goneFor;
    else this.#behindUntil = performance.now() + behindFor;
  }

  stats(s) {
    this.#source = s.source ?? null;
    this.#held = s.services.map((one) => one.held).find(Boolean) ?? '';
  }

  /** connected takes a state of the feed, and returns what is to be said of it. */
  connected(state, retryAt, now) {
    const before = this.connection;
    this.connection = state;
    this.#retryAt = retryAt;
    if (state === 'live') {
      this.#rateFrom = now + catchUp;
      const words = this.wasLive ? 'Connected again' : 'Connected';
      this.wasLive = true;
      return words;
    }
    return state === 'waiting' && before === 'live' ? 'The connection is lost. It is tried again.' : '';
  }

  rate(now) {
    while (this.#batches.length > 0 && this.#batches[0].at < now - span) this.#batches.shift();
    const sum = this.#batches.reduce((all, b) => all + b.posts, 0);
    const n = sum / Math.min(span / 1000, Math.max(1, (now - this.#rateFrom) / 1000));
    return n > 0 && n < 9.95 ? n.toFixed(1) : count(Math.round(n));
  }

  /** now says how it stands: a state, a word for it, and a notice if there is more to say. */
  now(paused) {
    const seconds = Math.max(0, Math.ceil((this.#retryAt - Date.now()) / 1000));
    if (this.connection === 'waiting') {
      return { state: 'waiting', words: 'Not connected', alarm: 'wait', notice: `The server does not answer. The page tries again in ${seconds} s, and goes on behind the last Post that it has.` };
    }
    if (this.connection !== 'live') {
      const notice = this.wasLive ? 'The connection is opened again.' : '';
      return { state: 'connecting', words: 'Connecting', alarm: 'wait', notice };
    }
    if (this.#held) {
      return { state: 'held', words: 'Held', alarm: 'held', notice: `The stream is held: ${this.#held}. What is here stays, and it goes on by itself once that has passed.` };
    }
    if (performance.now() < this.#behindUntil) {
      return { state: paused ? 'paused' : 'behind', words: paused ? 'Paused' : 'Behind', alarm: 'behind', notice: `More Posts come than anybody reads: ${posts(this.skipped)} ${this.skipped === 1 ? 'was' : 'were'} skipped on this page so far. The figures count them all, and the history keeps what it can.` };
    }
    if (this.#source && !this.#source.connected) {
      return { state: 'source', words: 'X is lost', alarm: 'wait', notice: 'The connection to X is lost, and opened again as X asks. What it sent meanwhile is asked for afterwards.' };
    }
    const notice = performance.now() < this.#goneUntil ? 'Some Posts came while the page was away, and are not kept any more.' : '';
    return { state: paused ? 'paused' : 'live', words: paused ? 'Paused' : 'Live', alarm: 'wait', notice };
  }

  /** empty says why a column has nothing, if that is not its own affair. */
  empty() {
    if (this.connection === 'live') return this.#held ? ['Held', 'The stream is held: see above.'] : null;
    return this.wasLive ? ['Not connected', 'Posts appear here once the server answers.'] : ['Connecting', 'Posts appear here once the server answers.'];
  }
}
