/**
 * The topic log on Kafka, through kafkajs.
 *
 *     const log = kafkaLog({ brokers: ["localhost:9092"], clientId: "wallet-1", replication: 3 });
 *     await log.create([{ name: "orders", partitions: 12, retentionMs: 604_800_000, maxBytes: 65_536 }]);
 *     const member = await log.consume({ group: "wallet", topics: ["orders"], handler });
 *     await log.append([{ topic: "orders", key: "42", value: "{}" }]);
 *     member.problem();                      // undefined, or what is wrong
 *     await member.stop();
 *     await log.close();
 */
import { setTimeout as delay } from "node:timers/promises";
import { Errors } from "moleculer";
import { unavailable } from "../../errors.ts";
import { partitionOf } from "../partition.ts";
import type { Consumer, LogDescription, Outgoing, TopicLog, TopicSpec } from "../topic-log.ts";
import { ANSWER_WITHIN_MS, kafkaAdmin, UNKNOWN_TOPIC } from "./admin.ts";
import { type KafkaOptions, kafkaConnection, rootCause, within } from "./connection.ts";
import { consumerSupervisor } from "./consumer-supervisor.ts";
import { kafkaProducer } from "./producer.ts";
import { readOn } from "./reader.ts";

export interface KafkaLogOptions extends KafkaOptions, Partial<LogDescription> {
	/** Copies of each topic that `create` makes. */
	replication: number;
}

const ADVICE = "start Kafka, or correct the option `brokers`";
const ACCESS = "the option `sasl`";
const CHECK_WITHIN_MS = 3_000;
/** Never less for a topic: records of one request to one partition share Kafka's limit. */
const MIN_MAX_BYTES = 1024 * 1024;
/** What Kafka adds to a record that is alone in its batch: 61 bytes for the batch, and lengths, offsets, header names. */
const RECORD_OVERHEAD_BYTES = 4 * 1024;
const KNOWN_AFTER_MS = 100;

export function kafkaLog(options: KafkaLogOptions): TopicLog {
	const { brokers, replication, logger, name = "kafka", where = brokers.join(), advice = ADVICE, access = ACCESS } = options;
	const open = () => kafkaConnection(options);
	const appender = kafkaProducer(open);
	const members = new Set<Consumer>();
	const counts = new Map<string, Promise<number>>();
	const { ask, close: stopAsking } = kafkaAdmin(open);
	let roundRobin = 0;

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
				await delay(KNOWN_AFTER_MS);
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

	/** Where each record belongs. */
	const place = async (records: Outgoing[]) => {
		const counted = new Map<string, number>();
		for (const { topic, partition } of records)
			if (partition === undefined && !counted.has(topic)) counted.set(topic, await partitionsOf(topic));
		return records.map(record => {
			if (record.partition !== undefined) return { ...record, partition: record.partition };
			const count = counted.get(record.topic)!;
			return { ...record, partition: record.key === null ? roundRobin++ % count : partitionOf(record.key, count) };
		});
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
			// Foreign clients compress as they like, and kafkajs reads gzip alone: one batch of snappy would stop its consumers for good.
			{ name: "compression.type", value: "uncompressed" },
			// Of three copies one may be away, and what is acknowledged is on two.
			{ name: "min.insync.replicas", value: replication > 2 ? "2" : "1" }
		]
	});

	return {
		description: { name, where, advice, access },

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
						`topic ${name} has ${has.get(name)} partitions, not the ${partitions} that are configured`,
						500,
						"TOPIC_PARTITIONS",
						{ topic: name, has: has.get(name), wants: partitions }
					);
		},

		async append(records) {
			const deadlineMs = Date.now() + ANSWER_WITHIN_MS;
			const storing = place(records).then(placed => appender.append(placed, deadlineMs));
			await within(ANSWER_WITHIN_MS, "Kafka", storing);
		},

		async consume(consumeOptions) {
			const member = consumerSupervisor(consumeOptions, open, logger);
			members.add(member);
			const stop = async () => {
				await member.stop();
				members.delete(member);
			};
			return { ...member, stop };
		},

		async ends(topic) {
			// Of a topic that is not there kafkajs would ask for its offsets again and again.
			await partitionsOf(topic);
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
			if (fromOffset >= end) return [];
			const connection = open();
			try {
				const reading = readOn(connection, { topic, partition, offset: Math.max(fromOffset, low) }, end, maxRecords);
				return await within(ANSWER_WITHIN_MS, "Kafka", reading);
			} finally {
				connection.cut();
			}
		},

		async close() {
			await Promise.all([...members].map(member => member.stop()));
			await appender.close();
			stopAsking();
		}
	};
}
