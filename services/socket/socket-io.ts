// Socket.IO on the gateway's port, by moleculer-io. Who one is comes from the token alone, and no event reaches an action by its name.
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { Service, ServiceSchema } from "moleculer";
import SocketIO from "moleculer-io";
import type { Caller, Identity } from "../../define.ts";
import { unauthorized } from "../../mixins/errors.ts";
import { clientOf, type Trusted } from "../../mixins/http/client-address.ts";
import { doorOf } from "../../mixins/http/front-door.ts";
import { isAllowedOrigin } from "../../mixins/http/origin.ts";
import { tokenBucket } from "../../mixins/limits/token-bucket.ts";
import { errorFrame, tooManySockets } from "./frames.ts";
import { userRoom } from "./hub.ts";
import { DASHBOARD, EVERYBODY, type LiveRooms } from "./live.ts";
import type { Peer, Peers } from "./peers.ts";

export interface SocketIoOptions {
	guests: boolean;
	allowedOrigins: readonly string[];
	isTrusted: Trusted;
	/** What clients may name in `subscribe:<name>`. What is theirs reaches them without it: it is there to be acknowledged. */
	subscriptions: ReadonlySet<string>;
}

/** What the mixin gives to the service. */
export interface SocketIoMethods {
	/** To all clients of a room of this node. */
	emitTo(room: string, event: string, payload: unknown): void;
	/** Ends every connection, whose client comes again by itself. */
	hangUp(): void;
}

type Acknowledge = (answer: { ok: true } | { ok: false; error: { type: string } }) => void;

/** What carries a client's packets, by polling or by WebSocket: Engine.IO's socket. */
interface Connection {
	request: IncomingMessage;
	readyState: string;
	/** With `discard` at once; its client comes again by itself, and asks for a token then. Told to disconnect, it would stay away. */
	close(discard: boolean): void;
	on(event: "packet", listener: () => void): void;
	once(event: "close", listener: () => void): void;
}

interface Socket {
	conn: Connection;
	handshake: { auth: { token?: unknown } };
	/** Whoever adds events finds here who is behind the socket; undefined: a guest. */
	data: { identity?: Identity };
	join(room: string): void;
	/** Without a listener for its event a packet does nothing. */
	on(event: string, listener: (...values: unknown[]) => void): void;
	once(event: "disconnect", listener: () => void): void;
}

type Next = (error?: Error) => void;
type Running = Service & {
	server: Server;
	sockets: { peers: Peers; live: LiveRooms };
	io: {
		sockets: { sockets: Map<string, Socket> };
		to(room: string): { emit(event: string, payload: unknown): void };
		engine: { on(event: "connection", listener: (connection: Connection) => void): void; close(): void };
		on(event: "connection", listener: (socket: Socket) => void): void;
	};
};

const CONNECT_WITHIN_MS = 10_000;
const MAX_PACKET_BYTES = 64 * 1024;

/** The client's `connect_error`. */
const refusal = (error: unknown) => {
	const { type } = errorFrame(error).data;
	return Object.assign(new Error(type), { data: { type } });
};

/** The client's acknowledgement, after whatever else it has sent. */
const acknowledgeOf = (values: unknown[]): Acknowledge => {
	const last = values.at(-1);
	return typeof last === "function" ? (last as Acknowledge) : () => {};
};

export function socketIo({ guests, allowedOrigins, isTrusted, subscriptions }: SocketIoOptions): Partial<ServiceSchema> {
	/** Those that were counted in: of an address that has its fill nobody is. */
	const peers = new WeakMap<Connection, Peer>();
	/** One connection is one socket: a second one on it could be somebody else's. */
	const taken = new WeakSet<Connection>();
	const rooms = new WeakMap<Connection, Set<string>>();

	const arrive = (connection: Connection, here: Peers) => {
		const peer = here.arrive(clientOf(connection.request, isTrusted).address);
		// Whoever is not counted in stays only to be told so.
		const few = tokenBucket(1, performance.now());
		connection.on("packet", () => {
			if (!(peer ? peer.take() : few.take(performance.now()))) connection.close(true);
		});
		if (!peer) return;
		peers.set(connection, peer);
		peer.over = () => connection.close(true);
		connection.once("close", peer.leave);
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

	const admit = async (socket: Socket, caller: Caller, live: LiveRooms) => {
		const { conn, handshake, data } = socket;
		if (taken.has(conn)) throw tooManySockets();
		taken.add(conn);
		try {
			data.identity = await identify(conn, handshake.auth.token, caller);
			// Before it hears that it is connected: from then on it misses nothing.
			await enter(socket, EVERYBODY, live);
			if (data.identity) await enter(socket, userRoom(data.identity.id), live);
		} catch (error) {
			taken.delete(conn);
			throw error;
		}
	};

	/** Resolves once what is sent to the room reaches the socket, for as long as its connection lasts. */
	const enter = async (socket: Socket, room: string, live: LiveRooms) => {
		const { conn } = socket;
		const entered = rooms.get(conn) ?? new Set();
		if (entered.has(room) || conn.readyState !== "open") return;
		rooms.set(conn, entered.add(room));
		conn.once("close", () => live.leave(room));
		socket.join(room);
		await live.join(room);
	};

	const subscribeAdmin = async (socket: Socket, live: LiveRooms, acknowledge: Acknowledge) => {
		if (socket.data.identity?.role !== "admin") return acknowledge({ ok: false, error: { type: "FORBIDDEN" } });
		try {
			await enter(socket, DASHBOARD, live);
			acknowledge({ ok: true });
		} catch (error) {
			acknowledge({ ok: false, error: { type: errorFrame(error).data.type } });
		}
	};

	const schema = {
		mixins: [SocketIO as Partial<ServiceSchema>],
		// Its own actions send anything to anybody.
		actions: { call: false, broadcast: false, getClients: false },
		settings: {
			io: {
				options: {
					path: "/socket.io",
					serveClient: false,
					destroyUpgrade: false,
					connectTimeout: CONNECT_WITHIN_MS,
					maxHttpBufferSize: MAX_PACKET_BYTES,
					httpCompression: false,
					allowRequest: (req: IncomingMessage, decide: (error: null, isAllowed: boolean) => void) =>
						decide(null, isAllowedOrigin(req, allowedOrigins, clientOf(req, isTrusted).isSecure)),
					cors: { origin: [...allowedOrigins], credentials: true }
				},
				namespaces: {
					"/": {
						middlewares: [
							function (this: Running, socket: Socket, next: Next) {
								admit(socket, this.broker as unknown as Caller, this.sockets.live).then(
									() => next(),
									error => next(refusal(error))
								);
							}
						]
					}
				}
			}
		},

		merged(merged: { settings: { io: { namespaces: Record<string, { events: object }> } } }) {
			// Settings are merged, and its own come with an event that calls actions by their names.
			merged.settings.io.namespaces["/"]!.events = {};
		},

		methods: {
			emitTo(this: Running, room: string, event: string, payload: unknown) {
				this.io.to(room).emit(event, payload);
			},

			hangUp(this: Running) {
				for (const { conn } of this.io.sockets.sockets.values()) conn.close(true);
			}
		},

		created(this: Running) {
			// It wants a server to take upgrades from, and there is only one handler of those: this server never listens and is handed what is its own.
			this.server = createServer();
		},

		started(this: Running) {
			const { engine } = this.io;
			engine.on("connection", connection => arrive(connection, this.sockets.peers));
			this.io.on("connection", socket => {
				for (const name of subscriptions) socket.on(`subscribe:${name}`, (...values) => acknowledgeOf(values)({ ok: true }));
				socket.on("subscribe:admin", (...values) => {
					void subscribeAdmin(socket, this.sockets.live, acknowledgeOf(values));
				});
				// Whoever leaves has nothing else to stay for.
				socket.once("disconnect", () => socket.conn.close(true));
			});
			const door = doorOf(this.broker);
			door.requests.set("/socket.io/", (req, res) => this.server.emit("request", req, res));
			door.upgrades.set("/socket.io/", (req, socket, head) => this.server.emit("upgrade", req, socket, head));
			// Not by telling clients to disconnect: then they would not come again, to whichever node answers.
			door.closing.add(async () => engine.close());
		}
	};
	// Its settings and its server are more than Moleculer's type of a schema knows.
	return schema as unknown as Partial<ServiceSchema>;
}
