import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type PasswordLimiterOptions, passwordLimiter } from "./users.password-limiter.ts";

const UNAVAILABLE = { code: 503, type: "UNAVAILABLE" };
const TOO_MANY = { code: 429, type: "TOO_MANY_REQUESTS", data: { retryAfterMs: 1_000 } };
const open = (options: Partial<PasswordLimiterOptions>) =>
	passwordLimiter({ concurrency: 1, maxWaitingPerAddress: 100, maxWaiting: 100, maxWaitMs: 60_000, ...options });
const held = () => {
	const { promise, resolve } = Promise.withResolvers<void>();
	return { work: () => promise, finish: resolve };
};

/** Work that records its name when it starts, and the most that ran at the same time. */
function recorder() {
	const seen = { order: [] as string[], most: 0 };
	let underWay = 0;
	const work = (name: string) => async () => {
		seen.most = Math.max(seen.most, ++underWay);
		seen.order.push(name);
		await new Promise(setImmediate);
		underWay--;
	};
	return { seen, work };
}

describe("the password limiter", () => {
	it("bounds the concurrency, and runs the work of different addresses in the order of the calls", async () => {
		const limit = open({ concurrency: 2 });
		const { seen, work } = recorder();
		const names = Array.from({ length: 20 }, (_, n) => `address ${n}`);
		await Promise.all(names.map(name => limit(name, work(name))));
		assert.equal(seen.most, 2);
		assert.deepEqual(seen.order, names);
	});

	it("runs the work of one address one at a time, in the order of the calls, whatever slots are free", async () => {
		const limit = open({ concurrency: 3 });
		const { seen, work } = recorder();
		const names = Array.from({ length: 20 }, (_, n) => String(n));
		await Promise.all(names.map(name => limit("one", work(name))));
		assert.equal(seen.most, 1);
		assert.deepEqual(seen.order, names);
	});

	it("lets addresses take turns, however many callers one of them has", async () => {
		const limit = open({});
		const { seen, work } = recorder();
		const calls = ["a1", "a2", "a3", "a4", "b1", "b2", "c1"];
		await Promise.all(calls.map(name => limit(name.charAt(0), work(name))));
		assert.deepEqual(seen.order, ["a1", "b1", "c1", "a2", "b2", "a3", "a4"]);
	});

	it("gives a slot that is free to another address while one address has many callers", async () => {
		const limit = open({ concurrency: 2, maxWaitingPerAddress: 10 });
		const { work, finish } = held();
		const flood = Promise.allSettled(Array.from({ length: 300 }, () => limit("attacker", work)));
		await limit("victim", async () => {});
		finish();
		const ends = await flood;
		assert.equal(ends.filter(({ status }) => status === "fulfilled").length, 11);
	});

	it("rejects with the time to wait when an address has too many callers, and accepts those of other addresses", async () => {
		const limit = open({ maxWaitingPerAddress: 2 });
		const { work, finish } = held();
		const taken = [limit("one", work), limit("one", work), limit("one", work), limit("other", work)];
		await assert.rejects(limit("one", work), TOO_MANY);
		finish();
		await Promise.all(taken);
		await limit("one", work);
	});

	it("continues after work that failed", async () => {
		const limit = open({});
		const fail = () => limit("one", () => Promise.reject(new Error("no")));
		await Promise.all([assert.rejects(fail()), assert.rejects(fail()), limit("one", async () => {})]);
	});

	it("rejects when the queue of all addresses is full", async () => {
		const limit = open({ maxWaiting: 1 });
		const { work, finish } = held();
		const taken = [limit("one", work), limit("other", work)];
		await assert.rejects(limit("third", work), UNAVAILABLE);
		finish();
		await Promise.all(taken);
		await limit("third", work);
	});

	it("rejects after the longest wait, without running the work", async () => {
		const limit = open({ maxWaitMs: 1 });
		const { work, finish } = held();
		const first = limit("one", work);
		let isDone = false;
		const late = async () => {
			isDone = true;
		};
		for (const address of ["one", "other"]) await assert.rejects(limit(address, late), UNAVAILABLE);
		finish();
		await first;
		for (const address of ["one", "other"]) await limit(address, async () => {});
		assert.equal(isDone, false);
	});
});
