// A first version of accepting picks: node:http and one awaited send per request.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Kafka, logLevel } from "kafkajs";

const kafka = new Kafka({ brokers: process.env.KAFKA_BROKERS!.split(","), clientId: "baseline", logLevel: logLevel.ERROR });
const producer = kafka.producer({ allowAutoTopicCreation: false });
await producer.connect();

const topic = process.env.TOPIC!;
const accepted = JSON.stringify({ accepted: true });
const headers = { "Content-Type": "application/json; charset=utf-8", "Content-Length": Buffer.byteLength(accepted) };

const server = createServer((req, res) => {
	let body = "";
	req.setEncoding("utf8");
	req.on("data", part => {
		body += part;
	});
	req.on("end", async () => {
		const { id, name, user_id } = JSON.parse(body);
		await producer.send({ topic, acks: -1, messages: [{ key: id, value: JSON.stringify({ name, id, user_id }) }] });
		res.writeHead(202, headers);
		res.end(accepted);
	});
});
server.listen(0, "127.0.0.1", () => process.send!((server.address() as AddressInfo).port));
