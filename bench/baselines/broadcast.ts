// Bare Socket.IO: one process that sends a change to all its clients.
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { nowUs } from "../../test/sockets.readers.ts";

// The version that Plaza uses.
const { Server } = createRequire(import.meta.resolve("moleculer-io"))("socket.io") as typeof import("socket.io");

const http = createServer();
const sockets = new Server(http, { serveClient: false, perMessageDeflate: false });
sockets.on("connection", socket => {
	// The same subscription as Plaza's, answered with an empty map.
	socket.on("subscribe:seats", ({ showId }, acknowledge) => acknowledge({ ok: true, seats: { showId, version: 0, seats: [] } }));
});
process.on("message", change => {
	const sentUs = nowUs();
	sockets.emit("seats:updated", change);
	process.send!(sentUs);
});
http.listen(0, "127.0.0.1", () => process.send!((http.address() as AddressInfo).port));
