// client.js on a clock, a chance and sockets of the test's own: node --test. What it
// does with a real hub stands in scenario.js.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { beforeEach, test } from "node:test";

const source = await readFile(new URL("../../sinks/wshub/client.js", import.meta.url), "utf8");
const { connect } = await import(`data:text/javascript,${encodeURIComponent(source)}`);

let now, chance, timers, sockets, states, listeners;

class FakeSocket {
  static OPEN = 1;
  readyState = 0;
  sent = [];
  constructor(url) {
    this.url = new URL(url);
    sockets.push(this);
  }
  send(text) {
    this.sent.push(text);
  }
  close(code) {
    this.code = code;
    this.end();
  }
  opens() {
    this.readyState = 1;
    this.onopen();
  }
  says(data) {
    this.onmessage({ data });
  }
  end() {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.onclose();
  }
}

const target = {
  addEventListener: (name, f) => listeners.set(name, f),
  removeEventListener: (name, f) => listeners.get(name) === f && listeners.delete(name),
};
const random = Math.random;

beforeEach(() => {
  [now, chance, timers, sockets, states, listeners] = [1e12, 0.5, [], [], [], new Map()];
  globalThis.WebSocket = FakeSocket;
  globalThis.setTimeout = (f, wait) => {
    const t = { f, at: now + wait };
    timers.push(t);
    return t;
  };
  globalThis.clearTimeout = (t) => {
    timers = timers.filter((other) => other !== t);
  };
  Date.now = () => now;
  Math.random = () => chance;
  Object.assign(globalThis, target);
  globalThis.document = { ...target, visibilityState: "visible" };
});

/** Time goes by, and what is due is done. */
function pass(ms) {
  const end = now + ms;
  for (;;) {
    const due = timers.filter((t) => t.at <= end).sort((a, b) => a.at - b.at)[0];
    if (!due) break;
    now = Math.max(now, due.at);
    timers = timers.filter((t) => t !== due);
    due.f();
  }
  now = end;
}

const open = (options = {}, url = "http://hub.example/feed?tag=a") =>
  connect(url, { ...options, onstate: (state, retryAt) => states.push(retryAt ? `${state} ${retryAt - now}` : state) });
const last = () => sockets.at(-1);
const post = (id) => JSON.stringify({ data: { id } });

/** The wait after each of some ends, in a row. */
function waits(ends) {
  const all = [];
  for (let i = 0; i < ends; i++) {
    const [tries, began] = [sockets.length, now];
    last().end();
    while (sockets.length === tries) pass(1);
    all.push(now - began);
  }
  return all;
}

test("it comes back later each time, up to 20 seconds, and within the half of it that chance has", () => {
  chance = 0;
  const feed = open();
  assert.deepEqual(waits(8), [250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
  feed.close();
  chance = 0.9999999;
  open();
  assert.deepEqual(waits(8), [500, 1000, 2000, 4000, 8000, 16_000, 20_000, 20_000]);
});

test("a thousand that lose their hub do not come back at the same moment", () => {
  Math.random = random;
  for (let i = 0; i < 1000; i++) open();
  for (const s of [...sockets]) s.end();
  const by = new Map();
  for (let tenth = 0; tenth < 10; tenth++) {
    const before = sockets.length;
    pass(50);
    by.set(tenth, sockets.length - before);
  }
  const early = [0, 1, 2, 3].reduce((n, tenth) => n + by.get(tenth), 0);
  assert.equal(sockets.length, 2000);
  assert.equal(early, 0, "none within 200 ms");
  for (let tenth = 5; tenth < 10; tenth++) assert.ok(by.get(tenth) > 100 && by.get(tenth) < 300, `${by.get(tenth)} in 50 ms of 250`);
});

test("only a connection that has lived for 10 seconds makes the waits short again", () => {
  chance = 0;
  open();
  assert.deepEqual(waits(3), [250, 500, 1000]);
  last().opens();
  pass(9999);
  assert.deepEqual(waits(1), [2000]);
  last().opens();
  pass(10_000);
  assert.deepEqual(waits(2), [250, 500]);
});

test("it goes on behind the Post that came last", () => {
  const feed = open({ replay: 7, filter: { langs: ["en"] } });
  const asked = () => Object.fromEntries(last().url.searchParams);
  assert.equal(last().url.href, "ws://hub.example/feed?tag=a&lang=en&replay=7");
  assert.equal(feed.last(), "");
  waits(1);
  assert.deepEqual(asked(), { tag: "a", lang: "en", replay: "7" }, "nothing has come");
  last().opens();
  for (const id of ["9", "10", "2"]) last().says(post(id));
  last().says('{"deleted":["2"]}');
  last().says('{"gap":{"after":"1","reason":"slow"}}');
  waits(1);
  assert.deepEqual(asked(), { tag: "a", lang: "en", since: "2" });
  assert.equal(feed.last(), "2");
  waits(1);
  assert.deepEqual(asked(), { tag: "a", lang: "en", since: "2" }, "a try that fails forgets nothing");
});

test("it begins behind the Post that it is told of, on the scheme that belongs to the page's", () => {
  open({ since: "5", replay: 7 }, "https://hub.example/feed?since=1");
  assert.equal(last().url.href, "wss://hub.example/feed?since=5");
});

test("what a function throws keeps neither the Post nor the next ones back", (t) => {
  t.mock.method(console, "error", () => {});
  const got = [];
  const feed = open({
    onpost: (p) => {
      got.push(p.data.id);
      throw new Error("thrown for the test");
    },
  });
  last().opens();
  last().says(post("1"));
  last().says(post("2"));
  assert.deepEqual(got, ["1", "2"]);
  assert.equal(feed.last(), "2");
  assert.equal(console.error.mock.callCount(), 2);
});

test("what is no message of the hub's is passed over", () => {
  const told = [];
  const say = (name) => (...args) => told.push([name, ...args]);
  open({ onpost: say("post"), ondelete: say("delete"), ongap: say("gap"), onfilter: say("filter") });
  last().opens();
  for (const odd of ["", "{", "null", "7", '"data"', "[]", "{}", new ArrayBuffer(8), '{"deleted":"1"}', '{"filter":7}']) last().says(odd);
  assert.deepEqual(told, []);
  last().says('{"filter":"lang=en","error":"no"}');
  last().says('{"data":{"id":7}}');
  assert.deepEqual(told, [["filter", "lang=en", "no"], ["post", { data: { id: 7 } }, '{"data":{"id":7}}']]);
});

test("it says how it stands, and when it tries again", () => {
  const feed = open();
  assert.deepEqual(states, ["connecting"]);
  last().opens();
  last().end();
  assert.deepEqual(states.splice(0), ["connecting", "live", "waiting 375"]);
  pass(374);
  assert.deepEqual(states, []);
  pass(1);
  assert.deepEqual(states.splice(0), ["connecting"]);
  last().end();
  assert.deepEqual(states.splice(0), ["waiting 750"]);
  feed.close();
  assert.deepEqual(states.splice(0), ["closed"]);
  pass(60_000);
  assert.deepEqual([states, sockets.length, timers.length], [[], 2, 0], "nothing comes after that");
});

test("a closed feed is silent, and leaves nothing behind", () => {
  const got = [];
  const feed = open({ onpost: (p) => got.push(p) });
  last().opens();
  assert.deepEqual([...listeners.keys()], ["online", "visibilitychange"]);
  const s = last();
  feed.close();
  s.says(post("1"));
  feed.retry();
  pass(60_000);
  assert.equal(s.code, 1000);
  assert.deepEqual([got, states, sockets.length, timers.length, listeners.size], [[], ["connecting", "live", "closed"], 1, 0, 0]);
});

test("who closes it when it says that it connects gets no connection", () => {
  let feed;
  feed = connect("ws://hub.example/", {
    onstate: (state) => {
      states.push(state);
      if (state === "connecting") feed?.close();
    },
  });
  last().end();
  pass(60_000);
  assert.deepEqual([states, sockets.length], [["connecting", "waiting", "connecting", "closed"], 1]);
});

test("a wait ends at once when it is asked to, when the network is back, and when the page is seen", () => {
  const feed = open();
  const cases = { retry: feed.retry, online: () => listeners.get("online")(), seen: () => listeners.get("visibilitychange")() };
  for (const [name, f] of Object.entries(cases)) {
    const n = sockets.length;
    f();
    assert.equal(sockets.length, n, `${name}: while it connects it does not connect again`);
    last().opens();
    f();
    assert.equal(sockets.length, n, `${name}: nor while it is live`);
    last().end();
    f();
    assert.equal(sockets.length, n + 1, name);
    assert.equal(timers.length, 1, `${name}: the wait is over`); // what is left gives up the connect
  }
  last().opens();
  last().end();
  globalThis.document.visibilityState = "hidden";
  const n = sockets.length;
  listeners.get("visibilitychange")();
  assert.equal(sockets.length, n, "a page that nobody sees");
});

test("a connection that is not there after 10 seconds will not be", () => {
  open();
  pass(9999);
  assert.equal(sockets.length, 1);
  pass(1);
  assert.deepEqual(states.splice(0), ["connecting", "waiting 375"]);
  pass(375);
  last().opens();
  pass(60_000);
  assert.equal(last().readyState, 1, "one that is there stays");
});

test("another filter is asked for on the connection, or with the next", () => {
  const feed = open({ filter: { tags: ["x"] } });
  feed.filter({ words: ["go lang"], sensitive: false }); // it would open with the old one
  pass(1000);
  assert.equal(last().url.search, "?tag=a&word=go+lang&sensitive=false");
  last().opens();
  feed.filter({ tags: ["b", "c"] });
  assert.deepEqual(last().sent, ['{"filter":"tag=b&tag=c"}']);
  waits(1);
  assert.equal(last().url.search, "?tag=a&tag=b&tag=c");
});
