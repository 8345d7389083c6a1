// twitter-api-v2 against xtest: prints what it saw as JSON. Its host is fixed, so
// its agent connects to the server of the test instead, whose certificate is
// self-signed.
import https from "node:https";
import tls from "node:tls";
import { ETwitterStreamEvent, TwitterApi } from "twitter-api-v2";

const server = new URL(process.env.XTEST_URL);

class Agent extends https.Agent {
  createConnection() {
    return tls.connect({ host: server.hostname, port: server.port, rejectUnauthorized: false });
  }
}

const client = new TwitterApi("token", { httpAgent: new Agent() }).readOnly.v2;
const rules = new TwitterApi("token", { httpAgent: new Agent() }).v2;
const seen = {};

const added = await rules.updateStreamRules({
  add: [{ value: "coop OR #coop", tag: "coop" }, { value: "golang", tag: "go" }],
});
seen.added = added.data.map((r) => r.value);
const again = await rules.updateStreamRules({ add: [{ value: "golang", tag: "again" }] });
seen.duplicate = again.errors.map((e) => e.title);
const invalid = await rules.updateStreamRules({ add: [{ value: "coop (golang" }] });
seen.invalid = invalid.errors.flatMap((e) => e.details);
const listed = await rules.streamRules();
seen.listed = listed.data.map((r) => `${r.value} = ${r.tag}`);

const stream = await client.searchStream({ "tweet.fields": ["created_at", "author_id"], expansions: ["author_id"] });
seen.streamed = await new Promise((resolve, reject) => {
  const posts = [];
  for (const event of [ETwitterStreamEvent.Error, ETwitterStreamEvent.ConnectionClosed]) {
    stream.on(event, (e) => reject(e instanceof Error ? e : new Error(`the stream ended: ${event} ${JSON.stringify(e)}`)));
  }
  stream.on(ETwitterStreamEvent.Data, (message) => {
    posts.push(`${message.data.text} [${message.matching_rules.map((r) => r.tag)}]`);
    if (posts.length === Number(process.env.XTEST_POSTS)) resolve(posts);
  });
});
stream.removeAllListeners();
stream.close();

seen.found = [];
seen.pages = 1;
let page = await client.search("number", { max_results: 10, "tweet.fields": "created_at" });
seen.found.push(...page.tweets.map((p) => p.text));
while (!page.done) {
  page = await page.next();
  seen.found.push(...page.tweets.map((p) => p.text));
  seen.pages++;
}

const gone = await rules.updateStreamRules({ delete: { ids: listed.data.map((r) => r.id) } });
seen.deleted = gone.meta.summary.deleted;
seen.left = (await rules.streamRules()).data?.length ?? 0;

console.log(JSON.stringify(seen));
process.exit(0);
