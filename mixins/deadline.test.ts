import assert from "node:assert/strict";
import { test } from "node:test";
import { deadlineIn, deadlineOf, skipExpired, waitAtMost, withTimeout } from "./deadline.ts";

test("skipExpired leaves expired items out of a batch, and answers each of the others, in order", async () => {
	let nowMs = 0;
	const clock = () => nowMs;
	const [expired, open] = [deadlineIn(5, clock), deadlineIn(50, clock)];
	nowMs = 10;
	const batches: number[][] = [];
	const rejection = new Error("not this one");
	const batch = skipExpired(async (items: number[]) => {
		batches.push(items);
		return items.map(item => (item === 4 ? rejection : item === 2 ? null : item * 10));
	}, "the store");
	const waiting = [1, 2, 3, 4, 5].map(item => ({ item, deadline: item % 2 === 1 && item < 5 ? expired : open }));
	const answers = await batch(waiting);
	assert.deepEqual(batches, [[2, 4, 5]]);
	assert.deepEqual([answers[1], answers[3], answers[4]], [null, rejection, 50]);
	for (const n of [0, 2]) assert.equal((answers[n] as Error & { type?: string }).type, "UNAVAILABLE");
});

test("skipExpired does nothing when all items are expired", async () => {
	let nowMs = 0;
	const deadline = deadlineIn(5, () => nowMs);
	nowMs = 10;
	const batch = skipExpired(() => assert.fail("an expired item was run"), "the store");
	const [answer] = await batch([{ item: 1, deadline }]);
	assert.equal((answer as Error & { type?: string }).type, "UNAVAILABLE");
});

test("a deadline rejects with UNAVAILABLE when the work takes longer, and gives the reason as its cause", async () => {
	const never = new Promise<void>(() => {});
	const error = await deadlineIn(1)
		.bound(never, "Postgres")
		.catch((reason: Error & { type?: string }) => reason);
	assert.ok(error instanceof Error);
	assert.deepEqual([error.type, error.message], ["UNAVAILABLE", "Postgres is unavailable, try again later"]);
	assert.equal((error.cause as Error).message, "no answer within 1 ms");
});

test("withTimeout gives the outcome of the work, or that of onTimeout", async () => {
	assert.equal(await withTimeout(Promise.resolve(1), 60_000, () => 2), 1);
	assert.equal(await withTimeout(new Promise<number>(() => {}), 1, () => 2), 2);
	await assert.rejects(
		withTimeout(Promise.reject(new Error("failed")), 60_000, () => 2),
		/failed/
	);
});

test("waitAtMost waits for the work or for the time, whichever ends first, and rejects only as the work does", async () => {
	const keepsProcessAlive = setTimeout(() => {}, 60_000);
	await waitAtMost(Promise.resolve(), 60_000);
	await waitAtMost(new Promise(() => {}), 1);
	await assert.rejects(waitAtMost(Promise.reject(new Error("failed")), 60_000), /failed/);
	clearTimeout(keepsProcessAlive);
});

test("deadlineOf ends half a second before the timeout of the call, and never later than the action's own limit", () => {
	const leftMs = (timeout?: number | null) => deadlineOf({ options: { timeout } }, 4_500, () => 0).leftMs();
	assert.deepEqual(
		[2_000, 5_000, 60_000, 300].map(ms => leftMs(ms)),
		[1_500, 4_500, 4_500, 1]
	);
	assert.deepEqual(
		[0, null, undefined].map(ms => leftMs(ms)),
		[4_500, 4_500, 4_500]
	);
});
