import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { tokenBucket } from "./token-bucket.ts";

const takeMany = (take: () => boolean, times: number) => Array.from({ length: times }, take).filter(Boolean).length;

describe("token bucket", () => {
	it("allows five times the rate at once, then the rate", () => {
		const bucket = tokenBucket(10, 0);
		assert.equal(
			takeMany(() => bucket.take(0), 100),
			50
		);
		assert.equal(
			takeMany(() => bucket.take(1_000), 100),
			10
		);
		assert.equal(
			takeMany(() => bucket.take(60_000), 100),
			50
		);
	});

	it("allows everything when the rate is 0", () => {
		const bucket = tokenBucket(0, 0);
		assert.equal(
			takeMany(() => bucket.take(0), 10_000),
			10_000
		);
	});

	it("returns the time until the next token, and Infinity for more than the burst", () => {
		const bucket = tokenBucket(10, 0);
		assert.equal(bucket.waitMs(0, 50), 0);
		assert.equal(bucket.take(0, 50), true);
		assert.equal(bucket.waitMs(0), 100);
		assert.equal(bucket.waitMs(40, 5), 460);
		assert.equal(bucket.waitMs(0, 51), Number.POSITIVE_INFINITY);
	});

	it("takes all requested tokens or none", () => {
		const bucket = tokenBucket(0.5, 0, 4);
		assert.equal(bucket.take(0, 5), false);
		assert.equal(bucket.take(0, 3), true);
		assert.equal(bucket.take(0, 2), false);
		assert.equal(bucket.take(2_000, 2), true);
	});

	it("is full again once all tokens are back, and not before", () => {
		const bucket = tokenBucket(1, 0);
		assert.equal(bucket.isFull(0), true);
		bucket.take(0);
		assert.equal(bucket.isFull(999), false);
		assert.equal(bucket.isFull(1_000), true);
	});
});
