// The pipeline's own figures, and faults to watch it by: what was received is
// delivered, waits, or is named as lost.

import { count, el, posts, say } from './element.js';
import { ask } from './server.js';

const faults = [
  ['reset', 'Cut the connection', 'The stream ends in the middle of a message.'],
  ['disconnect', 'Let X disconnect', 'With a message that says so, as X does for its own reasons.'],
  ['stall', 'Let X fall silent', 'For a minute: after 21 seconds without a byte the connection counts as dead.'],
  ['busy', 'Cut it, then answer 503', 'Twice, as X does when it is overloaded.'],
  ['flood', 'Flood: 5,000 Posts', 'All at once.'],
  ['garbage', 'Send a broken line', 'It is counted and passed over.'],
];

/** pipeline returns the panel's part; latest gives the newest answer of /stats. */
export function pipeline(refresh) {
  const figures = el('div');
  const controls = el('div');
  // What is pressed stands above what changes: the figures grow and shrink, and a button
  // must not move away from under the hand.
  const root = el('div', 'part', controls, figures);
  return {
    root,
    every: 1_000,
    async update() {
      const s = await refresh();
      figures.replaceChildren(...sections(s));
      if (s.simulated && controls.childElementCount === 0) controls.replaceChildren(...faultButtons(refresh));
      const gone = controls.querySelector('[data-gone]');
      if (gone) {
        gone.setAttribute('aria-pressed', String(s.simulated?.gone === true));
        gone.textContent = s.simulated?.gone ? 'Bring the second service back' : 'Take the second service away';
      }
    },
  };
}

function sections(s) {
  const [web, x] = ['web', 'x'].map((name) => s.services.find((one) => one.name === name));
  const out = [];
  if (s.source) out.push(...sourceOf(s));
  if (x) out.push(el('h3', '', 'First service: reads X'), ...ledgers(x));
  out.push(el('h3', '', x ? 'Second service: this page' : 'This service'), ...ledgers(web));
  out.push(rows([
    ['Pages open', count(s.viewers)],
    ['Dead letters', s.dead === 0 ? 'none' : count(s.dead), s.dead > 0],
    ['History', `${posts(s.history.posts)} of at most ${count(s.history.most)}${s.history.gone ? ', gone at the end' : ''}`],
  ]));
  return out;
}

function sourceOf({ source: o, simulated }) {
  const state = o.held ? 'held' : o.connected ? 'connected' : 'not connected';
  const budget = [];
  if (o.budget.Day > 0) budget.push(`${count(o.read.Day)} of ${count(o.budget.Day)} today`);
  if (o.budget.Month > 0) budget.push(`${count(o.read.Month)} of ${count(o.budget.Month)} this cycle`);
  return [
    el('h3', '', simulated ? 'Source: a simulated X' : 'Source: X'),
    rows([
      ['State', state, !o.connected || o.held !== undefined, state === 'connected' ? 'good' : 'wait'],
      ...(o.held ? [['Held', o.held, true]] : []),
      ['Last byte', `${o.silent.toFixed(0)} s ago`],
      ['Lag behind X', `${(Math.max(0, o.lag) * 1000).toFixed(0)} ms`],
      ['Connections', `${count(o.connects)}, of which ${count(o.disconnects)} were lost and ${count(o.stalls)} found dead`],
      ['Gaps', `${count(o.gapsFilled)} filled, ${count(o.gapsOpen)} open, ${count(o.gapsLost)} lost`, o.gapsLost > 0],
      ['Asked for again', posts(o.recovered)],
      ...(o.malformed > 0 ? [['Broken lines', count(o.malformed)]] : []),
      ['Budget', budget.length > 0 ? `${budget.join(', ')} ($${o.cost.toFixed(2)})` : `none; ${count(o.read.Day)} read today, $${o.cost.toFixed(2)} at X's price`],
    ]),
  ];
}

// ledgers are, for each sink, what became of what was received.
function ledgers(service) {
  const received = service.received - service.repeats;
  const out = service.held ? [el('p', 'alarm', `Held: ${service.held}`)] : [];
  for (const to of service.sinks) {
    const known = to.delivered + to.waiting + to.lost;
    const reasons = Object.entries(to.reasons ?? {}).filter(([, n]) => n > 0).map(([why, n]) => `${count(n)} ${why}`).join(', ');
    out.push(el('div', { className: 'ledger', 'data-sink': to.name, 'data-received': received, 'data-delivered': to.delivered, 'data-waiting': to.waiting, 'data-lost': to.lost },
      el('p', '', el('b', '', to.name), el('span', `badge ${to.state === 'running' ? 'good' : 'wait'}`, to.state)),
      el('p', 'sum', `${count(received)} received = ${count(to.delivered)} delivered + ${count(to.waiting)} waiting + ${count(to.lost)} named`,
        known >= received ? el('span', { className: 'sound', title: 'Nothing is lost' }, ' ✓') : ` + ${count(received - known)} on their way`),
      bar(to, Math.max(known, 1)),
      ...(to.waiting > 0 && to.oldest > 1 ? [el('p', 'hint', `The oldest waits for ${to.oldest.toFixed(0)} s; they take ${(to.waitingBytes / 2 ** 20).toFixed(1)} MB.`)] : []),
      ...(reasons ? [el('p', 'hint', `Named in the dead letter: ${reasons}.`)] : []),
      ...(to.state !== 'running' && to.error ? [el('p', 'hint', `The last failure: ${to.error}`)] : [])));
  }
  return out;
}

function bar(to, all) {
  const part = (className, n) => {
    const e = el('span', className);
    e.style.width = `${100 * n / all}%`;
    return e;
  };
  return el('div', { className: 'meter', 'aria-hidden': 'true' }, part('delivered', to.delivered), part('waiting', to.waiting), part('lost', to.lost));
}

function rows(list) {
  return el('dl', 'rows', ...list.map(([name, value, alarm, state]) => el('div', '', el('dt', '', name), el('dd', state ?? (alarm ? 'wait' : ''), value))));
}

function faultButtons(refresh) {
  const inject = async (fault, label, hint) => {
    try {
      await ask('/faults', { body: { fault } });
      say(`Done: ${label}. ${hint}`);
    } catch (e) {
      say(e.message);
    }
    refresh();
  };
  const waits = 'What is received meanwhile waits in memory, and is delivered later.';
  const gone = el('button', { type: 'button', 'data-gone': '', 'aria-pressed': 'false', title: waits }, 'Take the second service away');
  gone.onclick = () => inject(gone.getAttribute('aria-pressed') === 'true' ? 'sink-back' : 'sink-gone', gone.textContent, waits);
  return [
    el('h3', '', 'Let something go wrong'),
    el('p', 'hint', 'The simulated X takes it, and the figures below show that nothing gets lost.'),
    el('ul', 'faults', el('li', '', gone),
      ...faults.map(([name, label, hint]) => el('li', '', el('button', { type: 'button', 'data-fault': name, title: hint, onclick: () => inject(name, label, hint) }, label)))),
  ];
}
