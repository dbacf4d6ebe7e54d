// The Socket.IO transport on an HTTP listener of its own, for real Socket.IO clients; the rest of the service is as small as possible.
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { type Middleware, ServiceBroker } from "moleculer";
import { WebSocket } from "ws";
import { unauthorized } from "../../../mixins/errors.ts";
import { memoryLimits } from "../../../mixins/limits/limits.ts";
import { trustedProxies } from "../../../runtime/http/client-address.ts";
import { createConnections } from "../../../runtime/http/connections.ts";
import { httpListener, httpListenerOf } from "../../../runtime/http/http-listener.ts";
import { openSocketIo } from "../../../test/client.socket-io.ts";
import { WAIT_MS } from "../../../test/client.ts";
import { within } from "../../../test/process.ts";
import type { Caller } from "../../define-service.ts";
import { createPeers, type Peer } from "../limits/peers.ts";
import { createRooms } from "../rooms.ts";
import type { Engine } from "./engine.ts";
import { type SocketIoMethods, type SocketIoOptions, socketIo } from "./socket-io.ts";

/** The token of an account. */
export const TOKEN = "a token";

const logger = {
	warn(line: unknown) {
		throw new Error(String(line));
	}
};

export interface TransportOptions extends Partial<Pick<SocketIoOptions, "names" | "declared">> {
	maxPerAddress?: number;
	/** Trusted ones. */
	proxies?: string[];
	limits?: ReturnType<typeof memoryLimits>;
	/** Resolves once the node reads the topics. */
	reading?: () => Promise<void> | undefined;
	/** Actions that the node runs, by service and verb. */
	actions?: Record<string, Record<string, (ctx: never) => unknown>>;
	/** In place of the peers' own limit. */
	takeForAnswer?: Peer["takeForAnswer"];
}

export async function openTransport(t: TestContext, options: TransportOptions = {}) {
	const { maxPerAddress = 0, proxies = [], limits = memoryLimits(), reading, actions = {}, takeForAnswer } = options;
	const { names = new Map(), declared = new Map() } = options;
	const isTrusted = trustedProxies(proxies);
	const broker = new ServiceBroker({ logger: false });
	const connections = createConnections({ maxPerAddress, maxTotal: 1_000, isTrusted });
	const listener = httpListener(
		{
			services: ["api"],
			host: "127.0.0.1",
			httpPort: 0,
			extraHttpPorts: [],
			grpcPort: 0,
			metricsHost: "127.0.0.1",
			metricsPort: 0,
			maxRequestsPerSecond: 0,
			trustedProxies: proxies,
			allowedOrigins: [],
			limits: () => limits,
			connections: () => connections
		},
		async () => ({ status: "ok", checks: {} })
	) as Required<Pick<Middleware, "starting">>;
	await listener.starting(broker);
	const { server, beforeClose } = httpListenerOf(broker);

	const authenticate = ({ params: { token } }: { params: { token: string } }) => {
		if (token !== TOKEN) throw unauthorized("This token is not valid");
		return { id: "acct_1", role: "user", session: "1", expiresAtMs: Date.now() + 60_000 };
	};
	broker.createService({ name: "users", actions: { authenticate } as never });
	for (const [name, ofService] of Object.entries(actions)) broker.createService({ name, actions: ofService as never });
	const rooms = createRooms(reading);
	broker.createService({
		name: "socket",
		mixins: [socketIo({ guests: true, allowedOrigins: [], isTrusted, names, declared })],
		created() {
			const caller = broker as unknown as Caller;
			const peers = createPeers({ caller, logger, maxSocketsPerAccount: 0, maxFramesPerSecond: 0 });
			const connect = (address: string) => Object.assign(peers.connect(address), takeForAnswer && { takeForAnswer });
			Object.assign(this, { sockets: { peers: { ...peers, connect }, rooms } });
		}
	});
	await broker.start();
	t.after(async () => {
		for (const close of beforeClose) await close();
		server.close();
		server.closeAllConnections();
		await broker.stop();
	});

	const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
	/** A WebSocket to Engine.IO, without Socket.IO on it. */
	const openWebSocket = async (headers = {}) => {
		const socket = new WebSocket(`${url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`, { headers });
		t.after(() => socket.terminate());
		await within(once(socket, "open"), WAIT_MS, () => "a WebSocket to open");
		return socket;
	};
	const service = broker.getLocalService("socket") as unknown as SocketIoMethods & { io: { engine: Engine } };
	const connect = async (options: Parameters<typeof openSocketIo>[1]) => {
		const client = await openSocketIo(url, options);
		t.after(() => client.socket.disconnect());
		return client;
	};
	return { url, connections, service, rooms, openWebSocket, connect };
}
