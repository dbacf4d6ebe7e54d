// What Redis is told of this node's rooms: in order, in one write a turn, and once of a room that many enter.
import { setImmediate as aTurn } from "node:timers/promises";
import type { ChainableCommander } from "ioredis";
import type { Redis } from "../../../mixins/redis.ts";
import type { presenceKeys } from "./reaper.ts";

export interface ToldRooms {
	/** Resolves once Redis knows that the room has sockets here; rejects if it has not taken that. */
	enter(room: string): Promise<void>;
	/** Resolves once Redis knows that it has none any more; rejects if it has not taken that. */
	leave(room: string): Promise<void>;
	/** Redis may have lost what it was told. */
	forget(): void;
}

/** What the commands of a pipeline answer. Rejects if one of them failed. */
export async function all<Answers extends unknown[]>(pipeline: ChainableCommander): Promise<Answers> {
	const results = (await pipeline.exec()) ?? [];
	for (const [error] of results) if (error) throw error;
	return results.map(([, answer]) => answer) as Answers;
}

export function toldRooms(
	redis: Pick<Redis, "client" | "losses">,
	keys: ReturnType<typeof presenceKeys>,
	nodeID: string
): ToldRooms {
	const ownRoomsKey = keys.roomsOf(nodeID);
	/** Rooms that Redis is being told of; `true`: it has said that it knows, and has been told nothing else since. */
	const entered = new Map<string, Promise<unknown> | true>();
	/** The connection over which it did, by the number of those lost before. */
	let connection = redis.losses;
	let collected: { pipeline: ChainableCommander; sent: Promise<unknown> } | undefined;

	/** For one write of all that the present turn of the event loop has to say: when a node dies all its sockets come at once. */
	const collect = () => {
		collected ??= {
			pipeline: redis.client.pipeline(),
			sent: aTurn().then(() => {
				const { pipeline } = collected!;
				collected = undefined;
				return all(pipeline);
			})
		};
		return collected;
	};

	const tell = (room: string) => {
		const { pipeline, sent } = collect();
		pipeline.sadd(ownRoomsKey, room).sadd(keys.room(room), nodeID);
		return sent;
	};

	return {
		async enter(room) {
			if (connection !== redis.losses) entered.clear();
			connection = redis.losses;
			// Whoever watches what others here watch is found where they are.
			const told = entered.get(room) ?? tell(room);
			if (told === true) return;
			entered.set(room, told);
			await told;
			// Who has left meanwhile has Redis forget it.
			if (entered.get(room) === told) entered.set(room, true);
		},

		async leave(room) {
			entered.delete(room);
			const { pipeline, sent } = collect();
			pipeline.srem(keys.room(room), nodeID).srem(ownRoomsKey, room);
			await sent;
		},

		forget: () => entered.clear()
	};
}
