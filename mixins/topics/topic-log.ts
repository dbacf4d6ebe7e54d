// The port between the topics mixin and its drivers: Kafka, and the log on the embedded Postgres.
// One test suite (topic-log.suite.ts) checks these promises on both.

export type Headers = Record<string, string>;

/** A record to append. */
export interface Outgoing {
	topic: string;
	/** Decides the partition (see partition.ts) unless `partition` is given; null: any partition. */
	key: string | Buffer | null;
	value: string | Buffer;
	headers?: Headers;
	partition?: number;
}

/** A stored record. */
export interface TopicRecord {
	topic: string;
	partition: number;
	offset: number;
	key: Buffer | null;
	value: Buffer | null;
	headers: Headers;
	timestampMs: number;
}

export interface TopicSpec {
	name: string;
	partitions: number;
	/** One that exists with another number of partitions is used as it is: its keys have no owners. Default: it is rejected. */
	anyPartitions?: boolean;
	/** Older records may be deleted. */
	retentionMs: number;
	/** The size of the largest record. */
	maxBytes: number;
}

/** Records of one partition, in offset order; never empty. */
export interface Batch {
	topic: string;
	partition: number;
	records: TopicRecord[];
	/** The offset that the next record of the partition will get, as of this fetch. */
	endOffset: number;
	/** True on the first batch since the partition was assigned to this member: what the handler cached of it before is stale. */
	first: boolean;
	/** False as soon as the partition is assigned to another member, or the consumer stops: the handler should end, and nothing is committed. */
	isCurrent(): boolean;
}

/**
 * Resolves with the offset to continue from: all before it is handled and is committed. When that is less than the end of the batch, or the
 * handler throws (nothing is handled then), the driver delivers the rest again after a pause, which grows up to 5 s; other partitions are not
 * delayed.
 */
export type BatchHandler = (batch: Batch) => Promise<number>;

export interface ConsumeOptions {
	group: string;
	topics: string[];
	/** Called for one batch of a partition at a time, for several partitions at once. */
	handler: BatchHandler;
	/** The largest number of records in a batch. */
	maxRecords?: number;
}

export interface Consumer {
	/**
	 * What is wrong with the consumer itself ("no assignment for 12 s"), also before its first assignment; undefined while it makes progress or has
	 * nothing to do.
	 */
	problem(): string | undefined;
	/** Records not handled yet in the partitions assigned to this member, per topic, as of the newest fetch. */
	lag(): Record<string, number>;
	/** Waits (at most 5 s) until the running handlers end, commits, and leaves the group. */
	stop(): Promise<void>;
}

export interface TailOptions {
	/** Its name in log lines and health answers. */
	name: string;
	topics: string[];
	/** As in `ConsumeOptions`; the offset that it resolves with is not stored anywhere. */
	handler: BatchHandler;
	/**
	 * Called when records of a topic were skipped: they were deleted before they were read, or the topic was deleted and created again. All records
	 * that are appended after the call are read.
	 */
	onMissed(topic: string): void;
	maxRecords?: number;
}

/** Reads every partition of its topics, from the end: of several readers, each gets every record. */
export interface Tail extends Consumer {
	/** Resolves once the end of every partition is known: what is appended from then on is read. Never rejects. */
	positioned: Promise<void>;
}

/** How log lines and health answers name a log, and what they advise. */
export interface LogDescription {
	/** Its name in health answers and log lines. */
	name: string;
	/** Its address, without credentials. */
	where: string;
	/** What to do when it does not answer. */
	advice: string;
	/** What to set when it refuses the credentials. */
	access?: string;
}

export interface TopicLog {
	readonly description?: LogDescription;
	/** Resolves when the log answers; rejects with `UNAVAILABLE` and a reason that names its address. */
	check(): Promise<void>;
	/** Creates the topics that do not exist, and resolves once this process can append records. Rejects with type `TOPIC_PARTITIONS` when one exists with another number of partitions (unless `anyPartitions`). */
	create(topics: TopicSpec[]): Promise<void>;
	/** Resolves once every record is durable (Kafka: acks=all). Records of one call to one partition keep their order. Rejects with `UNAVAILABLE` after 5 s at most (they may be stored all the same), and with 413 `RECORD_TOO_LARGE`. */
	append(records: Outgoing[]): Promise<void>;
	/** Starts a member of a group; a new group starts at the earliest record. */
	consume(options: ConsumeOptions): Promise<Consumer>;
	/** Starts to read topics from their end, without a group. After a lost connection it continues where it was. */
	tail(options: TailOptions): Promise<Tail>;
	/** The end offset of each partition of a topic. Rejects with `UNAVAILABLE`, which names the topic (`data.what`), when it does not exist. */
	ends(topic: string): Promise<number[]>;
	/** The committed offset of a group for each partition; -1 where it has committed nothing. */
	committed(group: string, topic: string): Promise<number[]>;
	/** Reads records of one partition without a group, for tools. Resolves with fewer, or none, at the end of the log. */
	read(topic: string, partition: number, fromOffset: number, maxRecords: number): Promise<TopicRecord[]>;
	close(): Promise<void>;
}
