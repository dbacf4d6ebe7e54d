import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { tokenBucket, tokenBuckets } from "./token-bucket.ts";

const takeMany = (take: () => boolean, times: number) => Array.from({ length: times }, take).filter(Boolean).length;

describe("token bucket", () => {
	it("lets five times the rate through at once, then the rate", () => {
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

	it("lets everything through when the rate is 0", () => {
		const bucket = tokenBucket(0, 0);
		assert.equal(
			takeMany(() => bucket.take(0), 10_000),
			10_000
		);
	});

	it("counts each key by itself", () => {
		const buckets = tokenBuckets(1);
		assert.equal(
			takeMany(() => buckets.take("a", 0), 100),
			5
		);
		assert.equal(
			takeMany(() => buckets.take("b", 0), 100),
			5
		);
	});

	it("forgets keys that have been quiet, and not those that have not", () => {
		const buckets = tokenBuckets(1);
		takeMany(() => buckets.take("busy", 10_000), 100);
		buckets.take("other", 20_001);
		assert.equal(
			takeMany(() => buckets.take("busy", 20_001), 100),
			5
		);
	});
});
