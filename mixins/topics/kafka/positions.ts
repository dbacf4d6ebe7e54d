import { setTimeout as delay } from "node:timers/promises";
import type { Admin } from "kafkajs";
import { deadlineIn } from "../../deadline.ts";

export const POSITION_TIMEOUT_MS = 5_000;
const RETRY_DELAY_MS = 100;

export interface PartitionPosition {
	partition: number;
	/** Where the group continues. */
	from: number;
	/** The end of the partition. */
	end: number;
}

/** Retries: a server that has just started, or a new topic, may not answer at once. */
async function retry<T>(request: () => Promise<T>, isCancelled: () => boolean): Promise<T> {
	const deadline = deadlineIn(POSITION_TIMEOUT_MS);
	for (;;) {
		try {
			return await request();
		} catch (error) {
			if (isCancelled() || deadline.isOver()) throw error;
			await delay(RETRY_DELAY_MS);
		}
	}
}

/**
 * The positions of a group in partitions of a topic: the committed offset, or the earliest record where nothing is committed or the records there
 * were deleted. kafkajs resolves positions too, but does not expose them, and lag cannot be computed without them.
 */
export async function positionsOf(
	admin: Admin,
	group: string,
	topic: string,
	partitions: number[],
	isCancelled: () => boolean
): Promise<PartitionPosition[]> {
	const [offsets, committed] = await retry(
		() => Promise.all([admin.fetchTopicOffsets(topic), admin.fetchOffsets({ groupId: group, topics: [topic] })]),
		isCancelled
	);
	return partitions.map(partition => {
		const known = offsets.find(one => one.partition === partition);
		const [low, high] = [Number(known?.low), Number(known?.high)];
		const stored = Number(committed[0]?.partitions.find(one => one.partition === partition)?.offset ?? -1);
		return { partition, from: stored >= low && stored <= high ? stored : low, end: high };
	});
}
