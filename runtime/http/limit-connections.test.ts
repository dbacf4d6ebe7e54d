// Real connections against a server with small limits.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import type { RequestListener, Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { promisify } from "node:util";
import { eventually, exchange, WAIT_MS } from "../../test/client.ts";
import { within } from "../../test/process.ts";
import { maxConnections } from "../open-files.ts";
import { trustedProxies } from "./client-address.ts";
import { createConnections } from "./connections.ts";
import { limitConnections } from "./limit-connections.ts";
import { logRefusals } from "./log-refusals.ts";
import { lowLimitWarning } from "./low-limit.ts";
import { httpServer, TIMEOUTS } from "./server.ts";
import { watchConnections } from "./watch-connections.ts";

const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const GET_AND_CLOSE = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

const urlOf = (server: Server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

/** Servers that count together; both answer 200, but `/slow` never. */
async function serve(t: TestContext, { maxPerAddress = 0, maxTotal = 1_000, proxies = [] as string[], servers = 1 } = {}) {
	const connections = createConnections({ maxPerAddress, maxTotal, isTrusted: trustedProxies(proxies) });
	const refusals: string[] = [];
	logRefusals(connections, { log: (message, { client }) => refusals.push(`${message}: ${client}`) });
	let busy = 0;
	const answer: RequestListener = (req, res) => {
		if (req.url === "/slow") busy++;
		else res.end("hello");
	};
	/** Sends requests that stay unanswered. */
	const keepBusy = async (...sockets: Socket[]) => {
		const wanted = busy + sockets.length;
		for (const socket of sockets) socket.write("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
		await eventually(() => assert.equal(busy, wanted), "the server to have the requests");
	};
	const start = async () => {
		const server = httpServer(TIMEOUTS, answer);
		limitConnections(server, connections, watchConnections(server, TIMEOUTS).closeIdle);
		server.listen(0, "127.0.0.1");
		await once(server, "listening");
		t.after(() => {
			server.close();
			server.closeAllConnections();
		});
		return server;
	};
	const [server, other] = await Promise.all(Array.from({ length: servers }, start));
	/** A connection that is open and silent; from the address `from`. */
	const open = async (to = server!, from = "127.0.0.1") => {
		const size = connections.size();
		const { port } = to.address() as AddressInfo;
		const socket = connect({ port, host: "127.0.0.1", localAddress: from }).on("error", () => {});
		t.after(() => socket.destroy());
		await within(once(socket, "connect"), WAIT_MS, () => "a connection to open");
		await eventually(() => assert.equal(connections.size(), size + 1), "the server to count the connection");
		return socket;
	};
	return { connections, refusals, server: server!, other: other!, open, keepBusy, url: urlOf(server!) };
}

const answered = async (socket: Socket, request = GET) => {
	socket.write(request);
	const [data] = await within(once(socket, "data"), WAIT_MS, () => "an answer");
	return String(data);
};
const isClosed = (socket: Socket) => eventually(() => assert.ok(socket.closed), "the connection to be closed");
/** A client that waits for the answer without having sent anything. */
const listen = async (url: string) => {
	const socket = connect(Number(new URL(url).port), "127.0.0.1").setTimeout(WAIT_MS, () => socket.destroy());
	let text = "";
	socket.setEncoding("utf8").on("data", part => {
		text += part;
	});
	await once(socket, "close");
	return text;
};

describe("connections", () => {
	it("of one address are limited from the first byte, over all servers, and can be opened again when others have closed", async t => {
		const { connections, refusals, url, other, open } = await serve(t, { maxPerAddress: 3, servers: 2 });
		const sockets = [await open(), await open(), await open(other)];
		for (const to of [url, urlOf(other)]) {
			const refused = await exchange(to, GET);
			assert.match(refused, /^HTTP\/1\.1 429 /);
			assert.match(refused, /^X-Request-ID: \S+\r$/m);
			assert.match(refused, /^Retry-After: 1\r$/m);
			assert.match(refused, /^Content-Security-Policy: /m);
			assert.equal(JSON.parse(refused.split("\r\n\r\n")[1]!).type, "TOO_MANY_REQUESTS");
		}
		assert.match(await listen(url), /^HTTP\/1\.1 429 /, "also for a client that sends nothing");
		assert.deepEqual(connections.refused, { address: 3, process: 0 });
		assert.equal(refusals.length, 3);
		for (const line of refusals) assert.match(line, /MAX_SOCKETS_PER_ADDRESS.*: [0-9a-f]{12}$/, "the address itself is personal");
		assert.match(await answered(sockets[0]!), /^HTTP\/1\.1 200 /);
		sockets[1]!.destroy();
		await eventually(() => assert.equal(connections.size(), 2), "the closed connection to be counted no more");
		assert.match(await exchange(url, GET_AND_CLOSE), /^HTTP\/1\.1 200 /);
	});

	it("of one address do not count for other addresses", async t => {
		const { server, open } = await serve(t, { maxPerAddress: 1 });
		const first = await open(server, "127.0.0.2");
		const second = await open(server, "127.0.0.3");
		for (const socket of [first, second]) assert.match(await answered(socket), /^HTTP\/1\.1 200 /);
	});

	it("of one address are at most half of those of the process, however high the limit of an address is", async t => {
		const { url, open } = await serve(t, { maxPerAddress: 1_000, maxTotal: 4 });
		await open();
		await open();
		assert.match(await exchange(url, GET), /^HTTP\/1\.1 429 /);
	});

	it("of all are limited: the longest idle one makes room for a new one, on whichever server it is", async t => {
		const { connections, other, open, keepBusy } = await serve(t, { maxTotal: 3, servers: 2 });
		const [busy, idle, younger] = [await open(), await open(), await open()];
		await keepBusy(busy);
		assert.match(await answered(idle), /^HTTP\/1\.1 200 /);
		await answered(younger);
		const socket = connect((other.address() as AddressInfo).port, "127.0.0.1");
		t.after(() => socket.destroy());
		assert.match(await answered(socket), /^HTTP\/1\.1 200 /);
		await isClosed(idle);
		assert.deepEqual([busy.closed, younger.closed, connections.size()], [false, false, 3]);
	});

	it("of all make room in the order in which they became idle, however old they are", async t => {
		const { url, open } = await serve(t, { maxTotal: 3 });
		const [oldest, silent, other] = [await open(), await open(), await open()];
		assert.match(await answered(oldest), /^HTTP\/1\.1 200 /);
		assert.match(await exchange(url, GET_AND_CLOSE), /^HTTP\/1\.1 200 /);
		await isClosed(silent);
		const sockets = [oldest, other];
		assert.deepEqual(
			sockets.map(({ closed }) => closed),
			[false, false]
		);
		assert.match(await answered(oldest), /^HTTP\/1\.1 200 /);
	});

	it("of all are refused with 503 when none is idle", async t => {
		const { connections, refusals, url, open, keepBusy } = await serve(t, { maxTotal: 2 });
		await keepBusy(await open(), await open());
		const refused = await exchange(url, GET);
		assert.match(refused, /^HTTP\/1\.1 503 /);
		assert.match(refused, /^Retry-After: 1\r$/m);
		assert.deepEqual([connections.refused.process, connections.size()], [1, 2]);
		assert.equal(refusals.length, 1);
		assert.match(refusals[0]!, /ulimit -n/);
	});

	it("of a flood beyond the limit are all closed, and none of them is counted", async t => {
		const { connections, server, open } = await serve(t, { maxPerAddress: 10 });
		for (let n = 0; n < 10; n++) await open();
		const { port } = server.address() as AddressInfo;
		const flood = Array.from({ length: 500 }, () =>
			connect(port, "127.0.0.1")
				.on("error", () => {})
				.resume()
		);
		for (const socket of flood) t.after(() => socket.destroy());
		await eventually(() => assert.ok(flood.every(({ closed }) => closed)), "all to be closed");
		assert.deepEqual([connections.size(), connections.refused.address], [10, 500]);
	});

	it("of an IPv6 /64 count as those of one address, and do not count for the other networks of its /48", () => {
		const connections = createConnections({ maxPerAddress: 3, maxTotal: 1_000, isTrusted: () => false });
		const from = (network: number) => connections.acquire(`2001:db8:1:${network}::/64`);
		for (let n = 0; n < 20; n++) for (let held = 0; held < 3; held++) assert.ok(from(n), `${n}`);
		assert.equal(from(0), undefined);
	});

	it("of a trusted proxy are shared by its clients, and count only in the total", async t => {
		const { connections, server, open } = await serve(t, { maxPerAddress: 1, maxTotal: 4, proxies: ["127.0.0.9"] });
		for (let n = 0; n < 3; n++) await open(server, "127.0.0.9");
		assert.equal(connections.size(), 3);
		const release = connections.acquire("203.0.113.7");
		assert.ok(release);
		assert.equal(connections.acquire("203.0.113.7"), undefined);
		assert.ok(connections.acquire("203.0.113.8"), "another client of the same proxy");
		release();
		release();
		assert.ok(connections.acquire("203.0.113.7"));
		assert.equal(connections.acquire("203.0.113.7"), undefined, "a second release changes nothing");
	});
});

describe("the limit of open files", () => {
	const run = async (expression: string) => {
		const script = `import(${JSON.stringify(import.meta.resolve("../open-files.ts"))}).then(files => console.log(files.${expression}))`;
		const shell = 'ulimit -n 300 && exec "$0" --eval "$1"';
		return Number((await promisify(execFile)("sh", ["-c", shell, process.execPath, script])).stdout);
	};

	it("is the process's own", { skip: process.platform === "win32" }, async () => {
		assert.equal(await run("openFilesLimit()"), 300);
	});

	it("leaves the process itself half of few files, and 2,048 of many", () => {
		assert.deepEqual(
			[maxConnections(300), maxConnections(20_000), maxConnections(Number.POSITIVE_INFINITY)],
			[150, 17_952, Number.POSITIVE_INFINITY]
		);
	});

	it("is named in a warning where it allows an address fewer connections than MAX_SOCKETS_PER_ADDRESS", () => {
		const warning = lowLimitWarning({ maxPerAddress: 2_000, maxTotal: maxConnections(1_024) });
		assert.match(warning ?? "", /^an address may open 256 connections, not MAX_SOCKETS_PER_ADDRESS=2000: .*ulimit -n/);
		assert.equal(lowLimitWarning({ maxPerAddress: 256, maxTotal: maxConnections(1_024) }), undefined);
		assert.equal(lowLimitWarning({ maxPerAddress: 0, maxTotal: maxConnections(1_024) }), undefined);
	});
});
