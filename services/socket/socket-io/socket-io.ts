// Socket.IO on the gateway's port, by moleculer-io. Who one is comes from the token alone, and no event reaches an action by its name.
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { Service, ServiceSchema } from "moleculer";
import SocketIO from "moleculer-io";
import { clientOf, type Trusted } from "../../../runtime/http/client-address.ts";
import { httpListenerOf } from "../../../runtime/http/http-listener.ts";
import { isAllowedOrigin } from "../../../runtime/http/origin.ts";
import type { Caller } from "../../define-service.ts";
import type { Peers } from "../limits/peers.ts";
import { errorFrame } from "../ws/frames.ts";
import { admission, type Connection, type Socket } from "./auth.ts";
import type { LiveRooms } from "./rooms.ts";
import { subscriptions } from "./subscriptions.ts";

export interface SocketIoOptions {
	guests: boolean;
	allowedOrigins: readonly string[];
	isTrusted: Trusted;
	/** What clients may name in `subscribe:<name>`. */
	names: ReadonlySet<string>;
}

/** What the mixin gives to the service. */
export interface SocketIoMethods {
	/** To all clients of a room of this node; answers how many they are. */
	emitTo(room: string, event: string, payload: unknown): number;
	/** How many there are. */
	connections(): number;
	/** Ends every connection, whose client comes again by itself. */
	hangUp(): void;
}

type Next = (error?: Error) => void;
type Running = Service & {
	server: Server;
	sockets: { peers: Peers; live: LiveRooms };
	io: {
		sockets: { sockets: Map<string, Socket>; adapter: { rooms: Map<string, Set<string>> } };
		to(room: string): { emit(event: string, payload: unknown): void };
		engine: { on(event: "connection", listener: (connection: Connection) => void): void; close(): void; clientsCount: number };
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

export function socketIo({ guests, allowedOrigins, isTrusted, names }: SocketIoOptions): Partial<ServiceSchema> {
	const { arrive, admit } = admission({ guests, isTrusted });
	const { enterOwn, listen } = subscriptions(names);

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
								admit(socket, this.broker as unknown as Caller)
									.then(() => enterOwn(socket, this.sockets.live))
									.then(
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
				return this.io.sockets.adapter.rooms.get(room)?.size ?? 0;
			},

			connections(this: Running) {
				return this.io?.engine.clientsCount ?? 0;
			},

			hangUp(this: Running) {
				// A node that is slow to start may lose its lease before there is anybody.
				for (const { conn } of this.io?.sockets.sockets.values() ?? []) conn.close(true);
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
				listen(socket, this.sockets.live);
				// Whoever leaves has nothing else to stay for.
				socket.once("disconnect", () => socket.conn.close(true));
			});
			const door = httpListenerOf(this.broker);
			door.routes.set("/socket.io/", (req, res) => this.server.emit("request", req, res));
			door.upgrades.set("/socket.io/", (req, socket, head) => this.server.emit("upgrade", req, socket, head));
			// Not by telling clients to disconnect: then they would not come again, to whichever node answers.
			door.beforeClose.add(async () => engine.close());
		}
	};
	// Its settings and its server are more than Moleculer's type of a schema knows.
	return schema as unknown as Partial<ServiceSchema>;
}
