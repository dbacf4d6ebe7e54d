import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, beforeEach, describe, it } from "node:test";
import { ServiceBroker } from "moleculer";
import { z } from "zod";
import { unavailable } from "../../mixins/errors.ts";
import { sendError, toHttp } from "../../runtime/http/http-error.ts";
import { httpClient } from "../../test/client.ts";
import { coalescedGet, isCoalescable } from "./coalesced-get.ts";

describe("a coalesced GET", () => {
	const broker = new ServiceBroker({ logger: false });
	/** The request ids of the calls. */
	let calls: (string | null)[] = [];
	let answer: () => Promise<unknown> = async () => [];
	const server = createServer((req, res) => {
		req.headers["x-request-id"] ??= "none";
		listener(req, res);
	});
	const listener = coalescedGet(broker, "list.all", {
		gateway: (_req, res) => void res.end("the gateway's"),
		fail: (_req, res, error) => sendError(res, toHttp(error))
	});
	let http: ReturnType<typeof httpClient>;

	before(async () => {
		broker.createService({
			name: "list",
			actions: {
				all(ctx) {
					calls.push(ctx.requestID);
					return answer();
				}
			}
		});
		await broker.start();
		await once(server.listen(0, "127.0.0.1"), "listening");
		http = httpClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
	});
	after(async () => {
		await broker.stop();
		server.closeAllConnections();
		server.close();
	});
	beforeEach(() => {
		calls = [];
	});

	it("responds from a call that started after all of its requests had arrived", async () => {
		const [first, second] = [Promise.withResolvers<string>(), Promise.withResolvers<string>()];
		const answers = [first.promise, second.promise, Promise.resolve("third")];
		let called = Promise.withResolvers<void>();
		answer = () => {
			called.resolve();
			return answers.shift()!;
		};
		const earlier = [];
		for (const id of ["1", "2"]) {
			called = Promise.withResolvers<void>();
			earlier.push(http.get("/list", { "x-request-id": id }));
			await called.promise;
		}
		const arrived = Promise.withResolvers<void>();
		let others = 0;
		server.on("request", () => ++others === 10 && arrived.resolve());
		const later = Promise.all(Array.from({ length: 10 }, () => http.get("/list")));
		await arrived.promise;
		first.resolve("first");
		second.resolve("second");
		const responses = await Promise.all(earlier);
		assert.deepEqual(
			responses.map(({ json }) => json),
			["first", "second"]
		);
		assert.deepEqual(new Set((await later).map(({ json }) => json)), new Set(["third"]));
		assert.deepEqual(calls, ["1", "2", "none"]);
	});

	it("responds to all with the error when the call fails, and the next request makes a new call", async () => {
		answer = () => Promise.reject(unavailable("Postgres"));
		const answers = await Promise.all([http.get("/list"), http.get("/list")]);
		for (const { status, json } of answers) assert.deepEqual([status, json.type], [503, "UNAVAILABLE"]);
		answer = async () => [1];
		assert.deepEqual((await http.get("/list")).json, [1]);
	});

	it("leaves requests with a token, with an Origin or with another method to the gateway", async () => {
		for (const headers of [{ authorization: "Bearer x" }, { origin: "http://elsewhere" }])
			assert.equal((await http.get("/list", headers as unknown as Record<string, string>)).text, "the gateway's");
		assert.equal((await http.post("/list", {})).text, "the gateway's");
		assert.equal(calls.length, 0);
	});

	it("is only used for a GET that anyone may call, without params", () => {
		const params = z.strictObject({});
		const contract = { who: "anyone", rest: "GET /list", params, result: z.null() } as const;
		assert.equal(isCoalescable(contract), true);
		assert.equal(isCoalescable({ ...contract, who: "account" }), false);
		assert.equal(isCoalescable({ ...contract, rest: "POST /list" }), false);
		assert.equal(isCoalescable({ ...contract, etag: () => "1" }), false);
		assert.equal(isCoalescable({ ...contract, params: z.strictObject({ limit: z.number().optional() }) }), false);
	});
});
