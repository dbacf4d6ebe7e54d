// The one HTTP server of a node that runs `api`. It listens before the broker connects its transporter, so that /health can report what is missing;
// the gateway and the sockets attach to it when they have started. Until then, requests and upgrades for them get a 503.
import type { Server as NetServer } from "node:net";
import type { Middleware, ServiceBroker } from "moleculer";
import { waitAtMost } from "../../mixins/deadline.ts";
import { announceReady } from "./announce-ready.ts";
import { listenOnExtraPorts } from "./extra-ports.ts";
import type { HealthReport } from "./health-pages.ts";
import { listen } from "./listen.ts";
import { type HttpListener, type HttpListenerConfig, openListener } from "./open-listener.ts";
import { TIMEOUTS } from "./server.ts";

type Health = (broker: ServiceBroker) => Promise<HealthReport>;

/** Time for requests under way to finish when the node stops. */
const DRAIN_TIMEOUT_MS = 3_000;

const listeners = new WeakMap<ServiceBroker, HttpListener>();

/** The HTTP listener of this node. Throws on a node that does not run `api`. */
export function httpListenerOf(broker: ServiceBroker): HttpListener {
	const listener = listeners.get(broker);
	if (!listener) throw new Error("This node has no HTTP listener: run the service api on it too");
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
		const listener = openListener(config, timeouts, broker.getLogger("HTTP"), () => health(broker));
		listeners.set(broker, listener);
		const warn = (line: string) => broker.logger.warn(line);
		await listen(listener.server, config.httpPort, config.host, "HTTP_PORT", warn);
		listener.extraPorts = await listenOnExtraPorts(listener.server, config.extraHttpPorts, config.host, warn);
	},

	async started(broker: ServiceBroker) {
		if (listeners.has(broker)) void announceReady(broker, health, config);
	},

	async stopping(broker: ServiceBroker) {
		await closeHttpListener(broker);
	}
});
