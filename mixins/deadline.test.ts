import assert from "node:assert/strict";
import { test } from "node:test";
import { deadlineIn, skipExpired } from "./deadline.ts";

test("a batch leaves out who has had their answer already, and answers each of the others, in order", async () => {
	let nowMs = 0;
	const clock = () => nowMs;
	const [over, open] = [deadlineIn(5, clock), deadlineIn(50, clock)];
	nowMs = 10;
	const handed: number[][] = [];
	const refusal = new Error("not this one");
	const batch = skipExpired(async (items: number[]) => {
		handed.push(items);
		return items.map(item => (item === 4 ? refusal : item === 2 ? null : item * 10));
	}, "the store");
	const waiting = [1, 2, 3, 4, 5].map(item => ({ item, deadline: item % 2 === 1 && item < 5 ? over : open }));
	const answers = await batch(waiting);
	assert.deepEqual(handed, [[2, 4, 5]]);
	assert.deepEqual([answers[1], answers[3], answers[4]], [null, refusal, 50]);
	for (const n of [0, 2]) assert.equal((answers[n] as Error & { type?: string }).type, "UNAVAILABLE");
});

test("nothing is done where all have had their answer already", async () => {
	let nowMs = 0;
	const deadline = deadlineIn(5, () => nowMs);
	nowMs = 10;
	const batch = skipExpired(() => assert.fail("done behind their back"), "the store");
	const [answer] = await batch([{ item: 1, deadline }]);
	assert.equal((answer as Error & { type?: string }).type, "UNAVAILABLE");
});
