// Authenticates Socket.IO clients by their token, and counts their packets against the limits.
import type { Identity } from "../../../contract/action.ts";
import { unauthorized } from "../../../mixins/errors.ts";
import { clientOf, type Trusted } from "../../../runtime/http/client-address.ts";
import type { Caller } from "../../define-service.ts";
import type { Peer, Peers } from "../limits/peers.ts";
import { tooManySockets } from "../ws/frames.ts";
import type { Connection } from "./engine.ts";
import { costOf, dropBytes, isAcceptable, MAX_PACKETS_PER_TURN } from "./packets.ts";

export interface Socket {
	conn: Connection;
	handshake: { auth: { token?: unknown } };
	/** `identity`: undefined for a guest. */
	data: { identity?: Identity };
	join(room: string): void;
	leave(room: string): void;
	emit(event: string, payload: unknown): void;
	on(event: string, listener: (...values: unknown[]) => void): void;
	onAny(listener: (event: string, ...values: unknown[]) => void): void;
	once(event: "disconnect", listener: () => void): void;
}

export interface SocketIoAuthOptions {
	guests: boolean;
	isTrusted: Trusted;
}

export function socketIoAuth({ guests, isTrusted }: SocketIoAuthOptions) {
	const peerOf = new WeakMap<Connection, Peer>();
	/** One connection carries one socket: a second one on it could have another identity. */
	const used = new WeakSet<Connection>();

	/** Counts the packets of a connection against the limits. */
	const count = (connection: Connection, peers: Peers) => {
		const peer = peers.connect(clientOf(connection.request, isTrusted).address);
		let inThisTurn = 0;
		const endTurn = () => {
			inThisTurn = 0;
		};
		connection.on("packet", packet => {
			if (inThisTurn++ === 0) setImmediate(endTurn);
			const isPolling = connection.transport.name === "polling";
			if (inThisTurn > MAX_PACKETS_PER_TURN || !peer.take(costOf(packet)) || !isAcceptable(packet, isPolling))
				connection.close(true);
			dropBytes(packet);
		});
		peerOf.set(connection, peer);
		peer.holder = { onIdentityEnded: () => connection.close(true) };
		connection.once("close", () => peer.disconnect());
	};

	const identify = async (conn: Connection, token: unknown, caller: Caller) => {
		// Set when the connection was opened.
		const peer = peerOf.get(conn)!;
		if (token === undefined || token === null) {
			if (guests) return undefined;
			throw unauthorized("Guests are not allowed here: sign in and send your token");
		}
		if (typeof token !== "string") throw unauthorized("This token is not valid");
		const identity = await caller.call("users.authenticate", { token });
		if (!peer.identify(identity)) throw tooManySockets();
		return identity;
	};

	/** Sets the socket's identity. Rejects with `UNAUTHORIZED`, `TOO_MANY_SOCKETS` or `UNAVAILABLE`. */
	const authenticate = async ({ conn, handshake, data }: Socket, caller: Caller) => {
		if (used.has(conn)) throw tooManySockets();
		used.add(conn);
		try {
			data.identity = await identify(conn, handshake.auth.token, caller);
		} catch (error) {
			used.delete(conn);
			throw error;
		}
	};

	return { count, authenticate, peerOf: (connection: Connection) => peerOf.get(connection)! };
}
