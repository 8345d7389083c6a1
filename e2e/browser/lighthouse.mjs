// Prints Lighthouse's scores of a page as JSON: CHROMIUM FOLDER URL.
import { launch } from "chrome-launcher";
import lighthouse from "lighthouse";

const [chromePath, userDataDir, url] = process.argv.slice(2);
const chrome = await launch({
  chromePath,
  userDataDir,
  chromeFlags: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"],
});
try {
  const onlyCategories = ["performance", "accessibility", "best-practices"];
  const { lhr } = await lighthouse(url, { port: chrome.port, onlyCategories, preset: "desktop", logLevel: "silent" }, {
    extends: "lighthouse:default",
    settings: { formFactor: "desktop", screenEmulation: { mobile: false, width: 1350, height: 940, deviceScaleFactor: 1, disabled: false }, throttling: { rttMs: 40, throughputKbps: 10240, cpuSlowdownMultiplier: 1, requestLatencyMs: 0, downloadThroughputKbps: 0, uploadThroughputKbps: 0 } },
  });
  const scores = Object.fromEntries(Object.entries(lhr.categories).map(([name, c]) => [name, c.score]));
  const faults = Object.values(lhr.audits).filter((a) => a.score !== null && a.score < 0.9 && a.scoreDisplayMode !== "informative").map((a) => `${a.id}: ${a.score} ${a.displayValue ?? ""} ${a.title} ${(a.details?.items ?? []).slice(0, 4).map((i) => i.node?.snippet ?? i.url ?? "").join(" ").slice(0, 400)}`);
  console.log(JSON.stringify({ scores, faults }));
} finally {
  await chrome.kill();
}
process.exit(0);
