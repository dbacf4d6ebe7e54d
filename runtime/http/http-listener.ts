// The one HTTP server of a node that runs `api`. It listens before the broker connects its transporter, so that /health can report what is missing;
// the gateway and the sockets attach to it when they have started. Until then, requests and upgrades for them get a 503.
import type { IncomingMessage, RequestListener, Server } from "node:http";
import type { Server as NetServer, Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Middleware, ServiceBroker } from "moleculer";
import { waitAtMost } from "../../mixins/deadline.ts";
import { type Limits, rateOf } from "../../mixins/limits/limits.ts";
import { type Addresses, announceReady } from "./announce-ready.ts";
import { clientOf, trustedProxies } from "./client-address.ts";
import type { Connections } from "./connections.ts";
import { allowCorsRead } from "./cors.ts";
import { listenOnExtraPorts } from "./extra-ports.ts";
import { type HealthReport, healthPages } from "./health-pages.ts";
import { type HttpError, notFound, notReady, sendError, tooManyRequests } from "./http-error.ts";
import { limitConnections } from "./limit-connections.ts";
import { listen } from "./listen.ts";
import { rejectUpgrade } from "./reject-upgrade.ts";
import { announcedCost } from "./request-cost.ts";
import { assignRequestID } from "./request-id.ts";
import { setSecurityHeaders } from "./security-headers.ts";
import { httpServer, requestError, TIMEOUTS, type Timeouts } from "./server.ts";
import { watchConnections } from "./watch-connections.ts";

type UpgradeListener = (req: IncomingMessage, socket: Duplex, head: Buffer) => void;

export interface HttpListener {
	server: Server;
	/** The servers of further ports, whose connections `server` handles. */
	extraPorts: NetServer[];
	connections: Connections;
	/** Answers every request that no route below answers; undefined before the gateway has started and after it has stopped. */
	gateway: RequestListener | undefined;
	/** Answer requests for exactly this path, before the gateway. */
	routes: Map<string, RequestListener>;
	/** Handle WebSocket upgrades, by path. */
	upgrades: Map<string, UpgradeListener>;
	/** Called after the listener stops to accept work, before the services stop. */
	beforeClose: Set<() => Promise<void>>;
}

type Health = (broker: ServiceBroker) => Promise<HealthReport>;

export interface HttpListenerConfig extends Addresses {
	/** Ports that are served besides `httpPort`. */
	extraHttpPorts: readonly number[];
	/** Per client address; 0: no limit. */
	maxRequestsPerSecond: number;
	trustedProxies: readonly string[];
	allowedOrigins: readonly string[];
	limits: () => Limits;
	/** Those of the process: its other listeners count with it. */
	connections: () => Connections;
}

/** Time for requests under way to finish when the node stops. */
const DRAIN_TIMEOUT_MS = 3_000;

const listeners = new WeakMap<ServiceBroker, HttpListener>();

/** The HTTP listener of this node. Throws on a node that does not run `api`. */
export function httpListenerOf(broker: ServiceBroker): HttpListener {
	const listener = listeners.get(broker);
	if (!listener) throw new Error("This node has no HTTP listener: run the service api on it too");
	return listener;
}

const pathOf = ({ url = "/" }: IncomingMessage) => url.split("?", 1)[0]!;

function open(config: HttpListenerConfig, timeouts: Timeouts, health: () => Promise<HealthReport>): HttpListener {
	const [limits, connections, rate] = [config.limits(), config.connections(), rateOf(config.maxRequestsPerSecond)];
	const isTrusted = trustedProxies(config.trustedProxies);
	const pages = healthPages(health);

	const handle: RequestListener = async (req, res) => {
		res.setHeader("X-Request-ID", assignRequestID(req));
		const { address, isSecure } = clientOf(req, isTrusted);
		setSecurityHeaders(res, isSecure);

		const path = pathOf(req);
		// Before the rate limit: a flood must not block a health check from the same address.
		const page = pages.get(path);
		if (page) return page(req, res);
		const reject = (error: HttpError) => {
			allowCorsRead(req, res, config.allowedOrigins);
			sendError(res, error);
		};
		// What the clients of a proxy have open there is counted by their own addresses.
		if (connections.isShared(req.socket)) {
			const release = connections.acquire(address);
			if (!release) return reject(tooManyRequests);
			res.once("close", release);
		}
		const retryAfterMs = await limits.take(`address:${address}`, rate, Math.min(announcedCost(req), rate.burst));
		if (retryAfterMs !== undefined) return reject({ ...tooManyRequests, data: { retryAfterMs } });
		const error = requestError(req);
		if (error) return reject(error);
		const route = listener.routes.get(path);
		if (route) return route(req, res);
		if (!listener.gateway) return reject(notReady);
		return listener.gateway(req, res);
	};

	const server = httpServer(timeouts, handle);
	const watched = watchConnections(server, timeouts);
	limitConnections(server, connections, watched.closeIdle);
	const listener: HttpListener = {
		server,
		extraPorts: [],
		connections,
		gateway: undefined,
		routes: new Map(),
		upgrades: new Map(),
		beforeClose: new Set()
	};
	server.on("upgrade", (req, socket: Socket, head) => {
		const path = pathOf(req);
		const upgrade = listener.upgrades.get(path);
		const isKnown = path === "/ws" || path === "/socket.io/";
		if (!upgrade) return rejectUpgrade(socket, isKnown ? notReady : notFound);
		if (connections.isShared(socket)) {
			const release = connections.acquire(clientOf(req, isTrusted).address);
			if (!release) return rejectUpgrade(socket, tooManyRequests);
			socket.once("close", release);
		}
		watched.unwatch(socket);
		upgrade(req, socket, head);
	});
	return listener;
}

/** Stops to accept work and waits, within `DRAIN_TIMEOUT_MS`, until the requests under way are answered. */
async function close(listener: HttpListener) {
	listener.gateway = undefined;
	listener.routes.clear();
	listener.upgrades.clear();
	const servers: NetServer[] = [listener.server, ...listener.extraPorts];
	const closed = Promise.all(servers.map(server => new Promise(resolve => server.close(resolve))));
	listener.server.closeIdleConnections();
	await Promise.all([...listener.beforeClose].map(one => one()));
	await waitAtMost(closed, DRAIN_TIMEOUT_MS);
	listener.server.closeAllConnections();
}

/** On a node that runs `api`: accepts no more requests, and waits until those under way are answered. */
export async function closeHttpListener(broker: ServiceBroker) {
	const listener = listeners.get(broker);
	if (listener) await close(listener);
}

/** Middleware: on nodes that run `api`, listens before anything else starts and closes before the services stop. */
export const httpListener = (config: HttpListenerConfig, health: Health, timeouts = TIMEOUTS): Middleware => ({
	name: "HttpListener",

	async starting(broker: ServiceBroker) {
		if (!config.services.includes("api")) return;
		const listener = open(config, timeouts, () => health(broker));
		listeners.set(broker, listener);
		await listen(listener.server, config.httpPort, config.host, "HTTP_PORT");
		const { server } = listener;
		listener.extraPorts = await listenOnExtraPorts(server, config.extraHttpPorts, config.host, line => broker.logger.warn(line));
	},

	async started(broker: ServiceBroker) {
		if (listeners.has(broker)) void announceReady(broker, health, config);
	},

	async stopping(broker: ServiceBroker) {
		await closeHttpListener(broker);
	}
});
