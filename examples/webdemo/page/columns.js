// The columns: which there are, in what order, kept for the next time.

import { Column } from './column.js';
import { el, say } from './element.js';
import { filterOf, none, title } from './filter.js';

const place = 'tweetstream.columns';
const atMost = 12;

/** Columns keeps the columns in root, with a button for each in strip. */
export class Columns {
  #root;
  #strip;
  #deps;
  #seen; // which columns are, where there is room for one only
  all = [];

  constructor(root, strip, deps) {
    this.#root = root;
    this.#strip = strip;
    this.#seen = new IntersectionObserver((entries) => {
      for (const e of entries) {
        const at = this.all.findIndex((c) => c.element === e.target);
        strip.children[at]?.setAttribute('aria-current', String(e.isIntersecting));
      }
    }, { root, threshold: 0.6 });
    this.#deps = {
      ...deps,
      edit: (c) => deps.edit(c),
      move: (c, by) => this.move(c, this.all.indexOf(c) + by),
      remove: (c) => this.remove(c),
    };
  }

  /** restore shows the columns of the last time, or one for everything and for some
   * tags. It returns when they have what came before. */
  async restore(tags) {
    const filters = stored() ?? [none, ...tags.slice(0, 2).map((tag) => ({ ...none, tag }))];
    const filled = filters.map((filter) => this.#insert(filter)[1]);
    this.#changed(false);
    await Promise.all(filled);
  }

  #insert(filter) {
    const c = new Column(filterOf(filter), this.#deps);
    this.all.push(c);
    this.#root.append(c.element);
    drag(c, this);
    return [c, c.fill()];
  }

  add(filter) {
    if (this.all.length >= atMost) {
      say(`There are ${atMost} columns, and there can be no more`);
      return;
    }
    const [c] = this.#insert(filter);
    this.#changed();
    this.reveal(c);
    say(`Column ${title(c.filter)} added`);
  }

  choose(c, filter) {
    c.choose(filterOf(filter));
    this.#changed();
  }

  remove(c) {
    const i = this.all.indexOf(c);
    this.all.splice(i, 1);
    c.element.remove();
    this.#changed();
    say(`Column ${title(c.filter)} removed`);
    (this.all[Math.min(i, this.all.length - 1)]?.scroller ?? document.getElementById('add')).focus();
  }

  /** move puts a column at another place; the keyboard stays where it is. */
  move(c, to) {
    const from = this.all.indexOf(c);
    to = Math.max(0, Math.min(this.all.length - 1, to));
    if (from === to) return;
    this.all.splice(from, 1);
    this.all.splice(to, 0, c);
    // Moving the others leaves the focus and the scroll position of this one alone.
    for (const other of this.all.slice(0, to)) this.#root.insertBefore(other.element, c.element);
    for (const other of this.all.slice(to + 1)) this.#root.append(other.element);
    this.#changed();
    say(`${title(c.filter)} is column ${to + 1} of ${this.all.length}`);
  }

  reveal(c) {
    c.element.scrollIntoView({ behavior: 'instant', block: 'nearest', inline: 'nearest' });
    c.scroller.focus({ preventScroll: true });
  }

  #changed(store = true) {
    if (store) {
      try {
        localStorage.setItem(place, JSON.stringify(this.all.map((c) => c.filter)));
      } catch {
        // They last until the page is closed.
      }
    }
    this.#strip.replaceChildren(...this.all.map((c) => el('button', { type: 'button', title: title(c.filter), onclick: () => this.reveal(c) }, title(c.filter))));
    this.#strip.hidden = this.all.length < 2;
    this.#seen.disconnect();
    for (const c of this.all) this.#seen.observe(c.element);
    this.#deps.listen(this.all);
    this.#deps.changed();
  }
}

function stored() {
  try {
    const list = JSON.parse(localStorage.getItem(place));
    return Array.isArray(list) && list.length > 0 ? list.slice(0, atMost).map(filterOf) : null;
  } catch {
    return null;
  }
}

// drag moves a column with the pointer, by its head.
function drag(c, columns) {
  const { grip, element } = c;
  grip.addEventListener('pointerdown', (down) => {
    if (down.button !== 0) return;
    let moving = false;
    grip.setPointerCapture(down.pointerId);
    grip.onpointermove = (e) => {
      if (!moving && Math.abs(e.clientX - down.clientX) < 12) return;
      moving = true;
      element.classList.add('dragged');
      const to = columns.all.findIndex((other) => {
        const box = other.element.getBoundingClientRect();
        return e.clientX >= box.left && e.clientX < box.right;
      });
      if (to >= 0 && columns.all[to] !== c) columns.move(c, to);
    };
    grip.onpointerup = grip.onpointercancel = () => {
      grip.onpointermove = grip.onpointerup = grip.onpointercancel = null;
      element.classList.remove('dragged');
    };
  });
}
