// A candidate of e2e/bench: reads the stream with the client that it is told, and
// prints how many Posts came, how many are missing, and how many came out of order.
import https from "node:https";
import net from "node:net";
import { ETwitterStreamEvent, TwitterApi } from "twitter-api-v2";
import { Client } from "@xdevplatform/xdk";

const { Reader, Addr, Posts } = JSON.parse(process.env.TWEETSTREAM_BENCH_ERRAND);
const [host, port] = Addr.split(":");
let next = 1_000_000_000_000_000_000n;
const report = { Posts: 0, Missing: 0, Again: 0 };

function end() {
  console.log(JSON.stringify(report));
  process.exit(0);
}

function see(message) {
  if (!message.data) return; // the XDK's own "Stream connected"
  const id = BigInt(message.data.id);
  if (id < next) return void report.Again++;
  report.Missing += Number(id - next);
  next = id + 1n;
  if (++report.Posts === Posts) end();
}

// Its host is fixed: its agent connects to the load instead, without TLS, as the
// others do.
class Agent extends https.Agent {
  createConnection() {
    return net.connect({ host, port });
  }
}

const clients = {
  async "twitter-api-v2"() {
    const stream = await new TwitterApi("token", { httpAgent: new Agent() }).readOnly.v2.searchStream();
    stream.on(ETwitterStreamEvent.Data, see);
    stream.on(ETwitterStreamEvent.ConnectionClosed, end);
  },
  async xdk() {
    const stream = await new Client({ baseUrl: `http://${Addr}`, bearerToken: "token" }).stream.posts();
    stream.on("data", see);
    stream.on("close", end);
  },
};
await clients[Reader]();
