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
import { deadlineIn } from "../../deadline.ts";
import { unavailable } from "../../errors.ts";
import { partitionOf } from "../partition.ts";
import type { Consumer, LogDescription, Outgoing, TopicLog, TopicSpec } from "../topic-log.ts";
import { kafkaAdmin, REQUEST_TIMEOUT_MS, UNKNOWN_TOPIC } from "./admin.ts";
import { type KafkaOptions, kafkaConnection, rootCause } from "./connection.ts";
import { consumerSupervisor } from "./consumer-supervisor.ts";
import { kafkaProducer } from "./producer.ts";
import { readRange } from "./reader.ts";

export interface KafkaLogOptions extends KafkaOptions, Partial<LogDescription> {
	/** Copies of each topic that `create` creates. */
	replication: number;
}

const ADVICE = "start Kafka, or correct the option `brokers`";
const ACCESS = "the option `sasl`";
const CHECK_TIMEOUT_MS = 3_000;
/** The limit of a topic is never lower: all records of one request for one partition share it. */
const MIN_MAX_BYTES = 1024 * 1024;
/** What Kafka adds to the only record of a batch: 61 bytes for the batch, and lengths, offsets, header names. */
const RECORD_OVERHEAD_BYTES = 4 * 1024;
const RETRY_DELAY_MS = 100;

export function kafkaLog(options: KafkaLogOptions): TopicLog {
	const { brokers, replication, logger, name = "kafka", where = brokers.join(), advice = ADVICE, access = ACCESS } = options;
	const open = () => kafkaConnection(options);
	const producer = kafkaProducer(open);
	const members = new Set<Consumer>();
	const counts = new Map<string, Promise<number>>();
	const { request, close: closeAdmin } = kafkaAdmin(open);
	let roundRobin = 0;

	const fetchCounts = async (topics: string[]) => {
		const { topics: known } = await request(admin => admin.fetchTopicMetadata({ topics }));
		return new Map(known.map(({ name, partitions }) => [name, partitions.length]));
	};

	/** Retries while a topic is unknown: not every server knows a new topic at once. */
	const fetchCountsOnceKnown = async (topics: string[]) => {
		const deadline = deadlineIn(REQUEST_TIMEOUT_MS);
		for (;;) {
			try {
				return await fetchCounts(topics);
			} catch (error) {
				if (rootCause(error).type !== UNKNOWN_TOPIC || deadline.isOver()) throw error;
				await delay(RETRY_DELAY_MS);
			}
		}
	};

	const partitionsOf = (topic: string): Promise<number> => {
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
	};

	/** Assigns a partition to each record. */
	const assignPartitions = async (records: Outgoing[]) => {
		const countOf = new Map<string, number>();
		for (const { topic, partition } of records)
			if (partition === undefined && !countOf.has(topic)) countOf.set(topic, await partitionsOf(topic));
		return records.map(record => {
			if (record.partition !== undefined) return { ...record, partition: record.partition };
			const count = countOf.get(record.topic)!;
			return { ...record, partition: record.key === null ? roundRobin++ % count : partitionOf(record.key, count) };
		});
	};

	const toTopicConfig = ({ name, partitions, retentionMs, maxBytes }: TopicSpec) => ({
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

	return {
		description: { name, where, advice, access },

		async check() {
			try {
				await request(admin => admin.describeCluster(), CHECK_TIMEOUT_MS);
			} catch (error) {
				throw unavailable(`Kafka at ${brokers.join(", ")} (${rootCause(error).message})`, error);
			}
		},

		async create(topics) {
			const existing = new Set(await request(admin => admin.listTopics()));
			const missing = topics.filter(({ name }) => !existing.has(name));
			if (missing.length > 0)
				await request(admin => admin.createTopics({ topics: missing.map(toTopicConfig), waitForLeaders: false }));
			const has = await fetchCountsOnceKnown(topics.map(({ name }) => name));
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
			const deadline = deadlineIn(REQUEST_TIMEOUT_MS);
			const storing = assignPartitions(records).then(placed => producer.append(placed, deadline));
			await deadline.bound(storing, "Kafka");
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
			// kafkajs would retry for ever to get the offsets of a topic that does not exist.
			await partitionsOf(topic);
			const offsets = await request(admin => admin.fetchTopicOffsets(topic));
			return offsets.sort((a, b) => a.partition - b.partition).map(({ high }) => Number(high));
		},

		async committed(group, topic) {
			const [offsets] = await request(admin => admin.fetchOffsets({ groupId: group, topics: [topic] }));
			return offsets!.partitions.sort((a, b) => a.partition - b.partition).map(({ offset }) => Math.max(-1, Number(offset)));
		},

		async read(topic, partition, fromOffset, maxRecords) {
			const [low, end] = await request(async admin => {
				const offsets = await admin.fetchTopicOffsets(topic);
				const one = offsets.find(offset => offset.partition === partition);
				return [Number(one?.low ?? 0), Number(one?.high ?? 0)] as const;
			});
			if (fromOffset >= end) return [];
			const connection = open();
			try {
				const reading = readRange(connection, { topic, partition, offset: Math.max(fromOffset, low) }, end, maxRecords);
				return await deadlineIn(REQUEST_TIMEOUT_MS).bound(reading, "Kafka");
			} finally {
				connection.cut();
			}
		},

		async close() {
			await Promise.all([...members].map(member => member.stop()));
			await producer.close();
			closeAdmin();
		}
	};
}
