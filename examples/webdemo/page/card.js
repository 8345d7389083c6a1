// The elements that show a Post. All text goes in as text nodes, so that nothing
// in a Post can become markup; the only attributes made of it are checked
// addresses, titles and the colour of an avatar.

import { link, pieces } from './message.js';

/** card returns the list item that shows what message.js has read. */
export function card({ id, post, reposter, tags }) {
  const li = el('li');
  li.dataset.id = id;
  const article = el('article', 'post');
  article.setAttribute('aria-label', `Post by ${post.author.name}`);
  if (reposter) {
    article.append(about('repost', 'lead', person(reposter), ' reposted'));
  }
  const inner = el('div', 'inner');
  const content = el('div', 'content');
  content.append(byline(post), ...(post.reply ? [replyLine(post.reply)] : []), body(post), foot(post, tags));
  inner.append(avatar(post.author, true), content);
  article.append(inner);
  li.append(article);
  return li;
}

/** tick brings the times that a card shows up to date. */
export function tick(root, now) {
  for (const t of root.querySelectorAll('time')) {
    const said = ago(new Date(t.dateTime), now);
    if (t.textContent !== said) t.textContent = said;
  }
}

function byline(post) {
  const who = el('div', 'who');
  const name = anchor(post.author.url, 'name');
  name.append(isolated(post.author.name));
  who.append(name);
  if (post.author.username) {
    const username = anchor(post.author.url, 'user');
    username.append('@' + post.author.username);
    username.dir = 'ltr';
    who.append(username);
  }
  const when = anchor(post.url, 'when');
  if (post.time) {
    const t = el('time');
    t.dateTime = post.time.toISOString();
    t.title = post.time.toLocaleString(undefined, { dateStyle: 'long', timeStyle: 'medium' });
    t.append(ago(post.time, Date.now()));
    when.append(t);
    who.append(when);
  }
  if (post.edited) {
    const edited = el('span', 'edited');
    edited.append('Edited');
    who.append(edited);
  }
  return who;
}

function replyLine(reply) {
  const to = anchor(reply.url);
  to.append('Replying');
  return reply.author ? about('reply', '', to, ' to ', person(reply.author)) : about('reply', '', to, ' to a Post');
}

// about is a line that says how a Post came here.
function about(sign, className, ...words) {
  const p = el('p', 'about ' + className);
  const span = el('span');
  span.append(...words);
  p.append(icon(sign), span);
  return p;
}

function person(user) {
  const a = anchor(user.url);
  a.append(isolated(user.username ? '@' + user.username : user.name));
  return a;
}

// body is what a sensitive Post veils.
function body(post) {
  const parts = [];
  if (post.text) parts.push(...words(post));
  if (post.media.length > 0) parts.push(media(post));
  if (post.poll.length > 0) parts.push(poll(post));
  if (post.quoted) parts.push(quoted(post.quoted));
  const whole = el(post.sensitive ? 'details' : 'div', post.sensitive ? 'veil' : 'body');
  if (post.sensitive) {
    const summary = el('summary');
    summary.append(icon('veil'), 'This Post may hold sensitive content');
    whole.append(summary);
  }
  whole.append(...parts);
  return whole;
}

function words(post) {
  const p = el('p', 'text');
  p.dir = 'auto';
  if (post.lang) p.lang = post.lang;
  for (const piece of pieces(post.text, post.entities)) {
    const href = piece.href ? link(piece.href) : '';
    if (!href) {
      p.append(piece.text);
      continue;
    }
    const a = anchor(href);
    if (piece.title) a.title = piece.title;
    a.append(isolated(piece.text));
    p.append(a);
  }
  return isLong(post.text) ? [p, more(p)] : [p];
}

function isLong(text) {
  return text.length > 700 || text.split('\n', 14).length > 12;
}

// more is the button that shows the rest of a long text.
function more(p) {
  p.classList.add('long');
  const button = el('button', 'more');
  button.type = 'button';
  button.append('Show more');
  button.onclick = () => {
    button.textContent = p.classList.toggle('whole') ? 'Show less' : 'Show more';
  };
  return button;
}

// media are labels in place of what would have to be fetched from X.
function media(post) {
  const box = el('div', 'media');
  for (const m of post.media) {
    const a = anchor(post.url);
    const span = el('span');
    const length = m.seconds > 0 ? ` ${Math.floor(m.seconds / 60)}:${String(m.seconds % 60).padStart(2, '0')}` : '';
    span.append(m.kind + length, ...(m.alt ? [': ', isolated(m.alt)] : []));
    a.append(icon(m.kind === 'Photo' ? 'photo' : 'play'), span);
    box.append(a);
  }
  return box;
}

function poll(post) {
  const ul = el('ul', 'poll');
  ul.setAttribute('aria-label', 'Poll');
  for (const label of post.poll) {
    const li = el('li');
    li.append(isolated(label));
    ul.append(li);
  }
  return ul;
}

function quoted(post) {
  const box = el('blockquote', 'quoted');
  if (post.gone) {
    box.classList.add('gone');
    const a = anchor(post.url);
    a.append('The quoted Post');
    box.append(a, ' did not come along');
    return box;
  }
  const head = byline(post);
  head.prepend(avatar(post.author, false));
  box.append(head, body(post));
  return box;
}

function foot(post, tags) {
  const div = el('div', 'foot');
  if (tags.length > 0) {
    const ul = el('ul');
    ul.setAttribute('aria-label', 'Matched');
    for (const tag of tags) {
      const li = el('li');
      li.title = tag;
      li.append(isolated(tag));
      ul.append(li);
    }
    div.append(ul);
  }
  const view = anchor(post.url);
  view.append('View on X');
  div.append(view);
  return div;
}

// avatar is made of the name and the id: the picture would have to be fetched.
function avatar(user, linked) {
  const a = linked ? anchor(user.url, 'avatar') : el('span', 'avatar');
  a.setAttribute('aria-hidden', 'true');
  if (a.href) a.tabIndex = -1; // the name beside it is the same link
  a.style.setProperty('--hue', hue(user.id || user.username));
  a.append(initials(user.name));
  return a;
}

function initials(name) {
  const letter = /\p{L}\p{M}*|\p{N}/u;
  const all = name.split(/\s+/).flatMap((word) => word.match(letter)?.slice(0, 1) ?? []);
  // Two letters of a script that joins them would be another syllable.
  const most = /^[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}]/u.test(all[0] ?? '') ? 2 : 1;
  return all.slice(0, most).join('').toUpperCase() || '·';
}

function hue(id) {
  let h = 0;
  for (const c of id) h = (Math.imul(h, 31) + c.codePointAt(0)) >>> 0;
  return Math.round((h * 137.508) % 360); // ids that are alike get other colours
}

function ago(date, now) {
  const s = Math.round((now - date) / 1000);
  if (s < 5 && s > -120) return 'now';
  if (s >= 0 && s < 60) return `${s}s`;
  if (s >= 0 && s < 3600) return `${Math.floor(s / 60)}m`;
  if (s >= 0 && s < 86400) return `${Math.floor(s / 3600)}h`;
  const year = date.getFullYear() === new Date(now).getFullYear() ? undefined : 'numeric';
  return date.toLocaleDateString(undefined, { day: 'numeric', month: 'short', year });
}

// anchor is a link out of the page, or plain text if there is no address.
function anchor(href, className = '') {
  const a = el(href ? 'a' : 'span', className);
  if (href) {
    a.href = href;
    a.target = '_blank';
    a.rel = 'noopener noreferrer nofollow';
  }
  return a;
}

// isolated keeps the writing direction of a text from turning others around.
function isolated(words) {
  const bdi = el('bdi');
  bdi.append(words);
  return bdi;
}

const shapes = {
  repost: 'M4 9V7a2 2 0 0 1 2-2h11m0 0-3-3m3 3-3 3M20 15v2a2 2 0 0 1-2 2H7m0 0 3-3m-3 3 3 3',
  reply: 'M9 7 4 12l5 5M4 12h9a7 7 0 0 1 7 7',
  photo: 'M5 4h14a2 2 0 0 1 2 2v12a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V6a2 2 0 0 1 2-2Zm-2 13 5-5 4 4 3-3 6 5M15.5 9.5h.01',
  play: 'M5 4h14a2 2 0 0 1 2 2v12a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V6a2 2 0 0 1 2-2Zm5 4.5v7l6-3.5-6-3.5Z',
  veil: 'M3 3l18 18M10.6 6.1A9.8 9.8 0 0 1 12 6c5 0 8.5 4 9.5 6-.4.8-1.3 2.1-2.7 3.3M6.7 7.6C4.5 9 3 11 2.5 12c1 2 4.5 6 9.5 6 1.6 0 3-.4 4.3-1M9.9 9.9a3 3 0 0 0 4.2 4.2',
};

function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  for (const [k, v] of Object.entries({ viewBox: '0 0 24 24', fill: 'none', stroke: 'currentColor', 'stroke-width': '2', 'stroke-linecap': 'round', 'stroke-linejoin': 'round', 'aria-hidden': 'true' })) {
    svg.setAttribute(k, v);
  }
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  path.setAttribute('d', shapes[name]);
  svg.append(path);
  return svg;
}

function el(name, className = '') {
  const e = document.createElement(name);
  if (className.trim()) e.className = className.trim();
  return e;
}
