// The one HTTP server: open before the broker has its transporter, so that health can say what is missing, and handed to the gateway and the
// sockets once they are there. What they are not there for yet is answered 503, never accepted.
import { randomUUID } from "node:crypto";
import {
	createServer,
	type IncomingMessage,
	type RequestListener,
	type Server,
	type ServerResponse,
	STATUS_CODES
} from "node:http";
import type { Duplex } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import type { Middleware, ServiceBroker } from "moleculer";
import { type Limits, rateOf } from "../limits/limits.ts";
import { type HttpError, notFound, sendError, sendJson, tooManyRequests, unavailableHere } from "./http-error.ts";
import { listen } from "./listen.ts";

type UpgradeListener = (req: IncomingMessage, socket: Duplex, head: Buffer) => void;

export interface Door {
	server: Server;
	/** Who answers requests from now on; undefined: nobody yet, or no more. */
	answer: RequestListener | undefined;
	/** Who answers below a path of their own, whatever the gateway does. */
	requests: Map<string, RequestListener>;
	/** Who takes upgrades, by path. */
	upgrades: Map<string, UpgradeListener>;
	/** Called when no more work is taken, before services stop. */
	closing: Set<() => Promise<void>>;
}

type Health = (broker: ServiceBroker) => Promise<{ status: string; checks: Record<string, string> }>;

export interface DoorConfig {
	services: readonly string[];
	host: string;
	httpPort: number;
	grpcPort: number;
	metricsHost: string;
	metricsPort: number;
	maxRequestsPerSecond: number;
	limits: () => Limits;
}

const HEALTH_PATHS = new Set(["/health", "/health/live", "/health/ready"]);
const REQUEST_ID = /^[\w.:/+=-]{1,128}$/;
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
const FINISH_WITHIN_MS = 3_000;
const STOP_WITHIN_MS = 9_500;
const ASK_AGAIN_AFTER_MS = 50;

const doors = new WeakMap<ServiceBroker, Door>();

/** The open door of a node that runs the gateway. */
export function doorOf(broker: ServiceBroker): Door {
	const door = doors.get(broker);
	if (!door) throw new Error("This node has no front door: run api on it too");
	return door;
}

/** Answers an upgrade that is not to be, as HTTP, and hangs up: the server no longer watches over a socket that it has handed over. */
export function refuseUpgrade(socket: Duplex, { code, ...error }: HttpError) {
	const body = JSON.stringify({ ...error, code, data: null });
	const retry = code === 429 || code === 503 ? "Retry-After: 1\r\n" : "";
	socket.on("error", () => {});
	socket.end(
		`HTTP/1.1 ${code} ${STATUS_CODES[code]}\r\nConnection: close\r\nX-Request-ID: ${randomUUID()}\r\n${retry}Content-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
		() => socket.destroy()
	);
}

const answerHealth = async (report: () => ReturnType<Health>, path: string, res: ServerResponse) => {
	// Alive is whoever answers: a restart would not bring Kafka back.
	if (path === "/health/live") return sendJson(res, 200, { status: "ok" });
	const { status, checks } = await report();
	sendJson(res, status === "ok" ? 200 : 503, { status, checks });
};

function open(config: DoorConfig, report: () => ReturnType<Health>): Door {
	const [limits, rate] = [config.limits(), rateOf(config.maxRequestsPerSecond)];
	const handle: RequestListener = async (req, res) => {
		const given = req.headers["x-request-id"];
		const requestID = typeof given === "string" && REQUEST_ID.test(given) ? given : randomUUID();
		req.headers["x-request-id"] = requestID;
		// The gateway would prefer it to ours.
		delete req.headers["x-correlation-id"];
		res.setHeader("X-Request-ID", requestID);

		if ((await limits.take(`address:${req.socket.remoteAddress}`, rate)) !== undefined) return sendError(res, tooManyRequests);
		const path = req.url?.split("?", 1)[0] ?? "/";
		if (HEALTH_PATHS.has(path)) return void answerHealth(report, path, res);
		const own = door.requests.get(path);
		if (own) return own(req, res);
		if (!door.answer) return sendError(res, unavailableHere);
		return door.answer(req, res);
	};

	const server = createServer(
		{
			headersTimeout: HEADERS_TIMEOUT_MS,
			requestTimeout: REQUEST_TIMEOUT_MS,
			// Whoever offers h2c, as Java's client does, is answered in HTTP/1.1.
			shouldUpgradeCallback: req => req.headers.upgrade?.toLowerCase() === "websocket"
		},
		handle
	);
	const door: Door = { server, answer: undefined, requests: new Map(), upgrades: new Map(), closing: new Set() };
	server.on("upgrade", (req, socket, head) => {
		const path = req.url?.split("?", 1)[0] ?? "";
		const take = door.upgrades.get(path);
		if (take) return take(req, socket, head);
		const known = path === "/ws" || path === "/socket.io/";
		refuseUpgrade(socket, known ? unavailableHere : notFound);
	});
	return door;
}

/** Stops taking work; what is under way is finished, within bounds. */
async function close(door: Door) {
	door.answer = undefined;
	door.requests.clear();
	door.upgrades.clear();
	const closed = new Promise(resolve => door.server.close(resolve));
	door.server.closeIdleConnections();
	await Promise.all([...door.closing].map(one => one()));
	await Promise.race([closed, delay(FINISH_WITHIN_MS, undefined, { ref: false })]);
	door.server.closeAllConnections();
}

const sayReady = async (
	broker: ServiceBroker,
	health: Health,
	{ host, httpPort, grpcPort, metricsHost, metricsPort, services }: DoorConfig
) => {
	while ((await health(broker)).status !== "ok") {
		if (broker.stopping) return;
		await delay(ASK_AGAIN_AFTER_MS);
	}
	const grpc = services.includes("wallet") ? `, gRPC at ${host}:${grpcPort}` : "";
	const metrics = metricsPort === 0 ? "" : `, metrics at http://${metricsHost}:${metricsPort}/metrics`;
	console.log(`Plaza is ready: http://${host}:${httpPort} (page, API, /ws, /socket.io)${grpc}${metrics}`);
};

/** Middleware: opens the door before anything else on nodes that run `api`, and closes it before services stop. */
export const frontDoor = (config: DoorConfig, health: Health): Middleware => ({
	name: "FrontDoor",

	async starting(broker: ServiceBroker) {
		if (!config.services.includes("api")) return;
		const door = open(config, () => health(broker));
		doors.set(broker, door);
		await listen(door.server, config.httpPort, config.host, "HTTP_PORT");
	},

	async started(broker: ServiceBroker) {
		if (doors.has(broker)) void sayReady(broker, health, config);
	},

	async stopping(broker: ServiceBroker) {
		// Whatever hangs: a stop that takes longer would be ended by SIGKILL.
		// Nothing acknowledged is lost by it: what is under way is durable, and is handed over again.
		setTimeout(() => process.exit(0), STOP_WITHIN_MS).unref();
		const door = doors.get(broker);
		if (door) await close(door);
	}
});
