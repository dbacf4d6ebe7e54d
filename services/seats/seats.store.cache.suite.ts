// The promises of a cache of statuses.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { it } from "node:test";
import type { StatusCache } from "./seats.store.cache.ts";

export const cacheSuite = (open: () => StatusCache) => {
	it("returns what was set last under the same revision, and nothing under any other", async () => {
		const cache = open();
		const [showId, older, newer] = [randomUUID(), randomUUID(), randomUUID()];
		assert.equal(await cache.get(showId, older), undefined);
		cache.set(showId, older, "ffh");
		assert.equal(await cache.get(showId, older), "ffh");
		assert.equal(await cache.get(showId, newer), undefined);
		assert.equal(await cache.get(randomUUID(), older), undefined);
		cache.set(showId, newer, "fsh");
		assert.deepEqual([await cache.get(showId, older), await cache.get(showId, newer)], [undefined, "fsh"]);
	});
};
