// Who is let in by Socket.IO: counted by the connection, known by the token.
import type { IncomingMessage } from "node:http";
import type { Identity } from "../../../contract/action.ts";
import { unauthorized } from "../../../mixins/errors.ts";
import { tokenBucket } from "../../../mixins/limits/token-bucket.ts";
import { clientOf, type Trusted } from "../../../runtime/http/client-address.ts";
import type { Caller } from "../../define-service.ts";
import type { Peer, Peers } from "../limits/peers.ts";
import { tooManySockets } from "../ws/frames.ts";

/** What carries a client's packets, by polling or by WebSocket: Engine.IO's socket. */
export interface Connection {
	request: IncomingMessage;
	readyState: string;
	/** With `discard` at once; its client comes again by itself, and asks for a token then. Told to disconnect, it would stay away. */
	close(discard: boolean): void;
	on(event: "packet", listener: () => void): void;
	once(event: "close", listener: () => void): void;
}

export interface Socket {
	conn: Connection;
	handshake: { auth: { token?: unknown } };
	/** Whoever adds events finds here who is behind the socket; undefined: a guest. */
	data: { identity?: Identity };
	join(room: string): void;
	on(event: string, listener: (...values: unknown[]) => void): void;
	once(event: "disconnect", listener: () => void): void;
}

export interface AdmissionOptions {
	guests: boolean;
	isTrusted: Trusted;
}

export function admission({ guests, isTrusted }: AdmissionOptions) {
	/** Those that were counted in: of an address that has its fill nobody is. */
	const peers = new WeakMap<Connection, Peer>();
	/** One connection is one socket: a second one on it could be somebody else's. */
	const taken = new WeakSet<Connection>();

	/** Counts a connection in, and whatever comes by it. */
	const arrive = (connection: Connection, here: Peers) => {
		const peer = here.arrive(clientOf(connection.request, isTrusted).address);
		// Whoever is not counted in stays only to be told so.
		const few = tokenBucket(1, performance.now());
		connection.on("packet", () => {
			if (!(peer ? peer.take() : few.take(performance.now()))) connection.close(true);
		});
		if (!peer) return;
		peers.set(connection, peer);
		peer.holder = { over: () => connection.close(true) };
		connection.once("close", () => peer.leave());
	};

	const identify = async (conn: Connection, token: unknown, caller: Caller) => {
		const peer = peers.get(conn);
		if (!peer) throw tooManySockets();
		if (token === undefined || token === null) {
			if (guests) return undefined;
			throw unauthorized("Guests are not let in here: sign in, and send your token");
		}
		if (typeof token !== "string") throw unauthorized("This token is not valid");
		const identity = await caller.call("users.authenticate", { token });
		if (!peer.identify(identity)) throw tooManySockets();
		return identity;
	};

	/** Puts the socket's identity on it. Rejects with `UNAUTHORIZED`, `TOO_MANY_SOCKETS` or `UNAVAILABLE`. */
	const admit = async ({ conn, handshake, data }: Socket, caller: Caller) => {
		if (taken.has(conn)) throw tooManySockets();
		taken.add(conn);
		try {
			data.identity = await identify(conn, handshake.auth.token, caller);
		} catch (error) {
			taken.delete(conn);
			throw error;
		}
	};

	return { arrive, admit };
}
