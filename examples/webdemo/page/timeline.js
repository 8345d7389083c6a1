// The list of Posts: which of those that came are in it, and when they get there.

import { card, tick } from './card.js';

const shownAtMost = 500; // Posts in the list
const keptAtMost = 2_000; // Posts to choose from when a filter changes
const knownAtMost = 20_000; // ids to tell repeats by
const cardsAFrame = 25; // how many a frame adds at the bottom
const calm = 300; // milliseconds between Posts that may take the time to fade in

/**
 * A Timeline shows Posts in list, an <ol>, newest first. Elements are touched
 * once a frame at most, however many Posts come. While held() is true no Post is
 * put on top: they wait, and changed is called.
 */
export class Timeline {
  #list;
  #held;
  #changed;
  #kept = []; // oldest first: { seq, message }
  #known = new Set();
  #next = 0; // the seq of the next Post
  #top = 0; // Posts from here on wait
  #bottom = 0; // Posts below this one are not in the list yet
  #filter = new Set(); // of tags; empty for all Posts
  #framed = false;
  #raised = 0; // when Posts were last put on top

  waiting = 0; // Posts that pass the filter and wait

  constructor(list, held, changed) {
    this.#list = list;
    this.#held = held;
    this.#changed = changed;
  }

  /** add takes a Post, and returns false if it came before. */
  add(message) {
    if (this.#known.has(message.id)) return false;
    this.#known.add(message.id);
    if (this.#known.size > knownAtMost) this.#known.delete(this.#known.values().next().value);
    this.#kept.push({ seq: this.#next++, message });
    if (this.#kept.length > keptAtMost * 1.25) this.#kept.splice(0, this.#kept.length - keptAtMost);
    if (this.#passes(message)) this.waiting++;
    this.update();
    return true;
  }

  /** show brings what waits into the list, held or not. */
  show() {
    this.#raise(false);
    this.update();
  }

  /** choose shows the Posts that matched one of the tags; without tags all. */
  choose(tags) {
    this.#filter = new Set(tags);
    this.#list.replaceChildren();
    this.#top = this.#bottom = this.#next;
    this.waiting = 0;
    this.#lower(cardsAFrame);
    this.update();
  }

  /** update plans the next frame's work. */
  update() {
    if (this.#framed) return;
    this.#framed = true;
    requestAnimationFrame(() => {
      this.#framed = false;
      if (this.waiting > 0 && !this.#held()) this.#raise(true);
      this.#lower(cardsAFrame);
      this.#changed();
    });
  }

  /** tick brings the times up to date. */
  tick() {
    tick(this.#list, Date.now());
  }

  get length() {
    return this.#list.childElementCount;
  }

  #passes(message) {
    return this.#filter.size === 0 || message.tags.some((t) => this.#filter.has(t)) || (message.tags.length === 0 && this.#filter.has(''));
  }

  // raise puts what waits on top of the list.
  #raise(fading) {
    const nodes = [];
    let i = this.#kept.length - 1;
    for (; i >= 0 && this.#kept[i].seq >= this.#top && nodes.length < shownAtMost; i--) {
      if (this.#passes(this.#kept[i].message)) nodes.push(card(this.#kept[i].message));
    }
    // More came than the list can hold: it goes on from there downwards.
    if (nodes.length === shownAtMost) {
      this.#list.replaceChildren();
      this.#bottom = this.#kept[i + 1].seq;
    }
    // In a quick stream the whole list would be half faded in.
    const now = performance.now();
    if (fading && now - this.#raised > calm) for (const n of nodes) n.classList.add('fresh');
    this.#raised = now;
    this.#list.prepend(...nodes);
    this.#top = this.#next;
    this.waiting = 0;
    while (this.#list.childElementCount > shownAtMost) this.#list.lastElementChild.remove();
  }

  // lower adds up to n older Posts at the bottom, as long as there is room.
  #lower(n) {
    const nodes = [];
    const room = Math.min(n, shownAtMost - this.#list.childElementCount);
    const oldest = this.#kept[0]?.seq ?? this.#next;
    while (nodes.length < room && this.#bottom > oldest) {
      const item = this.#kept[--this.#bottom - oldest];
      if (this.#passes(item.message)) nodes.push(card(item.message));
    }
    if (nodes.length === 0) return;
    this.#list.append(...nodes);
    this.update();
  }
}
