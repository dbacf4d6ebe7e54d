import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { after, before, beforeEach, describe, it } from "node:test";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { httpListenerOf } from "../../runtime/http/http-listener.ts";
import { WAIT_MS } from "../../test/client.ts";
import { within } from "../../test/process.ts";
import { type Gateway, json, MAX_BODY, startGateway } from "./gateway.testing.ts";

const { bytes: MAX_BYTES, values: MAX_VALUES } = MAX_BODY;

describe("a maxBody", () => {
	let gateway: Gateway;
	before(async () => {
		gateway = await startGateway();
	});
	after(() => gateway?.broker.stop());
	beforeEach(() => {
		gateway.calls.length = 0;
	});
	const filled = (bytes: number) => JSON.stringify({ text: "x".repeat(bytes - 11) });
	const post = (token: string, body: string | Uint8Array<ArrayBuffer>, more = {}, path = "/notes") =>
		gateway.http.send("POST", path, json(token, more), body);
	const typeOf = ({ json }: Awaited<ReturnType<typeof post>>) => json.type;

	it("accepts bodies up to its limits, and answers 413 to more bytes and 400 to more values", async () => {
		assert.equal((await post("boss", filled(MAX_BYTES))).status, 201);
		const larger = await post("boss", filled(MAX_BYTES + 1));
		assert.deepEqual([larger.status, typeOf(larger)], [413, "PAYLOAD_TOO_LARGE"]);
		const values = (count: number) => JSON.stringify({ list: Array(count - 2).fill(0) });
		assert.equal((await post("boss", values(MAX_VALUES))).status, 201);
		const more = await post("boss", values(MAX_VALUES + 1));
		assert.deepEqual([more.status, typeOf(more)], [400, "UNREADABLE_JSON"]);
		assert.match(more.json.message, /more than 20000 values/);
		assert.equal(gateway.calls.length, 2);
	});

	it("changes nothing for other actions", async () => {
		assert.equal((await post("boss", filled(64 * 1024), {}, "/notes/1")).status, 200);
		assert.equal((await post("boss", filled(64 * 1024 + 1), {}, "/notes/1")).status, 413);
		assert.equal((await post("boss", JSON.stringify({ list: Array(2_000).fill(0) }), {}, "/notes/1")).status, 400);
	});

	it("holds for the decompressed body, and a compressed one has at most 64 KiB", async () => {
		for (const [encoding, compress] of [
			["gzip", gzipSync],
			["br", brotliCompressSync]
		] as const) {
			const packed = (body: string | Buffer) => post("boss", new Uint8Array(compress(body)), { "content-encoding": encoding });
			assert.equal((await packed(filled(MAX_BYTES))).status, 201, encoding);
			assert.equal((await packed(filled(MAX_BYTES + 1))).status, 413, encoding);
			assert.equal((await packed(Buffer.alloc(64 * 1024 * 1024))).status, 413, encoding);
		}
		const incompressible = randomBytes(100_000).toString("base64");
		const packed = new Uint8Array(gzipSync(JSON.stringify({ text: incompressible })));
		assert.ok(packed.length > 64 * 1024, "the test's body is compressed too well");
		assert.equal((await post("boss", packed, { "content-encoding": "gzip" })).status, 413);
	});

	it("is only for admins: the others are refused before their body is read, however it is sent", async () => {
		for (const [token, status] of [
			["user", 403],
			["nonsense", 401],
			["", 401]
		] as const)
			for (const length of [`Content-Length: ${MAX_BYTES}`, `Content-Length: ${10 * MAX_BYTES}`, "Transfer-Encoding: chunked"]) {
				const socket = connect(gateway.port, "127.0.0.1");
				const answered = once(socket.setEncoding("utf8"), "data") as Promise<[string]>;
				const auth = token ? `Authorization: Bearer ${token}\r\n` : "";
				// The rest of the body never comes.
				socket.write(`POST /notes HTTP/1.1\r\nHost: x\r\n${auth}Content-Type: application/json\r\n${length}\r\n\r\n`);
				const [text] = await within(answered, WAIT_MS, () => `the answer to ${token}, ${length}, without its body`);
				assert.match(text, new RegExp(`^HTTP/1\\.1 ${status} `), `${token} ${length}`);
				socket.destroy();
			}
		assert.equal(gateway.calls.length, 0);
	});

	it("calls nothing if the connection is closed before the end of the body", async () => {
		const { server } = httpListenerOf(gateway.broker);
		for (const start of [
			`Content-Length: ${MAX_BYTES}\r\n\r\n{"text":"half"}`,
			'Transfer-Encoding: chunked\r\n\r\nf\r\n{"text":"half"}\r\n'
		]) {
			const socket = connect(gateway.port, "127.0.0.1");
			const arrived = once(server, "request");
			socket.write(`POST /notes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer boss\r\nContent-Type: application/json\r\n${start}`);
			const [, res] = await within(arrived, WAIT_MS, () => "the request to arrive");
			const closed = once(res, "close");
			socket.destroy();
			await within(closed, WAIT_MS, () => "the server to see that the client has left");
		}
		// A later request has passed through everything that the first ones could.
		assert.equal((await post("boss", '{"text":"whole"}')).status, 201);
		assert.deepEqual(
			gateway.calls.map(({ params }) => params),
			[{ text: "whole" }]
		);
	});

	describe("with a burst of 500 requests", () => {
		const start = async (t: { after(end: () => unknown): void }) => {
			const { broker, http } = await startGateway(100);
			t.after(() => broker.stop());
			return async (kib: number) => (await http.post("/notes", filled(kib * 1024), json("boss"))).status;
		};

		it("counts each started KiB of a larger body as a request of the admin's address", async t => {
			const fill = await start(t);
			assert.deepEqual([await fill(300), await fill(200), await fill(1)], [201, 201, 429]);
		});

		it("counts a body that costs more than a full burst as a full burst", async t => {
			const fill = await start(t);
			assert.deepEqual([await fill(510), await fill(1)], [201, 429]);
		});
	});
});
