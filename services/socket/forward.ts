// From the node that consumed a message to the nodes that hold the sockets: acknowledged, and tried again for as long as they can be expected to answer.
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "moleculer";
import type { Caller } from "../../define.ts";
import { LEASE_MS } from "./presence.redis.ts";
import type { Presence } from "./presence.ts";
import type { Delivery } from "./socket.contract.ts";

const CALL_TIMEOUT_MS = 1_000;
const PAUSE_MS = 100;

export interface ForwardOptions {
	nodeID: string;
	/** To the sockets of this node. */
	deliver: (delivery: Delivery) => void;
	presence: Presence;
	caller: Caller;
	logger: Logger;
}

/** Hands deliveries to all nodes that may hold sockets of their rooms; resolves once each has them, or has had its time. */
export function forwarder({ nodeID, deliver, presence, caller, logger }: ForwardOptions) {
	/** Nodes that were given up while they may still have had sockets: tried once each time, and told so as soon as they answer again. */
	const missed = new Set<string>();

	const send = async (node: string, deliveries: Delivery[]) => {
		const untilMs = performance.now() + LEASE_MS;
		for (;;) {
			try {
				await caller.call("socket.deliver", { deliveries, missed: missed.has(node) }, { nodeID: node, timeout: CALL_TIMEOUT_MS });
				missed.delete(node);
				return;
			} catch (error) {
				const isExpected = await presence.isExpected(node);
				if (!isExpected || missed.has(node) || performance.now() > untilMs) {
					missed.add(node);
					if (!isExpected) presence.drop(node, [...new Set(deliveries.map(({ room }) => room))]);
					logger.warn(`${deliveries.length} messages did not reach the sockets of ${node}: ${(error as Error).message}`);
					return;
				}
			}
			await delay(PAUSE_MS);
		}
	};

	return async (deliveries: Delivery[]) => {
		const nodes = await presence.nodesOf([...new Set(deliveries.map(({ room }) => room))]);
		const byNode = new Map<string, Delivery[]>();
		for (const delivery of deliveries)
			for (const node of nodes.get(delivery.room) ?? []) byNode.set(node, [...(byNode.get(node) ?? []), delivery]);
		for (const delivery of byNode.get(nodeID) ?? []) deliver(delivery);
		byNode.delete(nodeID);
		await Promise.all([...byNode].map(([node, some]) => send(node, some)));
	};
}
