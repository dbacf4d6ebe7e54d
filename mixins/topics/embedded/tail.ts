// Reads topics of the embedded log from their end without a group.
import { createBackoff } from "../../backoff.ts";
import { waitAtMost } from "../../deadline.ts";
import { lagByTopic } from "../lag.ts";
import type { Tail, TailOptions } from "../topic-log.ts";
import { type Partition, recentRecords } from "./partition.ts";
import type { EmbeddedRecords } from "./records.ts";

const BACKOFF = { firstMs: 50, longestMs: 5_000 };
const MAX_RECORDS = 500;
const STOP_TIMEOUT_MS = 5_000;

/** See `TopicLog.tail`. */
export function embeddedTail(options: TailOptions, records: EmbeddedRecords, partitionsOf: (topic: string) => Partition[]): Tail {
	const { topics, handler, onMissed, maxRecords = MAX_RECORDS } = options;
	const stopping = new AbortController();
	const { signal } = stopping;

	const fetch = async (partition: Partition, from: number) =>
		recentRecords(partition, from, maxRecords) ?? records.read(partition.topic, partition.partition, from, maxRecords);

	const follow = (partition: Partition) => {
		const backoff = createBackoff(BACKOFF);
		let from = partition.next;
		let first = true;
		let wake = () => {};

		const handleNext = async () => {
			const batch = await fetch(partition, from);
			const [{ offset }, end] = [batch[0]!, batch.at(-1)!.offset + 1];
			if (offset > from) {
				from = offset;
				onMissed(partition.topic);
			}
			const { topic, partition: number, next: endOffset } = partition;
			const isCurrent = () => !signal.aborted;
			const next = await handler({ topic, partition: number, records: batch, endOffset, first, isCurrent });
			first = false;
			if (next > from) backoff.reset();
			from = Math.max(from, next);
			if (next < end) await backoff.pause(signal);
		};
		const read = async () => {
			while (!signal.aborted)
				if (from >= partition.next) await new Promise<void>(resolve => (wake = resolve));
				else await handleNext().catch(() => backoff.pause(signal));
		};

		const onRecords = () => wake();
		partition.wake.add(onRecords);
		const reading = read();
		return {
			topic: partition.topic,
			get lag() {
				return partition.next - from;
			},
			async stop() {
				partition.wake.delete(onRecords);
				wake();
				await waitAtMost(reading, STOP_TIMEOUT_MS);
			}
		};
	};
	const followed = topics.flatMap(partitionsOf).map(follow);

	return {
		positioned: Promise.resolve(),
		problem: () => undefined,
		lag: () => lagByTopic(followed),
		async stop() {
			stopping.abort();
			await Promise.all(followed.map(one => one.stop()));
		}
	};
}
