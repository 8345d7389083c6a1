// Looks on with the package ws: node ws.mjs URL N. It prints "well" once it has
// Posts 1 to N, its pings were answered, and both sides have said goodbye.
import WebSocket from "ws";

const [url, n] = process.argv.slice(2);
const perMessageDeflate = url.includes("compressed");
const socket = new WebSocket(url, { perMessageDeflate });
let next = 1;
let pongs = 0;
socket.on("open", () => {
  if (socket.extensions.includes("permessage-deflate") !== perMessageDeflate) console.log(`extensions: ${socket.extensions}`);
  for (let i = 0; i < 5; i++) socket.ping(`${i}`);
});
socket.on("pong", (data) => {
  if (pongs++ > 5) console.log("too many pongs", String(data));
});
socket.on("message", (data, binary) => {
  const id = JSON.parse(data).data?.id;
  if (binary || id !== String(next)) console.log(`Post ${id}, want ${next}`);
  if (next++ === Number(n)) socket.close(3000, "enough");
});
socket.on("error", (e) => console.log(String(e)));
socket.on("close", (code) => console.log(code === 3000 && pongs > 0 && next > n ? "well" : `closed with ${code} after ${next - 1} Posts and ${pongs} pongs`));
