import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Errors } from "moleculer";
import { tooMany, unavailable } from "../../mixins/errors.ts";
import { retryAfterOf, toHttp } from "./http-error.ts";

describe("a 429", () => {
	it("has Retry-After in whole seconds, rounded up, and no other data", () => {
		for (const [waitMs, seconds] of [
			[1, 1],
			[1_000, 1],
			[1_001, 2],
			[61_500, 62]
		] as const) {
			const error = toHttp(tooMany("Slow down", waitMs));
			assert.deepEqual(
				[error.code, error.type, error.message, error.data],
				[429, "TOO_MANY_REQUESTS", "Slow down", { retryAfterMs: waitMs }]
			);
			assert.equal(retryAfterOf(error), seconds);
		}
		const chatty = new Errors.MoleculerClientError("Slow down", 429, "TOO_MANY_REQUESTS", {
			retryAfterMs: 5,
			address: "192.0.2.1"
		});
		assert.deepEqual(toHttp(chatty).data, { retryAfterMs: 5 });
	});

	it("has a Retry-After of one second when the wait is unknown", () => {
		for (const waitMs of [Number.POSITIVE_INFINITY, undefined as unknown as number]) {
			const error = toHttp(tooMany("Slow down", waitMs));
			assert.deepEqual([error.data, retryAfterOf(error)], [undefined, 1]);
		}
	});
});

describe("a 503", () => {
	it("has a Retry-After of one second", () => assert.equal(retryAfterOf(toHttp(unavailable("Postgres"))), 1));
});

describe("any other error", () => {
	it("has no Retry-After", () => assert.equal(retryAfterOf(toHttp(new Error("oops"))), undefined));
});
