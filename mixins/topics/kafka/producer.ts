// Puts records on Kafka: what arrives together shares one batch, one batch is under way at a time, and every wait ends.
import { setTimeout as delay } from "node:timers/promises";
import type { Producer, ProducerBatch } from "kafkajs";
import { Errors } from "moleculer";
import { unavailable } from "../../errors.ts";
import { microBatch } from "../../micro-batch.ts";
import type { Outgoing } from "../topic-log.ts";
import { type Connection, rootCause, within } from "./connection.ts";

export type Placed = Outgoing & { partition: number };

/** Records that somebody waits for, all of them. */
interface Waiting {
	records: Placed[];
	deadlineMs: number;
}

/** One of them. */
interface One {
	record: Placed;
	call: Waiting;
}

/** How long Kafka may wait for the other copies. */
const COPIES_WITHIN_MS = 5_000;
const RETRY_AFTER_MS = 100;
const CLOSE_WITHIN_MS = 2_000;
const MAX_BATCH = 1_000;
const MAX_WAITING = 100_000;
// Kafka's limit (max.message.bytes) is for all records that one request has for one partition, and 1 MiB unless a topic says otherwise.
const MAX_BATCH_BYTES = 512 * 1024;

const bytesOf = ({ key, value, headers = {} }: Outgoing) =>
	Object.entries(headers).reduce((sum, [name, text]) => sum + name.length + text.length, 0) +
	Buffer.byteLength(key ?? "") +
	Buffer.byteLength(value ?? "");

/** Cuts where the next record would make a part too large; a record that is too large by itself is a part of its own. */
function parts(batch: Waiting[]): One[][] {
	const all: One[][] = [];
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
				// A batch that kafkajs sends again after a lost answer is stored once.
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
		const stored = await producer.sendBatch({ acks: -1, timeout: COPIES_WITHIN_MS, topicMessages: messagesOf(records) });
		// When a partition's leader moves between two attempts, kafkajs can take one server's answer for another's: count what was answered.
		const answered = new Set(stored.map(({ topicName, partition }) => `${topicName}/${partition}`));
		const lost = records.find(({ topic, partition }) => !answered.has(`${topic}/${partition}`));
		if (lost) throw new Error(`Kafka did not answer for ${lost.topic}/${lost.partition}`);
	};

	/** Undefined once they are durable, or the error of whoever waits for them. */
	const send = async (records: Placed[], deadlineMs: number): Promise<Error | undefined> => {
		for (;;) {
			try {
				await within(Math.max(1, deadlineMs - Date.now()), "Kafka", attempt(records));
				return undefined;
			} catch (error) {
				// After a batch with unknown fate the producer's sequence numbers are worthless: kafkajs would give the same ones to other
				// records, and Kafka would take those for the first ones, acknowledge them and store nothing.
				drop();
				const cause = rootCause(error);
				if (cause.type === "MESSAGE_TOO_LARGE" || cause.type === "RECORD_LIST_TOO_LARGE")
					return new Errors.MoleculerClientError("the record is larger than its topic takes", 413, "RECORD_TOO_LARGE");
				if (Date.now() + RETRY_AFTER_MS > deadlineMs) return unavailable("Kafka", cause);
				await delay(RETRY_AFTER_MS);
			}
		}
	};

	const enqueue = microBatch<Waiting, void>(
		async batch => {
			const errors = new Map<Waiting, Error>();
			for (const part of parts(batch)) {
				const nowMs = Date.now();
				const due = part.filter(({ call }) => call.deadlineMs > nowMs && !errors.has(call));
				for (const { call } of part) if (call.deadlineMs <= nowMs) errors.set(call, unavailable("Kafka"));
				if (due.length === 0) continue;
				const error = await send(
					due.map(({ record }) => record),
					Math.max(...due.map(({ call }) => call.deadlineMs))
				);
				if (error) for (const { call } of due) errors.set(call, error);
			}
			return batch.map(call => errors.get(call) as Error);
		},
		{ maxItems: MAX_BATCH, maxWaiting: MAX_WAITING, name: "Kafka" }
	);

	return {
		/** Resolves once all are durable. Rejects with `UNAVAILABLE` a little after the deadline at the latest, or with `RECORD_TOO_LARGE`. */
		append: (records: Placed[], deadlineMs: number): Promise<void> => enqueue({ records, deadlineMs }),
		/** Lets what is under way end. */
		async close() {
			if (current) await within(CLOSE_WITHIN_MS, "Kafka", current.producer.disconnect()).catch(() => {});
			drop();
		}
	};
}
