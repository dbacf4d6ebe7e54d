// A system that allows three connections for each address. The test's own requests come from another address than the clients that are counted.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { after, before, describe, it, type TestContext } from "node:test";
import { WebSocket } from "ws";
import { grpcClient } from "./client.grpc.ts";
import { eventually, fresh, httpClient, WAIT_MS } from "./client.ts";
import { within } from "./process.ts";
import { type System, startSystem } from "./system.ts";

const MAX = 3;
const PROXY = "127.0.0.9";

// Only Linux has all of 127.0.0.0/8 without setting it up.
describe("connections of one address", { skip: process.platform !== "linux" }, () => {
	let system: System;
	before(async () => {
		const env = { MAX_SOCKETS_PER_ADDRESS: `${MAX}`, TRUSTED_PROXIES: PROXY };
		system = await startSystem({ profile: "embedded", env });
	});
	after(() => system?.stop());

	let addresses = 9;
	/** An address that no connection has come from. */
	const newAddress = () => `127.0.0.${++addresses}`;

	/** The status of a request on a connection that stays open if it is accepted. */
	const request = async (t: TestContext, url: string, localAddress: string) => {
		const { hostname, port, host } = new URL(url);
		const socket = connect({ port: Number(port), host: hostname, localAddress }).on("error", () => {});
		t.after(() => socket.destroy());
		socket.write(`GET /health/live HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
		const [data] = await within(once(socket, "data"), WAIT_MS, () => `an answer from ${url}`);
		return { socket, status: Number(String(data).split(" ")[1]) };
	};
	/** Opens a WebSocket; answers its status if it is refused. */
	const webSocket = async (t: TestContext, path: string, localAddress: string, headers = {}) => {
		const socket = new WebSocket(system.wsUrl.replace("/ws", path), { localAddress, headers } as object);
		t.after(() => socket.terminate());
		const answered = Promise.race([once(socket, "open").then(() => [] as unknown[]), once(socket, "unexpected-response")]);
		const [, response] = await within(answered, WAIT_MS, () => `an answer to the upgrade of ${path}`);
		return { socket, status: (response as { statusCode?: number } | undefined)?.statusCode ?? 101 };
	};
	const ws = (t: TestContext, from: string, headers?: object) => webSocket(t, "/ws", from, headers);
	const socketIo = (t: TestContext, from: string, headers?: object) =>
		webSocket(t, "/socket.io/?EIO=4&transport=websocket", from, headers);
	const eventuallyHas = (status: number, open: () => Promise<{ status: number }>) =>
		eventually(async () => assert.equal((await open()).status, status), `the status ${status}`);

	it("count together, of every kind and on every port, until they close", async t => {
		const from = newAddress();
		const kinds = [
			() => request(t, system.url, from),
			() => request(t, system.metricsUrls[0]!, from),
			() => ws(t, from),
			() => socketIo(t, from)
		];
		const open: (Socket | WebSocket)[] = [];
		for (const kind of kinds.slice(0, MAX)) {
			const { socket, status } = await kind();
			assert.notEqual(status, 429);
			open.push(socket);
		}
		for (const kind of kinds) {
			for (const refused of kinds) assert.equal((await refused()).status, 429);
			const closing = open.shift();
			if (closing instanceof WebSocket) closing.terminate();
			else closing?.destroy();
			const { socket } = await eventually(async () => {
				const next = await kind();
				assert.notEqual(next.status, 429);
				return next;
			}, "a connection to be accepted again");
			open.push(socket);
		}
		assert.equal((await httpClient(system.url).get("/selections")).status, 200, "another address has its own");
	});

	it("refuses a fourth socket of one address until another is closed", async t => {
		const from = newAddress();
		const sockets = [];
		for (let n = 0; n < MAX; n++) sockets.push(await ws(t, from));
		assert.deepEqual(
			sockets.map(({ status }) => status),
			[101, 101, 101]
		);
		assert.equal((await ws(t, from)).status, 429);
		sockets[0]!.socket.close();
		await eventuallyHas(101, () => ws(t, from));
	});

	it("closes gRPC connections of one address beyond the limit, and accepts them again later", async () => {
		const [host = "", port] = system.grpc.split(":");
		const sockets: Socket[] = [];
		/** The server sends its HTTP/2 settings to a connection that it accepts. */
		const open = () =>
			new Promise<boolean>(resolve => {
				const socket = connect(Number(port), host);
				sockets.push(socket);
				socket.on("error", () => {});
				socket.once("data", () => resolve(true));
				socket.once("close", () => resolve(false));
			});
		let accepted = 0;
		while (accepted < 10 && (await within(open(), WAIT_MS, () => "a connection to be accepted or closed"))) accepted++;
		assert.ok(accepted <= MAX, `${accepted} connections`);
		for (const socket of sockets) socket.destroy();
		const grpc = grpcClient(system.grpc);
		await eventually(() => grpc.getBalance(fresh("buyer")), "a call over a new connection");
		grpc.close();
	});

	it("arrive at HOST only: by default, no port listens on another address of the machine", async t => {
		const [, grpcPort] = system.grpc.split(":");
		for (const port of [new URL(system.url).port, new URL(system.metricsUrls[0]!).port, grpcPort]) {
			const socket = connect({ port: Number(port), host: "127.0.0.2" });
			t.after(() => socket.destroy());
			await assert.rejects(
				within(once(socket, "connect"), WAIT_MS, () => "the end of the attempt"),
				{ code: "ECONNREFUSED" }
			);
		}
	});

	it("behind a trusted proxy count by the address that it reports", async t => {
		const by = (address: string) => ({ "x-forwarded-for": address });
		for (let n = 0; n < MAX; n++) assert.equal((await ws(t, PROXY, by("203.0.113.1"))).status, 101);
		assert.equal((await ws(t, PROXY, by("203.0.113.1"))).status, 429);
		assert.equal((await socketIo(t, PROXY, by("203.0.113.1"))).status, 429);
		assert.equal((await socketIo(t, PROXY, by("203.0.113.2"))).status, 101);
	});
});
