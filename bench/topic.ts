// A topic for a baseline, made as Plaza makes its own.
import { kafkaLog } from "../mixins/topics/kafka-log.ts";

const PARTITIONS = 12;
const DAY_MS = 86_400_000;

export async function makeTopic(name: string) {
	const log = kafkaLog({ brokers: process.env.KAFKA_BROKERS!.split(","), clientId: "bench", replication: 1 });
	await log.create([{ name, partitions: PARTITIONS, retentionMs: DAY_MS, maxBytes: 1024 * 1024 }]);
	await log.close();
}
