// A server of Socket.IO that does what it reads on stdin: a message is sent to all
// viewers, a word is answered with a figure. It begins with its port.
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { Server } from "socket.io";

const server = createServer();
const io = new Server(server, { transports: ["websocket"], pingInterval: 3_600_000 });
const answers = {
  viewers: () => io.of("/").sockets.size,
  cpu: () => {
    const { user, system } = process.cpuUsage();
    return user + system;
  },
  memory: () => {
    globalThis.gc();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  },
  sent: () => 0,
};
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
for await (const line of createInterface({ input: process.stdin })) {
  if (line === "close") break;
  if (line in answers) console.log(answers[line]());
  else io.emit("post", JSON.parse(line));
}
process.exit(0);
