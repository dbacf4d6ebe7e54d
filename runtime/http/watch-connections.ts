import type { Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { CloseIdle } from "./connections.ts";
import { responseOf } from "./server.ts";

export interface WatchedConnections {
	/** Closes the connection that has been idle longest and returns it; undefined if it found none. */
	closeIdle: CloseIdle;
	/** Stops to watch this connection: its new owner has its own timeouts. */
	unwatch(socket: Socket): void;
}

/** How many connections are checked to find an idle one: a search of all would cost too much in a flood of new connections. */
const MAX_SEARCHED = 32;

/**
 * Watches the connections of a server until they close or become WebSockets, and closes those whose client does not read its response. Node's socket
 * timeout does not: it restarts with every byte that is read. A connection with unsent bytes for longer than `responseMs` is destroyed. All connections
 * are checked periodically, so that requests need no timers.
 */
export function watchConnections(
	server: Server,
	{ responseMs, checkEveryMs }: { responseMs: number; checkEveryMs: number }
): WatchedConnections {
	/** Each connection, and since when it has had unsent bytes. Idle ones are in the order in which they became idle. */
	const sockets = new Map<Socket, number | undefined>();
	// One function for all sockets and one for all responses, which they get as `this`, so that none costs a closure.
	const onClose = function (this: Socket) {
		sockets.delete(this);
	};
	const moveToEnd = (socket: Socket) => {
		if (!sockets.has(socket)) return;
		const sinceMs = sockets.get(socket);
		sockets.delete(socket);
		sockets.set(socket, sinceMs);
	};
	const onAnswered = function (this: ServerResponse) {
		moveToEnd(this.req.socket);
	};
	server.on("request", (_req, res) => res.on("close", onAnswered));
	server.on("connection", (socket: Socket) => {
		sockets.set(socket, undefined);
		socket.on("close", onClose);
	});
	const check = () => {
		const nowMs = performance.now();
		for (const [socket, sinceMs] of sockets) {
			if (socket.writableLength === 0) sockets.set(socket, undefined);
			else if (sinceMs === undefined) sockets.set(socket, nowMs);
			else if (nowMs - sinceMs > responseMs) socket.destroy();
		}
	};
	const timer = setInterval(check, checkEveryMs).unref();
	server.once("close", () => clearInterval(timer));

	const closeIdle = () => {
		for (let searched = 0; searched < MAX_SEARCHED; searched++) {
			const [socket] = sockets.keys();
			if (!socket) return undefined;
			if (responseOf(socket)) moveToEnd(socket);
			else {
				sockets.delete(socket);
				return socket.destroy();
			}
		}
		return undefined;
	};

	return {
		closeIdle,

		unwatch(socket) {
			sockets.delete(socket);
			// WebSockets are many and live long: they should not keep this listener.
			socket.off("close", onClose);
		}
	};
}
