// Appends records to Kafka: calls at the same time share a batch, one batch is sent at a time, and every call has a deadline.
import { setTimeout as delay } from "node:timers/promises";
import type { Producer, ProducerBatch } from "kafkajs";
import { Errors } from "moleculer";
import { type Deadline, deadlineIn } from "../../deadline.ts";
import { unavailable } from "../../errors.ts";
import { microBatch } from "../../micro-batch.ts";
import type { Outgoing } from "../topic-log.ts";
import { type Connection, rootCause } from "./connection.ts";

export type Placed = Outgoing & { partition: number };

/** One call of `append`. */
interface Call {
	records: Placed[];
	deadline: Deadline;
}

interface PendingRecord {
	record: Placed;
	call: Call;
}

/** How long Kafka may wait for the replicas. */
const REPLICATION_TIMEOUT_MS = 5_000;
const RETRY_DELAY_MS = 100;
const CONNECT_TIMEOUT_MS = 10_000;
const CLOSE_TIMEOUT_MS = 2_000;
const MAX_BATCH = 1_000;
const MAX_WAITING = 100_000;
// Kafka's limit (max.message.bytes) is for all records of one request for one partition; its default is 1 MiB.
const MAX_BATCH_BYTES = 512 * 1024;

const bytesOf = ({ key, value, headers = {} }: Outgoing) =>
	Object.entries(headers).reduce((sum, [name, text]) => sum + name.length + text.length, 0) +
	Buffer.byteLength(key ?? "") +
	Buffer.byteLength(value ?? "");

/** Splits a batch so that no part is larger than the limit; a record that is too large by itself is a part of its own. */
function partsOf(batch: Call[]): PendingRecord[][] {
	const all: PendingRecord[][] = [];
	let bytes = Number.POSITIVE_INFINITY;
	for (const call of batch)
		for (const record of call.records) {
			const own = bytesOf(record);
			bytes += own;
			if (bytes > MAX_BATCH_BYTES) {
				bytes = own;
				all.push([]);
			}
			all.at(-1)!.push({ record, call });
		}
	return all;
}

function messagesOf(records: Placed[]): ProducerBatch["topicMessages"] {
	const topics = Map.groupBy(records, ({ topic }) => topic);
	return [...topics].map(([topic, ofTopic]) => ({
		topic,
		messages: ofTopic.map(({ key, value, headers, partition }) => ({ key, value, headers, partition }))
	}));
}

export function kafkaProducer(open: () => Connection) {
	let current: { connection: Connection; producer: Producer; ready: Promise<void> } | undefined;

	const connected = async () => {
		if (!current) {
			const connection = open();
			const producer = connection.kafka.producer({
				// A batch that kafkajs sends again after a lost response is stored once.
				idempotent: true,
				allowAutoTopicCreation: false,
				createPartitioner:
					() =>
					({ message }) =>
						message.partition!
			});
			current = { connection, producer, ready: producer.connect() };
		}
		await current.ready;
		return current.producer;
	};

	const drop = () => {
		current?.connection.cut();
		current = undefined;
	};

	const attempt = async (records: Placed[]) => {
		const producer = await connected();
		const stored = await producer.sendBatch({ acks: -1, timeout: REPLICATION_TIMEOUT_MS, topicMessages: messagesOf(records) });
		// When the leader of a partition changes between two attempts, kafkajs can mistake one server's response for another's: check each partition.
		const answered = new Set(stored.map(({ topicName, partition }) => `${topicName}/${partition}`));
		const lost = records.find(({ topic, partition }) => !answered.has(`${topic}/${partition}`));
		if (lost) throw new Error(`Kafka did not answer for ${lost.topic}/${lost.partition}`);
	};

	/** Resolves with undefined once they are durable, or with the error for their callers. */
	const send = async (records: Placed[], deadline: Deadline): Promise<Error | undefined> => {
		for (;;) {
			try {
				await deadline.bound(attempt(records), "Kafka");
				return undefined;
			} catch (error) {
				// When the outcome of a batch is unknown, a new producer is needed: kafkajs would give the same sequence numbers to other records,
				// and Kafka would take those for duplicates, acknowledge them and store nothing.
				drop();
				const cause = rootCause(error);
				if (cause.type === "MESSAGE_TOO_LARGE" || cause.type === "RECORD_LIST_TOO_LARGE")
					return new Errors.MoleculerClientError("the record is larger than its topic takes", 413, "RECORD_TOO_LARGE");
				if (deadline.leftMs() < RETRY_DELAY_MS) return unavailable("Kafka", cause);
				await delay(RETRY_DELAY_MS);
			}
		}
	};

	const enqueue = microBatch<Call, void>(
		async batch => {
			const errors = new Map<Call, Error>();
			for (const part of partsOf(batch)) {
				for (const { call } of part) if (call.deadline.isOver()) errors.set(call, unavailable("Kafka"));
				const due = part.filter(({ call }) => !errors.has(call));
				if (due.length === 0) continue;
				const error = await send(
					due.map(({ record }) => record),
					deadlineIn(Math.max(...due.map(({ call }) => call.deadline.leftMs())))
				);
				if (error) for (const { call } of due) errors.set(call, error);
			}
			return batch.map(call => errors.get(call) as Error);
		},
		{ maxItems: MAX_BATCH, maxWaiting: MAX_WAITING, name: "Kafka" }
	);

	return {
		/** Resolves once it can send. Rejects with `UNAVAILABLE`. */
		async connect() {
			try {
				await deadlineIn(CONNECT_TIMEOUT_MS).bound(connected(), "Kafka");
			} catch (error) {
				drop();
				throw unavailable("Kafka", rootCause(error));
			}
		},
		/** Resolves once all are durable. Rejects with `UNAVAILABLE` a little after the deadline at the latest, or with `RECORD_TOO_LARGE`. */
		append: (records: Placed[], deadline: Deadline): Promise<void> => enqueue({ records, deadline }),
		/** Waits for the batch that is being sent. */
		async close() {
			if (current)
				await deadlineIn(CLOSE_TIMEOUT_MS)
					.bound(current.producer.disconnect(), "Kafka")
					.catch(() => {});
			drop();
		}
	};
}
