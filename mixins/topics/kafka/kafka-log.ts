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
import { deadlineIn } from "../../deadline.ts";
import { unavailable } from "../../errors.ts";
import { createPartitioner } from "../partition.ts";
import type { Consumer, LogDescription, Outgoing, TopicLog } from "../topic-log.ts";
import { kafkaAdmin, REQUEST_TIMEOUT_MS } from "./admin.ts";
import { type KafkaOptions, kafkaConnection, rootCause } from "./connection.ts";
import { consumerSupervisor } from "./consumer-supervisor.ts";
import { kafkaProducer } from "./producer.ts";
import { readRange } from "./reader.ts";
import { kafkaTail } from "./tail.ts";
import { kafkaTopics } from "./topics.ts";

export interface KafkaLogOptions extends KafkaOptions, Partial<LogDescription> {
	/** Copies of each topic that `create` creates. */
	replication: number;
}

const ADVICE = "start Kafka, or correct the option `brokers`";
const ACCESS = "the option `sasl`";
const CHECK_TIMEOUT_MS = 3_000;

export function kafkaLog(options: KafkaLogOptions): TopicLog {
	const { brokers, replication, logger, name = "kafka", where = brokers.join(), advice = ADVICE, access = ACCESS } = options;
	const open = () => kafkaConnection(options);
	const producer = kafkaProducer(open);
	const members = new Set<Consumer>();
	const { request, close: closeAdmin } = kafkaAdmin(open);
	const { create: createTopics, partitionsOf } = kafkaTopics({ request }, open, replication);
	const partitionFor = createPartitioner();

	/** The log stops what is still running when it is closed. */
	const track = <C extends Consumer>(member: C): C => {
		members.add(member);
		const stop = async () => {
			await member.stop();
			members.delete(member);
		};
		return { ...member, stop };
	};

	/** Assigns a partition to each record. */
	const assignPartitions = async (records: Outgoing[]) => {
		const countOf = new Map<string, number>();
		for (const { topic, partition } of records)
			if (partition === undefined && !countOf.has(topic)) countOf.set(topic, await partitionsOf(topic));
		return records.map(record => ({ ...record, partition: partitionFor(record, countOf.get(record.topic)!) }));
	};

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
			await createTopics(topics);
			// If the server has just started, this takes seconds: otherwise the first calls of `append` would wait for it.
			await producer.connect();
		},

		async append(records) {
			const deadline = deadlineIn(REQUEST_TIMEOUT_MS);
			const storing = assignPartitions(records).then(placed => producer.append(placed, deadline));
			await deadline.bound(storing, "Kafka");
		},

		consume: async consumeOptions => track(consumerSupervisor(consumeOptions, open, logger)),

		tail: async tailOptions => track(kafkaTail(tailOptions, { open, request, logger })),

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
