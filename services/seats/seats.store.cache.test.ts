import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { cacheSuite } from "./seats.store.cache.suite.ts";
import { memoryCache } from "./seats.store.cache.ts";

describe("the cache of statuses in memory", () => {
	cacheSuite(memoryCache);

	it("forgets the shows that were set first when it is full, but keeps the last one whatever its size", async () => {
		const cache = memoryCache(10);
		for (const [showId, seats] of [
			["one", 4],
			["two", 4],
			["one", 5],
			["three", 4]
		] as const)
			cache.set(showId, "r", "f".repeat(seats));
		const kept = async () => (await Promise.all(["one", "two", "three", "four"].map(id => cache.get(id, "r")))).map(Boolean);
		assert.deepEqual(await kept(), [true, false, true, false]);
		cache.set("four", "r", "f".repeat(100));
		assert.deepEqual(await kept(), [false, false, false, true]);
		cache.set("one", "r", "f");
		assert.deepEqual(await kept(), [true, false, false, false]);
	});
});
