// The latency of one Kafka hop, from `send` to the consumer: one message at a time, or at a fixed rate.
import { Kafka, logLevel } from "kafkajs";
import { hops } from "../hops.ts";

const topic = process.env.TOPIC!;
const kafka = new Kafka({ brokers: process.env.KAFKA_BROKERS!.split(","), clientId: "hop", logLevel: logLevel.ERROR });
const waiting = new Map<string, (value: void) => void>();

const consumer = kafka.consumer({ groupId: `${topic}-reader` });
const joined = new Promise(resolve => consumer.on(consumer.events.GROUP_JOIN, resolve));
await consumer.connect();
await consumer.subscribe({ topic, fromBeginning: true });
await consumer.run({
	partitionsConsumedConcurrently: 12,
	eachMessage: async ({ message }) => waiting.get(JSON.parse(String(message.value)).n)?.()
});
await joined;
const producer = kafka.producer();
await producer.connect();

let sent = 0;
async function hop() {
	const n = String(sent++);
	const value = JSON.stringify({ n, user_id: `user-${n}`, balances: { total: 1.25 } });
	const arrived = new Promise<void>(resolve => waiting.set(n, resolve));
	const startMs = performance.now();
	await Promise.all([
		producer.send({ topic, acks: -1, messages: [{ key: `user-${n}`, value }] }),
		arrived.then(() => waiting.delete(n))
	]);
	return performance.now() - startMs;
}

process.on("message", async ({ ms, perSecond }: { ms: number; perSecond?: number }) =>
	process.send!(await hops(ms, perSecond, hop))
);
process.send!(0);
