// Produces the same messages as a purchase in batches of a hundred, each after the previous one is durable.
import { randomUUID } from "node:crypto";
import { Kafka, logLevel } from "kafkajs";

const BATCH = 100;
const topic = process.env.TOPIC!;
const users = Number(process.env.USERS);

const kafka = new Kafka({ brokers: process.env.KAFKA_BROKERS!.split(","), clientId: "bare-producer", logLevel: logLevel.ERROR });
const producer = kafka.producer();
await producer.connect();

let seq = 0;
function message() {
	const user_id = `bench-${seq++ % users}`;
	const value = JSON.stringify({ id: randomUUID(), user_id, amount: 1.25, created_at: new Date().toISOString() });
	return { key: user_id, value, headers: { seq: String(seq), total_cents: String(seq * 125), "request-id": randomUUID() } };
}

process.on("message", async (ms: number) => {
	const endMs = performance.now() + ms;
	let sent = 0;
	for (; performance.now() < endMs; sent += BATCH)
		await producer.send({ topic, acks: -1, messages: Array.from({ length: BATCH }, message) });
	process.send!(sent);
});
process.send!(0);
