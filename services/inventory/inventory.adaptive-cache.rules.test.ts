import assert from "node:assert/strict";
import { test } from "node:test";
import { adaptiveCache } from "./inventory.adaptive-cache.ts";

test("runs slow work once for concurrent calls and for calls shortly after, and again later", async t => {
	let nowMs = 0;
	t.mock.method(performance, "now", () => nowMs);
	let runs = 0;
	const read = adaptiveCache(async () => {
		nowMs += 100;
		return ++runs;
	});
	assert.deepEqual(await Promise.all([read(), read()]), [1, 1]);
	nowMs += 899;
	assert.equal(await read(), 1);
	nowMs += 2;
	assert.equal(await read(), 2);
});

test("runs failed work again at the next call", async () => {
	let isUnavailable = true;
	const read = adaptiveCache(async () => {
		if (isUnavailable) throw new Error("unavailable");
		return "available";
	});
	await assert.rejects(read());
	isUnavailable = false;
	assert.equal(await read(), "available");
});
