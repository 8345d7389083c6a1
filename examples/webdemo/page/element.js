// Elements. All text goes in as text nodes, so that nothing in it can become markup.

/** el makes an element with these properties and children. */
export function el(name, props = {}, ...children) {
  const e = document.createElement(name);
  for (const [key, value] of Object.entries(typeof props === 'string' ? { className: props.trim() } : props)) {
    if (key === 'className') {
      if (value) e.className = value;
    } else if (key.startsWith('on') || key in e && !key.startsWith('aria')) e[key] = value;
    else if (value !== undefined && value !== null) e.setAttribute(key, value);
  }
  e.append(...children);
  return e;
}

/** anchor is a link out of the page, or plain text if there is no address. */
export function anchor(href, className = '') {
  const a = el(href ? 'a' : 'span', className);
  if (href) {
    a.href = href;
    a.target = '_blank';
    a.rel = 'noopener noreferrer nofollow';
  }
  return a;
}

/** isolated keeps the writing direction of a text from turning others around. */
export const isolated = (...words) => el('bdi', '', ...words);

/** set changes a text only if it is another. */
export function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const svg = 'http://www.w3.org/2000/svg';

/** shape makes an element of SVG. */
export function shape(name, attributes, ...children) {
  const e = document.createElementNS(svg, name);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
  e.append(...children);
  return e;
}

const shapes = {
  repost: 'M4 9V7a2 2 0 0 1 2-2h11m0 0-3-3m3 3-3 3M20 15v2a2 2 0 0 1-2 2H7m0 0 3-3m-3 3 3 3',
  reply: 'M9 7 4 12l5 5M4 12h9a7 7 0 0 1 7 7',
  photo: 'M5 4h14a2 2 0 0 1 2 2v12a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V6a2 2 0 0 1 2-2Zm-2 13 5-5 4 4 3-3 6 5M15.5 9.5h.01',
  play: 'M5 4h14a2 2 0 0 1 2 2v12a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V6a2 2 0 0 1 2-2Zm5 4.5v7l6-3.5-6-3.5Z',
  veil: 'M3 3l18 18M10.6 6.1A9.8 9.8 0 0 1 12 6c5 0 8.5 4 9.5 6-.4.8-1.3 2.1-2.7 3.3M6.7 7.6C4.5 9 3 11 2.5 12c1 2 4.5 6 9.5 6 1.6 0 3-.4 4.3-1M9.9 9.9a3 3 0 0 0 4.2 4.2',
  add: 'M12 5v14M5 12h14',
  panel: 'M4 4h16v16H4zM14.5 4v16M17 8.5h.5M17 12h.5M17 15.5h.5',
  help: 'M9.2 9a3 3 0 1 1 4.3 2.7c-.9.5-1.5 1-1.5 2.3M12 17.5h.01M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0Z',
  close: 'M6 6l12 12M18 6 6 18',
  filter: 'M4 6h16M7 12h10M10 18h4',
  left: 'M14 6l-6 6 6 6',
  right: 'M10 6l6 6-6 6',
  open: 'M8 4H5a1 1 0 0 0-1 1v14a1 1 0 0 0 1 1h14a1 1 0 0 0 1-1v-3M13 4h7v7M20 4 11 13',
  up: 'M12 19V5M6 11l6-6 6 6',
};

/** icon is decoration: what it says stands in words beside it, or in a label. */
export function icon(name) {
  return shape('svg', { viewBox: '0 0 24 24', fill: 'none', stroke: 'currentColor', 'stroke-width': '2', 'stroke-linecap': 'round', 'stroke-linejoin': 'round', 'aria-hidden': 'true' },
    shape('path', { d: shapes[name] }));
}

/** iconButton is a button that shows an icon only. */
export function iconButton(name, label, onclick) {
  return el('button', { type: 'button', className: 'icon', title: label, 'aria-label': label, onclick }, icon(name));
}

const counts = new Intl.NumberFormat();

/** count writes a number, and posts one of Posts. */
export const count = (n) => counts.format(n);
export const posts = (n) => `${count(n)} ${n === 1 ? 'Post' : 'Posts'}`;

/** say has a screen reader say something, when it is done with what it reads. */
export function say(words) {
  document.getElementById('says').textContent = words;
}
