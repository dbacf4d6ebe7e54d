import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { rawRequest } from "../../test/client.ts";
import { bearer, FRIEND, type Gateway, startGateway } from "./gateway.testing.ts";

describe("an etag", () => {
	let gateway: Gateway;
	before(async () => {
		gateway = await startGateway();
	});
	after(() => gateway?.broker.stop());
	beforeEach(() => {
		gateway.calls.length = 0;
	});
	// `fetch` would add "no-cache" to a conditional request.
	const ask = (headers = {}, method = "GET", path = "/notes/1") => rawRequest(gateway.url, method, path, headers);

	it("is sent with the response, which clients may store but must revalidate", async () => {
		for (const method of ["GET", "HEAD"]) {
			const { status, headers, text } = await ask({}, method);
			assert.deepEqual([status, headers.etag, headers["cache-control"]], [200, '"v1"', "no-cache"], method);
			assert.equal(headers["content-type"], "application/json; charset=utf-8");
			assert.equal(text, method === "GET" ? '{"version":1,"text":""}' : "");
			assert.equal(headers["content-length"], "23");
		}
	});

	it("in If-None-Match is answered with 304 without a body until the response changes", async () => {
		for (const known of ['"v1"', 'W/"v1"', '"v0", "v1"', "*"])
			for (const method of ["GET", "HEAD"]) {
				const { status, headers, text } = await ask({ "if-none-match": known }, method);
				assert.deepEqual([status, text, headers.etag, headers["cache-control"]], [304, "", '"v1"', "no-cache"], known);
				assert.equal(headers["content-type"], undefined);
				assert.ok(headers["x-request-id"]);
			}
		for (const known of ['"v2"', "v1", '"v"']) assert.equal((await ask({ "if-none-match": known })).status, 200, known);
		gateway.change();
		const { status, headers } = await ask({ "if-none-match": '"v1"' });
		assert.deepEqual([status, headers.etag], [200, '"v2"']);
	});

	it("is not sent with an error", async () => {
		const { status, headers } = await ask({ "if-none-match": "*" }, "GET", "/notes/none");
		assert.deepEqual([status, headers.etag, headers["cache-control"]], [404, undefined, "no-store"]);
	});

	it("can be sent and read by pages of the allowed origins", async () => {
		const { headers } = await ask({ origin: FRIEND });
		assert.ok(String(headers["access-control-expose-headers"]).split(", ").includes("ETag"));
		const preflight = await ask({ origin: FRIEND, "access-control-request-method": "GET" }, "OPTIONS");
		assert.match(String(preflight.headers["access-control-allow-headers"]), /If-None-Match/);
	});

	it("makes the response the same for every caller: the action does not get the caller", async () => {
		for (const headers of [{}, bearer("user"), bearer("boss"), bearer("nonsense")])
			assert.equal((await ask(headers)).status, 200);
		assert.deepEqual(
			gateway.calls.map(({ meta }) => meta.caller),
			[undefined, undefined, undefined, undefined]
		);
	});
});

it("counts a large response as several requests, and a 304 as one", async t => {
	const { broker, http } = await startGateway(100);
	t.after(() => broker.stop());
	const get = async (path: string, headers = {}) => (await http.get(path, headers)).status;
	// The first one counts as 13 requests, for its 13 times 16 KiB that are serialised; each other one as four, for its four times 64 KiB.
	for (let n = 0; n < 98; n++) assert.equal(await get("/notes/large"), 200, `${n}`);
	for (let n = 0; n < 98; n++)
		assert.equal(await get("/notes/large", { "if-none-match": '"v1"', "cache-control": "max-age=0" }), 304);
	assert.equal(await get("/notes/large"), 429);
	const refused = await http.get("/notes/large");
	assert.deepEqual([refused.status, refused.headers.get("etag")], [429, null]);
});
