// Socket.IO on the gateway's port, by moleculer-io. Who one is comes from the token alone, and no event reaches an action by its name.
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { Service, ServiceSchema } from "moleculer";
import SocketIO from "moleculer-io";
import { doorOf } from "../../mixins/http/front-door.ts";
import { isAllowedOrigin } from "../../mixins/http/origin.ts";

interface Handshake {
	handshake: { auth: { token?: unknown } };
}

type Running = Service & { server: Server; io: { disconnectSockets(close: boolean): void } };

const refused = () => Object.assign(new Error("UNAUTHORIZED"), { data: { type: "UNAUTHORIZED" } });

export function socketIo({
	guests,
	allowedOrigins
}: {
	guests: boolean;
	allowedOrigins: readonly string[];
}): Partial<ServiceSchema> {
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
				namespaces: {
					"/": {
						events: {},
						middlewares: [
							({ handshake }: Handshake, next: (error?: Error) => void) =>
								next(handshake.auth.token !== undefined || !guests ? refused() : undefined)
						]
					}
				}
			}
		},

		created(this: Running) {
			// It wants a server to take upgrades from, and there is only one handler of those: this server never listens and is handed what is its own.
			this.server = createServer();
		},

		started(this: Running) {
			const door = doorOf(this.broker);
			door.requests.set("/socket.io", (req, res) => this.server.emit("request", req, res));
			door.upgrades.set("/socket.io", (req, socket, head) => this.server.emit("upgrade", req, socket, head));
			door.closing.add(async () => this.io.disconnectSockets(true));
		}
	};
	// Its settings and its server are more than Moleculer's type of a schema knows.
	return schema as unknown as Partial<ServiceSchema>;
}
