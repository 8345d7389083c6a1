// The keyboard, and the dialog that lists what it does.

import { el, iconButton } from './element.js';

/** listen calls what bindings, { key: [words, f] }, have for a key. */
export function listen(bindings) {
  addEventListener('keydown', (e) => {
    if (e.defaultPrevented || e.ctrlKey || e.metaKey || e.altKey || e.isComposing) return;
    if (document.querySelector('dialog[open]')) return;
    const field = e.target.closest?.('input, textarea, select');
    if (e.key === 'Escape' ? false : field) return;
    if (e.key === 'Enter' && e.target.closest?.('a, button, summary')) return;
    const f = bindings[e.key]?.[1];
    if (!f) return;
    if (f(e) !== false) e.preventDefault();
  });
}

/** about opens the dialog with the shortcuts and the settings. */
export function about(bindings, settings) {
  const dialog = document.getElementById('about');
  const list = el('dl', 'keys');
  const seen = new Map();
  for (const [key, [words]] of Object.entries(bindings)) {
    if (!words) continue;
    seen.set(words, [...(seen.get(words) ?? []), names[key] ?? key]);
  }
  for (const [words, keys] of seen) {
    list.append(el('div', '', el('dt', '', ...keys.flatMap((k, i) => (i > 0 ? [' or ', el('kbd', '', k)] : [el('kbd', '', k)]))), el('dd', '', words)));
  }
  dialog.replaceChildren(el('div', 'sheet',
    el('header', '', el('h2', { id: 'about-title', tabIndex: -1, autofocus: true }, 'Keys and settings'), iconButton('close', 'Close', () => dialog.close())),
    list, ...settings()));
  dialog.showModal();
}

const names = { ArrowDown: '↓', ArrowUp: '↑', ArrowLeft: '←', ArrowRight: '→', Escape: 'Esc' };
