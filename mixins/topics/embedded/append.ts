import { microBatch } from "../../micro-batch.ts";
import { createPartitioner } from "../partition.ts";
import type { Outgoing } from "../topic-log.ts";
import { addRecord, type Partition } from "./partition.ts";
import type { EmbeddedRecords } from "./records.ts";

const MAX_APPEND = 1_000;
const MAX_WAITING = 100_000;

const bytes = (data: string | Buffer) => (typeof data === "string" ? Buffer.from(data) : data);
/** Appends records to the embedded log. Calls at the same time share one commit. */
export function createAppend(records: Pick<EmbeddedRecords, "insert">, partitionsOf: (topic: string) => Partition[]) {
	const partitionFor = createPartitioner();
	return microBatch<Outgoing[], void>(
		async calls => {
			const timestampMs = Date.now();
			const nexts = new Map<Partition, number>();
			const placed = calls.flat().map(outgoing => {
				const { topic, key, value, headers = {} } = outgoing;
				const partitions = partitionsOf(topic);
				const partition = partitions[partitionFor(outgoing, partitions.length)]!;
				const offset = nexts.get(partition) ?? partition.next;
				nexts.set(partition, offset + 1);
				const data = { key: key === null ? null : bytes(key), value: bytes(value), headers };
				return { partition, record: { topic, partition: partition.partition, offset, timestampMs, ...data } };
			});
			await records.insert(placed.map(({ record }) => record));
			// Consumers see only durable records.
			for (const { partition, record } of placed) addRecord(partition, record);
			for (const partition of nexts.keys()) for (const wake of partition.wake) wake();
			return calls.map(() => undefined);
		},
		{ maxItems: MAX_APPEND, maxWaiting: MAX_WAITING, name: "the log" }
	);
}
