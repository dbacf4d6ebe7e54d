// The edges of HTTP, over raw sockets, because `fetch` would not send most of these requests.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import type { ActionContract } from "../contract/action.ts";
import { actions } from "../services/contract.ts";
import { exchange, fresh, httpClient, rawRequest } from "./client.ts";
import { assertError } from "./http.story.ts";
import type { System } from "./system.ts";

const HANDSHAKE =
	"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==";
const PAGES = ["/index.html", "/products", "/orders", "/shows", "/admin", "/admin/orders", "/css/base.css", "/vendor/uplot.js"];
const GET_ROUTES = Object.values(actions as unknown as Record<string, ActionContract>).flatMap(({ rest }) =>
	rest?.startsWith("GET ") ? [rest.replace("GET ", "").replace(/:\w+/g, "x")] : []
);
const ENCODERS = { gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync, zstd: zstdCompressSync };

const parse = (response: string) => {
	const [head = "", text = ""] = response.split(/\r\n\r\n([\s\S]*)/, 2);
	const [start = "", ...lines] = head.split("\r\n");
	const headers = new Headers(lines.map(line => line.split(/: (.*)/, 2) as [string, string]));
	const json = headers.get("content-type")?.includes("json") ? JSON.parse(text || "null") : undefined;
	return { status: Number(start.split(" ")[1]), headers, text, json };
};

export const httpEdgesStory = (plaza: () => System) =>
	describe("the edges of HTTP", { concurrency: 8 }, () => {
		const http = () => httpClient(plaza().url);
		/** Sends a request line with these header lines, and reads until the server closes the connection. */
		const ask = async (start: string, lines = "Host: x", body = "") =>
			parse(await exchange(plaza().url, `${start}\r\n${lines}\r\nConnection: close\r\n\r\n${body}`));
		const sendBytes = (path: string, body: Buffer, encoding: string) =>
			http().send("POST", path, { "content-type": "application/json", "content-encoding": encoding }, new Uint8Array(body));

		it("give every refusal our JSON, a request id and the security headers", async () => {
			const upgrade = (path: string, more = "", start = "GET") =>
				[`${start} ${path} HTTP/1.1`, `Host: x\r\n${HANDSHAKE}${more}`] as const;
			const refusals: [status: number, start: string, lines?: string][] = [
				[417, "GET /selections HTTP/1.1", "Host: x\r\nExpect: cake"],
				[400, "GET /selections HTTP/1.1", "Host: x\r\nHost: y"],
				[400, "GET /selections HTTP/1.1", "Host: x\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b"],
				[400, "GET /selections HTTP/9.9"],
				[400, "hello"],
				[400, "GET /%zz HTTP/1.1"],
				[400, "GET ftp://host/selections HTTP/1.1"],
				[400, "GET * HTTP/1.1"],
				[414, `GET /${"x".repeat(9_000)} HTTP/1.1`],
				[431, "GET /selections HTTP/1.1", `Host: x\r\nX-A: ${"x".repeat(17_000)}`],
				[404, "CONNECT example.org:443 HTTP/1.1"],
				[404, "TRACE /selections HTTP/1.1"],
				[404, "PROPFIND /index.html HTTP/1.1"],
				[404, ...upgrade("/nothing")],
				[404, ...upgrade("/selections", "", "POST")],
				[403, ...upgrade("/ws", "\r\nOrigin: http://evil.example")],
				[401, ...upgrade("/ws", "\r\nAuthorization: Bearer nonsense")],
				[400, ...upgrade("/ws", "\r\nSec-WebSocket-Protocol: ,")],
				[400, ...upgrade("/socket.io/?EIO=4&transport=carrier-pigeon")],
				[400, ...upgrade("/socket.io/?EIO=4&transport=websocket&sid=nothing")],
				[403, ...upgrade("/socket.io/?EIO=4&transport=websocket", "\r\nOrigin: http://evil.example")],
				[400, ...upgrade("/ws", "\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b")]
			];
			for (const [status, start, lines] of refusals) {
				const about = `${start.slice(0, 80)} ${lines?.slice(0, 300)}`;
				const answer = await ask(start, lines);
				assertError(answer, status, undefined, about);
				assert.match(answer.headers.get("x-request-id") ?? "", /^[\w-]{36}$/, about);
				assert.match(answer.headers.get("content-security-policy") ?? "", /^default-src 'none'/, about);
				assert.equal(answer.headers.get("x-content-type-options"), "nosniff", about);
			}
		});

		it("refuse a bad handshake without opening a socket", async () => {
			for (const line of ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==", "Upgrade: websocket"]) {
				const answer = await ask("GET /ws HTTP/1.1", `Host: x\r\n${HANDSHAKE.replace(line, "X-A: b")}`);
				assert.ok(answer.status >= 400 && answer.status < 500, `${line}: ${answer.status}`);
				assertError(answer, answer.status);
				assert.ok(answer.headers.get("x-request-id"), line);
			}
		});

		it("return the request id that the client sent with an upgrade", async () => {
			const id = fresh("request");
			for (const path of ["/ws", "/nothing"]) {
				const more = `X-Request-ID: ${id}\r\nAuthorization: Bearer nonsense`;
				const { headers } = await ask(`GET ${path} HTTP/1.1`, `Host: x\r\n${HANDSHAKE}\r\n${more}`);
				assert.equal(headers.get("x-request-id"), id, path);
			}
		});

		it("answer a target in absolute-form like one in origin-form", async () => {
			const origin = await ask("GET /selections HTTP/1.1");
			const absolute = await ask("GET http://host/selections HTTP/1.1");
			assert.deepEqual([absolute.status, absolute.json.length], [200, origin.json.length]);
			assert.equal((await ask("GET http://127.0.0.1:8080 HTTP/1.1")).status, 200);
			assert.equal((await ask("HEAD HTTP://host/index.html?a=b HTTP/1.1")).status, 200);
			assert.equal((await ask("GET http://host/nothing HTTP/1.1")).status, 404);
			assert.equal((await ask("OPTIONS * HTTP/1.1")).status, 204);
			const body = JSON.stringify({ user_id: fresh("user") });
			const lines = `Host: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}`;
			assert.equal((await ask("POST http://host/api/selections/synchronization HTTP/1.1", lines, body)).status, 202);
			const handshake = await exchange(
				plaza().url,
				`GET http://host/ws HTTP/1.1\r\nHost: x\r\n${HANDSHAKE}\r\n\r\n\x88\x80\0\0\0\0`
			);
			assert.match(handshake, /^HTTP\/1\.1 101 /);
		});

		it("read compressed bodies, and answer 400 to broken ones and 413 to those that become too large", async () => {
			for (const [encoding, compress] of Object.entries(ENCODERS)) {
				const bytes = compress(JSON.stringify({ user_id: fresh("user") }));
				const path = "/api/selections/synchronization";
				assert.equal((await sendBytes(path, bytes, encoding)).status, 202, encoding);
				for (const broken of [
					Buffer.alloc(100, 0xff),
					bytes.subarray(0, -6),
					bytes.subarray(0, 3),
					Buffer.from("{}"),
					Buffer.alloc(200)
				])
					assertError(await sendBytes(path, broken, encoding), 400, "UNREADABLE", `${encoding} ${broken.toString("hex")}`);
				const bomb = compress(Buffer.alloc(64 * 1024 * 1024));
				assertError(await sendBytes(path, bomb, encoding), 413, "PAYLOAD_TOO_LARGE", encoding);
			}
			for (const encoding of ["compress", "gzip, br", "nothing"])
				assertError(await sendBytes("/api/purchases", Buffer.from("{}"), encoding), 415, "UNSUPPORTED_MEDIA_TYPE", encoding);
		});

		it("send parts of a page, and answer 416 to a range outside of it", async () => {
			const { text } = await http().get("/css/base.css");
			const part = await rawRequest(plaza().url, "GET", "/css/base.css", { range: "bytes=0-9" });
			assert.deepEqual([part.status, part.text], [206, text.slice(0, 10)]);
			const size = Buffer.byteLength(text);
			for (const method of ["GET", "HEAD"]) {
				const none = await rawRequest(plaza().url, method, "/css/base.css", { range: `bytes=${size}-` });
				assert.deepEqual([none.status, none.headers["content-range"]], [416, `bytes */${size}`]);
			}
			const none = await http().get("/css/base.css", { range: "bytes=9999999-" });
			assertError(none, 416, "RANGE_NOT_SATISFIABLE");
			assert.equal(none.headers.get("content-security-policy"), "default-src 'none'; frame-ancestors 'none'");
		});

		it("answer 412 if a page is not the one that the request requires", async () => {
			for (const path of PAGES) {
				const etag = (await http().get(path)).headers.get("etag") as string;
				const require = (tag: string) => rawRequest(plaza().url, "GET", path, { "if-match": tag });
				const failed = await require('"another"');
				assertError({ ...failed, json: JSON.parse(failed.text) }, 412, "PRECONDITION_FAILED", path);
				for (const tag of [etag, `"another", ${etag}`, "*"]) assert.equal((await require(tag)).status, 200, `${path} ${tag}`);
			}
		});

		it("have one path for each page and route: 404 with a slash at its end, doubled slashes or other letters", async () => {
			for (const path of [...PAGES, ...GET_ROUTES, "/health", "/css"]) {
				for (const other of [`${path}/`, `${path}//`, `/${path}`, `/.${path}`, `/a/..${path}`, path.toUpperCase()])
					assert.equal((await rawRequest(plaza().url, "GET", other)).status, 404, other);
			}
			for (const path of ["/api/purchases/", "/API/purchases", "//api/purchases", "/api//purchases"])
				assert.equal((await rawRequest(plaza().url, "POST", path)).status, 404, path);
		});

		it("answer HEAD like GET without the body, and OPTIONS with 204, for every page and route", async () => {
			for (const path of ["/", ...PAGES, ...GET_ROUTES, "/nothing"]) {
				const get = await rawRequest(plaza().url, "GET", path);
				const head = await rawRequest(plaza().url, "HEAD", path);
				assert.deepEqual([head.status, head.text], [get.status, ""], path);
				assert.equal(head.headers["content-type"], get.headers["content-type"], path);
				assert.equal((await rawRequest(plaza().url, "OPTIONS", path)).status, 204, path);
			}
			for (const method of ["POST", "DELETE", "PUT"]) assert.equal((await http().send(method, "/health")).status, 404, method);
		});

		it("take an empty chunked body for no body", async () => {
			const chunked = (type: string, body: string) =>
				ask("POST /api/purchases HTTP/1.1", `Host: x\r\nTransfer-Encoding: chunked${type}`, body);
			const empty = await ask("POST /api/purchases HTTP/1.1", "Host: x\r\nContent-Length: 0");
			assertError(empty, 422, "VALIDATION_ERROR");
			for (const type of ["", "\r\nContent-Type: text/plain", "\r\nContent-Type: application/json"])
				assert.deepEqual((await chunked(type, "0\r\n\r\n")).json, empty.json, type);
			assertError(await chunked("", "2\r\n{}\r\n0\r\n\r\n"), 415, "UNSUPPORTED_MEDIA_TYPE");
		});

		it("answer a body of a known length like one in chunks", async () => {
			const id = fresh("purchase");
			const purchase = JSON.stringify({ id, user_id: fresh("user"), amount: 1.5 });
			const json = "\r\nContent-Type: application/json";
			const cases: [path: string, body: string, lines: string][] = [
				["/api/purchases", purchase, json],
				["/api/purchases", purchase.replace("1.5", "1.25"), json],
				["/api/purchases", purchase, `${json}\r\nIdempotency-Key: ${id}`],
				["/api/purchases", purchase, `${json}\r\nIdempotency-Key: another`],
				["/api/purchases", purchase, `${json}\r\nIdempotency-Key: ${id}\r\nIdempotency-Key: ${id}`],
				["/api/purchases", purchase, `${json}; charset=latin1`],
				["/api/purchases", purchase, `${json}; charset=utf8\r\nOrigin: http://x`],
				["/api/purchases", purchase, `${json}\r\nOrigin: http://127.0.0.1:9`],
				["/api/purchases", purchase, "\r\nContent-Type: text/plain"],
				["/api/purchases", purchase, `${json}\r\nAuthorization: Bearer nonsense`],
				["/api/purchases", "{", json],
				["/api/purchases", "[]", json],
				["/api/purchases", `${"[".repeat(40)}${"]".repeat(40)}`, json],
				["/api/purchases", '{"user_id":"\\ud800","amount":-1,"more":1}', json],
				["/api/orders", '{"items":[]}', json],
				["/api/auth/login", '{"email":"a","password":"b"}', json],
				["/api/auth/refresh", "{}", `${json}\r\nCookie: plaza_refresh=nonsense`],
				["/api/auth/logout", "{}", `${json}\r\nCookie: plaza_refresh=nonsense\r\nOrigin: http://x`]
			];
			const comparable = ({ status, headers, text }: Awaited<ReturnType<typeof ask>>) => {
				for (const own of ["date", "x-request-id"]) headers.delete(own);
				return { status, headers: [...headers], text };
			};
			for (const [path, body, lines] of cases) {
				const send = (length: string, sent: string) =>
					ask(`POST ${path} HTTP/1.1`, `Host: x\r\nX-Request-ID: known${lines}\r\n${length}`, sent);
				const plain = comparable(await send(`Content-Length: ${body.length}`, body));
				const chunks = await send("Transfer-Encoding: chunked", `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`);
				assert.deepEqual(plain, comparable(chunks), `${path} ${body}${lines}`);
			}
		});

		it("refuse a query that could be read in two ways", async () => {
			for (const query of ["?limit=1&limit=2", "?limit=", "?limit=0x10", "?__proto__=1", "?__proto__[limit]=1&__proto__=2"])
				assertError(await http().get(`/api/products${query}`), 422, "VALIDATION_ERROR", query);
			assertError(await http().get("/api/products?after=%ff"), 422, "VALIDATION_ERROR");
			assert.equal((await http().get("/api/products?utm=%ff&utm=2&limit=5&constructor=1&a[b]=c")).status, 200);
		});

		it("refuse a foreign page whose host name resolves to this machine", async () => {
			const host = "evil.example:8080";
			const body = JSON.stringify({ user_id: fresh("user") });
			const lines = `Host: ${host}\r\nOrigin: http://${host}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}`;
			assertError(await ask("POST /api/selections/synchronization HTTP/1.1", lines, body), 403, "ORIGIN_NOT_ALLOWED");
			const upgrade = await ask("GET /ws HTTP/1.1", `Host: ${host}\r\nOrigin: http://${host}\r\n${HANDSHAKE}`);
			assertError(upgrade, 403, "ORIGIN_NOT_ALLOWED");
		});
	});
