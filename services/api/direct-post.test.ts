import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { after, before, beforeEach, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { type Context, ServiceBroker } from "moleculer";
import { z } from "zod";
import { type ActionContract, action } from "../../contract/action.ts";
import { memoryLimits } from "../../mixins/limits/limits.ts";
import { sendError, sendJson, toHttp } from "../../runtime/http/http-error.ts";
import { isAllowedOrigin } from "../../runtime/http/origin.ts";
import { MAX_BODY_BYTES } from "../../runtime/http/request-cost.ts";
import { httpClient } from "../../test/client.ts";
import { requestCheck } from "./check-request.ts";
import { directPost, isDirect } from "./direct-post.ts";

const JSON_TYPE = { "content-type": "application/json" };
const contract: ActionContract = action({ params: z.object({}), result: z.any(), who: "anyone", rest: "POST /notes" });

describe("a direct POST", () => {
	const broker = new ServiceBroker({ logger: false });
	let calls: Context<object, object>[] = [];
	let byGateway = 0;
	const closed: Promise<unknown>[] = [];
	const listener = directPost(broker, ["notes.create", contract], {
		gateway: (_req, res) => {
			byGateway++;
			res.end();
		},
		check: requestCheck({ limits: memoryLimits(), maxRequestsPerSecond: 0, guests: true }, () => false),
		isOwnOrigin: req => isAllowedOrigin(req, [], false),
		respond: (_req, res, result) => sendJson(res, 201, result),
		fail: (_req, res, error) => sendError(res, toHttp(error))
	});
	const server = createServer((req, res) => {
		req.headers["x-request-id"] ??= "none";
		closed.push(once(res, "close"));
		listener(req, res);
	});
	let http: ReturnType<typeof httpClient>;
	let port: number;

	before(async () => {
		broker.createService({
			name: "notes",
			actions: {
				create(ctx: Context<{ text?: string }, object>) {
					calls.push(ctx);
					return { text: ctx.params.text };
				}
			}
		});
		await broker.start();
		await once(server.listen(0, "127.0.0.1"), "listening");
		({ port } = server.address() as AddressInfo);
		http = httpClient(`http://127.0.0.1:${port}`);
	});
	after(async () => {
		await broker.stop();
		server.closeAllConnections();
		server.close();
	});
	beforeEach(() => {
		calls = [];
		byGateway = 0;
	});

	it("calls the action once, with the body, the request's id and its client's address", async () => {
		const { status, json } = await http.send("POST", "/notes", { ...JSON_TYPE, "x-request-id": "mine" }, '{"text":"a"}');
		assert.deepEqual([status, json], [201, { text: "a" }]);
		assert.deepEqual(
			calls.map(({ params, requestID, meta }) => [params, requestID, meta]),
			[[{ text: "a" }, "mine", { address: "127.0.0.1", caller: undefined }]]
		);
		assert.equal(byGateway, 0);
	});

	it("answers what is wrong with the body without a call", async () => {
		const { status, json } = await http.send("POST", "/notes", JSON_TYPE, "{");
		assert.deepEqual([status, (json as { type: string }).type, calls.length, byGateway], [400, "UNREADABLE_JSON", 0, 0]);
	});

	it("accepts the largest body, however many pieces it arrives in", async () => {
		const body = `{"text":"${"x".repeat(MAX_BODY_BYTES - 11)}"}`;
		assert.equal((await http.send("POST", "/notes", JSON_TYPE, body)).status, 201);
		assert.deepEqual([calls.length, byGateway], [1, 0]);
	});

	it("leaves everything unusual to the gateway", async () => {
		const unusual: [method: string, headers: Record<string, string>, body?: string | Uint8Array<ArrayBuffer>][] = [
			["GET", {}],
			["PATCH", JSON_TYPE, "{}"],
			["POST", JSON_TYPE],
			["POST", JSON_TYPE, "x".repeat(MAX_BODY_BYTES + 1)],
			["POST", { "content-type": "text/plain" }, "{}"],
			["POST", { ...JSON_TYPE, "content-encoding": "gzip" }, new Uint8Array(gzipSync("{}"))],
			["POST", { ...JSON_TYPE, origin: "http://evil.example" }, "{}"]
		];
		for (const [method, headers, body] of unusual) await http.send(method, "/notes", headers, body);
		assert.deepEqual([calls.length, byGateway], [0, unusual.length]);
	});

	it("does not call the action if the connection is closed before the end of the body", async () => {
		const before = closed.length;
		const arrived = once(server, "request");
		const socket = connect(port, "127.0.0.1");
		socket.write('POST /notes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n{"text":"a"}');
		await arrived;
		socket.destroy();
		await closed[before];
		// A later request has passed through everything that the first one could.
		await http.send("POST", "/notes", JSON_TYPE, "{}");
		assert.deepEqual(
			calls.map(({ params }) => params),
			[{}]
		);
	});
});

it("only routes without parts of the path as params are direct, whose bodies may be read before the caller is checked", () => {
	assert.equal(isDirect(contract), true);
	for (const rest of ["POST /notes/:id/cancel", "GET /notes", "PATCH /notes", "PUT /notes", "DELETE /notes", undefined] as const)
		assert.equal(isDirect({ ...contract, rest }), false, rest);
	assert.equal(isDirect({ ...contract, maxBody: { bytes: 100_000, values: 10_000 } }), false);
});
