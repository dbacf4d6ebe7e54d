// Consumes and parses a topic. A request names a number of messages; the answer is the total consumed once it has reached that number.
import { Kafka, logLevel } from "kafkajs";

const topic = process.env.TOPIC!;
const kafka = new Kafka({ brokers: process.env.KAFKA_BROKERS!.split(","), clientId: "bare-consumer", logLevel: logLevel.ERROR });

let read = 0;
let wanted = Number.POSITIVE_INFINITY;
const answer = () => {
	if (read < wanted) return;
	wanted = Number.POSITIVE_INFINITY;
	process.send!(read);
};

const consumer = kafka.consumer({ groupId: `${topic}-reader` });
const joined = new Promise(resolve => consumer.on(consumer.events.GROUP_JOIN, resolve));
await consumer.connect();
await consumer.subscribe({ topic, fromBeginning: true });
await consumer.run({
	partitionsConsumedConcurrently: 12,
	async eachBatch({ batch }) {
		for (const { value } of batch.messages) JSON.parse(String(value));
		read += batch.messages.length;
		answer();
	}
});
await joined;

process.on("message", (count: number) => {
	wanted = count;
	answer();
});
process.send!(0);
