import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { freePorts } from "../../test/process.ts";
import { openRedis } from "../redis.ts";
import { redisLimits } from "./limits.redis.ts";
import { limitsSuite, slow, takeMany } from "./limits.suite.ts";
import { memoryLimits } from "./limits.ts";

limitsSuite("limits of one process", () => memoryLimits());

describe("limits of one process", () => {
	it("remove keys once their buckets are full again, and not before", async () => {
		let nowMs = 0;
		const limits = memoryLimits({ now: () => nowMs });
		const rate = { perSecond: 0.1, burst: 2 };
		assert.equal(await takeMany(limits, "key", rate, 5), 2);
		nowMs = 10_001;
		assert.equal(await takeMany(limits, "key", rate, 5), 1);
		nowMs = 40_003;
		assert.equal(await takeMany(limits, "key", rate, 5), 2);
	});

	it("remove the oldest key when there are too many", async () => {
		const limits = memoryLimits({ maxKeys: 2 });
		for (const key of ["a", "b", "c"]) assert.equal(await takeMany(limits, key, slow(1), 2), 1);
		assert.equal(await limits.take("a", slow(1)), undefined);
		assert.notEqual(await limits.take("c", slow(1)), undefined);
	});
});

describe("shared limits while Redis is unavailable", () => {
	it("are counted by each node alone, and refuse nothing for that reason", async () => {
		const redis = openRedis(`redis://127.0.0.1:${(await freePorts(1))[0]}`);
		const limits = redisLimits(redis);
		assert.equal(await takeMany(limits, "key", slow(10), 200), 10);
		await redis.close();
	});
});
