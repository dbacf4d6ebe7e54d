// The port between the topics mixin and whatever keeps the topics: Kafka, or the log on the embedded Postgres.
// One suite (topic-log.suite.ts) holds both drivers to what stands here.

export type Headers = Record<string, string>;

/** A record on its way to a topic. */
export interface Outgoing {
	topic: string;
	/** Decides the partition (see partition.ts) unless `partition` is given; null: any partition. */
	key: string | Buffer | null;
	value: string | Buffer;
	headers?: Headers;
	partition?: number;
}

/** A record as a topic holds it. */
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
	/** Records older than this may go. */
	retentionMs: number;
	/** The largest record. */
	maxBytes: number;
}

/** What one partition has to hand over: records in offset order, never empty. */
export interface Batch {
	topic: string;
	partition: number;
	records: TopicRecord[];
	/** The offset that the partition's next record will get, as of this fetch. */
	endOffset: number;
	/** True on the first batch since this member was given the partition: what was remembered of it before is worth nothing. */
	first: boolean;
	/** False as soon as the partition belongs to somebody else, or the consumer stops: give up, commit nothing. */
	isCurrent(): boolean;
}

/**
 * Answers the offset to go on from. All before it counts as handled and is committed. Less than the batch's end, or a throw (which
 * counts as nothing handled): the driver leaves this partition alone for a while, longer each time (up to 5 s), and hands the rest
 * over again; other partitions go on meanwhile.
 */
export type BatchHandler = (batch: Batch) => Promise<number>;

export interface ConsumeOptions {
	group: string;
	topics: string[];
	/** Called for one batch of a partition at a time; for several partitions at once. */
	handler: BatchHandler;
	/** The most records in a batch. */
	maxRecords?: number;
}

export interface Consumer {
	/** Undefined while it makes progress or has nothing to do; else what is wrong with the consumer itself ("no assignment for 12 s"). */
	trouble(): string | undefined;
	/** Records that wait in the partitions this member holds, per topic, as of the newest fetch. */
	lag(): Record<string, number>;
	/** Lets the batches under way end (bounded to 5 s), commits, leaves the group. */
	stop(): Promise<void>;
}

export interface TopicLog {
	/** Answers once the log can be reached; rejects with `UNAVAILABLE` and a reason that names where it was looked for. */
	check(): Promise<void>;
	/** Makes the topics that are missing. Rejects with type `TOPIC_PARTITIONS` where one exists with another number of partitions. */
	create(topics: TopicSpec[]): Promise<void>;
	/** Resolves once every record is durable (Kafka: acks=all). Records of one call to one partition keep their order. Rejects with `UNAVAILABLE` after 5 s at most, when they may have landed all the same, and with 413 `RECORD_TOO_LARGE`. */
	append(records: Outgoing[]): Promise<void>;
	/** Starts a member of a group; a group that is new starts at the earliest record. */
	consume(options: ConsumeOptions): Promise<Consumer>;
	/** The next offset of each partition of a topic, by partition. Rejects with `UNAVAILABLE`, which names the topic (`data.what`), where there is none. */
	ends(topic: string): Promise<number[]>;
	/** Where a group will go on, by partition; -1 where it has committed nothing. */
	committed(group: string, topic: string): Promise<number[]>;
	/** Records of one partition from an offset on, without a group: for people and tools. Answers fewer, or none, at the end of the log. */
	read(topic: string, partition: number, fromOffset: number, maxRecords: number): Promise<TopicRecord[]>;
	close(): Promise<void>;
}
