// Socket.IO on the gateway's port, by moleculer-io. Who one is comes from the token alone, and no event reaches an action by its name.
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { Service, ServiceSchema } from "moleculer";
import SocketIO from "moleculer-io";
import type { AddressLimit } from "../../mixins/http/address-limit.ts";
import { doorOf } from "../../mixins/http/front-door.ts";
import { isAllowedOrigin } from "../../mixins/http/origin.ts";
import { tokenBucket } from "../../mixins/limits/token-bucket.ts";

export interface SocketIoOptions {
	guests: boolean;
	allowedOrigins: readonly string[];
	addresses: AddressLimit;
	maxFramesPerSecond: number;
}

interface Socket {
	handshake: { address: string; auth: { token?: unknown } };
	use(middleware: (packet: unknown, next: () => void) => void): void;
	once(event: "disconnect", listener: () => void): void;
	disconnect(close: boolean): void;
}

type Next = (error?: Error) => void;
type Running = Service & { server: Server; io: { disconnectSockets(close: boolean): void } };

const refused = (type: string) => Object.assign(new Error(type), { data: { type } });

export function socketIo({ guests, allowedOrigins, addresses, maxFramesPerSecond }: SocketIoOptions): Partial<ServiceSchema> {
	const identify = ({ handshake }: Socket, next: Next) =>
		next(handshake.auth.token || !guests ? refused("UNAUTHORIZED") : undefined);

	const limit = (socket: Socket, next: Next) => {
		const countOut = addresses.take(socket.handshake.address);
		if (!countOut) return next(refused("TOO_MANY_SOCKETS"));
		socket.once("disconnect", countOut);
		const bucket = tokenBucket(maxFramesPerSecond, performance.now());
		socket.use((_, pass) => (bucket.take(performance.now()) ? pass() : socket.disconnect(true)));
		next();
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
					maxHttpBufferSize: 64 * 1024,
					allowRequest: (req: IncomingMessage, decide: (error: null, isAllowed: boolean) => void) =>
						decide(null, isAllowedOrigin(req, allowedOrigins)),
					cors: { origin: [...allowedOrigins], credentials: true }
				},
				namespaces: { "/": { middlewares: [identify, limit] } }
			}
		},

		merged(merged: { settings: { io: { namespaces: Record<string, { events: object }> } } }) {
			// Settings are merged, and its own come with an event that calls actions by their names.
			merged.settings.io.namespaces["/"]!.events = {};
		},

		created(this: Running) {
			// It wants a server to take upgrades from, and there is only one handler of those: this server never listens and is handed what is its own.
			this.server = createServer();
		},

		started(this: Running) {
			const door = doorOf(this.broker);
			door.requests.set("/socket.io/", (req, res) => this.server.emit("request", req, res));
			door.upgrades.set("/socket.io/", (req, socket, head) => this.server.emit("upgrade", req, socket, head));
			door.closing.add(async () => this.io.disconnectSockets(true));
		}
	};
	// Its settings and its server are more than Moleculer's type of a schema knows.
	return schema as unknown as Partial<ServiceSchema>;
}
