import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Errors } from "moleculer";
import { tooMany, unavailable } from "../../mixins/errors.ts";
import { retryAfterOf, toHttp } from "./http-error.ts";

describe("an error of too many requests", () => {
	it("says when to come again in whole seconds, never too early, and nothing else of what it knows", () => {
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

	it("says a second where nobody knows when", () => {
		for (const waitMs of [Number.POSITIVE_INFINITY, undefined as unknown as number]) {
			const error = toHttp(tooMany("Slow down", waitMs));
			assert.deepEqual([error.data, retryAfterOf(error)], [undefined, 1]);
		}
	});
});

describe("an error of something that is away", () => {
	it("says to come again in a second", () => assert.equal(retryAfterOf(toHttp(unavailable("Postgres"))), 1));
});

describe("any other error", () => {
	it("says nothing of coming again", () => assert.equal(retryAfterOf(toHttp(new Error("oops"))), undefined));
});
