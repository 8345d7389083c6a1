// The connection to the server: a WebSocket that comes back by itself.

const firstWait = 500; // milliseconds, doubling up to
const longestWait = 20_000;
const healthyAfter = 10_000; // a connection that lived for so long was a good one
const silentConnect = 10_000; // a connection that is not there by then will not be

/**
 * connect opens the feed at url and keeps it open. on.message is called with each
 * raw message, on.state with 'connecting', 'live', or 'waiting' and the time of
 * the next try. It returns a function that ends a wait at once.
 */
export function connect(url, on) {
  let tries = 0;
  let timer = 0;

  function open() {
    clearTimeout(timer);
    timer = 0;
    on.state('connecting');
    const socket = new WebSocket(url);
    let healthy = 0;
    const giveUp = setTimeout(() => socket.close(), silentConnect);
    socket.onopen = () => {
      clearTimeout(giveUp);
      healthy = setTimeout(() => { tries = 0; }, healthyAfter);
      on.state('live');
    };
    socket.onmessage = (event) => {
      if (typeof event.data === 'string') on.message(event.data);
    };
    socket.onclose = () => {
      clearTimeout(giveUp);
      clearTimeout(healthy);
      const longest = Math.min(longestWait, firstWait * 2 ** tries++);
      const wait = longest * (0.5 + Math.random() / 2); // so that not all viewers come back at once
      timer = setTimeout(open, wait);
      on.state('waiting', Date.now() + wait);
    };
  }

  const now = () => {
    if (timer) open();
  };
  addEventListener('online', now);
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') now();
  });
  open();
  return now;
}
