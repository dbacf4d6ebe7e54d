// Removes the room memberships of nodes whose lease expired.
import { setTimeout as delay } from "node:timers/promises";
import type { Redis } from "../../../mixins/redis.ts";

const SWEEP_EVERY_MS = 10_000;
/** Rooms per script call: Redis runs nothing else meanwhile. */
const ROOMS_PER_CALL = 500;
const PAUSE_MS = 10;
/** A node that comes back later than this has no clients left that could have missed messages. */
const REMOVED_TTL_S = 86_400;

/** The keys of presence. */
export const presenceKeys = (prefix: string) => ({
	/** The set of nodes that have members of a room. */
	room: (room: string) => `${prefix}room:${room}`,
	/** A node's lease; its value says whether the node's rooms are all registered. */
	node: (node: string) => `${prefix}node:${node}`,
	/** The set of rooms that a node has registered: needed to remove them after its death. */
	roomsOf: (node: string) => `${prefix}rooms:${node}`,
	/** The set of nodes that have registered rooms. */
	nodes: `${prefix}nodes`,
	/** The rooms of this node were removed while it had no lease: if it is alive after all, its clients have missed messages. */
	removed: (node: string) => `${prefix}removed:${node}`
});

/** Removes some rooms of a node; answers 1 while there may be more. A node with a lease is left alone. */
const REMOVE_ROOMS = `
if redis.call("EXISTS", KEYS[1]) == 1 then return 0 end
redis.call("SET", KEYS[3], "1", "EX", ARGV[4])
local rooms = redis.call("SPOP", KEYS[2], ARGV[3])
for _, room in ipairs(rooms) do redis.call("SREM", ARGV[2] .. room, ARGV[1]) end
if #rooms == tonumber(ARGV[3]) then return 1 end
redis.call("SREM", KEYS[4], ARGV[1])
return 0`;

/** Returns a function that removes the rooms of all dead nodes, at most every ten seconds. `isDead`: no other source knows the node as running. */
export function reaper(client: Redis["client"], keys: ReturnType<typeof presenceKeys>, isDead: (node: string) => boolean) {
	let sweptAtMs = performance.now();
	let isSweeping = false;

	const removeDead = async () => {
		for (const node of (await client.smembers(keys.nodes)).filter(isDead)) {
			const own = [keys.node(node), keys.roomsOf(node), keys.removed(node), keys.nodes];
			const removeSome = () => client.eval(REMOVE_ROOMS, own.length, ...own, node, keys.room(""), ROOMS_PER_CALL, REMOVED_TTL_S);
			while ((await removeSome()) === 1) await delay(PAUSE_MS, undefined, { ref: false });
		}
	};

	return () => {
		const nowMs = performance.now();
		if (isSweeping || nowMs - sweptAtMs < SWEEP_EVERY_MS) return;
		sweptAtMs = nowMs;
		isSweeping = true;
		removeDead()
			// Redis is unavailable: the next sweep removes them.
			.catch(() => {})
			.finally(() => {
				isSweeping = false;
			});
	};
}
