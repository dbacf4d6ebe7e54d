// The whole socket service on a log of its own: from a record to the clients of both transports.
import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { type Middleware, ServiceBroker } from "moleculer";
import { memoryLimits } from "../../mixins/limits/limits.ts";
import { memoryLog } from "../../mixins/topics/memory-log.fixture.ts";
import type { TailOptions } from "../../mixins/topics/topic-log.ts";
import { topics as topicsMixin } from "../../mixins/topics/topics.ts";
import { createConnections } from "../../runtime/http/connections.ts";
import { httpListener, httpListenerOf } from "../../runtime/http/http-listener.ts";
import { openSocket } from "../../test/client.socket.ts";
import { openSocketIo } from "../../test/client.socket-io.ts";
import { eventually } from "../../test/client.ts";
import { topics } from "../contract.ts";
import { socket } from "./socket.ts";

const SERVICE_RESTART = 1012;

async function open(t: TestContext) {
	const { log, appended } = memoryLog();
	const tails: TailOptions[] = [];
	const positioned = Promise.withResolvers<void>();
	const tail = async (options: TailOptions) => {
		tails.push(options);
		return { ...(await log.tail(options)), positioned: positioned.promise };
	};
	const isTrusted = () => false;
	const broker = new ServiceBroker({ logger: false });
	const listener = httpListener(
		{
			services: ["api"],
			host: "127.0.0.1",
			httpPort: 0,
			extraHttpPorts: [],
			grpcPort: 0,
			metricsHost: "127.0.0.1",
			metricsPort: 0,
			maxRequestsPerSecond: 0,
			trustedProxies: [],
			allowedOrigins: [],
			limits: memoryLimits,
			connections: () => createConnections({ maxPerAddress: 0, maxTotal: 1_000, isTrusted })
		},
		async () => ({ status: "ok", checks: {} })
	) as Required<Pick<Middleware, "starting">>;
	await listener.starting(broker);
	const { server, beforeClose } = httpListenerOf(broker);
	broker.createService({ name: "users", actions: { owner: () => null } });
	const options = { guests: true, allowedOrigins: [], isTrusted, maxSocketsPerAccount: 0, maxFramesPerSecond: 0 };
	broker.createService(socket(options, [topicsMixin({ ...log, tail }, { contracts: topics, partitions: 1 })]));
	await broker.start();
	t.after(async () => {
		for (const close of beforeClose) await close();
		server.close();
		server.closeAllConnections();
		await broker.stop();
	});
	await eventually(() => assert.equal(tails.length, 1), "the reader to be opened");
	const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
	return { log, appended, url, missed: tails[0]!.onMissed, positioned: positioned.resolve, topics: tails[0]!.topics };
}

const connect = { code: "connect", data: { user: "guest-1" } };
const balance = (total: number) => ({
	topic: "WalletBalance",
	key: "guest-1",
	value: JSON.stringify({ user_id: "guest-1", balances: { total } }),
	headers: { seq: String(total) }
});
const stock = {
	topic: "inventory.updated",
	key: "p1",
	value: JSON.stringify({ productId: "p1", stock: 5, previousStock: 6, sku: "s" })
};

describe("the socket service", () => {
	it("confirms a client once it reads the topics, and sends it what is published since", async t => {
		const { log, url, positioned } = await open(t);
		const client = await openSocket(`${url.replace("http", "ws")}/ws`);
		client.send(connect);
		// The frame after it is answered at once, so `connect` has been handled and waits.
		client.send("not JSON");
		await client.waitFor(({ code }) => code === "error", "the answer to the second frame");
		assert.deepEqual(client.of("connected"), []);
		positioned();
		await client.waitFor(({ code }) => code === "connected", "the confirmation");
		await log.append([balance(1)]);
		const { data } = await client.waitFor(({ code }) => code === "balance", "the balance");
		assert.deepEqual(data, { user_id: "guest-1", balances: { total: 1 } });
		client.close();
	});

	it("makes the clients of both transports reconnect when messages did not reach it", async t => {
		const { log, url, positioned, missed } = await open(t);
		positioned();
		const events: string[] = [];
		const client = await openSocket(`${url.replace("http", "ws")}/ws`);
		assert.equal((await client.request(connect)).code, "connected");
		const io = await openSocketIo(url, { reconnection: true, onEvent: event => events.push(event) });
		t.after(() => io.socket.disconnect());
		await log.append([stock]);
		await eventually(() => assert.deepEqual(events, ["inventory:updated"]), "the event");
		const first = io.socket.id;
		missed("WalletBalance");
		assert.equal(await client.closed(), SERVICE_RESTART);
		await eventually(() => assert.ok(io.socket.connected && io.socket.id !== first), "Socket.IO to connect again");
		await log.append([stock]);
		await eventually(() => assert.equal(events.length, 2), "an event on the new connection");
	});
});
