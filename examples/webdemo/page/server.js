// What the page asks of the server besides the feed.

/** ask returns the JSON of an answer. What is not well is thrown, with the answer's own words. */
export async function ask(path, options = {}) {
  const init = { method: options.method ?? 'GET', signal: options.signal };
  if (options.body !== undefined) {
    init.method = options.method ?? 'POST';
    init.headers = { 'Content-Type': 'application/json' };
    init.body = JSON.stringify(options.body);
  }
  const answer = await fetch(path, init);
  const value = answer.status === 204 ? null : await answer.json().catch(() => null);
  if (!answer.ok) {
    throw Object.assign(new Error(value?.error ?? `the server answers ${answer.status}`), { status: answer.status, pos: value?.pos ?? 0 });
  }
  return value;
}

/** every calls f now and then, while the page can be seen and wanted says so. */
export function every(milliseconds, wanted, f) {
  let busy = false;
  const look = async () => {
    if (busy || document.hidden || !wanted()) return;
    busy = true;
    try {
      await f();
    } catch {
      // The feed tells that the server is not there.
    } finally {
      busy = false;
    }
  };
  setInterval(look, milliseconds);
  return look;
}
