// The WebSocket server on /ws: who is let in, how many, and who is still there.
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { type WebSocket, WebSocketServer } from "ws";
import type { AddressLimit } from "../../mixins/http/address-limit.ts";
import { refuseUpgrade } from "../../mixins/http/front-door.ts";
import { foreignOrigin, tooManyRequests } from "../../mixins/http/http-error.ts";
import { isAllowedOrigin } from "../../mixins/http/origin.ts";

export interface WebSocketsOptions {
	allowedOrigins: readonly string[];
	addresses: AddressLimit;
	/** Called for each connection; answers how to let it finish. */
	onConnection: (socket: WebSocket) => { drain(): Promise<void> };
}

const MAX_FRAME_BYTES = 64 * 1024;
/** A peer that has not answered a ping by the next one is gone: found out within 20 s. */
const PING_EVERY_MS = 10_000;
const DRAIN_WITHIN_MS = 3_000;
const CLOSE_WITHIN_MS = 1_000;

const within = (promise: Promise<unknown>, ms: number) => Promise.race([promise, delay(ms, undefined, { ref: false })]);

export function webSockets({ allowedOrigins, addresses, onConnection }: WebSocketsOptions) {
	// No deflate: its memory a socket is many times a frame's size.
	const server = new WebSocketServer({
		noServer: true,
		maxPayload: MAX_FRAME_BYTES,
		perMessageDeflate: false,
		clientTracking: false
	});
	const open = new Map<WebSocket, { drain(): Promise<void> }>();
	const silent = new WeakSet<WebSocket>();

	const accept = (socket: WebSocket, countOut: () => void) => {
		open.set(socket, onConnection(socket));
		socket.on("pong", () => silent.delete(socket));
		// What goes wrong is told by the close that follows.
		socket.on("error", () => {});
		socket.on("close", () => {
			countOut();
			open.delete(socket);
		});
	};

	const ping = setInterval(() => {
		for (const socket of open.keys()) {
			if (silent.has(socket)) socket.terminate();
			silent.add(socket);
			socket.ping();
		}
	}, PING_EVERY_MS).unref();

	return {
		size: () => open.size,

		upgrade(req: IncomingMessage, duplex: Duplex, head: Buffer) {
			if (!isAllowedOrigin(req, allowedOrigins)) return refuseUpgrade(duplex, foreignOrigin);
			const countOut = addresses.take(req.socket.remoteAddress ?? "");
			if (!countOut) return refuseUpgrade(duplex, tooManyRequests);
			// A handshake that fails ends the connection and accepts nothing.
			duplex.once("close", countOut);
			server.handleUpgrade(req, duplex, head, socket => accept(socket, countOut));
		},

		/** Asks every client to come again, to whichever node answers then. */
		closeAll(code: number, reason: string) {
			for (const socket of open.keys()) socket.close(code, reason);
		},

		/** Answers what was taken, says goodbye (1001), and hangs up on who does not. */
		async stop() {
			clearInterval(ping);
			await within(Promise.all([...open.values()].map(session => session.drain())), DRAIN_WITHIN_MS);
			const gone = [...open.keys()].map(socket => new Promise(resolve => socket.once("close", resolve)));
			for (const socket of open.keys()) {
				// A paused socket would not hear the peer's own goodbye.
				socket.resume();
				socket.close(1001, "going away");
			}
			await within(Promise.all(gone), CLOSE_WITHIN_MS);
			for (const socket of open.keys()) socket.terminate();
		}
	};
}
