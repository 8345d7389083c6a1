// Runs scenario.js in node: node scenario.mjs URL. It prints "well", or what is wrong.
import { readFile } from "node:fs/promises";
import WebSocket from "ws";
import { scenario } from "./scenario.js";

globalThis.WebSocket ??= WebSocket;
const source = await readFile(new URL("../../sinks/wshub/client.js", import.meta.url), "utf8");
const { connect } = await import(`data:text/javascript,${encodeURIComponent(source)}`);
const error = console.error;
console.error = (e) => /thrown for the test/.test(e) || error(e);
const faults = await scenario(connect, process.argv[2]);
console.log(faults.length === 0 ? "well" : faults.join("\n"));
