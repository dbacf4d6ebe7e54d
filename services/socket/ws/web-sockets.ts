// The WebSocket server on /ws: accepts upgrades within the limits, pings, and closes at the end.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { Logger } from "moleculer";
import { type WebSocket, WebSocketServer } from "ws";
import { waitAtMost } from "../../../mixins/deadline.ts";
import { periodicTask } from "../../../mixins/periodic-task.ts";
import { bearerOf } from "../../../runtime/http/bearer.ts";
import { clientOf, type Trusted } from "../../../runtime/http/client-address.ts";
import { type HttpError, notReady, originNotAllowed, sendError, toHttp } from "../../../runtime/http/http-error.ts";
import { isAllowedOrigin } from "../../../runtime/http/origin.ts";
import type { Reject } from "../../../runtime/http/server.ts";
import type { Caller } from "../../define-service.ts";
import type { Peer, Peers } from "../limits/peers.ts";
import { listenToFragments, rejectHandshake, WEB_SOCKET_OPTIONS } from "../limits/web-socket.ts";
import { Connection, type Session } from "./connection.ts";
import { tooManySockets } from "./frames.ts";

export interface WebSocketsOptions {
	allowedOrigins: readonly string[];
	isTrusted: Trusted;
	peers: Peers;
	caller: Caller;
	logger: Pick<Logger, "warn">;
	/** Answers an upgrade that is refused, and closes it. */
	reject: Reject;
	/** Called for each new connection and the stream that it writes to; answers the session that handles its events. */
	onConnection: (socket: Connection, peer: Peer, duplex: Duplex) => Session;
}

/** A peer that has not answered a ping by the next one is disconnected: a lost connection is found within 20 s. */
const PING_EVERY_MS = 10_000;
const DRAIN_WITHIN_MS = 3_000;
const CLOSE_WITHIN_MS = 1_000;

const upgradeRequired: HttpError = {
	name: "UpgradeRequiredError",
	message: "Open a WebSocket here",
	code: 426,
	type: "UPGRADE_REQUIRED"
};

const ignore = () => {};

export function webSockets({ allowedOrigins, isTrusted, peers, caller, logger, reject, onConnection }: WebSocketsOptions) {
	const server = new WebSocketServer({ ...WEB_SOCKET_OPTIONS, WebSocket: Connection });
	server.on("wsClientError", rejectHandshake(reject));
	const open = new Set<Connection>();
	let isStopped = false;

	// One function for all sockets: each is its `this`.
	const removeClosed = function (this: WebSocket) {
		open.delete(this as Connection);
	};

	const accept = (socket: Connection, duplex: Duplex, peer: Peer) => {
		open.add(socket);
		socket.on("close", removeClosed);
		socket.session = onConnection(socket, peer, duplex);
		listenToFragments(socket);
	};

	/** Checks the token of a client that sends one with the upgrade. Rejects with the error of `users.authenticate`. */
	const identify = async (req: IncomingMessage, peer: Peer) => {
		const token = bearerOf(req);
		if (token !== undefined && !peer.identify(await caller.call("users.authenticate", { token }))) throw tooManySockets();
	};

	const pingAll = () => {
		for (const socket of open) {
			// A paused socket is not read, so its pong may be there unread.
			if (socket.isSilent && !socket.isPaused) socket.terminate();
			socket.isSilent = true;
			socket.ping();
		}
	};
	const pinging = periodicTask(pingAll, { everyMs: PING_EVERY_MS, logger, what: "pinging sockets" });

	return {
		size: () => open.size,

		/** Answers a request that is no WebSocket handshake. */
		request(_req: IncomingMessage, res: ServerResponse) {
			res.setHeader("Connection", "close, Upgrade").setHeader("Upgrade", "websocket").setHeader("Sec-WebSocket-Version", "13, 8");
			sendError(res, upgradeRequired);
		},

		async upgrade(req: IncomingMessage, duplex: Duplex, head: Buffer) {
			const { address, isSecure } = clientOf(req, isTrusted);
			if (!isAllowedOrigin(req, allowedOrigins, isSecure)) return reject(duplex, originNotAllowed, req);
			const peer = peers.connect(address);
			// A handshake that fails closes the connection without a WebSocket.
			const disconnect = () => peer.disconnect();
			duplex.on("close", disconnect);
			// Neither the HTTP server nor the WebSocket has an error listener now: a reset would end the process.
			duplex.on("error", ignore);
			try {
				await identify(req, peer);
			} catch (error) {
				return reject(duplex, toHttp(error), req);
			}
			if (isStopped) return reject(duplex, notReady, req);
			server.handleUpgrade(req, duplex, head, socket => {
				accept(socket, duplex, peer);
				// From here on the WebSocket has its own listeners.
				duplex.off("close", disconnect).off("error", ignore);
			});
		},

		/** Closes every socket; the clients reconnect to any node. */
		closeAll(code: number, reason: string) {
			for (const socket of open) socket.close(code, reason);
		},

		/** Answers the accepted frames, closes every socket with 1001, and disconnects the clients that do not answer the close frame. */
		async stop() {
			isStopped = true;
			void pinging.stop();
			await waitAtMost(Promise.all([...open].map(({ session }) => session?.drain())), DRAIN_WITHIN_MS);
			const closed = [...open].map(socket => new Promise(resolve => socket.once("close", resolve)));
			for (const socket of open) {
				// A paused socket would not read the client's close frame.
				socket.resume();
				socket.close(1001, "going away");
			}
			await waitAtMost(Promise.all(closed), CLOSE_WITHIN_MS);
			for (const socket of open) socket.terminate();
		}
	};
}
