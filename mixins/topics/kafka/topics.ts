import { setTimeout as delay } from "node:timers/promises";
import { deadlineIn } from "../../deadline.ts";
import { unavailable } from "../../errors.ts";
import { partitionCountError } from "../partition-count-error.ts";
import type { TopicSpec } from "../topic-log.ts";
import { type kafkaAdmin, UNKNOWN_TOPIC } from "./admin.ts";
import { type Connection, rootCause } from "./connection.ts";
import { clusterOf } from "./reader.ts";

/** The limit of a topic is never lower: all records of one request for one partition share it. */
const MIN_MAX_BYTES = 1024 * 1024;
/** What Kafka adds to the only record of a batch: 61 bytes for the batch, and lengths, offsets, header names. */
const RECORD_OVERHEAD_BYTES = 4 * 1024;
const RETRY_DELAY_MS = 100;
/** An empty Kafka needs seconds for hundreds of partitions, and all nodes ask it at the same time. No caller waits for this. */
const CREATE_TIMEOUT_MS = 60_000;
/** Existing topics are waited for, because another node may have just created them; but not longer, so that nodes can start while one server is down. */
const EXISTING_TIMEOUT_MS = 20_000;
const SERVED_POLL_MS = 500;

const toTopicConfig = ({ name, partitions, retentionMs, maxBytes }: TopicSpec, replication: number) => ({
	topic: name,
	numPartitions: partitions,
	replicationFactor: replication,
	configEntries: [
		{ name: "retention.ms", value: String(retentionMs) },
		// Kafka deletes whole segments: none may stay open for longer than its records are kept.
		{ name: "segment.ms", value: String(retentionMs) },
		{ name: "max.message.bytes", value: String(Math.max(maxBytes + RECORD_OVERHEAD_BYTES, MIN_MAX_BYTES)) },
		// Other clients choose their compression, and kafkajs reads only gzip: one batch of snappy would stop its consumers for good.
		{ name: "compression.type", value: "uncompressed" },
		// Of three copies one may be unavailable; an acknowledged record is on two.
		{ name: "min.insync.replicas", value: replication > 2 ? "2" : "1" }
	]
});

/**
 * Waits until the leader of every partition serves it. Kafka returns the leaders of new topics before it has created their logs, which takes seconds, and
 * longer if producers and consumers fail and retry meanwhile. Rejects with `UNAVAILABLE` after `timeoutMs`.
 */
async function waitUntilServed(connection: Connection, specs: TopicSpec[], timeoutMs: number): Promise<void> {
	if (specs.length === 0) return;
	const cluster = clusterOf(connection);
	const deadline = deadlineIn(timeoutMs);
	const ends = specs.map(({ name, partitions }) => ({
		topic: name,
		partitions: Array.from({ length: partitions }, (_, partition) => ({ partition })),
		fromBeginning: false
	}));
	const askAll = async () => {
		await cluster.connect();
		await cluster.addMultipleTargetTopics(specs.map(({ name }) => name));
		await cluster.fetchTopicsOffset(ends);
	};
	for (;;) {
		try {
			return await deadline.bound(askAll(), "Kafka");
		} catch (error) {
			if (deadline.leftMs() < SERVED_POLL_MS) throw unavailable("Kafka", rootCause(error));
			await delay(SERVED_POLL_MS);
			await deadline.bound(cluster.refreshMetadata(), "Kafka").catch(() => {});
		}
	}
}

/** Creates topics, and caches their numbers of partitions. */
export function kafkaTopics(
	{ request }: Pick<ReturnType<typeof kafkaAdmin>, "request">,
	open: () => Connection,
	replication: number,
	existingTimeoutMs = EXISTING_TIMEOUT_MS
) {
	const counts = new Map<string, Promise<number>>();

	const fetchCounts = async (topics: string[]) => {
		const { topics: known } = await request(admin => admin.fetchTopicMetadata({ topics }));
		return new Map(known.map(({ name, partitions }) => [name, partitions.length]));
	};

	/** Retries while a topic is unknown: not every server knows a new topic at once. */
	const fetchCountsOnceKnown = async (topics: string[]) => {
		const deadline = deadlineIn(CREATE_TIMEOUT_MS);
		for (;;) {
			try {
				return await fetchCounts(topics);
			} catch (error) {
				if (rootCause(error).type !== UNKNOWN_TOPIC || deadline.isOver()) throw error;
				await delay(RETRY_DELAY_MS);
			}
		}
	};

	return {
		/**
		 * Creates the missing topics and waits until they can be used. Waits for the existing topics 20 s at most, then warns and resolves. Rejects with
		 * `TOPIC_PARTITIONS` when one exists with another number of partitions (unless its spec has `anyPartitions`).
		 */
		async create(specs: TopicSpec[]) {
			const existing = new Set(await request(admin => admin.listTopics()));
			const missing = specs.filter(({ name }) => !existing.has(name));
			const present = specs.filter(({ name }) => existing.has(name));
			const topics = missing.map(spec => toTopicConfig(spec, replication));
			const creation = { topics, waitForLeaders: false, timeout: CREATE_TIMEOUT_MS };
			if (topics.length > 0) await request(admin => admin.createTopics(creation), CREATE_TIMEOUT_MS);
			const has = await fetchCountsOnceKnown(specs.map(({ name }) => name));
			for (const { name, partitions, anyPartitions } of specs) {
				const count = has.get(name);
				if (count === undefined || (count !== partitions && !anyPartitions)) throw partitionCountError(name, count, partitions);
				counts.set(name, Promise.resolve(count));
			}
			const withCount = (spec: TopicSpec) => ({ ...spec, partitions: has.get(spec.name)! });
			const connection = open();
			try {
				await waitUntilServed(connection, missing, CREATE_TIMEOUT_MS);
				await waitUntilServed(connection, present.map(withCount), existingTimeoutMs).catch(error =>
					process.emitWarning(
						`not every partition of the existing topics is served (${rootCause(error).message}): start all Kafka servers`,
						"Kafka"
					)
				);
			} finally {
				connection.cut();
			}
		},

		/** Rejects with `UNAVAILABLE`, which names the topic, when it does not exist. */
		partitionsOf(topic: string): Promise<number> {
			let count = counts.get(topic);
			if (!count) {
				count = fetchCounts([topic]).then(
					known => known.get(topic)!,
					error => {
						counts.delete(topic);
						throw rootCause(error).type === UNKNOWN_TOPIC ? unavailable(`topic ${topic}`, error) : error;
					}
				);
				counts.set(topic, count);
			}
			return count;
		}
	};
}
