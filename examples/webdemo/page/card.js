// The elements that show a Post, as X asks for it: who, unaltered text, live links,
// the time as a link to the Post. The only attributes made of a Post are checked
// addresses, titles and the colour of an avatar.

import { anchor, el, icon, iconButton, isolated } from './element.js';

// Pictures are at X, which sees who asks for them: the server's policy lets them in
// only if the user has asked for it.
const pictures = new URLSearchParams(location.search).get('pictures') === 'x';

/** card returns the list item that shows what message.js has read; open shows more of it. */
export function card({ id, post, reposter, tags }, open) {
  const li = el('li');
  li.dataset.id = id;
  const article = el('article', { className: 'post', tabIndex: -1, 'aria-label': `Post by ${post.author.name}` });
  if (reposter) article.append(about('repost', 'lead', person(reposter), ' reposted'));
  const content = el('div', 'content', byline(post), ...(post.reply ? [replyLine(post.reply)] : []), body(post), foot(post, tags, open));
  article.append(el('div', 'inner', avatar(post.author, true), content));
  li.append(article);
  return li;
}

/** tick brings the times that cards show up to date. */
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
  if (post.time) {
    const when = anchor(post.url, 'when');
    const title = post.time.toLocaleString(undefined, { dateStyle: 'long', timeStyle: 'medium' });
    when.append(el('time', { dateTime: post.time.toISOString(), title }, ago(post.time, Date.now())));
    who.append(when);
  }
  if (post.edited) who.append(el('span', 'edited', 'Edited'));
  return who;
}

function replyLine(reply) {
  const to = anchor(reply.url);
  to.append('Replying');
  return reply.author ? about('reply', '', to, ' to ', person(reply.author)) : about('reply', '', to, ' to a Post');
}

// about is a line that says how a Post came here.
const about = (sign, className, ...words) => el('p', 'about ' + className, icon(sign), el('span', '', ...words));

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
  if (!post.sensitive) return el('div', 'body', ...parts);
  return el('details', 'veil', el('summary', '', icon('veil'), 'This Post may hold sensitive content'), ...parts);
}

function words(post) {
  const p = el('p', { className: 'text', dir: 'auto' });
  if (post.lang) p.lang = post.lang;
  for (const piece of post.pieces) {
    if (!piece.href) {
      p.append(piece.text);
      continue;
    }
    const a = anchor(piece.href);
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
  const button = el('button', { type: 'button', className: 'more', 'aria-expanded': 'false' }, 'Show more');
  button.onclick = () => {
    const whole = p.classList.toggle('whole');
    button.textContent = whole ? 'Show less' : 'Show more';
    button.setAttribute('aria-expanded', String(whole));
  };
  return button;
}

// media are pictures, or labels in place of them.
function media(post) {
  const box = el('div', 'media');
  for (const m of post.media) {
    const a = anchor(post.url);
    const length = m.seconds > 0 ? ` ${Math.floor(m.seconds / 60)}:${String(m.seconds % 60).padStart(2, '0')}` : '';
    if (pictures && m.picture) {
      a.className = 'picture';
      a.append(el('img', { src: m.picture, alt: m.alt || m.kind, loading: 'lazy', referrerPolicy: 'no-referrer' }));
      if (m.kind !== 'Photo') a.append(el('span', 'kind', m.kind + length));
    } else {
      a.append(icon(m.kind === 'Photo' ? 'photo' : 'play'), el('span', '', m.kind + length, ...(m.alt ? [': ', isolated(m.alt)] : [])));
    }
    box.append(a);
  }
  return box;
}

const poll = (post) => el('ul', { className: 'poll', 'aria-label': 'Poll' }, ...post.poll.map((label) => el('li', '', isolated(label))));

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

function foot(post, tags, open) {
  const div = el('div', 'foot');
  if (tags.length > 0) {
    div.append(el('ul', { 'aria-label': 'Matched' }, ...tags.map((tag) => el('li', { title: tag }, isolated(tag)))));
  }
  const view = anchor(post.url);
  view.append('View on X');
  div.append(view);
  if (open) div.append(iconButton('open', 'Details', open));
  return div;
}

// avatar is made of the name and the id, unless pictures are allowed.
function avatar(user, linked) {
  const a = linked ? anchor(user.url, 'avatar') : el('span', 'avatar');
  a.setAttribute('aria-hidden', 'true');
  if (a.href) a.tabIndex = -1; // the name beside it is the same link
  a.style.setProperty('--hue', hue(user.id || user.username));
  if (pictures && user.picture) a.append(el('img', { src: user.picture, alt: '', loading: 'lazy', referrerPolicy: 'no-referrer' }));
  else a.append(initials(user.name));
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
