// The page's end of worker.js.

const script = 'worker.js';

// The policy of the page lets this one address become a script.
const policy = globalThis.trustedTypes?.createPolicy('worker', {
  createScriptURL: (url) => {
    if (url !== script) throw new TypeError('there is one worker only');
    return url;
  },
});

/** openFeed readies the feed; what comes is handed to on(message). */
export function openFeed(on) {
  const worker = new Worker(policy ? policy.createScriptURL(script) : script, { type: 'module' });
  worker.onmessage = ({ data }) => on(data);
  const retry = () => worker.postMessage({ retry: true });
  addEventListener('online', retry);
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) retry();
  });
  return {
    /** start begins behind the Post with this id, or with the newest that there are. */
    start: (since) => worker.postMessage({ start: true, since }),
    retry,
    columns: (columns) => worker.postMessage({ columns: columns.map(({ id, filter }) => ({ id, filter })) }),
  };
}
