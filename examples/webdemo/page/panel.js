// The panel at the side: tabs, of which the one that is open is kept up to date.

import { el, iconButton } from './element.js';
import { every } from './server.js';

const place = 'tweetstream.panel';

/** Panel shows parts: { name: { label, root, every, update, focus } }. */
export class Panel {
  #root;
  #button;
  #parts;
  #tabs = new Map();
  #before = null; // what had the focus
  open = '';

  constructor(root, button, parts) {
    this.#root = root;
    this.#button = button;
    this.#parts = parts;
    const tabs = el('div', { className: 'tabs', role: 'tablist', 'aria-label': 'Panel' });
    const views = Object.entries(parts).map(([name, part]) => {
      const tab = el('button', { type: 'button', role: 'tab', id: `tab-${name}`, 'aria-controls': `view-${name}`, 'aria-selected': 'false', tabIndex: -1, onclick: () => this.show(name) }, part.label);
      this.#tabs.set(name, tab);
      tabs.append(tab);
      if (part.every > 0) part.look = every(part.every, () => this.open === name, part.update);
      return el('div', { className: 'view', role: 'tabpanel', id: `view-${name}`, 'aria-labelledby': `tab-${name}`, tabIndex: 0, hidden: true }, part.root);
    });
    tabs.onkeydown = (e) => this.#arrow(e);
    root.replaceChildren(el('header', '', tabs, iconButton('close', 'Close the panel', () => this.close())), ...views);
    button.onclick = () => (this.open ? this.close() : this.show(this.#last(), true));
  }

  // covers says that there is no room for columns beside it.
  get covers() {
    return matchMedia('(max-width: 60rem)').matches;
  }

  restore() {
    let name = 'figures';
    try {
      name = localStorage.getItem(place) ?? name;
    } catch {
      // Nothing is kept.
    }
    if (name && !this.covers) this.show(this.#parts[name] ? name : 'figures');
  }

  #last() {
    return this.#parts[this.#button.dataset.last] ? this.#button.dataset.last : 'figures';
  }

  /** show opens the panel at one part, and moves the focus there if asked to. */
  show(name, focus = false) {
    if (!this.open) this.#before = document.activeElement;
    this.open = name;
    for (const [other, tab] of this.#tabs) {
      tab.setAttribute('aria-selected', String(other === name));
      tab.tabIndex = other === name ? 0 : -1;
      document.getElementById(`view-${other}`).hidden = other !== name;
    }
    this.#root.hidden = false;
    this.#root.dataset.open = name;
    this.#button.setAttribute('aria-expanded', 'true');
    this.#button.dataset.last = name;
    this.#keep();
    const part = this.#parts[name];
    (part.look ?? part.update)();
    if (focus) part.focus ? part.focus() : this.#tabs.get(name).focus();
  }

  close() {
    const inside = this.#root.contains(document.activeElement);
    this.open = '';
    this.#root.hidden = true;
    this.#button.setAttribute('aria-expanded', 'false');
    this.#keep();
    if (inside) (this.#before?.isConnected && this.#before !== document.body ? this.#before : this.#button).focus();
  }

  #keep() {
    try {
      localStorage.setItem(place, this.open);
    } catch {
      // It is as by default next time.
    }
  }

  #arrow(e) {
    const names = [...this.#tabs.keys()];
    const at = names.indexOf(this.open);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: names.length - 1 }[e.key];
    if (to === undefined) return;
    e.preventDefault();
    const name = names.at(to % names.length);
    this.show(name);
    this.#tabs.get(name).focus();
  }
}
