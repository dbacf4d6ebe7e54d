import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { bearer, FRIEND, type Gateway, json, startGateway } from "./gateway.testing.ts";

describe("PUT and DELETE", () => {
	let gateway: Gateway;
	before(async () => {
		gateway = await startGateway();
	});
	after(() => gateway?.broker.stop());
	beforeEach(() => {
		gateway.calls.length = 0;
	});
	const send = (...args: Parameters<Gateway["http"]["send"]>) => gateway.http.send(...args);
	const params = () => gateway.calls.map(call => call.params);

	it("call their actions; 204 has neither a body nor a Content-Type", async () => {
		const put = await send("PUT", "/notes/1", json("user"), { text: "a" });
		assert.deepEqual([put.status, put.json], [200, { id: "1" }]);
		const { status, text, headers } = await send("DELETE", "/notes/1", bearer("user"));
		assert.deepEqual([status, text], [204, ""]);
		for (const name of ["content-type", "content-length"]) assert.equal(headers.get(name), null, name);
		assert.equal(headers.get("cache-control"), "no-store");
		assert.ok(headers.get("x-request-id"));
		assert.deepEqual(params(), [{ id: "1", text: "a" }, { id: "1" }]);
	});

	it("are refused like a POST: 401 without a token, 404 on another path", async () => {
		for (const method of ["PUT", "DELETE"]) {
			assert.equal((await send(method, "/notes/1")).status, 401, method);
			assert.equal((await send(method, "/notes", bearer("boss"))).status, 404, method);
		}
		assert.equal(gateway.calls.length, 0);
	});

	it("reads a body of a DELETE like that of a POST, and the path takes precedence", async () => {
		assert.equal((await send("DELETE", "/notes/1", json("user"), "{}")).status, 204);
		assert.equal((await send("DELETE", "/notes/1", json("user"), { id: "2" })).status, 204);
		assert.deepEqual(params(), [{ id: "1" }, { id: "1" }]);
		assert.equal((await send("DELETE", "/notes/1", json("user"), "{")).status, 400);
		assert.equal((await send("DELETE", "/notes/1", { ...bearer("user"), "content-type": "text/plain" }, "x")).status, 415);
		assert.equal(gateway.calls.length, 2);
	});

	it("may be sent by pages of the allowed origins", async () => {
		for (const method of ["PUT", "DELETE"]) {
			const preflight = await send("OPTIONS", "/notes/1", { origin: FRIEND, "access-control-request-method": method });
			assert.equal(preflight.status, 204);
			assert.equal(preflight.headers.get("access-control-allow-origin"), FRIEND);
			assert.ok(preflight.headers.get("access-control-allow-methods")!.split(", ").includes(method), method);
		}
		const { status, headers } = await send("DELETE", "/notes/1", { ...bearer("user"), origin: FRIEND });
		assert.deepEqual([status, headers.get("access-control-allow-origin")], [204, FRIEND]);
		assert.equal((await send("DELETE", "/notes/1", { ...bearer("user"), origin: "https://evil.example" })).status, 403);
		assert.equal((await send("OPTIONS", "/notes/1")).status, 204);
	});
});
