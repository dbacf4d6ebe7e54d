// Forwards messages from the node that consumed them to the nodes that have members of their rooms: acknowledged, and retried as long as a node can be expected to answer.
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "moleculer";
import type { Caller } from "../define-service.ts";
import type { Presence } from "./presence/presence.ts";
import type { RoomMessage } from "./socket.contract.ts";

/** The first timeout is short, so that a lost call is soon repeated; later ones are longer, so that a busy node is not made busier. */
const FIRST_TIMEOUT_MS = 1_000;
const MAX_TIMEOUT_MS = 4_000;
const MAX_RECONNECT_TIMEOUT_MS = 32_000;
const PAUSE_MS = 100;

export interface ForwardOptions {
	nodeID: string;
	/** Delivers to this node's own members of the room. */
	deliver: (message: RoomMessage) => void;
	presence: Presence;
	caller: Caller;
	logger: Logger;
}

/** Returns a function that forwards messages to all nodes that may have members of their rooms; resolves once each node has them or is not waited for any more. */
export function forwarder({ nodeID, deliver, presence, caller, logger }: ForwardOptions) {
	/** Nodes that have missed messages, and how many times: as soon as they answer again, their clients must reconnect. */
	const missed = new Map<string, number>();
	const reconnecting = new Set<string>();

	const call = (node: string, deliveries: RoomMessage[], isMissed: boolean, timeout: number) =>
		caller.call("socket.deliver", { deliveries, missed: isMissed }, { nodeID: node, timeout });

	/**
	 * Makes a node's clients reconnect; runs in the background. Retried for as long as the node may have clients: until it has answered they get nothing,
	 * and the next message for it may come late.
	 */
	const reconnectClients = async (node: string) => {
		if (reconnecting.has(node)) return;
		reconnecting.add(node);
		// With a longer timeout each time: a busy node handles the call even if it answers late, and clients that reconnect make it busier.
		for (let timeoutMs = MAX_TIMEOUT_MS; missed.has(node); timeoutMs = Math.min(2 * timeoutMs, MAX_RECONNECT_TIMEOUT_MS)) {
			const times = missed.get(node);
			try {
				await call(node, [], true, timeoutMs);
				// Messages missed during the call may concern clients that had reconnected by then.
				if (missed.get(node) === times) missed.delete(node);
			} catch {
				// The node is gone. If it comes back, the next message for it starts this again.
				if (!(await presence.isExpected(node, 0)) && missed.get(node) === times) break;
				await delay(PAUSE_MS, undefined, { ref: false });
			}
		}
		reconnecting.delete(node);
	};

	const send = async (node: string, deliveries: RoomMessage[]) => {
		const sinceMs = performance.now();
		for (let timeoutMs = FIRST_TIMEOUT_MS; !missed.has(node); timeoutMs = Math.min(2 * timeoutMs, MAX_TIMEOUT_MS)) {
			try {
				await call(node, deliveries, false, timeoutMs);
				return;
			} catch (error) {
				if (!(await presence.isExpected(node, performance.now() - sinceMs))) {
					logger.warn(
						`node "${node}" does not accept messages for its clients, which must reconnect: ${(error as Error).message}`
					);
					break;
				}
			}
			await delay(PAUSE_MS);
		}
		missed.set(node, (missed.get(node) ?? 0) + 1);
		void reconnectClients(node);
	};

	return async (messages: RoomMessage[]) => {
		// This node knows its own rooms, so its clients need not wait for the lookup of the others.
		for (const message of messages) deliver(message);
		const nodes = await presence.nodesOf([...new Set(messages.map(({ room }) => room))]);
		const byNode = new Map<string, RoomMessage[]>();
		for (const message of messages)
			for (const node of nodes.get(message.room) ?? []) byNode.set(node, [...(byNode.get(node) ?? []), message]);
		byNode.delete(nodeID);
		await Promise.all([...byNode].map(([node, own]) => send(node, own)));
	};
}
