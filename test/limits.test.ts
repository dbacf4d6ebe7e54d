// A system with strict limits: no guests, few requests, frames and sockets, a token for gRPC, and one allowed foreign origin.
import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, type AgentOptions, request } from "node:http";
import { after, before, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { status } from "@grpc/grpc-js";
import { WebSocket } from "ws";
import { grpcClient } from "./client.grpc.ts";
import { openSocket, type Socket } from "./client.socket.ts";
import { eventually, exchange, fresh, httpClient, WAIT_MS } from "./client.ts";
import { assertError } from "./http.story.ts";
import { within } from "./process.ts";
import { type System, startSystem } from "./system.ts";

const FRIEND = "https://friend.example";
const TOKEN = "a token for the wallet";
/** Of 60 KiB. */
const BODY = Buffer.from("{}".padEnd(60 * 1024));

describe("a strict system", () => {
	let system: System;
	before(async () => {
		const limits = { MAX_REQUESTS_PER_SECOND: "20", MAX_FRAMES_PER_SECOND: "10" };
		const env = {
			...limits,
			GUESTS: "off",
			ALLOWED_ORIGINS: `${FRIEND},https://other.example`,
			GRPC_TOKEN: TOKEN,
			METRICS_PORT: "0"
		};
		system = await startSystem({ profile: "embedded", env });
	});
	after(() => system?.stop());

	const http = () => httpClient(system.url);
	const closed = async (...sockets: Socket[]) => {
		for (const socket of sockets) socket.close();
		await Promise.all(sockets.map(socket => socket.closed()));
	};

	it("answers 401 with a reason to writes of guests, and stores none of them", async () => {
		const user_id = fresh("guest");
		for (const answer of [
			await http().post("/api/selections/async", { name: "a", id: fresh(), user_id }),
			await http().post("/api/selections/synchronization", { user_id }),
			await http().post("/api/purchases", { user_id, amount: 1 })
		]) {
			assertError(answer, 401, "UNAUTHORIZED");
			assert.match(answer.json.message, /guests.*sign in/i);
		}
		const socket = await openSocket(system.wsUrl);
		for (const frame of [
			{ code: "connect", data: { user: user_id } },
			{ user_id, amount: 1 }
		]) {
			const { code, data } = await socket.request(frame);
			assert.deepEqual([code, data.type], ["error", "UNAUTHORIZED"]);
		}
		const watched = await socket.request({ code: "watch", data: { selections: true } });
		assert.ok(watched.data.every(({ count }: { count: number }) => count === 0));
		await closed(socket);
	});

	it("checks the request before the caller: unreadable JSON gives 400 and an unknown path 404", async () => {
		assertError(await http().post("/api/purchases", "{"), 400);
		assertError(await http().get("/nothing"), 404);
	});

	it("accepts gRPC calls with the right token only", async () => {
		const user = fresh("buyer");
		for (const token of [undefined, "another token", ""]) {
			const grpc = grpcClient(system.grpc, token);
			await assert.rejects(grpc.getBalance(user), { code: status.UNAUTHENTICATED });
			await assert.rejects(grpc.getTotalSpent(user), { code: status.UNAUTHENTICATED });
			grpc.close();
		}
		const grpc = grpcClient(system.grpc, TOKEN);
		assert.deepEqual(await grpc.getBalance(user), { balances: { total: 0 } });
		grpc.close();
	});

	it("accepts browsers from the allowed origins only", async () => {
		const preflight = await http().send("OPTIONS", "/api/purchases", {
			origin: FRIEND,
			"access-control-request-method": "POST",
			"access-control-request-headers": "content-type"
		});
		assert.ok(preflight.status === 200 || preflight.status === 204, `${preflight.status} ${preflight.text}`);
		assert.equal(preflight.headers.get("access-control-allow-origin"), FRIEND);
		const listed = await http().get("/selections", { origin: FRIEND });
		assert.deepEqual([listed.status, listed.headers.get("access-control-allow-origin")], [200, FRIEND]);
		// Early errors carry the CORS header too; otherwise the page could not read the reason.
		const unreadable = await http().post("/api/purchases", "{", { origin: FRIEND });
		assert.deepEqual([unreadable.status, unreadable.headers.get("access-control-allow-origin")], [400, FRIEND]);
		await closed(await openSocket(system.wsUrl, { origin: FRIEND }));
		for (const origin of [`${FRIEND}.evil.example`, "https://friend.exampl", "http://friend.example"]) {
			await assert.rejects(openSocket(system.wsUrl, { origin }), { status: 403 });
			assert.equal((await http().get("/selections", { origin })).headers.get("access-control-allow-origin"), null);
		}
	});

	it("handles a burst of five times the frame limit", async () => {
		const socket = await openSocket(system.wsUrl);
		for (let n = 0; n < 49; n++) socket.send("{}");
		await eventually(() => assert.equal(socket.of("error").length, 49), "an answer to every frame of the burst");
		assert.ok(socket.open);
		await closed(socket);
	});

	it("closes a flooding socket with 1008, and leaves the others open", async () => {
		const [flood, calm] = [await openSocket(system.wsUrl), await openSocket(system.wsUrl)];
		for (let n = 0; n < 200; n++) flood.send({ code: "watch", data: { selections: true } });
		assert.equal(await flood.closed(), 1008);
		assert.equal((await calm.request({ code: "watch", data: { selections: true } })).code, "Selections");
		await closed(calm);
	});

	it("counts a frame once for each started KiB: one of 40 KiB is within the burst of 50, one of 60 KiB closes the socket", async () => {
		const padded = (kib: number) => "{}".padEnd(kib * 1024);
		const [small, large] = [await openSocket(system.wsUrl), await openSocket(system.wsUrl)];
		assert.equal((await small.request(padded(40))).code, "error");
		large.send(padded(60));
		assert.equal(await large.closed(), 1008);
		assert.deepEqual(large.frames, []);
		await closed(small);
	});

	it("counts a Socket.IO packet in the same way", async () => {
		const transport = new WebSocket(`${system.url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`);
		await within(once(transport, "open"), WAIT_MS, () => "the transport to open");
		const closed = once(transport, "close");
		const startedAtMs = performance.now();
		transport.send("6".padEnd(60 * 1024));
		await within(closed, WAIT_MS, () => "the transport to be closed");
		assert.ok(performance.now() - startedAtMs < 9_000, "the connect timeout closed it, not the flood limit");
	});

	/** Sends a body; resolves to the status. */
	const post = (agent: Agent, body: Buffer, headers: Record<string, string | number>) =>
		new Promise<number>((resolve, reject) => {
			const sent = request(
				new URL("/api/purchases", system.url),
				{ method: "POST", agent, timeout: WAIT_MS, headers: { "content-type": "application/json", ...headers } },
				response => response.resume().on("end", () => resolve(response.statusCode ?? 0))
			);
			sent.on("timeout", () => sent.destroy(new Error(`no answer to a body within ${WAIT_MS} ms`)));
			sent.on("error", reject).end(body);
		});

	for (const [what, localAddress, body, headers] of [
		["announced", "127.0.0.21", BODY, { "content-length": BODY.length }],
		["sent in chunks", "127.0.0.22", BODY, { "transfer-encoding": "chunked" }],
		["compressed", "127.0.0.23", gzipSync(BODY), { "content-encoding": "gzip", "content-length": gzipSync(BODY).length }]
	] as const)
		it(`counts a body once for each started KiB: 40 of 60 KiB, ${what}, are more than the burst of 100`, async () => {
			// Another address of this machine has limits of its own.
			const agent = new Agent({ keepAlive: true, maxSockets: 1, localAddress } as AgentOptions);
			try {
				const statuses = await Promise.all(Array.from({ length: 40 }, () => post(agent, body, headers)));
				assert.ok(
					statuses.every(status => status === 401 || status === 429),
					statuses.join()
				);
				assert.ok(statuses.includes(401), "not even the first one was within the burst");
				assert.ok(statuses.includes(429), "none was refused");
			} finally {
				agent.destroy();
			}
		});

	it("closes a flooding Socket.IO transport that has not connected yet", async () => {
		const transport = new WebSocket(`${system.url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`);
		await within(once(transport, "open"), WAIT_MS, () => "the transport to open");
		const closed = once(transport, "close");
		const startedAtMs = performance.now();
		for (let n = 0; n < 200; n++) transport.send("6");
		await within(closed, WAIT_MS, () => "the transport to be closed");
		assert.ok(performance.now() - startedAtMs < 9_000, "the connect timeout closed it, not the flood limit");
	});

	it("answers 429 with Retry-After to a flood of requests, whatever address the client claims, and accepts requests again later", async () => {
		const ask = (n: number) => http().get("/selections", { "x-forwarded-for": `10.0.0.${n % 250}` });
		const answers = await Promise.all(Array.from({ length: 400 }, (_, n) => ask(n)));
		const refused = answers.filter(({ status }) => status === 429);
		assert.ok(answers.every(({ status }) => status === 200 || status === 429));
		assert.ok(refused.length > 0, "no request was refused");
		const [first] = refused;
		assertError(first as (typeof answers)[number], 429);
		for (const { headers } of refused) {
			const seconds = Number(headers.get("retry-after"));
			assert.ok(Number.isInteger(seconds) && seconds >= 1, `Retry-After: ${headers.get("retry-after")}`);
			assert.ok(headers.get("x-request-id"));
		}
		await eventually(async () => assert.equal((await http().get("/selections")).status, 200), "requests to be accepted again");
	});

	it("counts unreadable requests and bad upgrades like other requests, and logs one line about the client", async () => {
		const handshake =
			"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==";
		for (const [what, sent, status] of [
			["no HTTP", "hello\r\n\r\n", 400],
			["two Hosts", "GET /selections HTTP/1.1\r\nHost: x\r\nHost: y\r\nConnection: close\r\n\r\n", 400],
			["an expectation", "GET /selections HTTP/1.1\r\nHost: x\r\nExpect: cake\r\nConnection: close\r\n\r\n", 417],
			["CONNECT", "CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n", 404],
			["an upgrade elsewhere", `GET /nothing HTTP/1.1\r\nHost: x\r\n${handshake}\r\nConnection: close\r\n\r\n`, 404],
			["a bad token", `GET /ws HTTP/1.1\r\nHost: x\r\n${handshake}\r\nAuthorization: Bearer nonsense\r\n\r\n`, 401]
		] as const) {
			await eventually(
				async () => assert.match(await exchange(system.url, sent), new RegExp(`^HTTP/1\\.1 ${status} `)),
				`${what} to be answered with ${status}`
			);
			let answer = "";
			for (let n = 0; n < 2_000 && !answer.startsWith("HTTP/1.1 429 "); n++) answer = await exchange(system.url, sent);
			assert.match(answer, /^HTTP\/1\.1 429 [\s\S]*\r\nRetry-After: \d+\r\n/, what);
			assert.match(answer, /\r\nX-Request-ID: \S+\r\n/, what);
		}
		const lines = system
			.logs()
			.split("\n")
			.filter(line => line.includes("exceeds MAX_REQUESTS_PER_SECOND"));
		assert.ok(lines.length > 0, "no line about the flood");
		assert.ok(
			lines.every(line => !line.includes("127.0.0.1")),
			lines[0]
		);
	});

	it("answers health requests during a flood", async () => {
		const asked = ["/health", "/health/live", "/health/ready"].flatMap(path =>
			Array.from({ length: 100 }, () => http().get(path))
		);
		const answers = await Promise.all([...asked, ...Array.from({ length: 200 }, () => http().get("/selections"))]);
		assert.ok(answers.slice(0, asked.length).every(({ status }) => status === 200));
	});
});
