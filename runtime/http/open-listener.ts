import type { IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";
import type { Server as NetServer, Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Logger } from "moleculer";
import type { Limits } from "../../mixins/limits/limits.ts";
import { throttledLog } from "../../mixins/throttled-log.ts";
import type { Addresses } from "./announce-ready.ts";
import { clientOf, trustedProxies } from "./client-address.ts";
import type { Connections } from "./connections.ts";
import { allowCorsRead } from "./cors.ts";
import { type HealthReport, healthPages } from "./health-pages.ts";
import { type HttpError, notFound, notReady, originNotAllowed, sendError, tooManyRequests } from "./http-error.ts";
import { limitConnections } from "./limit-connections.ts";
import { logRefusals } from "./log-refusals.ts";
import { reboundOrigins } from "./origin.ts";
import { rejectUpgrade } from "./reject-upgrade.ts";
import { announcedCost } from "./request-cost.ts";
import { requestError } from "./request-error.ts";
import { assignRequestID } from "./request-id.ts";
import { type RequestLimit, requestLimit } from "./request-limit.ts";
import { acceptTarget, isNormalPath, pathOf } from "./request-target.ts";
import { setSecurityHeaders } from "./security-headers.ts";
import { httpServer, isHandshake, type Reject, type Timeouts } from "./server.ts";
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
	/** Counts further requests of a client address in its rate limit, for what costs more than one request. */
	limit: RequestLimit;
	/** Answers an upgrade that a listener of `upgrades` rejects, and counts it as a request of its client. */
	reject: Reject;
	/** Called after the listener stops to accept work, before the services stop. */
	beforeClose: Set<() => Promise<void>>;
}

export interface HttpListenerConfig extends Addresses {
	/** Ports that are served besides `httpPort`. */
	extraHttpPorts: readonly number[];
	/** Per client address; 0: no limit. */
	maxRequestsPerSecond: number;
	trustedProxies: readonly string[];
	allowedOrigins: readonly string[];
	limits: () => Limits;
	/** The counters of the process, shared with its other listeners. */
	connections: () => Connections;
}

/** Answered by the service socket; 503 until it has started. */
const SOCKET_PATHS = ["/ws", "/socket.io/"];
const isRead = ({ method }: IncomingMessage) => method === "GET" || method === "HEAD";

/** Creates the HTTP server of a node, with limits, health pages and 503 for everything whose service has not started. The server does not listen yet. */
export function openListener(
	config: HttpListenerConfig,
	timeouts: Timeouts,
	logger: Logger,
	health: () => Promise<HealthReport>
): HttpListener {
	const [log, connections] = [throttledLog(logger), config.connections()];
	const limit = requestLimit(config.limits(), config.maxRequestsPerSecond, log);
	const isTrusted = trustedProxies(config.trustedProxies);
	const pages = healthPages(health);
	const isRebound = reboundOrigins(config);

	/** The error of a request that no route should see; undefined if there is none. */
	const errorOf = (req: IncomingMessage) =>
		requestError(req) ?? acceptTarget(req) ?? (isRebound(req.headers.origin) ? originNotAllowed : undefined);

	/** Counts a request or upgrade that arrives through a proxy by its client's address until `held` is closed; false: the limit of the address is reached. */
	const acquire = (req: IncomingMessage, address: string, held: ServerResponse | Socket) => {
		if (!connections.isShared(req.socket)) return true;
		const release = connections.acquire(address);
		if (release) held.once("close", release);
		return release !== undefined;
	};

	const handle: RequestListener = async (req, res) => {
		res.setHeader("X-Request-ID", assignRequestID(req));
		const { address, isSecure } = clientOf(req, isTrusted);
		setSecurityHeaders(res, isSecure);

		const error = errorOf(req);
		const path = pathOf(req);
		// Before the rate limit: a flood must not block a health check from the same address.
		const page = error || !isRead(req) ? undefined : pages.get(path);
		if (page) return page(req, res);
		const refuse = (error: HttpError) => {
			allowCorsRead(req, res, config.allowedOrigins);
			sendError(res, error);
		};
		if (!acquire(req, address, res)) return refuse(tooManyRequests);
		const refusal = (await limit(address, announcedCost(req))) ?? error;
		if (refusal) return refuse(refusal);
		if (SOCKET_PATHS.includes(path) && !listener.upgrades.has(path)) return refuse(notReady);
		// A handshake for a path without WebSockets.
		if (isHandshake(req)) return refuse(notFound);
		const route = listener.routes.get(path);
		if (route) return route(req, res);
		if (!isNormalPath(path)) return refuse(notFound);
		if (!listener.gateway) return refuse(notReady);
		return listener.gateway(req, res);
	};

	const reject: Reject = async (socket, error, req, headers) => {
		// The socket may have no other error listener: then a reset would end the process.
		socket.on("error", () => {});
		const { address } = clientOf(req ?? { socket: socket as Socket, headers: {} }, isTrusted);
		const limited = await limit(address);
		if (socket.writable) rejectUpgrade(socket, limited ?? error, req, headers);
	};
	const isUpgrade = (req: IncomingMessage) =>
		isHandshake(req) && errorOf(req) === undefined && listener.upgrades.has(pathOf(req));

	const server = httpServer(timeouts, handle, { reject, isUpgrade });
	const stopLogging = logRefusals(connections, log);
	server.once("close", () => {
		stopLogging();
		log.flush();
	});
	const watched = watchConnections(server, timeouts);
	limitConnections(server, connections, watched.closeIdle);
	const listener: HttpListener = {
		server,
		extraPorts: [],
		connections,
		gateway: undefined,
		routes: new Map(),
		upgrades: new Map(),
		limit,
		reject,
		beforeClose: new Set()
	};
	server.on("upgrade", (req, socket: Socket, head) => {
		if (!acquire(req, clientOf(req, isTrusted).address, socket)) return reject(socket, tooManyRequests, req);
		watched.unwatch(socket);
		// `isUpgrade` has checked that there is one.
		listener.upgrades.get(pathOf(req))!(req, socket, head);
	});
	return listener;
}
