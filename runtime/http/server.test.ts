// Real sockets against the server with short timeouts: slow clients and invalid requests.
import assert from "node:assert/strict";
import { once } from "node:events";
import type { RequestListener, Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { after, before, describe, it } from "node:test";
import { eventually, exchange } from "../../test/client.ts";
import { sendError } from "./http-error.ts";
import { requestError } from "./request-error.ts";
import { httpServer, TIMEOUTS } from "./server.ts";
import { watchConnections } from "./watch-connections.ts";

const SHORT = { headersMs: 300, requestMs: 300, responseMs: 300, checkEveryMs: 50 };
/** More than the socket buffers of the system take, so that bytes stay unsent if the client does not read. */
const LARGE = Buffer.alloc(32 * 1024 * 1024, "x");

/** Answers the request's body, or `LARGE`. */
const echo: RequestListener = (req, res) => {
	const error = requestError(req);
	if (error) return sendError(res, error);
	let body = "";
	req.setEncoding("utf8").on("data", part => {
		body += part;
	});
	req.on("error", () => {});
	req.on("end", () => res.end(req.url === "/large" ? LARGE : body));
};

const serve = async (timeouts: typeof TIMEOUTS) => {
	const server = httpServer(timeouts, echo);
	watchConnections(server, timeouts);
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	return server;
};
const urlOf = (server: Server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

const assertRejected = (response: string, status: number, about: string) => {
	const [head = "", body = ""] = response.split("\r\n\r\n");
	assert.match(head, new RegExp(`^HTTP/1\\.1 ${status} `), `${about}: ${response}`);
	assert.match(head, /^X-Request-ID: \S+$/m);
	assert.match(head, /^Content-Security-Policy: default-src 'none'/m);
	assert.match(head, /^Connection: close$/m);
	assert.deepEqual(Object.keys(JSON.parse(body)), ["name", "message", "code", "type", "data"], about);
};

describe("an HTTP server", () => {
	let strict: Server;
	let patient: Server;
	before(async () => {
		[strict, patient] = [await serve(SHORT), await serve(TIMEOUTS)];
	});
	after(() => {
		for (const server of [strict, patient]) {
			server?.close();
			server?.closeAllConnections();
		}
	});
	const connections = () =>
		new Promise<number>((resolve, reject) => strict.getConnections((error, count) => (error ? reject(error) : resolve(count))));
	const open = () => connect((strict.address() as AddressInfo).port, "127.0.0.1").on("error", () => {});

	/** Sends a byte at a time until the server closes the connection; resolves with the response. */
	const trickle = async (start: string, bytes: string) => {
		const socket = open();
		let response = "";
		const more = setInterval(() => socket.write(bytes), 20);
		socket.setEncoding("utf8").on("data", part => {
			response += part;
			// Bytes that arrive after the server has closed make it reset the connection, and a reset can discard the unread response.
			clearInterval(more);
		});
		socket.write(start);
		await once(socket, "close", { signal: AbortSignal.timeout(30_000) }).finally(() => clearInterval(more));
		return response;
	};

	it("closes a connection that sends nothing, or whose headers do not end in time", async () => {
		assertRejected(await trickle("", ""), 408, "silence");
		assertRejected(await trickle("GET / HTTP/1.1\r\nHost: x\r\n", "X-A: b\r\n"), 408, "endless headers");
		assertRejected(await trickle("POST /", "/"), 408, "an endless path");
	});

	it("closes a connection whose body does not end in time", async () => {
		const post = "POST / HTTP/1.1\r\nHost: x\r\n";
		assertRejected(await trickle(`${post}Content-Length: 1000000\r\n\r\n`, "x"), 408, "with a length");
		assertRejected(await trickle(`${post}Transfer-Encoding: chunked\r\n\r\n`, "1\r\nx\r\n"), 408, "in chunks");
	});

	const readers: [how: string, read: (socket: Socket) => NodeJS.Timeout | undefined][] = [
		["not at all", socket => void socket.pause()],
		["slowly", socket => setInterval(() => socket.read(1024), 20)]
	];
	for (const [how, read] of readers)
		it(`closes the connection of a client that reads its response ${how}`, async t => {
			const connected = once(strict, "connection");
			const socket = open().pause();
			t.after(() => socket.destroy());
			const reading = read(socket);
			socket.on("readable", () => {});
			socket.write("GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
			await connected;
			await eventually(async () => assert.equal(await connections(), 0), "the server to close the connection");
			clearInterval(reading);
		});

	it("sends a whole large response to a client that reads it", async () => {
		const response = await exchange(urlOf(patient), "GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
		assert.equal(response.length - response.indexOf("\r\n\r\n") - 4, LARGE.length);
	});

	it("answers 413 to a body that arrives in very many pieces, and closes the connection", async () => {
		const post = "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
		const inPieces = (count: number) => exchange(urlOf(patient), `${post}${"1\r\nx\r\n".repeat(count)}0\r\n\r\n`);
		assert.match(await inPieces(2_048), /^HTTP\/1\.1 200 .*\r\n\r\nx{2048}$/s);
		for (const count of [2_049, 100_000]) assertRejected(await inPieces(count), 413, `${count} pieces`);
	});

	it("reads a large body in more pieces, if they are not short", async () => {
		const post = "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
		const inPieces = (bytes: number) =>
			exchange(urlOf(patient), `${post}${`${bytes.toString(16)}\r\n${"x".repeat(bytes)}\r\n`.repeat(3_000)}0\r\n\r\n`);
		assert.match(await inPieces(1_024), /^HTTP\/1\.1 200 /);
		assertRejected(await inPieces(500), 413, "pieces of less than 512 bytes");
	});

	it("does not read more than 64 KiB of a compressed body, whatever it holds", async () => {
		const size = 64 * 1024;
		const send = (encoding: string, length: string, body: string) =>
			exchange(
				urlOf(patient),
				`POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Encoding: ${encoding}\r\n${length}\r\n\r\n${body}`
			);
		const inChunks = (encoding: string, bytes: number) =>
			send(encoding, "Transfer-Encoding: chunked", `${bytes.toString(16)}\r\n${"x".repeat(bytes)}\r\n0\r\n\r\n`);
		for (const encoding of ["gzip", "br"]) {
			assert.match(await inChunks(encoding, size), /^HTTP\/1\.1 200 /);
			assertRejected(await inChunks(encoding, size + 1), 413, encoding);
			assert.match(await send(encoding, `Content-Length: ${size + 1}`, "x".repeat(size + 1)), /^HTTP\/1\.1 413 /);
		}
		assert.match(await inChunks("identity", size + 1), /^HTTP\/1\.1 200 /);
	});

	it("rejects requests with an invalid or ambiguous length", async () => {
		for (const fields of [
			"Content-Length: 5\r\nContent-Length: 6",
			"Content-Length: 5\r\nContent-Length: 5",
			"Content-Length: 5, 5",
			"Content-Length: +5",
			"Content-Length: -5",
			"Content-Length: 0x5",
			"Content-Length: 5 5",
			"Content-Length:",
			"Content-Length: 99999999999999999999999",
			"Content-Length: 5\r\nTransfer-Encoding: chunked",
			"Transfer-Encoding: chunked\r\nContent-Length: 5",
			"Transfer-Encoding: gzip",
			"Transfer-Encoding: chunked, gzip",
			"Transfer-Encoding: xchunked"
		])
			assertRejected(await exchange(urlOf(patient), `POST / HTTP/1.1\r\nHost: x\r\n${fields}\r\n\r\nhello`), 400, fields);
	});

	it("rejects requests that are not HTTP", async () => {
		for (const text of [
			"hello\r\n\r\n",
			"\u0016\u0003\u0001\u0002",
			"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
			"BREW / HTTP/1.1\r\nHost: x\r\n\r\n",
			"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: x\r\n folded: y\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: x\r\nA: b\u0000c\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: x\r\nA: b\nC: d\r\n\r\n",
			"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nhello\r\n0\r\n\r\n"
		])
			assertRejected(await exchange(urlOf(patient), text), 400, JSON.stringify(text));
	});

	it("rejects headers that are too large", async () => {
		assertRejected(
			await exchange(urlOf(patient), `GET / HTTP/1.1\r\nHost: x\r\nA: ${"x".repeat(17_000)}\r\n\r\n`),
			431,
			"a header"
		);
	});

	it("rejects a header that is repeated although other software may read another of its values", async () => {
		for (const header of ["Host: x", "Authorization: Bearer a", "Content-Type: application/json", "idempotency-KEY: a"]) {
			const name = header.split(":", 1)[0] as string;
			const repeated = `POST / HTTP/1.1\r\n${name === "Host" ? "" : "Host: x\r\n"}${header}\r\nX-A: b\r\n${header.toLowerCase()}\r\nConnection: close\r\n\r\n`;
			const response = await exchange(urlOf(patient), repeated);
			assert.match(response, /^HTTP\/1\.1 400 /, `${header}: ${response}`);
			assert.match(response, new RegExp(name, "i"));
		}
		const many =
			"Cookie: a=b\r\nCookie: c=d\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 192.0.2.2\r\nAccept: */*\r\nAccept: */*";
		const response = await exchange(urlOf(patient), `POST / HTTP/1.1\r\nHost: x\r\n${many}\r\nConnection: close\r\n\r\n`);
		assert.match(response, /^HTTP\/1\.1 200 /);
	});

	it("answers a request with an Upgrade header that starts no WebSocket like one without it", async () => {
		const handshake =
			"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==";
		for (const [method, headers] of [
			["POST", handshake],
			["GET", handshake.replace("websocket", "h2c")],
			["GET", handshake.replace("13", "7")],
			["GET", handshake.replace("==", "")],
			["GET", handshake.replace(/Sec-WebSocket-Key.*/, "X-A: b")]
		]) {
			const socket = connect((patient.address() as AddressInfo).port, "127.0.0.1").setEncoding("utf8");
			let received = "";
			socket.on("data", part => {
				received += part;
			});
			// On the same connection: it has become nothing else.
			for (let answers = 1; answers <= 2; answers++) {
				socket.write(`${method} / HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\n`);
				await eventually(
					() => assert.equal(received.split("HTTP/1.1 200 OK").length, answers + 1),
					`answer ${answers} to ${headers}`
				);
			}
			socket.destroy();
		}
	});

	it("rejects an unreadable connection once, however many packets arrive", async t => {
		const rejected: string[] = [];
		const server = httpServer(TIMEOUTS, echo, {
			async reject(socket, { type }) {
				rejected.push(type);
				await once(socket, "close");
			}
		});
		await once(server.listen(0, "127.0.0.1"), "listening");
		const connected = once(server, "connection") as Promise<[Socket]>;
		const socket = connect((server.address() as AddressInfo).port, "127.0.0.1").on("error", () => {});
		t.after(() => {
			socket.destroy();
			server.closeAllConnections();
			server.close();
		});
		const [accepted] = await connected;
		const packet = "hello\r\n\r\n";
		for (let n = 1; n <= 5; n++) {
			socket.write(packet);
			await eventually(() => assert.equal(accepted.bytesRead, n * packet.length), `packet ${n} to be read`);
		}
		assert.deepEqual(rejected, ["BAD_REQUEST"]);
	});

	it("rejects CONNECT and unknown expectations", async () => {
		assertRejected(await exchange(urlOf(patient), "CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n"), 404, "CONNECT");
		const response = await exchange(urlOf(patient), "GET / HTTP/1.1\r\nHost: x\r\nExpect: cake\r\nConnection: close\r\n\r\n");
		assert.match(response, /^HTTP\/1\.1 417 /);
	});
});
