// X's own TypeScript client against xtest: prints what it saw as JSON.
import { Client } from "@xdevplatform/xdk";

const client = new Client({ baseUrl: process.env.XTEST_URL, bearerToken: "token" });
const seen = {};

const added = await client.stream.updateRules({
  add: [{ value: "coop OR #coop", tag: "coop" }, { value: "golang", tag: "go" }],
});
seen.added = added.data.map((r) => r.value);
const again = await client.stream.updateRules({ add: [{ value: "golang", tag: "again" }] });
seen.duplicate = again.errors.map((e) => e.title);
const invalid = await client.stream.updateRules({ add: [{ value: "coop (golang" }] });
seen.invalid = invalid.errors.flatMap((e) => e.details);
const listed = await client.stream.getRules();
seen.listed = listed.data.map((r) => `${r.value} = ${r.tag}`);

const stream = await client.stream.posts({
  tweetFields: ["created_at", "author_id"],
  expansions: ["author_id"],
});
seen.streamed = await new Promise((resolve, reject) => {
  const posts = [];
  stream.on("error", ({ error }) => reject(error));
  stream.on("close", () => reject(new Error("the stream closed")));
  stream.on("data", (message) => {
    if (!message.data) return; // its own "Stream connected"
    posts.push(`${message.data.text} [${message.matching_rules.map((r) => r.tag)}]`);
    if (posts.length === Number(process.env.XTEST_POSTS)) resolve(posts);
  });
});

seen.found = [];
seen.pages = 0;
let nextToken;
do {
  const page = await client.posts.searchRecent("number", { maxResults: 10, nextToken });
  seen.found.push(...page.data.map((p) => p.text));
  nextToken = page.meta.nextToken ?? page.meta.next_token;
  seen.pages++;
} while (nextToken);

const gone = await client.stream.updateRules({ delete: { ids: listed.data.map((r) => r.id) } });
seen.deleted = gone.meta.summary.deleted;
seen.left = (await client.stream.getRules()).data?.length ?? 0;

console.log(JSON.stringify(seen));
process.exit(0); // the client's stream has no way to close its socket
