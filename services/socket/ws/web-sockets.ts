// The WebSocket server on /ws: who is let in, how many, and who is still there.
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { type ServerOptions, type WebSocket, WebSocketServer } from "ws";
import { bearerOf } from "../../../runtime/http/bearer.ts";
import { clientOf, type Trusted } from "../../../runtime/http/client-address.ts";
import { notReady, originNotAllowed, toHttp, tooManyRequests } from "../../../runtime/http/http-error.ts";
import { isAllowedOrigin } from "../../../runtime/http/origin.ts";
import { rejectUpgrade } from "../../../runtime/http/reject-upgrade.ts";
import type { Caller } from "../../define-service.ts";
import type { Peer, Peers } from "../limits/peers.ts";
import { Connection, type Session } from "./connection.ts";
import { tooManySockets } from "./frames.ts";

export interface WebSocketsOptions {
	allowedOrigins: readonly string[];
	isTrusted: Trusted;
	peers: Peers;
	caller: Caller;
	/** Called for each connection, with what it writes to; answers what hears it. */
	onConnection: (socket: Connection, peer: Peer, duplex: Duplex) => Session;
}

const MAX_FRAME_BYTES = 64 * 1024;
/** A peer that has not answered a ping by the next one is gone: found out within 20 s. */
const PING_EVERY_MS = 10_000;
const DRAIN_WITHIN_MS = 3_000;
const CLOSE_WITHIN_MS = 1_000;
/** A peer that does not answer our goodbye is hung up on: by then it must have gone. */
const CLOSING_TIMEOUT_MS = 2_000;

const ignore = () => {};

const within = (promise: Promise<unknown>, ms: number) => Promise.race([promise, delay(ms, undefined, { ref: false })]);

export function webSockets({ allowedOrigins, isTrusted, peers, caller, onConnection }: WebSocketsOptions) {
	// No deflate: its memory a socket is many times a frame's size. Its types do not know closeTimeout yet.
	const server = new WebSocketServer({
		noServer: true,
		WebSocket: Connection,
		maxPayload: MAX_FRAME_BYTES,
		perMessageDeflate: false,
		closeTimeout: CLOSING_TIMEOUT_MS,
		clientTracking: false
	} as ServerOptions<typeof Connection>);
	const open = new Set<Connection>();
	let isStopped = false;

	// One for all sockets, which are `this` to it.
	const hasClosed = function (this: WebSocket) {
		open.delete(this as Connection);
	};

	const accept = (socket: Connection, duplex: Duplex, peer: Peer) => {
		open.add(socket);
		socket.on("close", hasClosed);
		socket.session = onConnection(socket, peer, duplex);
	};

	/** A client that can send its token with the upgrade is known before it is let in. Rejects with what the token's check says. */
	const identify = async (req: IncomingMessage, peer: Peer) => {
		const token = bearerOf(req);
		if (token !== undefined && !peer.identify(await caller.call("users.authenticate", { token }))) throw tooManySockets();
	};

	const ping = setInterval(() => {
		for (const socket of open) {
			// What a paused one answers is not read yet.
			if (socket.isSilent && !socket.isPaused) socket.terminate();
			socket.isSilent = true;
			socket.ping();
		}
	}, PING_EVERY_MS).unref();

	return {
		size: () => open.size,

		async upgrade(req: IncomingMessage, duplex: Duplex, head: Buffer) {
			const { address, isSecure } = clientOf(req, isTrusted);
			if (!isAllowedOrigin(req, allowedOrigins, isSecure)) return rejectUpgrade(duplex, originNotAllowed);
			const peer = peers.arrive(address);
			if (!peer) return rejectUpgrade(duplex, tooManyRequests);
			// A handshake that fails ends the connection and accepts nothing.
			const leave = () => peer.leave();
			duplex.on("close", leave);
			// The server does not listen any more, the WebSocket not yet: a reset meanwhile would end the process.
			duplex.on("error", ignore);
			try {
				await identify(req, peer);
			} catch (error) {
				return rejectUpgrade(duplex, toHttp(error));
			}
			if (isStopped) return rejectUpgrade(duplex, notReady);
			server.handleUpgrade(req, duplex, head, socket => {
				accept(socket, duplex, peer);
				// The WebSocket listens to it by now.
				duplex.off("close", leave).off("error", ignore);
			});
		},

		/** Asks every client to come again, to whichever node answers then. */
		closeAll(code: number, reason: string) {
			for (const socket of open) socket.close(code, reason);
		},

		/** Answers what was taken, says goodbye (1001), and hangs up on who does not. */
		async stop() {
			isStopped = true;
			clearInterval(ping);
			await within(Promise.all([...open].map(({ session }) => session?.drain())), DRAIN_WITHIN_MS);
			const gone = [...open].map(socket => new Promise(resolve => socket.once("close", resolve)));
			for (const socket of open) {
				// A paused socket would not hear the peer's own goodbye.
				socket.resume();
				socket.close(1001, "going away");
			}
			await within(Promise.all(gone), CLOSE_WITHIN_MS);
			for (const socket of open) socket.terminate();
		}
	};
}
