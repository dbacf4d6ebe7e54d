import type { Cluster, KafkaMessage } from "kafkajs";
import type { TopicRecord } from "../topic-log.ts";
import type { Connection } from "./connection.ts";
import { recordOf } from "./records.ts";

export interface Place {
	topic: string;
	partition: number;
	offset: number;
}

/** Identifies a partition in maps, log lines and errors. */
export const keyOf = (topic: string, partition: number) => `${topic}/${partition}`;

export interface Fetched {
	place: Place;
	/** From the offset of the place on; empty at the end of the partition. */
	messages: KafkaMessage[];
}

/** A fetch response as kafkajs decodes it; its own types do not describe it. */
interface FetchResponse {
	responses: { topicName: string; partitions: { partition: number; messages: KafkaMessage[] }[] }[];
}

const MAX_BYTES = 1024 * 1024;
const READ_WAIT_MS = 100;

/**
 * The cluster object of a kafkajs client. kafkajs cannot consume without a group, but passes its cluster to partition assigners; with it, and a
 * consumer that never joins, partitions can be fetched directly, as Kafka's own clients do after `assign`.
 */
export function clusterOf({ kafka }: Pick<Connection, "kafka">): Cluster {
	let cluster: Cluster | undefined;
	kafka.consumer({
		groupId: "none",
		allowAutoTopicCreation: false,
		partitionAssigners: [
			config => {
				cluster = config.cluster;
				return {
					name: "none",
					version: 0,
					assign: async () => [],
					protocol: () => ({ name: "none", metadata: Buffer.alloc(0) })
				};
			}
		]
	});
	return cluster!;
}

/** Groups places by the server that leads their partition. Rejects when one of the topics does not exist. */
export async function groupByLeader<P extends { topic: string; partition: number }>(cluster: Cluster, places: P[]) {
	await cluster.addMultipleTargetTopics([...new Set(places.map(({ topic }) => topic))]);
	await cluster.refreshMetadataIfNecessary();
	return Map.groupBy(
		places,
		({ topic, partition }) => Object.keys(cluster.findLeaderForPartitions(topic, [partition]))[0] ?? "unknown"
	);
}

/**
 * Fetches from one server the records at places that it leads; waits up to `waitMs` when there are none.
 * Rejects with type `OFFSET_OUT_OF_RANGE` when one of the offsets does not exist any more, or yet.
 */
export async function fetchFrom(cluster: Cluster, nodeId: string, places: Place[], waitMs: number): Promise<Fetched[]> {
	const broker = await cluster.findBroker({ nodeId });
	const topics = [...Map.groupBy(places, ({ topic }) => topic)].map(([topic, ofTopic]) => ({
		topic,
		partitions: ofTopic.map(({ partition, offset }) => ({ partition, fetchOffset: String(offset), maxBytes: MAX_BYTES }))
	}));
	const { responses } = (await broker.fetch({
		maxWaitTime: waitMs,
		minBytes: 1,
		maxBytes: 10 * MAX_BYTES,
		topics
	})) as FetchResponse;
	return responses.flatMap(({ topicName, partitions }) =>
		partitions.map(({ partition, messages }) => {
			const place = places.find(one => one.topic === topicName && one.partition === partition)!;
			// Kafka responds with whole batches: the first may begin before the requested offset.
			return { place, messages: messages.filter(({ offset }) => Number(offset) >= place.offset) };
		})
	);
}

/** Reads the records from a place up to the offset `end`, at most `maxRecords`. */
export async function readRange(connection: Connection, { topic, partition, offset }: Place, end: number, maxRecords: number) {
	const cluster = clusterOf(connection);
	await cluster.connect();
	const records: TopicRecord[] = [];
	let next = offset;
	while (next < end && records.length < maxRecords) {
		const [nodeId] = (await groupByLeader(cluster, [{ topic, partition }])).keys();
		const [fetched] = await fetchFrom(cluster, nodeId!, [{ topic, partition, offset: next }], READ_WAIT_MS);
		if (!fetched?.messages.length) break;
		records.push(...fetched.messages.map(message => recordOf(topic, partition, message)));
		next = records.at(-1)!.offset + 1;
	}
	return records.slice(0, maxRecords);
}
