import type { Server } from "node:http";
import type { Socket } from "node:net";

export interface SlowReaders {
	/** Somebody else watches over this connection from now on. */
	unwatch(socket: Socket): void;
}

/**
 * Hangs up on clients who do not read their answers: nothing in Node does, as long as they read one byte now and then. An answer that the
 * system has not taken to the last byte for so long is given up. Looks every so often at all connections, and costs requests nothing.
 */
export function closeSlowReaders(
	server: Server,
	{ responseMs, checkEveryMs }: { responseMs: number; checkEveryMs: number }
): SlowReaders {
	/** Each connection, and since when it has had something to send. */
	const sockets = new Map<Socket, number | undefined>();
	// One for all of them, which are `this` to it.
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
			// A connection that goes on as a WebSocket goes on for long, and there are many of them.
			socket.off("close", onClose);
		}
	};
}
