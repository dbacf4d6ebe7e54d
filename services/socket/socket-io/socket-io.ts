// Socket.IO on the gateway's port, by moleculer-io. A client's identity comes from its token alone, and no event calls an action by its name.
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { Service, ServiceSchema } from "moleculer";
import SocketIO from "moleculer-io";
import { periodicTask } from "../../../mixins/periodic-task.ts";
import { clientOf, type Trusted } from "../../../runtime/http/client-address.ts";
import { httpListenerOf } from "../../../runtime/http/http-listener.ts";
import type { Caller } from "../../define-service.ts";
import type { Peers } from "../limits/peers.ts";
import type { Rooms } from "../rooms.ts";
import { errorFrame } from "../ws/frames.ts";
import { type Socket, socketIoAuth } from "./auth.ts";
import { ClientSubscriptions } from "./client-subscriptions.ts";
import type { DeclaredRooms } from "./declared-rooms.ts";
import { type Engine, type EngineRequest, EngineSocketServer, handshakes } from "./engine.ts";
import { roomSubscribers } from "./room-subscribers.ts";
import { slowReaders } from "./slow-readers.ts";
import { snapshotReads } from "./snapshot-reads.ts";
import { type Subscriptions, subscriptions } from "./subscriptions.ts";

export interface SocketIoOptions {
	guests: boolean;
	allowedOrigins: readonly string[];
	isTrusted: Trusted;
	/** The names that clients may send as `subscribe:<name>`. */
	names: Subscriptions;
	/** The rooms with a snapshot that clients may subscribe to. */
	declared: ReadonlyMap<string, DeclaredRooms>;
}

/** The methods that the mixin adds to the service. */
export interface SocketIoMethods {
	/** Sends an event to all clients in a room of this node; answers their number. `version`: the event's, in a room with a snapshot. */
	emitTo(room: string, event: string, payload: unknown, version?: number): number;
	/** The number of open connections. */
	connections(): number;
	/** Closes every connection; the clients reconnect by themselves. */
	disconnectClients(): void;
}

type Next = (error?: Error) => void;
type Running = Service & {
	server: Server;
	slowReaders?: ReturnType<typeof periodicTask>;
	sockets: { peers: Peers; rooms: Rooms };
	io: {
		sockets: { sockets: Map<string, Socket>; adapter: { rooms: Map<string, Set<string>> } };
		to(room: string): { emit(event: string, payload: unknown): void };
		engine: Engine;
		on(event: "connection", listener: (socket: Socket) => void): void;
	};
};

const CONNECT_WITHIN_MS = 10_000;
const CHECK_READERS_EVERY_MS = 1_000;
const MAX_PACKET_BYTES = 64 * 1024;

/** The client's `connect_error`. */
const connectError = (error: unknown) => {
	const { type } = errorFrame(error).data;
	return Object.assign(new Error(type), { data: { type } });
};

export function socketIo({ guests, allowedOrigins, isTrusted, names, declared }: SocketIoOptions): Partial<ServiceSchema> {
	const { count, authenticate, peerOf } = socketIoAuth({ guests, isTrusted });
	const { check, listen: listenToHandshakes } = handshakes({ allowedOrigins, isTrusted });
	const { enterOwn, listen } = subscriptions(names, declared);
	const [subscribers, readSnapshot] = [roomSubscribers(), snapshotReads()];
	const addressOf = (request: IncomingMessage) => clientOf(request, isTrusted).address;
	const closeSlowReaders = slowReaders(addressOf);

	const schema = {
		mixins: [SocketIO as Partial<ServiceSchema>],
		// These actions of moleculer-io would let any caller send any event to any client.
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
					wsEngine: EngineSocketServer,
					cors: { origin: [...allowedOrigins], credentials: true }
				},
				namespaces: {
					"/": {
						middlewares: [
							function (this: Running, socket: Socket, next: Next) {
								authenticate(socket, this.broker as unknown as Caller)
									.then(() => enterOwn(socket, this.sockets.rooms))
									.then(
										() => next(),
										error => next(connectError(error))
									);
							}
						]
					}
				}
			}
		},

		merged(merged: { settings: { io: { namespaces: Record<string, { events: object }> } } }) {
			// The settings are merged with those of moleculer-io, whose event `call` calls actions by their names.
			merged.settings.io.namespaces["/"]!.events = {};
		},

		methods: {
			emitTo(this: Running, room: string, event: string, payload: unknown, version?: number) {
				if (version !== undefined) subscribers.beforeEvent(room, { name: event, payload, version });
				this.io.to(room).emit(event, payload);
				return this.io.sockets.adapter.rooms.get(room)?.size ?? 0;
			},

			connections(this: Running) {
				return this.io?.engine.clientsCount ?? 0;
			},

			disconnectClients(this: Running) {
				// A node may miss messages before Socket.IO has started.
				for (const { conn } of this.io?.sockets.sockets.values() ?? []) conn.close(true);
			}
		},

		created(this: Running) {
			const { io } = this.settings as { io: { options: { allowRequest?: unknown } } };
			io.options.allowRequest = (req: EngineRequest, decide: (error: null, isAllowed: true) => void) =>
				check(req, httpListenerOf(this.broker), () => decide(null, true));
			// moleculer-io attaches to a server of its own: this one never listens, and gets its requests and upgrades from the HTTP listener.
			this.server = createServer();
		},

		started(this: Running) {
			const { engine } = this.io;
			engine.on("connection", connection => count(connection, this.sockets.peers));
			listenToHandshakes(engine, httpListenerOf(this.broker));
			const options = { everyMs: CHECK_READERS_EVERY_MS, logger: this.logger, what: "closing slow readers of Socket.IO" };
			this.slowReaders = periodicTask(() => closeSlowReaders(engine), options);
			this.io.on("connection", socket => {
				const { conn } = socket;
				const { rooms } = this.sockets;
				const caller = this.broker as unknown as Caller;
				const [peer, address] = [peerOf(conn), addressOf(conn.request)];
				const own = new ClientSubscriptions({ socket, peer, address, guests, rooms, caller, subscribers, readSnapshot });
				listen(socket, rooms, own);
				// A connection carries one socket.
				socket.once("disconnect", () => conn.close(true));
			});
			const listener = httpListenerOf(this.broker);
			listener.routes.set("/socket.io/", (req, res) => this.server.emit("request", req, res));
			listener.upgrades.set("/socket.io/", (req, socket, head) => this.server.emit("upgrade", req, socket, head));
			// Without a disconnect packet, after which clients would not reconnect to another node.
			listener.beforeClose.add(async () => engine.close());
		},

		stopped(this: Running) {
			return this.slowReaders?.stop();
		}
	};
	// Moleculer's type of a schema lacks moleculer-io's settings and `server`.
	return schema as unknown as Partial<ServiceSchema>;
}
