// A bare WebSocket server that only accepts sockets and answers `connect`.
import { WebSocketServer } from "ws";

const sockets = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false });
sockets.on("connection", socket => socket.on("message", () => socket.send('{"code":"connected"}')));
sockets.on("listening", () => process.send!((sockets.address() as { port: number }).port));

process.on("message", () => {
	globalThis.gc!();
	const { heapUsed, external, rss } = process.memoryUsage();
	process.send!({ usedBytes: heapUsed + external, rssBytes: rss });
});
