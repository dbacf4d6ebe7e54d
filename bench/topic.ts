// The topics of a measure: a baseline's own one with the same settings as Plaza's, and Plaza's own, whose records are deleted at the end.
import { Kafka, logLevel } from "kafkajs";
import { kafkaLog } from "../mixins/topics/kafka/kafka-log.ts";
import { eventually } from "../test/client.ts";

const PARTITIONS = 12;
const DAY_MS = 86_400_000;

export async function makeTopic(name: string) {
	const log = kafkaLog({ brokers: process.env.KAFKA_BROKERS!.split(","), clientId: "bench", replication: 1 });
	const spec = { name, partitions: PARTITIONS, retentionMs: DAY_MS, maxBytes: 1024 * 1024 };
	// While a fresh Kafka creates Plaza's hundreds of partitions, another topic is not visible for a while.
	await eventually(() => log.create([spec]), `Kafka to know the topic ${name}`, 60_000);
	await log.close();
}

/** Deletes the records of these topics: the next measure's Plaza would handle them, and its results would include that work. */
export async function deleteRecords(topics: readonly string[]) {
	const kafka = new Kafka({ brokers: process.env.KAFKA_BROKERS!.split(","), clientId: "bench", logLevel: logLevel.ERROR });
	const admin = kafka.admin();
	await admin.connect();
	try {
		for (const topic of topics) {
			const offsets = await admin.fetchTopicOffsets(topic);
			const partitions = offsets.filter(({ low, high }) => low !== high);
			if (partitions.length > 0)
				await admin.deleteTopicRecords({
					topic,
					partitions: partitions.map(({ partition, high }) => ({ partition, offset: high }))
				});
		}
	} finally {
		await admin.disconnect();
	}
}
