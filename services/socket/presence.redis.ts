// Presence in Redis: a set of nodes for each room, and for each node a key with a lease that says its entries can be believed.
import { setTimeout as delay } from "node:timers/promises";
import type { Redis } from "../../mixins/redis.ts";
import type { Presence } from "./presence.ts";

/** A node that has not renewed its lease for so long is not expected to answer, and not believed to have registered all its rooms. */
export const LEASE_MS = 5_000;
const RENEW_EVERY_MS = 1_000;

export interface RedisPresenceOptions {
	nodeID: string;
	/** The rooms that have sockets here, for when Redis has forgotten them. */
	rooms: () => Iterable<string>;
	/** The nodes that run sockets, as the broker knows them. */
	socketNodes: () => string[];
	/** Called when this process was frozen for longer than its lease: others may have given it up, and its sockets have missed frames. */
	onFrozen: () => void;
	keyPrefix?: string;
}

export function redisPresence(
	{ client, onReconnect }: Pick<Redis, "client" | "onReconnect">,
	{ nodeID, rooms, socketNodes, onFrozen, keyPrefix = "presence:" }: RedisPresenceOptions
): Presence {
	const roomKey = (room: string) => `${keyPrefix}room:${room}`;
	const nodeKey = (node: string) => `${keyPrefix}node:${node}`;
	let isRegistered = false;
	let leaseEndsAtMs = 0;
	let registered = Promise.withResolvers<void>();
	let timer: NodeJS.Timeout | undefined;
	let renewedAtMs = performance.now();
	let renewing: Promise<void> | undefined;

	const lost = () => {
		if (isRegistered) registered = Promise.withResolvers();
		isRegistered = false;
	};

	/** All rooms first, then the lease: whoever sees the lease can believe the rooms. */
	const register = async () => {
		const pipeline = client.pipeline();
		for (const room of rooms()) pipeline.sadd(roomKey(room), nodeID);
		pipeline.set(nodeKey(nodeID), "1", "PX", LEASE_MS);
		const results = (await pipeline.exec()) ?? [];
		for (const [error] of results) if (error) throw error;
		isRegistered = true;
		registered.resolve();
	};

	const renew = async () => {
		const nowMs = performance.now();
		if (nowMs - renewedAtMs > LEASE_MS) onFrozen();
		renewedAtMs = nowMs;
		try {
			// 0: Redis has forgotten us, and our rooms with us.
			if (isRegistered && (await client.pexpire(nodeKey(nodeID), LEASE_MS)) === 0) lost();
			if (!isRegistered) await register();
			leaseEndsAtMs = nowMs + LEASE_MS;
		} catch {
			lost();
		}
	};
	const renewOnce = () => {
		renewing ??= renew().finally(() => {
			renewing = undefined;
		});
		return renewing;
	};

	// The Redis that answers now may be another one, which has not heard of all our rooms.
	onReconnect(() => {
		lost();
		void renewOnce();
	});

	return {
		async join(room) {
			try {
				await client.sadd(roomKey(room), nodeID);
				if (isRegistered) return;
			} catch {
				lost();
			}
			// Either Redis is back and knows all our rooms, or our lease is over and everything is sent to us.
			await Promise.race([registered.promise, delay(Math.max(0, leaseEndsAtMs - performance.now()), undefined, { ref: false })]);
		},

		leave(room) {
			client.srem(roomKey(room), nodeID).catch(lost);
		},

		async nodesOf(wanted) {
			const running = socketNodes();
			const pipeline = client.pipeline();
			for (const room of wanted) pipeline.smembers(roomKey(room));
			for (const node of running) pipeline.exists(nodeKey(node));
			const results = await pipeline.exec().catch(() => null);
			// Without Redis everybody is sent everything: more work, but nobody misses anything.
			if (!results || results.some(([error]) => error)) return new Map(wanted.map(room => [room, running]));
			const unsure = running.filter((_, index) => results[wanted.length + index]![1] !== 1);
			return new Map(wanted.map((room, index) => [room, [...new Set([...(results[index]![1] as string[]), ...unsure])]]));
		},

		async isExpected(node) {
			if (socketNodes().includes(node)) return true;
			return (await client.exists(nodeKey(node)).catch(() => 0)) === 1;
		},

		drop(node, gone) {
			const pipeline = client.pipeline();
			for (const room of gone) pipeline.srem(roomKey(room), node);
			pipeline.exec().catch(() => {});
		},

		start() {
			void renewOnce();
			timer = setInterval(renewOnce, RENEW_EVERY_MS);
		},

		async stop() {
			clearInterval(timer);
			await renewing;
			const pipeline = client.pipeline();
			for (const room of rooms()) pipeline.srem(roomKey(room), nodeID);
			pipeline.del(nodeKey(nodeID));
			await pipeline.exec().catch(() => {});
		}
	};
}
