// A first version of purchases: an INSERT and a message per frame, an INCRBYFLOAT per message, a GET per balance request.
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { Redis } from "ioredis";
import pg from "pg";
import { type WebSocket, WebSocketServer } from "ws";
import { consume, openProducer } from "./kafka.ts";

const topic = process.env.TOPIC!;

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL!, max: 10 });
await pool.query(
	"create table if not exists naive_purchases (id text primary key, user_id text not null, amount numeric(12, 2) not null)"
);

const redis = new Redis(process.env.REDIS_URL!);
await consume(topic, async ({ value }) => {
	const { user_id, amount } = JSON.parse(String(value));
	await redis.incrbyfloat(`naive:${user_id}`, amount);
});
const producer = await openProducer();

async function buy(socket: WebSocket, frame: { user_id: string; amount: number }) {
	const purchase = { id: randomUUID(), user_id: frame.user_id, amount: frame.amount };
	const { id, user_id, amount } = purchase;
	await pool.query("insert into naive_purchases (id, user_id, amount) values ($1, $2, $3)", [id, user_id, amount]);
	await producer.send({ topic, acks: -1, messages: [{ key: user_id, value: JSON.stringify(purchase) }] });
	socket.send(JSON.stringify({ code: "purchase", data: purchase }));
}

const sockets = new WebSocketServer({ port: 0, host: "127.0.0.1" });
sockets.on("connection", socket => socket.on("message", data => void buy(socket, JSON.parse(String(data)))));

const definition = loadSync(join(import.meta.dirname, "../../proto/wallet.proto"), { keepCase: true });
const { wallet } = grpc.loadPackageDefinition(definition) as unknown as {
	wallet: { WalletService: grpc.ServiceClientConstructor };
};
const server = new grpc.Server();
server.addService(wallet.WalletService.service, {
	async GetBalance({ request }: { request: { user_id: string } }, answer: grpc.sendUnaryData<unknown>) {
		answer(null, { balances: { total: Number((await redis.get(`naive:${request.user_id}`)) ?? 0) } });
	}
});
server.bindAsync(`127.0.0.1:${process.env.GRPC_PORT}`, grpc.ServerCredentials.createInsecure(), error => {
	if (error) throw error;
	process.send!((sockets.address() as { port: number }).port);
});
