// What a column shows.

/** none asks for everything. */
export const none = Object.freeze({ tag: '', words: [], langs: [], sensitive: true, media: false });

/** filterOf makes a filter of what a browser has stored, or anybody has written. */
export function filterOf(v) {
  const texts = (list) => (Array.isArray(list) ? list.filter((s) => typeof s === 'string' && s.trim() !== '').slice(0, 10) : []);
  return {
    tag: typeof v?.tag === 'string' ? v.tag.slice(0, 200) : '',
    words: texts(v?.words),
    langs: texts(v?.langs).map((s) => s.toLowerCase()),
    sensitive: v?.sensitive !== false,
    media: v?.media === true,
  };
}

/** fold brings a text into the form in which words are compared, as the server does. */
export function fold(text) {
  return ` ${(text.toLowerCase().match(/[\p{L}\p{N}\p{M}_]+|\p{Extended_Pictographic}/gu) ?? []).join(' ')} `;
}

/** passes reports whether a filter lets a message of message.js through. */
export function passes(f, message) {
  return (f.tag === '' || message.tags.includes(f.tag))
    && (f.langs.length === 0 || f.langs.includes(message.language))
    && (f.sensitive || !message.sensitive)
    && (!f.media || message.post.media.length > 0)
    && (f.words.length === 0 || hasWord(f.words, fold(message.post.text)));
}

// A word of a filter may be the beginning of one.
function hasWord(words, text) {
  return words.some((w) => text.includes(fold(w).trimEnd()));
}

/** query writes a filter as the server's questions have it. */
export function query(f) {
  const q = new URLSearchParams();
  if (f.tag) q.set('tag', f.tag);
  for (const w of f.words) q.append('word', w);
  for (const l of f.langs) q.append('lang', l);
  if (!f.sensitive) q.set('sensitive', 'false');
  if (f.media) q.set('media', 'true');
  return q;
}

/** title names a filter, and detail says what else it asks for. */
export const title = (f) => f.tag || 'Everything';

export function detail(f) {
  return [
    f.words.join(' or '),
    f.langs.join(', '),
    f.media ? 'with media' : '',
    f.sensitive ? '' : 'nothing sensitive',
  ].filter(Boolean).join(' · ');
}

/** newer compares ids, which grow with time: below 0 if a is the older one. */
export function compareIDs(a, b) {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}
