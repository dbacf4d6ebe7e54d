// Real Socket.IO clients against the transport.
import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, request } from "node:http";
import { describe, it, type TestContext } from "node:test";
import { ServiceBroker } from "moleculer";
import { WebSocket } from "ws";
import type { TopicContract } from "../../../contract/topic.ts";
import { eventually, exchange, httpClient, WAIT_MS } from "../../../test/client.ts";
import { within } from "../../../test/process.ts";
import { topics } from "../../contract.ts";
import { openTransport, TOKEN, type TransportOptions } from "./socket-io.testing.ts";
import { socketIo } from "./socket-io.ts";
import { subscriptionsOf } from "./subscriptions.ts";

const names = subscriptionsOf(topics as unknown as Record<string, TopicContract>);

const open = (t: TestContext, options: TransportOptions = {}) => openTransport(t, { names, ...options });

const HANDSHAKE = "/socket.io/?EIO=4&transport=polling";

describe("Socket.IO", () => {
	it("answers 400 to a handshake that is not WebSocket's, and counts it as a request of its client", async t => {
		const taken: string[] = [];
		const limits = { take: async (key: string) => void taken.push(key) };
		const { url } = await open(t, { limits });
		const head = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
		const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
		const answer = await exchange(url, `${head}${key}Sec-WebSocket-Protocol: a,,b\r\n\r\n`);
		assert.match(answer, /^HTTP\/1\.1 400 /);
		assert.match(answer, /^X-Request-ID: \S+\r$/m);
		assert.match(answer, /^Sec-WebSocket-Version: 13, 8\r$/m);
		assert.deepEqual(taken, ["address:127.0.0.1"]);
	});

	it("disconnects no client where the node misses messages before Socket.IO has started", async () => {
		const mixin = socketIo({ guests: true, allowedOrigins: [], isTrusted: () => false, names: new Map(), declared: new Map() });
		const broker = new ServiceBroker({ logger: false });
		const service = broker.createService({ name: "socket", mixins: [mixin] }) as unknown as { disconnectClients(): void };
		assert.doesNotThrow(() => service.disconnectClients());
	});

	it("answers 429 to WebSockets above the limit of an address, before the upgrade", async t => {
		const { connections, openWebSocket } = await open(t, { maxPerAddress: 3 });
		const sockets = await Promise.all([1, 2, 3].map(() => openWebSocket()));
		for (let n = 0; n < 5; n++) {
			const refused = openWebSocket();
			await assert.rejects(refused, /Unexpected server response: 429/);
		}
		sockets[0]!.terminate();
		await eventually(() => assert.equal(connections.size(), 2), "the closed connection to be counted no more");
		await openWebSocket();
	});

	it("answers 429 to polling handshakes above the limit, though they share one TCP connection, until a session has ended", async t => {
		const { url, connections, connect } = await open(t, { maxPerAddress: 6 });
		const agent = new Agent({ keepAlive: true, maxSockets: 1 });
		t.after(() => agent.destroy());
		const send = async (method: string, path: string, body?: string) => {
			const sent = request(url + path, { agent, method });
			const [response] = await within(once(sent.end(body), "response"), WAIT_MS, () => `an answer to ${method} ${path}`);
			return { status: response.statusCode, headers: response.headers, text: (await response.toArray()).join("") };
		};
		const opened = [];
		// Over one connection, which takes one place itself.
		for (let n = 0; n < 5; n++) opened.push(await send("GET", HANDSHAKE));
		assert.deepEqual(
			opened.map(({ status }) => status),
			[200, 200, 200, 200, 200]
		);
		const refused = await send("GET", HANDSHAKE);
		assert.deepEqual([refused.status, JSON.parse(refused.text).type], [429, "TOO_MANY_REQUESTS"]);
		assert.ok(refused.headers["retry-after"]);
		assert.equal((await connect({ transports: ["polling"] })).outcome, "refused");
		assert.equal(connections.size(), 1);
		const { sid } = JSON.parse(opened[0]!.text.slice(1));
		// Engine.IO's packet `close`.
		assert.equal((await send("POST", `${HANDSHAKE}&sid=${sid}`, "1")).status, 200);
		assert.equal((await send("GET", HANDSHAKE)).status, 200);
	});

	it("counts a session that changes from polling to WebSocket once, by its TCP connection", async t => {
		const { connections, connect } = await open(t, { maxPerAddress: 100 });
		const { socket } = await connect({});
		const { engine } = socket.io;
		await eventually(() => assert.equal(engine.transport.name, "websocket"), "the upgrade to WebSocket");
		const left = () => {
			const releases = [];
			for (let release = connections.acquire("127.0.0.1"); release; release = connections.acquire("127.0.0.1"))
				releases.push(release);
			for (const release of releases) release();
			return releases.length;
		};
		await eventually(() => assert.equal(left(), 100 - connections.size()), "the session to be counted by its connection alone");
	});

	it("counts the clients of a trusted proxy by their own addresses", async t => {
		const { url, openWebSocket } = await open(t, { maxPerAddress: 2, proxies: ["127.0.0.1"] });
		const from = (address: string) => ({ "x-forwarded-for": address });
		for (let n = 0; n < 2; n++) await openWebSocket(from("203.0.113.1"));
		await assert.rejects(openWebSocket(from("203.0.113.1")), /429/);
		await openWebSocket(from("203.0.113.2"));
		const http = httpClient(url);
		assert.equal((await http.get(HANDSHAKE, from("203.0.113.1"))).status, 429);
		assert.equal((await http.get(HANDSHAKE, from("203.0.113.3"))).status, 200);
	});

	it("closes WebSockets that send many pings, fragments, or messages before they carry a connection", async t => {
		const { url, openWebSocket } = await open(t);
		const fragmented = await openWebSocket();
		const [code] = await closedAfter(fragmented, 33, () => fragmented.send("x", { fin: false }));
		assert.equal(code, 1008);
		const pinging = await openWebSocket();
		await closedAfter(pinging, 200, () => pinging.ping());
		const { text } = await httpClient(url).get(HANDSHAKE);
		const { sid } = JSON.parse(text.slice(1));
		const probing = new WebSocket(`${url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket&sid=${sid}`);
		await within(once(probing, "open"), WAIT_MS, () => "a WebSocket to open");
		await closedAfter(probing, 200, () => probing.send("2probe"));
	});

	it("closes a client that does not read after some thousand events, and no other", async t => {
		const { service, connect } = await open(t);
		const received: unknown[] = [];
		const { socket } = await connect({ transports: ["websocket"], onEvent: (_event, payload) => received.push(payload) });
		const { socket: stuck } = await connect({ transports: ["websocket"] });
		const transport = stuck.io.engine.transport as unknown as { ws: WebSocket };
		transport.ws.pause();
		t.after(() => transport.ws.terminate());
		let sent = 0;
		const emit = () => service.emitTo("everyone", "event", `${++sent} ${"x".repeat(1_000)}`);
		await eventually(async () => {
			// The kernel takes some megabytes before packets wait here; the reader keeps up.
			for (let n = 0; n < 2_000; n++) emit();
			await eventually(() => assert.equal(received.length, sent), "the reader to have read");
			assert.equal(service.connections(), 1);
		}, "the client to be closed");
		assert.ok(socket.connected);
	});

	it("answers refused handshakes in the shape of every other error, with a request id", async t => {
		const { url } = await open(t);
		const http = httpClient(url);
		for (const [path, headers, status, type] of [
			["/socket.io/?EIO=4&transport=nothing", {}, 400, "BAD_REQUEST"],
			["/socket.io/?EIO=3&transport=polling", {}, 400, "BAD_REQUEST"],
			[`${HANDSHAKE}&sid=unknown`, {}, 400, "BAD_REQUEST"],
			[HANDSHAKE, { origin: "https://evil.example" }, 403, "ORIGIN_NOT_ALLOWED"]
		] as const) {
			const answer = await http.get(path, headers);
			assert.deepEqual([answer.status, answer.json.type, answer.json.code], [status, type, status], path);
			assert.ok(answer.headers.get("x-request-id"), path);
			const upgrade = new WebSocket(`${url.replace("http", "ws")}${path.replace("polling", "websocket")}`, { headers });
			upgrade.on("error", () => {});
			const answered = Promise.race([once(upgrade, "unexpected-response"), once(upgrade, "open")]);
			const outcome = await within(answered, WAIT_MS, () => `an answer to ${path}`);
			const response = outcome[1];
			// An unknown protocol is refused when the WebSocket is open.
			if (!response) continue;
			assert.deepEqual([response.statusCode, JSON.parse(String((await response.toArray())[0])).type], [status, type], path);
			assert.ok(response.headers["x-request-id"], path);
		}
	});

	it("acknowledges every event: unknown ones with an error, and a guest's own with a note", async t => {
		const { connect } = await open(t);
		const unknown = { ok: false, error: { type: "UNKNOWN_EVENT" } };
		const { socket: guest } = await connect({});
		const { socket: user } = await connect({ auth: { token: TOKEN } });
		for (const socket of [guest, user]) {
			for (const event of ["call", "subscribe:nothing", "subscribe:", "orders.create", "message", "constructor"])
				assert.deepEqual(await socket.timeout(20_000).emitWithAck(event, { showId: "1" }), unknown, event);
			for (const name of ["inventory", "products"])
				assert.deepEqual(await socket.timeout(20_000).emitWithAck(`subscribe:${name}`), { ok: true });
			assert.deepEqual(await socket.timeout(20_000).emitWithAck("subscribe:admin"), { ok: false, error: { type: "FORBIDDEN" } });
		}
		assert.deepEqual(await user.timeout(20_000).emitWithAck("subscribe:orders", "another user"), { ok: true });
		const noted = { ok: true, note: "guests receive no events of orders: sign in" };
		assert.deepEqual(await guest.timeout(20_000).emitWithAck("subscribe:orders", "another user"), noted);
		// Without an acknowledgement nothing is answered, and the connection stays.
		guest.emit("nothing");
		assert.deepEqual(await guest.timeout(20_000).emitWithAck("nothing"), unknown);
	});

	it("answers events with bytes like others, and takes U+FFFD over a WebSocket", async t => {
		const { connect } = await open(t);
		const unknown = { ok: false, error: { type: "UNKNOWN_EVENT" } };
		for (const transport of ["polling", "websocket"] as const) {
			const { socket } = await connect({ transports: [transport] });
			assert.deepEqual(await socket.timeout(20_000).emitWithAck("nothing", Buffer.alloc(20_000), Buffer.from("b")), unknown);
			if (transport === "websocket") assert.deepEqual(await socket.timeout(20_000).emitWithAck("nothing", "\ufffd"), unknown);
			assert.deepEqual(await socket.timeout(20_000).emitWithAck("subscribe:products", Buffer.from("a")), { ok: true });
			assert.ok(socket.connected);
		}
	});
});

/** Sends this many times, and resolves with the code and reason of the close. */
async function closedAfter(socket: WebSocket, count: number, send: () => void) {
	const closed = once(socket, "close");
	for (let n = 0; n < count && socket.readyState === socket.OPEN; n++) send();
	return within(closed, WAIT_MS, () => "the WebSocket to be closed");
}
