import assert from "node:assert/strict";
import { test } from "node:test";
import { adaptiveCache } from "./inventory.adaptive-cache.ts";

test("a work of long is done once for all who ask meanwhile and soon after, and again later", async t => {
	let nowMs = 0;
	t.mock.method(performance, "now", () => nowMs);
	let done = 0;
	const ask = adaptiveCache(async () => {
		nowMs += 100;
		return ++done;
	});
	assert.deepEqual(await Promise.all([ask(), ask()]), [1, 1]);
	nowMs += 899;
	assert.equal(await ask(), 1);
	nowMs += 2;
	assert.equal(await ask(), 2);
});

test("a work that failed is done again for who asks next", async () => {
	let isAway = true;
	const ask = adaptiveCache(async () => {
		if (isAway) throw new Error("away");
		return "there";
	});
	await assert.rejects(ask());
	isAway = false;
	assert.equal(await ask(), "there");
});
