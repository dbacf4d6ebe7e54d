// Whether this node is the only gateway: then nothing needs to be shared for its clients.
import type { Middleware, ServiceBroker } from "moleculer";
import { nodesRunning } from "./node-metadata.ts";

/** A node that has just started has not discovered the others yet. */
const ALONE_AFTER_MS = 5_000;
const NODE_EVENTS = ["$node.connected", "$node.updated", "$node.disconnected"];

export interface LoneGateway {
	/** Watches the nodes that run `api`. */
	middleware: Middleware;
	/** Whether no other node has run `api` for `ALONE_AFTER_MS`; false until the broker has started. */
	isAlone(): boolean;
}

/** `now`: a monotonic clock in ms. */
export function loneGateway(now = () => performance.now()): LoneGateway {
	let aloneSinceMs = Number.POSITIVE_INFINITY;
	return {
		isAlone: () => now() - aloneSinceMs >= ALONE_AFTER_MS,
		middleware: {
			name: "LoneGateway",
			async started(broker: ServiceBroker) {
				const count = () => {
					const isAlone = nodesRunning(broker, "api").every(id => id === broker.nodeID);
					aloneSinceMs = isAlone ? Math.min(aloneSinceMs, now()) : Number.POSITIVE_INFINITY;
				};
				for (const event of NODE_EVENTS) broker.localBus.on(event, count);
				count();
			}
		}
	};
}
