/**
 * The topic log on Kafka, through kafkajs.
 *
 *     const log = kafkaLog({ brokers: ["localhost:9092"], clientId: "wallet-1", replication: 3 });
 *     await log.create([{ name: "orders", partitions: 12, retentionMs: 604_800_000, maxBytes: 65_536 }]);
 *     const member = await log.consume({ group: "wallet", topics: ["orders"], handler });
 *     await log.append([{ topic: "orders", key: "42", value: "{}" }]);
 *     member.trouble();                      // undefined, or what is wrong
 *     await member.stop();
 *     await log.close();
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Admin } from "kafkajs";
import { Errors } from "moleculer";
import { isAway, unavailable } from "../errors.ts";
import { kafkaAppender } from "./kafka-appender.ts";
import { type Connection, type KafkaOptions, kafkaConnection, reasonOf, rootCause, within } from "./kafka-connection.ts";
import { kafkaMember } from "./kafka-member.ts";
import { byLeader, clusterOf, fetchFrom } from "./kafka-reader.ts";
import { recordOf } from "./kafka-records.ts";
import { partitionOf } from "./partition.ts";
import type { Consumer, Outgoing, TopicLog, TopicRecord, TopicSpec } from "./topic-log.ts";

export interface KafkaLogOptions extends KafkaOptions {
	/** Copies of each topic that `create` makes. */
	replication: number;
}

const ANSWER_WITHIN_MS = 5_000;
const CHECK_WITHIN_MS = 3_000;
/** Never less for a topic: records of one request to one partition share Kafka's limit. */
const MIN_MAX_BYTES = 1024 * 1024;
/** What Kafka adds to a record that is alone in its batch: 61 bytes for the batch, and lengths, offsets, header names. */
const RECORD_OVERHEAD_BYTES = 4 * 1024;
const READ_WAIT_MS = 100;
const ASK_AGAIN_AFTER_MS = 100;
const UNKNOWN_TOPIC = "UNKNOWN_TOPIC_OR_PARTITION";

export function kafkaLog(options: KafkaLogOptions): TopicLog {
	const { brokers, replication, logger } = options;
	const open = () => kafkaConnection(options);
	const appender = kafkaAppender(open);
	const members = new Set<Consumer>();
	const counts = new Map<string, Promise<number>>();
	let asking: { connection: Connection; admin: Admin; ready: Promise<void> } | undefined;
	let roundRobin = 0;

	const stopAsking = () => {
		asking?.connection.cut();
		asking = undefined;
	};

	const asked = () => {
		if (!asking) {
			const connection = open();
			const admin = connection.kafka.admin();
			asking = { connection, admin, ready: admin.connect() };
		}
		return asking;
	};

	/** One connection for all questions, made anew after one that failed. Asks again for as long as a failure may pass; then rejects with `UNAVAILABLE`. */
	const ask = async <T>(question: (admin: Admin) => Promise<T>, timeoutMs = ANSWER_WITHIN_MS): Promise<T> => {
		const deadlineMs = Date.now() + timeoutMs;
		for (;;) {
			const { connection, admin, ready } = asked();
			const answer = ready.then(() => question(admin));
			try {
				return await within(Math.max(1, deadlineMs - Date.now()), "Kafka", answer);
			} catch (error) {
				const cause = rootCause(error);
				if (!(isAway(error) || isAway(cause) || cause instanceof TypeError)) throw error;
				const reason = new Error(reasonOf(connection, error));
				if (asking?.connection === connection) stopAsking();
				if (cause.type === UNKNOWN_TOPIC) throw unavailable("Kafka", cause);
				if (Date.now() + ASK_AGAIN_AFTER_MS > deadlineMs) throw unavailable("Kafka", reason);
				await delay(ASK_AGAIN_AFTER_MS);
			}
		}
	};

	const countsOf = async (topics: string[]) => {
		const { topics: known } = await ask(admin => admin.fetchTopicMetadata({ topics }));
		return new Map(known.map(({ name, partitions }) => [name, partitions.length]));
	};

	/** A topic that was just made is not known to every server at once. */
	const countsOnceKnown = async (topics: string[]) => {
		const deadlineMs = Date.now() + ANSWER_WITHIN_MS;
		for (;;) {
			try {
				return await countsOf(topics);
			} catch (error) {
				if (rootCause(error).type !== UNKNOWN_TOPIC || Date.now() > deadlineMs) throw error;
				await delay(ASK_AGAIN_AFTER_MS);
			}
		}
	};

	const partitionsOf = (topic: string): Promise<number> => {
		let count = counts.get(topic);
		if (!count) {
			count = countsOf([topic]).then(
				known => known.get(topic)!,
				error => {
					counts.delete(topic);
					throw rootCause(error).type === UNKNOWN_TOPIC ? unavailable(`topic ${topic}`, error) : error;
				}
			);
			counts.set(topic, count);
		}
		return count;
	};

	const place = async (record: Outgoing) => {
		if (record.partition !== undefined) return { ...record, partition: record.partition };
		const count = await partitionsOf(record.topic);
		return { ...record, partition: record.key === null ? roundRobin++ % count : partitionOf(record.key, count) };
	};

	const make = ({ name, partitions, retentionMs, maxBytes }: TopicSpec) => ({
		topic: name,
		numPartitions: partitions,
		replicationFactor: replication,
		configEntries: [
			{ name: "retention.ms", value: String(retentionMs) },
			// Kafka drops whole segments: none may stay open for longer than its records are kept.
			{ name: "segment.ms", value: String(retentionMs) },
			{ name: "max.message.bytes", value: String(Math.max(maxBytes + RECORD_OVERHEAD_BYTES, MIN_MAX_BYTES)) },
			// Of three copies one may be away, and what is acknowledged is on two.
			{ name: "min.insync.replicas", value: replication > 2 ? "2" : "1" }
		]
	});

	return {
		async check() {
			try {
				await ask(admin => admin.describeCluster(), CHECK_WITHIN_MS);
			} catch (error) {
				throw unavailable(`Kafka at ${brokers.join(", ")} (${rootCause(error).message})`, error);
			}
		},

		async create(topics) {
			const existing = new Set(await ask(admin => admin.listTopics()));
			const missing = topics.filter(({ name }) => !existing.has(name));
			if (missing.length > 0) await ask(admin => admin.createTopics({ topics: missing.map(make), waitForLeaders: false }));
			const has = await countsOnceKnown(topics.map(({ name }) => name));
			for (const { name, partitions } of topics)
				if (has.get(name) !== partitions)
					throw new Errors.MoleculerError(
						`topic ${name} has ${has.get(name)} partitions, not the ${partitions} that are wanted`,
						500,
						"TOPIC_PARTITIONS",
						{ topic: name, has: has.get(name), wants: partitions }
					);
		},

		async append(records) {
			await appender.append(await Promise.all(records.map(place)));
		},

		async consume(consumeOptions) {
			const member = kafkaMember(consumeOptions, open, logger);
			members.add(member);
			const stop = async () => {
				await member.stop();
				members.delete(member);
			};
			return { ...member, stop };
		},

		async ends(topic) {
			const offsets = await ask(admin => admin.fetchTopicOffsets(topic));
			return offsets.sort((a, b) => a.partition - b.partition).map(({ high }) => Number(high));
		},

		async committed(group, topic) {
			const [offsets] = await ask(admin => admin.fetchOffsets({ groupId: group, topics: [topic] }));
			return offsets!.partitions.sort((a, b) => a.partition - b.partition).map(({ offset }) => Math.max(-1, Number(offset)));
		},

		async read(topic, partition, fromOffset, maxRecords) {
			const [low, end] = await ask(async admin => {
				const offsets = await admin.fetchTopicOffsets(topic);
				const one = offsets.find(offset => offset.partition === partition);
				return [Number(one?.low ?? 0), Number(one?.high ?? 0)] as const;
			});
			const connection = open();
			const cluster = clusterOf(connection);
			const records: TopicRecord[] = [];
			const readAll = async () => {
				await cluster.connect();
				let offset = Math.max(fromOffset, low);
				while (offset < end && records.length < maxRecords) {
					const [nodeId] = (await byLeader(cluster, [{ topic, partition }])).keys();
					const [found] = await fetchFrom(cluster, nodeId!, [{ topic, partition, offset }], READ_WAIT_MS);
					if (!found?.messages.length) return;
					records.push(...found.messages.map(message => recordOf(topic, partition, message)));
					offset = records.at(-1)!.offset + 1;
				}
			};
			try {
				await within(ANSWER_WITHIN_MS, "Kafka", readAll());
				return records.slice(0, maxRecords);
			} finally {
				connection.cut();
			}
		},

		async close() {
			await Promise.all([...members].map(member => member.stop()));
			appender.close();
			stopAsking();
		}
	};
}
