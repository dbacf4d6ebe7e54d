import type { TopicRecord } from "../topic-log.ts";

const RECENT_RECORDS = 256;
const RECENT_BYTES = 64 * 1024;

/** One partition, as this process caches it. */
export interface Partition {
	topic: string;
	partition: number;
	/** The offset that its next record will get. */
	next: number;
	/** The newest records, without gaps: a consumer without lag gets them from here and not from the database. */
	recent: TopicRecord[];
	recentBytes: number;
	/** Called when records have been added. */
	wake: Set<() => void>;
}

const sizeOf = ({ key, value }: TopicRecord) => (key?.length ?? 0) + (value?.length ?? 0);

export const createPartition = (topic: string, partition: number, next: number): Partition => ({
	topic,
	partition,
	next,
	recent: [],
	recentBytes: 0,
	wake: new Set()
});

/** Adds a record that is durable. */
export function addRecord(partition: Partition, record: TopicRecord) {
	const { recent } = partition;
	partition.next = record.offset + 1;
	recent.push(record);
	partition.recentBytes += sizeOf(record);
	while (recent.length > RECENT_RECORDS || partition.recentBytes > RECENT_BYTES) partition.recentBytes -= sizeOf(recent.shift()!);
}

/** The records from this offset on, none at the end of the log; undefined if they must be read from the database. */
export function recentRecords({ recent, next }: Partition, from: number, maxRecords: number): TopicRecord[] | undefined {
	if (from >= next) return [];
	const index = from - (next - recent.length);
	return index < 0 ? undefined : recent.slice(index, index + maxRecords);
}
