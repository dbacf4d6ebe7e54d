// Presence in Redis: a set of nodes for each room, and for each node a lease that says whether all its rooms are registered.

import { waitAtMost } from "../../../mixins/deadline.ts";
import type { Redis } from "../../../mixins/redis.ts";
import type { Presence, PresenceSource } from "./presence.ts";
import { presenceKeys, reaper } from "./reaper.ts";
import { execAll, roomWriter } from "./room-writer.ts";

/** A node whose lease has expired is not expected to answer, and its registered rooms may be incomplete. */
export const LEASE_MS = 5_000;
const RENEW_EVERY_MS = 1_000;
/** After this a node that does not answer is not waited for any more, even if it has a lease: later messages wait behind its own. */
const PATIENCE_MS = 30_000;
/** The values of a lease: all rooms of the node are registered, or not yet. */
const READY = "ready";
const REGISTERING = "registering";

export interface RedisPresenceOptions {
	nodeID: string;
	/** The nodes that run the socket service, as the broker knows them. */
	socketNodes: () => string[];
	/** With the version of the keys' format: nodes of another version find no lease here, and treat every node as a possible member of every room. */
	keyPrefix?: string;
}

export function redisPresence(
	redis: Pick<Redis, "client" | "onReconnect" | "losses">,
	{ nodeID, socketNodes, keyPrefix = "presence:2:" }: RedisPresenceOptions
): Presence {
	const { client, onReconnect } = redis;
	const keys = presenceKeys(keyPrefix);
	const { room: roomKey, node: nodeKey, nodes: nodesKey } = keys;
	const ownRoomsKey = keys.roomsOf(nodeID);
	const writer = roomWriter(redis, keys, nodeID);
	const sweep = reaper(client, keys, node => node !== nodeID && !socketNodes().includes(node));
	let source: PresenceSource = { rooms: () => [], onExpired() {} };
	let isRegistered = false;
	let leaseEndsAtMs = 0;
	let registered = Promise.withResolvers<void>();
	let timer: NodeJS.Timeout | undefined;
	let renewedAtMs = performance.now();
	let renewing: Promise<void> | undefined;

	const onLost = () => {
		if (isRegistered) registered = Promise.withResolvers();
		isRegistered = false;
		writer.reset();
	};

	/**
	 * Takes the lease, so that no reaper removes this node meanwhile, then registers all rooms, then marks the lease as ready. Rooms in Redis that this node
	 * does not have (it was killed before, or Redis restored an older dump) are removed.
	 */
	const register = async () => {
		const begin = client.pipeline().set(nodeKey(nodeID), REGISTERING, "PX", LEASE_MS).sadd(nodesKey, nodeID);
		const [, , wasRemoved, registeredBefore] = await execAll<[unknown, unknown, number, string[]]>(
			begin.del(keys.removed(nodeID)).smembers(ownRoomsKey)
		);
		// No await until the pipeline is sent: rooms entered or left later are written after it.
		const here = new Set(source.rooms());
		const pipeline = client.pipeline();
		for (const room of registeredBefore) if (!here.has(room)) pipeline.srem(roomKey(room), nodeID).srem(ownRoomsKey, room);
		for (const room of here) pipeline.sadd(ownRoomsKey, room).sadd(roomKey(room), nodeID);
		await execAll(pipeline.set(nodeKey(nodeID), READY, "PX", LEASE_MS));
		isRegistered = true;
		registered.resolve();
		if (wasRemoved === 1) source.onExpired();
	};

	const renew = async () => {
		const nowMs = performance.now();
		const isExpired = nowMs - renewedAtMs > LEASE_MS;
		renewedAtMs = nowMs;
		try {
			if (isExpired) source.onExpired();
			// 0: Redis has no lease of this node, so it may have lost its rooms too.
			if (isRegistered && (await client.pexpire(nodeKey(nodeID), LEASE_MS)) === 0) onLost();
			if (!isRegistered) await register();
			leaseEndsAtMs = nowMs + LEASE_MS;
			sweep();
		} catch {
			onLost();
		}
	};
	const renewOnce = () => {
		renewing ??= renew().finally(() => {
			renewing = undefined;
		});
		return renewing;
	};

	return {
		async join(room) {
			try {
				await writer.enter(room);
				if (isRegistered) return;
			} catch {
				onLost();
			}
			// Until Redis has all rooms of this node, or its lease has expired, after which every message is sent to this node.
			await waitAtMost(registered.promise, Math.max(0, leaseEndsAtMs - performance.now()));
		},

		leave(room) {
			writer.leave(room).catch(onLost);
		},

		async nodesOf(wanted) {
			const running = socketNodes();
			const pipeline = client.pipeline();
			for (const room of wanted) pipeline.smembers(roomKey(room));
			for (const node of running) pipeline.get(nodeKey(node));
			const answers = await execAll<(string[] | string | null)[]>(pipeline).catch(() => undefined);
			// Without Redis every node gets every message: more work, but no client misses one.
			if (!answers) return new Map(wanted.map(room => [room, running]));
			const unregistered = running.filter((_, index) => answers[wanted.length + index] !== READY);
			return new Map(wanted.map((room, index) => [room, [...new Set([...(answers[index] as string[]), ...unregistered])]]));
		},

		async isExpected(node, silentMs) {
			// A node that renews its lease is alive but busy: making all its clients reconnect would make it busier.
			const lease = await client.exists(nodeKey(node)).catch(() => undefined);
			return lease === 1 ? silentMs < PATIENCE_MS : silentMs < LEASE_MS && socketNodes().includes(node);
		},

		start(from) {
			source = from;
			// The Redis that answers after a reconnect may be another one, without the rooms of this node.
			onReconnect(() => {
				onLost();
				void renewOnce();
			});
			void renewOnce();
			timer = setInterval(renewOnce, RENEW_EVERY_MS);
		},

		async stop() {
			clearInterval(timer);
			await renewing;
			const pipeline = client.pipeline();
			for (const room of source.rooms()) pipeline.srem(roomKey(room), nodeID);
			pipeline.del(ownRoomsKey, nodeKey(nodeID)).srem(nodesKey, nodeID);
			await pipeline.exec().catch(() => {});
		}
	};
}
