import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { passwordLimiter } from "./users.password-limiter.ts";

const UNAVAILABLE = { code: 503, type: "UNAVAILABLE" };
const held = () => {
	const { promise, resolve } = Promise.withResolvers<void>();
	return { work: () => promise, finish: resolve };
};

describe("the password limiter", () => {
	it("bounds the concurrency, and runs work in the order of the calls", async () => {
		const limit = passwordLimiter({ concurrency: 2, maxWaiting: 100, maxWaitMs: 60_000 });
		let [underWay, most] = [0, 0];
		const order: number[] = [];
		const work = async (n: number) => {
			most = Math.max(most, ++underWay);
			order.push(n);
			await new Promise(setImmediate);
			underWay--;
		};
		await Promise.all(Array.from({ length: 20 }, (_, n) => limit(() => work(n))));
		assert.equal(most, 2);
		assert.deepEqual(
			order,
			order.toSorted((a, b) => a - b)
		);
	});

	it("continues after work that failed", async () => {
		const limit = passwordLimiter({ concurrency: 1, maxWaiting: 100, maxWaitMs: 60_000 });
		const fail = () => limit(() => Promise.reject(new Error("no")));
		await Promise.all([assert.rejects(fail()), assert.rejects(fail()), limit(async () => {})]);
	});

	it("rejects when the queue is full", async () => {
		const limit = passwordLimiter({ concurrency: 1, maxWaiting: 1, maxWaitMs: 60_000 });
		const { work, finish } = held();
		const taken = [limit(work), limit(work)];
		await assert.rejects(limit(work), UNAVAILABLE);
		finish();
		await Promise.all(taken);
		await limit(work);
	});

	it("rejects after the longest wait, without running the work", async () => {
		const limit = passwordLimiter({ concurrency: 1, maxWaiting: 10, maxWaitMs: 1 });
		const { work, finish } = held();
		const first = limit(work);
		let isDone = false;
		const late = limit(async () => {
			isDone = true;
		});
		await assert.rejects(late, UNAVAILABLE);
		finish();
		await first;
		await limit(async () => {});
		assert.equal(isDone, false);
	});
});
