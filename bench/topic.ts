// Creates a topic for a baseline with the same settings as Plaza's topics.
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
