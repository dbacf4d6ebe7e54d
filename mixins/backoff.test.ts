import assert from "node:assert/strict";
import { test } from "node:test";
import { backoffMs, createBackoff } from "./backoff.ts";

test("the pauses double up to the longest, and start over after a reset", () => {
	const backoff = createBackoff({ firstMs: 100, longestMs: 500 });
	assert.deepEqual([1, 2, 3, 4, 5].map(backoff.nextMs), [100, 200, 400, 500, 500]);
	backoff.reset();
	assert.equal(backoff.nextMs(), 100);
	assert.equal(backoffMs(2_000, { firstMs: 100, longestMs: 500 }), 500);
});

test("an abort ends a pause early", async () => {
	const stopping = new AbortController();
	const pause = createBackoff({ firstMs: 3_600_000, longestMs: 3_600_000 }).pause(stopping.signal);
	stopping.abort();
	await pause;
});
