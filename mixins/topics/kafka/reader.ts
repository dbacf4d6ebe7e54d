import type { Cluster, KafkaMessage } from "kafkajs";
import type { TopicRecord } from "../topic-log.ts";
import type { Connection } from "./connection.ts";
import { recordOf } from "./records.ts";

export interface Place {
	topic: string;
	partition: number;
	offset: number;
}

export interface Found {
	place: Place;
	/** From the place's offset on; none at the end of the log. */
	messages: KafkaMessage[];
}

/** What kafkajs makes of Kafka's answer; its own types leave it open. */
interface Answer {
	responses: { topicName: string; partitions: { partition: number; messages: KafkaMessage[] }[] }[];
}

const MAX_BYTES = 1024 * 1024;
const READ_WAIT_MS = 100;

/**
 * kafkajs has no consumer without a group, but hands its view of the servers to whoever assigns partitions: a consumer that never joins is
 * the way to fetch as Kafka's own clients do when they are given partitions by hand.
 */
export function clusterOf({ kafka }: Connection): Cluster {
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

/** The places by the server that leads them. Rejects when one of the topics is not there. */
export async function byLeader<P extends { topic: string; partition: number }>(cluster: Cluster, places: P[]) {
	await cluster.addMultipleTargetTopics([...new Set(places.map(({ topic }) => topic))]);
	await cluster.refreshMetadataIfNecessary();
	return Map.groupBy(
		places,
		({ topic, partition }) => Object.keys(cluster.findLeaderForPartitions(topic, [partition]))[0] ?? "unknown"
	);
}

/**
 * Asks one server for what lies at the places it leads; waits up to `waitMs` if there is nothing.
 * Rejects with type `OFFSET_OUT_OF_RANGE` if one of the offsets is no more, or not yet.
 */
export async function fetchFrom(cluster: Cluster, nodeId: string, places: Place[], waitMs: number): Promise<Found[]> {
	const broker = await cluster.findBroker({ nodeId });
	const topics = [...Map.groupBy(places, ({ topic }) => topic)].map(([topic, ofTopic]) => ({
		topic,
		partitions: ofTopic.map(({ partition, offset }) => ({ partition, fetchOffset: String(offset), maxBytes: MAX_BYTES }))
	}));
	const { responses } = (await broker.fetch({ maxWaitTime: waitMs, minBytes: 1, maxBytes: 10 * MAX_BYTES, topics })) as Answer;
	return responses.flatMap(({ topicName, partitions }) =>
		partitions.map(({ partition, messages }) => {
			const place = places.find(one => one.topic === topicName && one.partition === partition)!;
			// Kafka answers whole batches: the first may begin before the offset that was asked for.
			return { place, messages: messages.filter(({ offset }) => Number(offset) >= place.offset) };
		})
	);
}

/** The records from a place on, up to `end`, which is where the log ended; at most `maxRecords`. */
export async function readOn(connection: Connection, { topic, partition, offset }: Place, end: number, maxRecords: number) {
	const cluster = clusterOf(connection);
	await cluster.connect();
	const records: TopicRecord[] = [];
	let next = offset;
	while (next < end && records.length < maxRecords) {
		const [nodeId] = (await byLeader(cluster, [{ topic, partition }])).keys();
		const [found] = await fetchFrom(cluster, nodeId!, [{ topic, partition, offset: next }], READ_WAIT_MS);
		if (!found?.messages.length) break;
		records.push(...found.messages.map(message => recordOf(topic, partition, message)));
		next = records.at(-1)!.offset + 1;
	}
	return records.slice(0, maxRecords);
}
