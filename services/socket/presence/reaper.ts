// What a node that ended without a goodbye leaves in Redis, and how those that live take it away.
import { setTimeout as delay } from "node:timers/promises";
import type { Redis } from "../../../mixins/redis.ts";

const LOOK_EVERY_MS = 10_000;
/** So many rooms in one go: Redis does nothing else meanwhile. */
const ROOMS_AT_ONCE = 500;
const PAUSE_MS = 10;
/** A node that comes back later than this has no sockets left that could have missed anything. */
const REMEMBERED_S = 86_400;

/** The keys of presence. */
export const presenceKeys = (prefix: string) => ({
	/** The nodes that have sockets of a room. */
	room: (room: string) => `${prefix}room:${room}`,
	/** A node's lease, and whether its entries can be believed. */
	node: (node: string) => `${prefix}node:${node}`,
	/** The rooms that a node stands in: kept beside, to be found once it is gone. */
	roomsOf: (node: string) => `${prefix}rooms:${node}`,
	/** All nodes that stand in some room. */
	nodes: `${prefix}nodes`,
	/** Said of a node that was taken for dead, in case it was not. */
	buried: (node: string) => `${prefix}buried:${node}`
});

/** Of a node without a lease, so that none is buried alive: takes it out of some rooms, and answers 1 while there may be more. */
const BURY = `
if redis.call("EXISTS", KEYS[1]) == 1 then return 0 end
redis.call("SET", KEYS[3], "1", "EX", ARGV[4])
local rooms = redis.call("SPOP", KEYS[2], ARGV[3])
for _, room in ipairs(rooms) do redis.call("SREM", ARGV[2] .. room, ARGV[1]) end
if #rooms == tonumber(ARGV[3]) then return 1 end
redis.call("SREM", KEYS[4], ARGV[1])
return 0`;

/** Answers what looks for nodes that are gone and takes them out of all their rooms, if nobody has looked here for ten seconds. */
export function burials(
	client: Redis["client"],
	keys: ReturnType<typeof presenceKeys>,
	/** Whether a node whose lease is over is not known to be there all the same. */
	isUnknown: (node: string) => boolean
) {
	let lookedAtMs = performance.now();
	let isLooking = false;

	const buryAll = async () => {
		for (const node of (await client.smembers(keys.nodes)).filter(isUnknown)) {
			const [lease, rooms, buried] = [keys.node(node), keys.roomsOf(node), keys.buried(node)];
			const bury = () => client.eval(BURY, 4, lease, rooms, buried, keys.nodes, node, keys.room(""), ROOMS_AT_ONCE, REMEMBERED_S);
			while ((await bury()) === 1) await delay(PAUSE_MS, undefined, { ref: false });
		}
	};

	return () => {
		const nowMs = performance.now();
		if (isLooking || nowMs - lookedAtMs < LOOK_EVERY_MS) return;
		lookedAtMs = nowMs;
		isLooking = true;
		buryAll()
			// Redis is away: what is left is found the next time.
			.catch(() => {})
			.finally(() => {
				isLooking = false;
			});
	};
}
