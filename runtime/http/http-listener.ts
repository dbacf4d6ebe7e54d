// The one HTTP server: open before the broker has its transporter, so that health can say what is missing, and handed to the gateway and the
// sockets once they are there. What they are not there for yet is answered 503, never accepted.
import { randomUUID } from "node:crypto";
import type { IncomingMessage, RequestListener, Server } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import type { Middleware, ServiceBroker } from "moleculer";
import { type Limits, rateOf } from "../../mixins/limits/limits.ts";
import { clientOf, trustedProxies } from "./client-address.ts";
import { allowCorsRead } from "./cors.ts";
import { healthPages, type Report } from "./health-pages.ts";
import { type HttpError, notFound, notReady, sendError, tooManyRequests } from "./http-error.ts";
import { listen } from "./listen.ts";
import { rejectUpgrade } from "./reject-upgrade.ts";
import { setSecurityHeaders } from "./security-headers.ts";
import { httpServer, requestError, TIMEOUTS, type Timeouts } from "./server.ts";
import { closeSlowReaders } from "./slow-readers.ts";

type UpgradeListener = (req: IncomingMessage, socket: Duplex, head: Buffer) => void;

export interface HttpListener {
	server: Server;
	/** Who answers requests from now on; undefined: nobody yet, or no more. */
	gateway: RequestListener | undefined;
	/** Who answers below a path of their own, whatever the gateway does. */
	routes: Map<string, RequestListener>;
	/** Who takes upgrades, by path. */
	upgrades: Map<string, UpgradeListener>;
	/** Called when no more work is taken, before services stop. */
	beforeClose: Set<() => Promise<void>>;
}

type Health = (broker: ServiceBroker) => Promise<Report>;

export interface HttpListenerConfig {
	services: readonly string[];
	host: string;
	httpPort: number;
	grpcPort: number;
	metricsHost: string;
	metricsPort: number;
	maxRequestsPerSecond: number;
	trustedProxies: readonly string[];
	allowedOrigins: readonly string[];
	limits: () => Limits;
}

const REQUEST_ID = /^[\w.:/+=-]{1,128}$/;
const DRAIN_TIMEOUT_MS = 3_000;
const STOP_TIMEOUT_MS = 9_500;
const POLL_MS = 50;

const listeners = new WeakMap<ServiceBroker, HttpListener>();

/** The open door of a node that runs the gateway. */
export function httpListenerOf(broker: ServiceBroker): HttpListener {
	const door = listeners.get(broker);
	if (!door) throw new Error("This node has no front door: run api on it too");
	return door;
}

const idOf = (req: IncomingMessage) => {
	const given = req.headers["x-request-id"];
	return typeof given === "string" && REQUEST_ID.test(given) ? given : randomUUID();
};

function open(config: HttpListenerConfig, timeouts: Timeouts, health: () => Promise<Report>): HttpListener {
	const [limits, rate] = [config.limits(), rateOf(config.maxRequestsPerSecond)];
	const isTrusted = trustedProxies(config.trustedProxies);
	const pages = healthPages(health);

	const handle: RequestListener = async (req, res) => {
		const requestID = idOf(req);
		req.headers["x-request-id"] = requestID;
		// The gateway would prefer it to ours.
		delete req.headers["x-correlation-id"];
		res.setHeader("X-Request-ID", requestID);
		const { address, isSecure } = clientOf(req, isTrusted);
		setSecurityHeaders(res, isSecure);

		const path = req.url?.split("?", 1)[0] ?? "/";
		// Whoever watches over us must not be kept out by a flood from the same address.
		const page = pages.get(path);
		if (page) return page(req, res);
		const refuseEarly = (error: HttpError) => {
			allowCorsRead(req, res, config.allowedOrigins);
			sendError(res, error);
		};
		const retryAfterMs = await limits.take(`address:${address}`, rate);
		if (retryAfterMs !== undefined) return refuseEarly({ ...tooManyRequests, data: { retryAfterMs } });
		const fault = requestError(req);
		if (fault) return refuseEarly(fault);
		const own = door.routes.get(path);
		if (own) return own(req, res);
		if (!door.gateway) return refuseEarly(notReady);
		return door.gateway(req, res);
	};

	const server = httpServer(timeouts, handle);
	const readers = closeSlowReaders(server, timeouts);
	const door: HttpListener = { server, gateway: undefined, routes: new Map(), upgrades: new Map(), beforeClose: new Set() };
	server.on("upgrade", (req, socket: Socket, head) => {
		const path = req.url?.split("?", 1)[0] ?? "";
		const take = door.upgrades.get(path);
		if (take) {
			readers.unwatch(socket);
			return take(req, socket, head);
		}
		const known = path === "/ws" || path === "/socket.io/";
		rejectUpgrade(socket, known ? notReady : notFound);
	});
	return door;
}

/** Stops taking work; what is under way is finished, within bounds. */
async function close(door: HttpListener) {
	door.gateway = undefined;
	door.routes.clear();
	door.upgrades.clear();
	const closed = new Promise(resolve => door.server.close(resolve));
	door.server.closeIdleConnections();
	await Promise.all([...door.beforeClose].map(one => one()));
	await Promise.race([closed, delay(DRAIN_TIMEOUT_MS, undefined, { ref: false })]);
	door.server.closeAllConnections();
}

const announceReady = async (
	broker: ServiceBroker,
	health: Health,
	{ host, httpPort, grpcPort, metricsHost, metricsPort, services }: HttpListenerConfig
) => {
	while ((await health(broker)).status !== "ok") {
		if (broker.stopping) return;
		await delay(POLL_MS);
	}
	const grpc = services.includes("wallet") ? `, gRPC at ${host}:${grpcPort}` : "";
	const metrics = metricsPort === 0 ? "" : `, metrics at http://${metricsHost}:${metricsPort}/metrics`;
	console.log(`Plaza is ready: http://${host}:${httpPort} (page, API, /ws, /socket.io)${grpc}${metrics}`);
};

/** Middleware: opens the door before anything else on nodes that run `api`, and closes it before services stop. */
export const httpListener = (config: HttpListenerConfig, health: Health, timeouts = TIMEOUTS): Middleware => ({
	name: "FrontDoor",

	async starting(broker: ServiceBroker) {
		if (!config.services.includes("api")) return;
		const door = open(config, timeouts, () => health(broker));
		listeners.set(broker, door);
		await listen(door.server, config.httpPort, config.host, "HTTP_PORT");
	},

	async started(broker: ServiceBroker) {
		if (listeners.has(broker)) void announceReady(broker, health, config);
	},

	async stopping(broker: ServiceBroker) {
		// Whatever hangs: a stop that takes longer would be ended by SIGKILL.
		// Nothing acknowledged is lost by it: what is under way is durable, and is handed over again.
		setTimeout(() => process.exit(0), STOP_TIMEOUT_MS).unref();
		const door = listeners.get(broker);
		if (door) await close(door);
	}
});
