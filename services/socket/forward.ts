// From the node that consumed a message to the nodes that hold the sockets: acknowledged, and tried again for as long as they can be expected to answer.
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "moleculer";
import type { Caller } from "../define-service.ts";
import type { Presence } from "./presence/presence.ts";
import type { Delivery } from "./socket.contract.ts";

/** For an answer: at first, so that a call that was lost is soon made up for, and at most, so that a busy node is not made busier. */
const FIRST_TIMEOUT_MS = 1_000;
const LONGEST_TIMEOUT_MS = 4_000;
const LONGEST_TELL_MS = 32_000;
const PAUSE_MS = 100;

export interface ForwardOptions {
	nodeID: string;
	/** To the sockets of this node, if it has any of the room. */
	deliver: (delivery: Delivery) => void;
	presence: Presence;
	caller: Caller;
	logger: Logger;
}

/** Hands deliveries to all nodes that may hold sockets of their rooms; resolves once each has them, or has had its time. */
export function forwarder({ nodeID, deliver, presence, caller, logger }: ForwardOptions) {
	/** Nodes that were given up while they may still have had sockets, and how many times: as soon as they answer again they are told. */
	const missed = new Map<string, number>();
	const telling = new Set<string>();

	const hand = (node: string, some: Delivery[], isMissed: boolean, timeout: number) =>
		caller.call("socket.deliver", { deliveries: some, missed: isMissed }, { nodeID: node, timeout });

	/**
	 * Its sockets are to come anew, whatever they are sent by then: nobody waits for that. Goes on for as long as the node may have sockets: until it is told
	 * they are sent nothing, and the next message for it may be long in coming.
	 */
	const tell = async (node: string) => {
		if (telling.has(node)) return;
		telling.add(node);
		// More time each time: a busy node does what it is told even if it answers late, and its sockets that come anew make it busier.
		for (let timeoutMs = LONGEST_TIMEOUT_MS; missed.has(node); timeoutMs = Math.min(2 * timeoutMs, LONGEST_TELL_MS)) {
			const times = missed.get(node);
			try {
				await hand(node, [], true, timeoutMs);
				// What was given up while it was being told may concern sockets that had come anew by then.
				if (missed.get(node) === times) missed.delete(node);
			} catch {
				// If it is gone, the next message for it, should it ever come back, has it told.
				if (!(await presence.isExpected(node, 0)) && missed.get(node) === times) break;
				await delay(PAUSE_MS, undefined, { ref: false });
			}
		}
		telling.delete(node);
	};

	const giveUp = (node: string) => {
		missed.set(node, (missed.get(node) ?? 0) + 1);
		void tell(node);
	};

	const send = async (node: string, deliveries: Delivery[]) => {
		const sinceMs = performance.now();
		for (let timeoutMs = FIRST_TIMEOUT_MS; !missed.has(node); timeoutMs = Math.min(2 * timeoutMs, LONGEST_TIMEOUT_MS)) {
			try {
				await hand(node, deliveries, false, timeoutMs);
				return;
			} catch (error) {
				if (!(await presence.isExpected(node, performance.now() - sinceMs))) {
					logger.warn(`messages do not reach the sockets of ${node}, which are to come anew: ${(error as Error).message}`);
					break;
				}
			}
			await delay(PAUSE_MS);
		}
		giveUp(node);
	};

	return async (deliveries: Delivery[]) => {
		// This node knows its own rooms: its sockets need not wait until it is known who else has any.
		for (const delivery of deliveries) deliver(delivery);
		const nodes = await presence.nodesOf([...new Set(deliveries.map(({ room }) => room))]);
		const byNode = new Map<string, Delivery[]>();
		for (const delivery of deliveries)
			for (const node of nodes.get(delivery.room) ?? []) byNode.set(node, [...(byNode.get(node) ?? []), delivery]);
		byNode.delete(nodeID);
		await Promise.all([...byNode].map(([node, some]) => send(node, some)));
	};
}
