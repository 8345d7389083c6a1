// What client.js promises, tried against a server that does what it is asked. It
// runs in browsers and in node, and returns what is wrong.
// @ts-check

/**
 * @param {typeof import('../../sinks/wshub/client.js').connect} connect
 * @param {string} base where the server is
 * @returns {Promise<string[]>}
 */
export async function scenario(connect, base) {
  /** @type {string[]} */
  const faults = [];
  /** @type {string[]} */
  let got = [];
  /** @type {string[]} */
  let told = [];
  /** @type {string[]} */
  const states = [];
  let broken = false;
  let impatient = false;

  /** @param {string} what */
  const ask = async (what) => {
    const answer = await fetch(`${base}/do/${what}`, { method: 'POST' });
    if (!answer.ok) throw new Error(`${what}: ${answer.status}`);
  };
  /** @param {string} what @param {() => boolean} holds */
  const until = async (what, holds) => {
    for (let i = 0; !holds(); i++) {
      if (i > 2000) throw new Error(`never: ${what}; got ${got.slice(-5)}, told ${told.slice(-5)}, states ${states.slice(-5)}`);
      await new Promise((r) => setTimeout(r, 10));
    }
  };
  /** @param {number} from @param {number} n @param {number} [step] */
  const numbers = (from, n, step = 1) => Array.from({ length: n }, (_, i) => String(from + i * step));
  /** @param {string} what @param {string[]} want */
  const posts = async (what, want) => {
    await until(what, () => got.length >= want.length);
    if (got.join() !== want.join()) faults.push(`${what}: Posts ${got}, want ${want}`);
    got = [];
  };

  const feed = connect(`${base}/feed`, {
    onpost(post, raw) {
      if (JSON.parse(raw).data.text !== post.data.text) faults.push('a Post is not as it came');
      got.push(post.data.id);
      if (broken) throw new Error('thrown for the test');
    },
    ondelete: (ids) => told.push(`deleted ${ids}`),
    ongap: (gap) => told.push(`gap ${gap.after} ${gap.reason}`),
    onfilter: (filter, error) => told.push(`filter ${filter} ${error ?? ''}`),
    onstate(state, retryAt) {
      states.push(state);
      const wait = retryAt - Date.now();
      if (state === 'waiting' && impatient) {
        impatient = false;
        feed.retry();
        if (states.at(-1) !== 'connecting') faults.push(`retry leads to ${states.at(-1)}`);
        return;
      }
      if (state === 'waiting' ? wait < 150 || wait > 20_000 : retryAt !== 0) faults.push(`${state}, again in ${wait} ms`);
    },
  });
  try {
    await until('it is live', () => states.at(-1) === 'live');
    await ask('post?n=50');
    await posts('the first', numbers(1, 50));
    if (feed.last() !== '50') faults.push(`the last is ${feed.last()}`);

    await ask('restart?n=50'); // it comes back, without a hole
    await until('it waits', () => states.includes('waiting'));
    await posts('those after a restart', numbers(51, 50));
    if (states.join() !== 'connecting,live,waiting,connecting,live') faults.push(`states ${states}`);

    impatient = true;
    await ask('restart?n=10');
    await posts('those after retry', numbers(101, 10));
    if (impatient) faults.push('it has not waited');

    feed.filter({ tags: ['even'] });
    await until('the filter is in force', () => told.length > 0);
    await ask('post?n=10');
    await posts('the even ones', numbers(112, 5, 2));
    await ask('restart?n=10'); // the filter is asked for again
    await posts('the even ones after a restart', numbers(122, 5, 2));
    feed.filter({ langs: ['\u{1F600}'.repeat(200)] });
    await until('a bad filter is refused', () => told.length > 1);
    feed.filter({});
    await until('the filter is gone', () => told.length > 2);
    if (told[0] !== 'filter tag=even ' || !/^filter tag=even ./.test(told[1]) || told[2] !== 'filter  ') faults.push(`filters: ${told}`);
    told = [];

    broken = true; // what a function throws harms nothing
    await ask('post?n=5');
    await posts('those that the page fails over', numbers(131, 5));
    broken = false;

    await ask('delete?id=133');
    await until('a deletion is told', () => told.length > 0);
    await ask('forget');
    await until('a gap is told', () => told.length > 1);
    if (told.join() !== 'deleted 133,gap 135 gone') faults.push(`told ${told}, want a deletion and a gap`);
    got = [];

    feed.close();
    if (states.at(-1) !== 'closed') faults.push(`in the end it is ${states.at(-1)}`);
    await ask('post?n=5');
    await new Promise((r) => setTimeout(r, 300));
    if (got.length > 0 || states.at(-1) !== 'closed') faults.push('a closed feed goes on');
  } catch (e) {
    faults.push(String(e));
    feed.close();
  }
  return faults;
}
