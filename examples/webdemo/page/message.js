// What is to be shown of a message of the stream. Nothing in it is trusted: a
// field of another shape than expected counts as missing, names of fields are
// read in both of X's spellings, and what is no https: link is no link.

const x = 'https://x.com/';

/** parse is read for the text of a message. */
export function parse(raw) {
  try {
    return read(JSON.parse(raw));
  } catch {
    return null;
  }
}

/**
 * read returns what to show of one message of the stream, or null if that is no Post.
 * What it returns can be handed from thread to thread.
 */
export function read(message) {
  const data = object(object(message).data);
  if (!idOf(data)) return null;

  const includes = object(object(message).includes);
  const users = byID(includes.users);
  const media = new Map(objects(includes.media).map((m) => [text(m.media_key), m]));
  const polls = byID(includes.polls);
  const posts = byID(list(includes.tweets) ?? list(includes.posts));
  const parts = { users, media, polls, posts };

  const outer = post(data, parts);
  const reference = (...types) => outer.references.find((r) => types.includes(r.type));

  let shown = outer;
  let reposter = null;
  const reposted = reference('retweeted', 'reposted');
  if (reposted) {
    reposter = outer.author;
    const original = posts.get(reposted.id);
    if (original) {
      shown = post(original, parts);
      if (shown.media.length === 0) shown.media = outer.media;
    }
  }
  for (const ref of shown.references) {
    const other = posts.get(ref.id);
    if (ref.type === 'quoted') {
      shown.quoted = other ? post(other, parts) : { gone: true, url: postURL('', ref.id) };
    }
    if (ref.type === 'replied_to') {
      shown.reply = { url: postURL('', ref.id), author: other ? authorOf(other, users) : null };
    }
  }
  if (!shown.reply?.author && shown.replyTo && shown.replyTo !== shown.author.id) {
    shown.reply = { url: '', ...shown.reply, author: user(users.get(shown.replyTo), shown.replyTo) };
  }

  const tags = new Set();
  const rules = [];
  for (const rule of objects(object(message).matching_rules)) {
    if (text(rule.tag) !== '') tags.add(text(rule.tag));
    rules.push({ id: String(rule.id ?? ''), tag: text(rule.tag) });
  }
  return {
    id: outer.id,
    tags: [...tags],
    rules,
    language: text(data.lang).toLowerCase(),
    sensitive: outer.sensitive || shown.sensitive,
    reposter,
    post: shown,
  };
}

// link returns an address that may become a link, or '' if it may not.
function link(address) {
  let url;
  try {
    url = new URL(address);
  } catch {
    return '';
  }
  return url.protocol === 'https:' && url.username === '' && url.password === '' ? url.href : '';
}

// picture returns the address of a picture at X's own place for them, or ''.
function picture(address) {
  const href = link(text(address));
  return href.startsWith('https://pbs.twimg.com/') ? href : '';
}

/**
 * pieces cuts a text along its entities. Their places count code points of the
 * text as X sent it, where & < > are written as &amp; &lt; &gt;.
 */
function pieces(text, entities) {
  const runes = Array.from(text);
  const out = [];
  let at = 0;
  for (const e of entities) {
    if (e.start < at || e.end > runes.length) continue; // X repeats a link for each photo
    const words = runes.slice(e.start, e.end).join('');
    if (!e.fits(words)) continue;
    if (e.start > at) out.push({ text: unescape(runes.slice(at, e.start).join('')), href: '', title: '' });
    out.push({ text: e.shown || unescape(words), href: link(e.href), title: e.title });
    at = e.end;
  }
  if (at < runes.length) out.push({ text: unescape(runes.slice(at).join('')), href: '', title: '' });
  return out;
}

function post(data, parts) {
  const note = object(data.note_tweet ?? data.note_post);
  const whole = text(note.text);
  const author = authorOf(data, parts.users);
  const id = idOf(data);
  const attached = object(data.attachments);
  return {
    id,
    author,
    url: postURL(author.username, id),
    time: time(data.created_at),
    text: whole || text(data.text),
    pieces: pieces(whole || text(data.text), entities(object(whole ? note.entities : data.entities))),
    lang: /^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$/.test(text(data.lang)) && !/^(und|q..|zxx)$/.test(data.lang) ? data.lang : '',
    media: strings(attached.media_keys).map((key) => medium(object(parts.media.get(key)))),
    poll: strings(attached.poll_ids).slice(0, 1).flatMap((poll) => objects(object(parts.polls.get(poll)).options).map((o) => text(o.label))),
    references: objects(data.referenced_tweets ?? data.referenced_posts).map((r) => ({ type: text(r.type), id: idOf(r) })),
    replyTo: idOf({ id: data.in_reply_to_user_id }),
    sensitive: data.possibly_sensitive === true,
    edited: strings(data.edit_history_tweet_ids ?? data.edit_history_post_ids).length > 1,
    quoted: null,
    reply: null,
  };
}

function entities(o) {
  const found = [];
  const take = (items, make) => {
    for (const item of objects(items)) {
      const { start, end } = item;
      if (Number.isInteger(start) && Number.isInteger(end) && 0 <= start && start < end) {
        found.push({ start, end, shown: '', href: '', title: '', ...make(item) });
      }
    }
  };
  // What stands at the place tells whether the place is right.
  const sign = (signs) => (words) => words.length > 1 && signs.includes(words[0]);
  take(o.urls, (u) => ({
    shown: link(text(u.url)) ? text(u.display_url) : '',
    href: link(text(u.url)),
    title: text(u.expanded_url),
    fits: (words) => words === text(u.url),
  }));
  take(o.mentions, (m) => ({ href: profile(text(m.username)), fits: sign('@＠') }));
  take(o.hashtags, (h) => ({ href: `${x}hashtag/${encodeURIComponent(wellFormed(h.tag))}`, fits: sign('#＃') }));
  take(o.cashtags, (c) => ({ href: `${x}search?q=${encodeURIComponent('$' + wellFormed(c.tag))}`, fits: sign('$＄') }));
  return found.sort((a, b) => a.start - b.start);
}

function medium(m) {
  const kind = { photo: 'Photo', video: 'Video', animated_gif: 'GIF' }[text(m.type)] ?? 'Media';
  return { kind, alt: text(m.alt_text), picture: picture(m.url) || picture(m.preview_image_url), seconds: Number.isFinite(m.duration_ms) ? Math.round(m.duration_ms / 1000) : 0 };
}

function authorOf(data, users) {
  const id = idOf({ id: data.author_id });
  return user(users.get(id), id);
}

function user(u, id) {
  const username = text(object(u).username);
  return { id, username, name: text(object(u).name) || username || 'Unknown', url: profile(username), picture: picture(object(u).profile_image_url) };
}

function profile(username) {
  return /^[A-Za-z0-9_]{1,30}$/.test(username) ? x + username : '';
}

function postURL(username, id) {
  return id ? `${profile(username) || x + 'i/web'}/status/${id}` : '';
}

function time(t) {
  const date = new Date(text(t));
  return Number.isNaN(date.getTime()) ? null : date;
}

const characters = { '&amp;': '&', '&lt;': '<', '&gt;': '>' };

function unescape(t) {
  return t.replace(/&(?:amp|lt|gt);/g, (c) => characters[c]);
}

// wellFormed takes lone surrogates out, which encodeURIComponent would throw at.
function wellFormed(t) {
  return text(t).toWellFormed?.() ?? text(t).replace(/[\ud800-\udfff]/g, '');
}

function byID(items) {
  return new Map(objects(items).map((o) => [idOf(o), o]));
}

function idOf(o) {
  return typeof o.id === 'string' && /^\d{1,20}$/.test(o.id) ? o.id : '';
}

function object(v) {
  return v !== null && typeof v === 'object' && !Array.isArray(v) ? v : {};
}

function list(v) {
  return Array.isArray(v) ? v : undefined;
}

function objects(v) {
  return (list(v) ?? []).filter((o) => o !== null && typeof o === 'object' && !Array.isArray(o));
}

function strings(v) {
  return (list(v) ?? []).filter((s) => typeof s === 'string');
}

function text(v) {
  return typeof v === 'string' ? v : '';
}
