import type { Server } from "node:http";
import type { Socket } from "node:net";

export interface SlowReaders {
	/** Stops to watch this connection: its new owner has its own timeouts. */
	unwatch(socket: Socket): void;
}

/**
 * Closes connections whose client does not read its response. Node's socket timeout does not: it restarts with every byte that is read. A connection
 * with unsent bytes for longer than `responseMs` is destroyed. All connections are checked periodically, so that requests need no timers.
 */
export function closeSlowReaders(
	server: Server,
	{ responseMs, checkEveryMs }: { responseMs: number; checkEveryMs: number }
): SlowReaders {
	/** Each connection, and since when it has had unsent bytes. */
	const sockets = new Map<Socket, number | undefined>();
	// One function for all sockets, which it gets as `this`, so that each connection costs no closure.
	const onClose = function (this: Socket) {
		sockets.delete(this);
	};
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
	return {
		unwatch(socket) {
			sockets.delete(socket);
			// WebSockets are many and live long: they should not keep this listener.
			socket.off("close", onClose);
		}
	};
}
