// A first version of counting picks: an awaited send per request, then an INSERT, a count of all rows of the name, an UPDATE and a second awaited
// send per message, and a frame per message of the second topic.
import { randomUUID } from "node:crypto";
import type { AddressInfo } from "node:net";
import { Client, concurrent, types } from "cassandra-driver";
import pg from "pg";
import { type WebSocket, WebSocketServer } from "ws";
import { acceptPicks } from "./accept-picks.ts";
import { consume, openProducer } from "./kafka.ts";

const { TOPIC: topic = "", SUMMARY_TOPIC: summaryTopic = "", KEYSPACE: keyspace } = process.env;
const names = process.env.NAMES!.split(",");
const rowsOfAName = Number(process.env.ROWS_OF_A_NAME);

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL!, max: 10 });
await pool.query("create table if not exists naive_summary (name text primary key, count integer not null)");
await pool.query("insert into naive_summary select unnest($1::text[]), 0 on conflict do nothing", [names]);

const cassandra = new Client({
	contactPoints: [process.env.CASSANDRA_CONTACT_POINTS!],
	localDataCenter: "datacenter1",
	keyspace,
	queryOptions: { prepare: true, consistency: types.consistencies.localQuorum }
});
await cassandra.connect();
const INSERT = "insert into naive_selections (name, id, user_id) values (?, ?, ?)";
const rows = names.flatMap(name => Array.from({ length: rowsOfAName }, () => [name, randomUUID(), "earlier"]));
await concurrent.executeConcurrent(cassandra, INSERT, rows);

const producer = await openProducer();
const socketsOf = new Map<string, WebSocket>();

await consume(summaryTopic, ({ value }) => {
	const data = JSON.parse(String(value));
	socketsOf.get(data.user_id)?.send(JSON.stringify({ code: "SelectionSummary", data }));
});
await consume(topic, async ({ value }) => {
	const { id, name, user_id } = JSON.parse(String(value));
	await cassandra.execute(INSERT, [name, id, user_id]);
	const counted = await cassandra.execute("select count(1) as count from naive_selections where name = ?", [name]);
	const count = Number(counted.first()!.count);
	await pool.query("update naive_summary set count = $2 where name = $1", [name, count]);
	const summary = JSON.stringify({ name, count, user_id });
	await producer.send({ topic: summaryTopic, acks: -1, messages: [{ key: name, value: summary }] });
});

const server = acceptPicks(producer, topic);
const sockets = new WebSocketServer({ server, perMessageDeflate: false });
sockets.on("connection", socket =>
	socket.on("message", frame => {
		const { user } = JSON.parse(String(frame)).data;
		socketsOf.set(user, socket);
		socket.send(JSON.stringify({ code: "connected", data: { user } }));
	})
);
server.listen(0, "127.0.0.1", () => process.send!((server.address() as AddressInfo).port));
