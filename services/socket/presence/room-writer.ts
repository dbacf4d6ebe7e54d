// Writes this node's rooms to Redis: in order, in one pipeline per turn of the event loop, and once for a room that many enter.
import { setImmediate as nextTurn } from "node:timers/promises";
import type { ChainableCommander } from "ioredis";
import type { Redis } from "../../../mixins/redis.ts";
import type { presenceKeys } from "./reaper.ts";

export interface RoomWriter {
	/** Resolves once Redis has the room for this node; rejects if the write failed. */
	enter(room: string): Promise<void>;
	/** Resolves once Redis has removed the room for this node; rejects if the write failed. */
	leave(room: string): Promise<void>;
	/** Redis may have lost what was written: rooms are written again when they are entered. */
	reset(): void;
}

/** The results of a pipeline. Rejects if one of its commands failed. */
export async function execAll<Results extends unknown[]>(pipeline: ChainableCommander): Promise<Results> {
	const results = (await pipeline.exec()) ?? [];
	for (const [error] of results) if (error) throw error;
	return results.map(([, result]) => result) as Results;
}

export function roomWriter(
	redis: Pick<Redis, "client" | "losses">,
	keys: ReturnType<typeof presenceKeys>,
	nodeID: string
): RoomWriter {
	const ownRoomsKey = keys.roomsOf(nodeID);
	/** Rooms whose write is in flight; `true`: Redis has confirmed it, and nothing was written for the room since. */
	const entered = new Map<string, Promise<unknown> | true>();
	/** The connection that confirmed them, as the number of connections lost before it. */
	let connection = redis.losses;
	let collecting: { pipeline: ChainableCommander; sent: Promise<unknown> } | undefined;

	/** One pipeline for all writes of this turn of the event loop: when a node dies, all its clients reconnect at once. */
	const collect = () => {
		collecting ??= {
			pipeline: redis.client.pipeline(),
			sent: nextTurn().then(() => {
				const { pipeline } = collecting!;
				collecting = undefined;
				return execAll(pipeline);
			})
		};
		return collecting;
	};

	const write = (room: string) => {
		const { pipeline, sent } = collect();
		pipeline.sadd(ownRoomsKey, room).sadd(keys.room(room), nodeID);
		return sent;
	};

	return {
		async enter(room) {
			if (connection !== redis.losses) entered.clear();
			connection = redis.losses;
			const written = entered.get(room) ?? write(room);
			if (written === true) return;
			entered.set(room, written);
			await written;
			// Unless the room was left in between.
			if (entered.get(room) === written) entered.set(room, true);
		},

		async leave(room) {
			entered.delete(room);
			const { pipeline, sent } = collect();
			pipeline.srem(keys.room(room), nodeID).srem(ownRoomsKey, room);
			await sent;
		},

		reset: () => entered.clear()
	};
}
