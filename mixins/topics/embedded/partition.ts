import type { TopicRecord } from "../topic-log.ts";

/** One partition, as this process caches it. */
export interface Partition {
	topic: string;
	partition: number;
	/** The offset that its next record will get. */
	next: number;
	/** The newest records, without gaps: a consumer without lag reads them here and not from the database. */
	tail: TopicRecord[];
	/** Called when records have been added. */
	wake: Set<() => void>;
}
