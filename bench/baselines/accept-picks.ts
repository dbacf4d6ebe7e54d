// The HTTP side of a first version that accepts picks: node:http and one awaited send per request.
import { createServer } from "node:http";
import type { Producer } from "kafkajs";

const accepted = JSON.stringify({ accepted: true });
const headers = { "Content-Type": "application/json; charset=utf-8", "Content-Length": Buffer.byteLength(accepted) };

/** A server that answers 202 once the pick is durable in the topic. */
export const acceptPicks = (producer: Producer, topic: string) =>
	createServer((req, res) => {
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
