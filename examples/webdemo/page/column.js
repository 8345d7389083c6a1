// One column: the Posts that pass its filter, newest first.

import { card, tick } from './card.js';
import { count, el, iconButton, posts, set } from './element.js';
import { compareIDs, detail, passes, query, title } from './filter.js';
import { parse } from './message.js';
import { ask } from './server.js';

const shownAtMost = 150; // Posts that are in the list while it is at its top
const waitAtMost = 300; // Posts that wait to be shown; of more the newest
const firstPage = 30; // Posts that a column begins with
const slice = 4; // milliseconds that one frame gives to cards
const calm = 500; // milliseconds without new Posts before the list glides: more often it would never rest

let ids = 0;

/** A Column has element, the section to put into the page. */
export class Column {
  #deps; // { paused(), open(item), changed(), edit(column), move(column, by), remove(column) }
  #known = new Set();
  #gone = new Set(); // of what is gone from X
  #items = new Map(); // what is in the list, by id
  #waiting = []; // oldest first
  #missed = 0; // Posts that waited and had to go
  #gliding = false; // the list glides to its top by itself
  #raised = -Infinity; // when Posts were last put on top of others
  #more = false; // the history may have older ones
  #asked = 0; // questions to the history; the answer of the last one counts
  #loaded = false;

  constructor(filter, deps) {
    this.id = ++ids;
    this.filter = filter;
    this.#deps = deps;
    this.#build();
  }

  #build() {
    const name = `column-${this.id}`;
    this.heading = el('h2', { id: name });
    this.detail = el('p', 'detail');
    this.grip = el('div', { className: 'grip', title: 'Drag to reorder' }, this.heading, this.detail);
    this.buttons = el('div', 'buttons',
      iconButton('left', 'Move left', () => this.#deps.move(this, -1)),
      iconButton('right', 'Move right', () => this.#deps.move(this, 1)),
      iconButton('filter', 'Filter and export', () => this.#deps.edit(this)),
      iconButton('close', 'Remove', () => this.#deps.remove(this)));
    this.news = el('button', { type: 'button', className: 'news', hidden: true, onclick: () => this.latest() });
    this.list = el('ol', { className: 'posts', 'aria-labelledby': name });
    this.empty = el('p', 'empty', el('b'), el('span'));
    this.older = el('button', { type: 'button', className: 'older', hidden: true, onclick: () => this.#older() }, 'Show older Posts');
    this.scroller = el('div', { className: 'scroller', tabIndex: 0, role: 'group', 'aria-labelledby': name }, this.empty, this.list, this.older);
    this.element = el('section', { className: 'column', 'aria-labelledby': name },
      el('header', 'head', this.grip, this.buttons), el('div', 'newsbox', this.news), this.scroller);
    for (const event of ['wheel', 'touchstart', 'pointerdown', 'keydown']) {
      this.scroller.addEventListener(event, () => { this.#gliding = false; }, { passive: true });
    }
    this.scroller.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    this.list.addEventListener('focusout', () => this.#deps.changed());
    this.rename();
  }

  rename() {
    set(this.heading, title(this.filter));
    const said = detail(this.filter);
    set(this.detail, said);
    this.detail.hidden = said === '';
    this.grip.title = [title(this.filter), said, 'drag to reorder'].filter(Boolean).join(' · ');
    for (const [i, what] of ['Move left', 'Move right', 'Filter and export', 'Remove'].entries()) {
      this.buttons.children[i].setAttribute('aria-label', `${what}: ${title(this.filter)}`);
    }
  }

  /** choose shows what passes another filter, out of the history. */
  choose(filter) {
    this.filter = filter;
    this.rename();
    this.#known.clear();
    this.#items.clear();
    this.#waiting = [];
    this.#missed = 0;
    this.#loaded = false;
    this.list.replaceChildren();
    this.scroller.scrollTop = 0;
    this.fill();
  }

  /** add takes a Post of the feed; false if it was there. */
  add(item) {
    if (this.#known.has(item.message.id)) return false;
    this.#know(item.message.id);
    this.#waiting.push(item);
    if (this.#waiting.length > waitAtMost) {
      this.#missed += this.#waiting.length - waitAtMost;
      this.#waiting.splice(0, this.#waiting.length - waitAtMost);
    }
    return true;
  }

  #know(id) {
    this.#known.add(id);
    if (this.#known.size > 5_000) this.#known.delete(this.#known.values().next().value);
  }

  /** drop takes away Posts that are gone from X. */
  drop(gone) {
    for (const id of gone) {
      this.#items.get(id)?.element.remove();
      this.#items.delete(id);
      this.#gone.add(id);
      this.#know(id);
    }
    this.#waiting = this.#waiting.filter((item) => !gone.includes(item.message.id));
  }

  get waiting() {
    return this.#waiting.length + this.#missed;
  }

  get length() {
    return this.#items.size;
  }

  /** held says that nothing is put on top: somebody reads. */
  get held() {
    if (this.#deps.paused()) return true;
    const inList = this.list.contains(document.activeElement);
    return inList || (this.scroller.scrollTop > 60 && !this.#gliding);
  }

  /** latest jumps to the newest Posts. */
  latest() {
    if (this.list.contains(document.activeElement) || document.activeElement === this.news) this.scroller.focus({ preventScroll: true });
    this.#gliding = true;
    this.scroller.scrollTop = 0;
    this.#deps.changed();
  }

  /** ready says that there is something for raise to put on top. */
  get ready() {
    return this.#waiting.length > 0 && !this.held;
  }

  /** raise puts on top what waits, as far as a frame has time. */
  raise() {
    const deadline = performance.now() + slice;
    // What would leave the list again at once is not built.
    if (this.#waiting.length > shownAtMost) this.#waiting.splice(0, this.#waiting.length - shownAtMost);
    const nodes = [];
    do nodes.unshift(this.#show(this.#waiting.shift()));
    while (this.#waiting.length > 0 && performance.now() < deadline);
    this.#missed = 0;
    const at = this.scroller.scrollTop;
    const first = this.list.childElementCount === 0;
    this.list.prepend(...nodes);
    while (this.#items.size > shownAtMost) this.#forgetLast();
    if (!first) this.#glide(nodes, at);
  }

  // glide keeps what is seen where it is, and then moves to the top.
  #glide(nodes, at) {
    const now = performance.now();
    const hurry = now - this.#raised < calm;
    this.#raised = now;
    if (hurry) {
      if (at > 0) this.scroller.scrollTop = 0;
      return;
    }
    const top = at + nodes.reduce((sum, n) => sum + n.offsetHeight, 0);
    this.list.style.minHeight = `${top + this.scroller.clientHeight}px`; // a short list could not be moved
    this.scroller.scrollTop = top;
    this.#gliding = true;
    const far = top > this.scroller.clientHeight || matchMedia('(prefers-reduced-motion: reduce)').matches;
    requestAnimationFrame(() => {
      if (this.#gliding) this.scroller.scrollTo({ top: 0, behavior: far ? 'instant' : 'smooth' });
    });
  }

  #scrolled() {
    if (this.scroller.scrollTop <= 0) {
      this.list.style.minHeight = '';
      this.#gliding = false;
    }
    this.#deps.changed();
  }

  #show(item) {
    item.element = card(item.message, () => this.#deps.open(item));
    this.#items.set(item.message.id, item);
    this.empty.hidden = true; // in the same frame, or the list would jump in the next
    return item.element;
  }

  #forgetLast() {
    const last = this.list.lastElementChild;
    this.#items.delete(last.dataset.id);
    last.remove();
    this.#more = true;
  }

  /** fill puts in what the history has, each Post at its place. */
  async fill() {
    const turn = ++this.#asked;
    const q = query(this.filter);
    q.set('limit', String(firstPage));
    try {
      const answer = await ask('/posts?' + q);
      if (turn !== this.#asked) return;
      await this.#take(answer, () => turn === this.#asked);
    } catch {
      // It is asked again when the feed is back.
    }
    if (turn === this.#asked) this.#loaded = true;
    this.#deps.changed();
  }

  async #older() {
    const last = this.list.lastElementChild?.dataset.id;
    const q = query(this.filter);
    if (last) q.set('before', last);
    const turn = ++this.#asked;
    this.older.disabled = true;
    try {
      const answer = await ask('/posts?' + q);
      if (turn !== this.#asked) return;
      const first = await this.#take(answer, () => turn === this.#asked);
      if (this.list.contains(document.activeElement) || document.activeElement === this.older) first?.firstElementChild.focus();
    } catch {
      set(this.older, 'The history does not answer: try again');
    } finally {
      this.older.disabled = false;
    }
    this.#deps.changed();
  }

  // take puts Posts of the history into the list, which is in the order of ids but
  // for what came late. It does a frame's work at a time, as long as going says so,
  // and returns the first that is new.
  async #take(answer, going) {
    let at = this.list.firstElementChild;
    let first = null;
    let deadline = performance.now() + slice;
    for (const raw of answer.posts) {
      if (performance.now() > deadline) {
        await new Promise(requestAnimationFrame);
        if (!going()) return null;
        if (!at?.isConnected) at = this.list.firstElementChild;
        deadline = performance.now() + slice;
      }
      const message = parse(raw);
      if (!message || this.#items.has(message.id) || this.#waiting.some((w) => w.message.id === message.id) || !passes(this.filter, message)) continue;
      if (this.#gone.has(message.id)) continue;
      this.#know(message.id);
      const node = this.#show({ message, raw });
      while (at && compareIDs(at.dataset.id, message.id) > 0) at = at.nextElementSibling;
      if (!at && this.#items.size > 8) node.className = 'far'; // below what is seen
      this.list.insertBefore(node, at);
      first ??= node;
    }
    this.#more = answer.more;
    return first;
  }

  /** show brings what is around the list up to date; because says why it is empty. */
  show(because) {
    const waiting = this.waiting;
    this.news.hidden = this.#deps.paused() || waiting === 0 || !this.held;
    set(this.news, `${count(waiting)} new ${waiting === 1 ? 'Post' : 'Posts'}`);
    this.older.hidden = !this.#more || !this.#loaded || this.#items.size === 0;
    if (!this.older.disabled) set(this.older, 'Show older Posts');
    this.empty.hidden = this.#items.size > 0;
    if (this.#items.size > 0) return;
    const [head, words] = because ?? this.#because(waiting);
    set(this.empty.firstElementChild, head);
    set(this.empty.lastElementChild, words);
  }

  #because(waiting) {
    if (!this.#loaded) return ['Looking', 'for what came before.'];
    if (this.#deps.paused() && waiting > 0) return ['Paused', `${posts(waiting)} ${waiting === 1 ? 'waits' : 'wait'}: press Resume to see them.`];
    if (detail(this.filter)) return ['Nothing passes this filter yet', 'What does appears here as it comes in.'];
    return ['Waiting for Posts', 'They appear here as they come in.'];
  }

  tick(now) {
    tick(this.list, now);
  }

  /** item returns what is shown as this list item. */
  item(li) {
    return this.#items.get(li.dataset.id);
  }
}
