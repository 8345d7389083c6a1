// Looks at the page of webdemo in Firefox: node firefox.mjs FIREFOX PROFILE URL.
// It asks on stdout for the server to be ended and started again, waits for a
// line on stdin, and prints "well" at the end. Anything else is a fault.
import { createInterface } from "node:readline/promises";
import puppeteer from "puppeteer-core";

const [executablePath, userDataDir, url] = process.argv.slice(2);
const patience = { timeout: 60_000 };
const lines = createInterface({ input: process.stdin });
const browser = await puppeteer.launch({ browser: "firefox", executablePath, userDataDir, headless: true });
const faults = [];
let serverIsThere = true;
let pictures = false; // requests for them are expected
try {
  const page = await browser.newPage();
  page.on("console", (m) => {
    if (m.type() === "error" && serverIsThere) faults.push(`console: ${m.text()}`);
  });
  page.on("pageerror", (e) => {
    // So Firefox says it when the feed is tried in vain, which it is if the new server is slow to come.
    if (serverIsThere || !/^Firefox can.t establish a connection/.test(e.message)) faults.push(`page: ${e.message}`);
  });
  page.on("dialog", (d) => {
    faults.push("a dialog");
    return d.dismiss();
  });
  page.on("request", (r) => {
    if (pictures && r.url().startsWith("https://pbs.twimg.com/")) return;
    if (!r.url().startsWith(url) && !r.url().startsWith("data:")) faults.push(`a request to ${r.url()}`);
  });
  const until = async (what, condition, ...args) => {
    try {
      await page.waitForFunction(condition, patience, ...args);
    } catch (e) {
      throw new Error(`never: ${what}: ${e.message}`);
    }
  };
  const live = () => until("it is live", () => document.querySelector("#state").dataset.state === "live");
  const first = () => page.$eval(".column .posts > li", (li) => li.dataset.id);
  const click = (selector) => page.$eval(selector, (e) => e.click());

  await page.goto(url + "/");
  await live();
  await until("Posts are shown", () => document.querySelectorAll(".column:first-of-type .posts > li").length >= 20);

  // Columns.
  const titles = () => page.$$eval(".column h2", (all) => all.map((h) => h.textContent).join(" "));
  await page.keyboard.press("a");
  await until("the dialog is open", () => document.querySelector("#choose").open);
  await page.select("#choose select[name=tag]", "coffee");
  await click("#choose button[type=submit]");
  await until("only coffee is shown", () => {
    const all = [...document.querySelectorAll(".column:nth-of-type(4) .posts > li")];
    return all.length > 3 && all.every((li) => [...li.querySelectorAll(".foot li")].some((tag) => tag.textContent === "coffee"));
  });
  await page.keyboard.type("H");
  if ((await titles()) !== "Everything coop coffee golang") faults.push(`columns are ${await titles()}`);
  // By pointer: the last to the place of the one before it, and back.
  for (const want of ["Everything coop golang coffee", "Everything coop coffee golang"]) {
    const [to, from] = await page.$$eval(".column .grip", (all) => all.slice(-2).map((g) => {
      g.scrollIntoView({ behavior: "instant" });
      const r = g.getBoundingClientRect();
      return [r.left + 20, r.top + r.height / 2];
    }));
    await page.mouse.move(...from);
    await page.mouse.down();
    await page.mouse.move(...to, { steps: 5 });
    await page.mouse.up();
    if ((await titles()) !== want) faults.push(`columns are ${await titles()} after a drag, not ${want}`);
  }
  await page.reload();
  await live();
  await until("the columns are kept", () => document.querySelectorAll(".column").length === 4);
  if ((await titles()) !== "Everything coop coffee golang") faults.push(`columns are ${await titles()} after a reload`);
  await until("what came before is shown", () => document.querySelectorAll(".column:first-of-type .posts > li").length >= 20);

  await page.keyboard.press("p");
  await until("it is paused", () => document.querySelector("#state").dataset.state === "paused");
  const top = await first();
  await until("Posts wait", () => parseInt(document.querySelector("#waiting").textContent) >= 10);
  if ((await first()) !== top) faults.push("the list has changed while it was paused");

  // Search, detail, the panel.
  await page.keyboard.press("/");
  await page.keyboard.type("COFF");
  await until("the search finds", () => [...document.querySelectorAll("#view-search li[data-id]")].length > 3);
  await click("#view-search li .foot button");
  await until("the detail is open", () => document.querySelector("#detail").open && document.querySelector("#detail pre").textContent.includes('"data": {'));
  await page.keyboard.press("Escape");
  await until("it is closed", () => !document.querySelector("#detail").open);
  await click("#tab-figures");
  await until("there are charts", () => document.querySelectorAll("#view-figures .chart").length === 4);
  await click("#tab-pipeline");
  await until("the source is connected", () => document.querySelector("#view-pipeline dd")?.textContent === "connected");
  await until("nothing is lost", () => [...document.querySelectorAll(".ledger")].length === 4 && [...document.querySelectorAll(".ledger")].every((l) => l.dataset.lost === "0"));
  for (const [fault, row] of [["garbage", /^Broken lines1$/], ["reset", /^Connections2, of which 1 were lost/]]) {
    await click(`#view-pipeline [data-fault=${fault}]`);
    await until(`the fault is seen: ${fault}`, (row) => [...document.querySelectorAll("#view-pipeline .rows > div")].some((d) => new RegExp(row).test(d.textContent)), row.source);
  }
  await click("#tab-rules");
  await until("the rules are listed", () => document.querySelectorAll("#view-rules .rules li[data-rule]").length === 3);
  serverIsThere = false; // what is refused is an error of the network
  await page.type("#rule-value", "tea (milk");
  await click("#view-rules form button[type=button]");
  await until("the place is marked", () => document.querySelector("#view-rules .place mark")?.textContent === "(");
  serverIsThere = true;
  await click("#panel > header > .icon");

  await click("#pause");
  await until("what waited is shown", (top) => document.querySelector(".column .posts > li").dataset.id !== top, top);

  // What is exported has what the page shows.
  await click(".column:nth-of-type(3) .buttons button:nth-child(3)");
  await until("the filter is open", () => document.querySelector("#choose").open);
  const exported = await page.$$eval("#choose .export a", (all) => Promise.all(all.map(async (a) => (await (await fetch(a.href)).text()).trim().split("\n").map(JSON.parse))));
  await page.keyboard.press("Escape");
  if (exported[0].length < 5 || !exported[0].every((o) => /^\d+$/.test(o.id))) faults.push(`the ids are ${JSON.stringify(exported[0]).slice(0, 200)}`);
  if (exported[1].length < 5 || !exported[1].every((o) => o.matching_rules.some((r) => r.tag === "coffee"))) faults.push("Posts are exported that are not of the column");

  const hostile = '<script>window.pwned = 1</script><img src=x onerror="alert(1)">';
  const status = await page.evaluate(async (text) => {
    const post = { data: { id: "1", text: `${text} javascript:pwned`, entities: { urls: [{ start: text.length + 1, end: text.length + 17, url: "javascript:pwned" }] } } };
    return (await fetch("/tweets", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(post) })).status;
  }, hostile);
  if (status !== 204) faults.push(`POST /tweets answers ${status}`);
  await until("the hostile Post is shown as text", (text) => {
    const li = document.querySelector('li[data-id="1"] .text');
    return li && li.textContent === `${text} javascript:pwned` && li.children.length === 0 && !("pwned" in window);
  }, hostile);

  // Pictures, which are X's, are asked for only when the user allows it; here nobody has them.
  await page.keyboard.type("?");
  await until("the settings are open", () => document.querySelector("#about").open);
  pictures = true;
  serverIsThere = false;
  await Promise.all([page.waitForNavigation(), click("#about input[type=checkbox]")]);
  await until("there are pictures, of X alone", () => {
    const all = [...document.querySelectorAll(".posts img")];
    return all.length > 0 && all.every((i) => i.src.startsWith("https://pbs.twimg.com/"));
  });
  await page.goto(url + "/");
  await live();

  console.log("restart");
  await until("the page has noticed", () => document.querySelector("#state").dataset.state !== "live");
  console.log("down");
  await lines[Symbol.asyncIterator]().next();
  const before = await first();
  await live();
  await until("new Posts come", (before) => document.querySelector(".column .posts > li").dataset.id !== before, before);
} catch (e) {
  faults.push(e.message);
} finally {
  lines.close();
  await browser.close();
}
console.log(faults.length === 0 ? "well" : faults.join("\n"));
process.exit(faults.length === 0 ? 0 : 1);
