// Signs and verifies as the JavaScript library of Standard Webhooks does, and as
// X's documentation of webhooks has it. It reads questions as JSON from standard
// input, and prints the answers.
import { createHmac } from "node:crypto";
import { text } from "node:stream/consumers";
import { Webhook } from "standardwebhooks";

const { verify, sign, x } = JSON.parse(await text(process.stdin));

const verified = verify.map(({ secret, headers, body }) => {
  try {
    new Webhook(secret).verify(body, headers);
    return "";
  } catch (err) {
    // Of a batch the library can't parse the body, when it has verified it.
    return err instanceof SyntaxError ? "" : String(err);
  }
});
const signatures = sign.map(({ secret, id, seconds, body }) =>
  new Webhook(secret).sign(id, new Date(seconds * 1000), body),
);
// https://docs.x.com/x-api/webhooks/quickstart
const tokens = x.map(({ secret, message }) =>
  "sha256=" + createHmac("sha256", secret).update(message).digest("base64"),
);
console.log(JSON.stringify({ verified, signatures, tokens }));
