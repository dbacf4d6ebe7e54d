// Presence in Redis: a set of nodes for each room, and for each node a key with a lease that says its entries can be believed.
import { setTimeout as delay } from "node:timers/promises";
import type { Redis } from "../../../mixins/redis.ts";
import type { Presence } from "./presence.ts";
import { burials, presenceKeys } from "./reaper.ts";
import { all, toldRooms } from "./room-writer.ts";

/** A node that has not renewed its lease for so long is not expected to answer, and not believed to have registered all its rooms. */
export const LEASE_MS = 5_000;
const RENEW_EVERY_MS = 1_000;
/** A node that does not answer is given up after so long, whatever its lease says: what comes after waits behind what is for it. */
const PATIENCE_MS = 30_000;
/** What stands under a node's key, once all its rooms are registered and before. */
const READY = "ready";
const REGISTERING = "registering";

export interface RedisPresenceOptions {
	nodeID: string;
	/** The rooms that have sockets here, for when Redis has forgotten them. */
	rooms: () => Iterable<string>;
	/** The nodes that run sockets, as the broker knows them. */
	socketNodes: () => string[];
	/** Called when others may have given this node up, because it was frozen or cut off for longer than its lease: its sockets have missed frames. */
	onGivenUp: () => void;
	keyPrefix?: string;
}

export function redisPresence(
	redis: Pick<Redis, "client" | "onReconnect" | "losses">,
	{ nodeID, rooms, socketNodes, onGivenUp, keyPrefix = "presence:" }: RedisPresenceOptions
): Presence {
	const { client, onReconnect } = redis;
	const keys = presenceKeys(keyPrefix);
	const { room: roomKey, node: nodeKey, nodes: nodesKey } = keys;
	const ownRoomsKey = keys.roomsOf(nodeID);
	const told = toldRooms(redis, keys, nodeID);
	const bury = burials(client, keys, node => node !== nodeID && !socketNodes().includes(node));
	let isRegistered = false;
	let leaseEndsAtMs = 0;
	let registered = Promise.withResolvers<void>();
	let timer: NodeJS.Timeout | undefined;
	let renewedAtMs = performance.now();
	let renewing: Promise<void> | undefined;

	const lost = () => {
		if (isRegistered) registered = Promise.withResolvers();
		isRegistered = false;
		told.forget();
	};

	/**
	 * All rooms first, then the word that they can be believed. The lease is taken before: nobody buries us meanwhile. What Redis knows of an
	 * earlier life that ended without a goodbye, or from an older dump, is taken back.
	 */
	const register = async () => {
		const begun = client.pipeline().set(nodeKey(nodeID), REGISTERING, "PX", LEASE_MS).sadd(nodesKey, nodeID);
		const [, , wasBuried, believed] = await all<[unknown, unknown, number, string[]]>(
			begun.del(keys.buried(nodeID)).smembers(ownRoomsKey)
		);
		// From here to the end in one go: who joins or leaves later is heard by Redis later.
		const here = new Set(rooms());
		const pipeline = client.pipeline();
		for (const room of believed) if (!here.has(room)) pipeline.srem(roomKey(room), nodeID).srem(ownRoomsKey, room);
		for (const room of here) pipeline.sadd(ownRoomsKey, room).sadd(roomKey(room), nodeID);
		await all(pipeline.set(nodeKey(nodeID), READY, "PX", LEASE_MS));
		isRegistered = true;
		registered.resolve();
		if (wasBuried === 1) onGivenUp();
	};

	const renew = async () => {
		const nowMs = performance.now();
		if (nowMs - renewedAtMs > LEASE_MS) onGivenUp();
		renewedAtMs = nowMs;
		try {
			// 0: Redis has forgotten us, and our rooms with us.
			if (isRegistered && (await client.pexpire(nodeKey(nodeID), LEASE_MS)) === 0) lost();
			if (!isRegistered) await register();
			leaseEndsAtMs = nowMs + LEASE_MS;
			bury();
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
				await told.enter(room);
				if (isRegistered) return;
			} catch {
				lost();
			}
			// Either Redis is back and knows all our rooms, or our lease is over and everything is sent to us.
			await Promise.race([registered.promise, delay(Math.max(0, leaseEndsAtMs - performance.now()), undefined, { ref: false })]);
		},

		leave(room) {
			told.leave(room).catch(lost);
		},

		async nodesOf(wanted) {
			const running = socketNodes();
			const pipeline = client.pipeline();
			for (const room of wanted) pipeline.smembers(roomKey(room));
			for (const node of running) pipeline.get(nodeKey(node));
			const answers = await all<(string[] | string | null)[]>(pipeline).catch(() => undefined);
			// Without Redis everybody is sent everything: more work, but nobody misses anything.
			if (!answers) return new Map(wanted.map(room => [room, running]));
			const unsure = running.filter((_, index) => answers[wanted.length + index] !== READY);
			return new Map(wanted.map((room, index) => [room, [...new Set([...(answers[index] as string[]), ...unsure])]]));
		},

		async isExpected(node, silentMs) {
			// One that renews its lease lives, and is only busy: its sockets would come anew just to make it busier.
			const lease = await client.exists(nodeKey(node)).catch(() => undefined);
			return lease === 1 ? silentMs < PATIENCE_MS : silentMs < LEASE_MS && socketNodes().includes(node);
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
			pipeline.del(ownRoomsKey, nodeKey(nodeID)).srem(nodesKey, nodeID);
			await pipeline.exec().catch(() => {});
		}
	};
}
