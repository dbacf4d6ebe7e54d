// What the naive flows share: a kafkajs producer with its defaults, and consumers that handle one message at a time.
import { type EachMessagePayload, Kafka, logLevel } from "kafkajs";

const kafka = new Kafka({ brokers: process.env.KAFKA_BROKERS!.split(","), clientId: "naive", logLevel: logLevel.ERROR });

export async function openProducer() {
	const producer = kafka.producer({ allowAutoTopicCreation: false });
	await producer.connect();
	return producer;
}

/** Resolves once the consumer has its partitions. */
export async function consume(topic: string, handle: (message: EachMessagePayload["message"]) => unknown) {
	const consumer = kafka.consumer({ groupId: `${topic}-reader` });
	const joined = new Promise(resolve => consumer.on(consumer.events.GROUP_JOIN, resolve));
	await consumer.connect();
	await consumer.subscribe({ topic, fromBeginning: true });
	await consumer.run({
		partitionsConsumedConcurrently: 12,
		async eachMessage({ message }) {
			await handle(message);
		}
	});
	await joined;
}
