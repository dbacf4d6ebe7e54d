// The promises of every implementation of limits.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Limits, rateOf } from "./limits.ts";

/** Almost never refills: what it allows is the burst, on a slow machine too. */
export const slow = (burst: number) => ({ perSecond: 0.001, burst });

/** Requests this many single tokens at once, and returns how many were granted. */
export const takeMany = async (limits: Limits, key: string, rate: { perSecond: number; burst: number }, times: number) =>
	(await Promise.all(Array.from({ length: times }, () => limits.take(key, rate)))).filter(waitMs => waitMs === undefined).length;

export const limitsSuite = (name: string, open: () => Limits) =>
	describe(name, () => {
		it("allows the burst, and then returns how long to wait", async () => {
			const [limits, key] = [open(), randomUUID()];
			for (let n = 0; n < 3; n++) assert.equal(await limits.take(key, slow(3)), undefined);
			const waitMs = await limits.take(key, slow(3));
			assert.ok(waitMs !== undefined && waitMs > 900_000 && waitMs <= 1_000_000, `${waitMs}`);
		});

		it("allows no more when all requests come at once", async () => {
			assert.equal(await takeMany(open(), randomUUID(), slow(10), 200), 10);
		});

		it("allows the next after the wait that it returned", async () => {
			const [limits, key, rate] = [open(), randomUUID(), { perSecond: 5, burst: 2 }];
			let waitMs: number | undefined;
			for (let n = 0; n < 1_000 && waitMs === undefined; n++) waitMs = await limits.take(key, rate);
			assert.ok(waitMs !== undefined && waitMs > 0 && waitMs <= 200, `${waitMs}`);
			// A timer may fire a millisecond early.
			await delay(waitMs + 2);
			assert.equal(await limits.take(key, rate), undefined);
		});

		it("counts each key separately", async () => {
			const [limits, one, other] = [open(), randomUUID(), randomUUID()];
			assert.equal(await takeMany(limits, one, slow(2), 20), 2);
			assert.equal(await takeMany(limits, other, slow(2), 20), 2);
		});

		it("takes several tokens together or none", async () => {
			const [limits, key] = [open(), randomUUID()];
			assert.equal(await limits.take(key, slow(10), 7), undefined);
			const waitMs = (await limits.take(key, slow(10), 4)) ?? 0;
			assert.ok(waitMs > 900_000 && waitMs <= 1_000_000, `${waitMs}`);
			assert.equal(await limits.take(key, slow(10), 3), undefined);
		});

		it("returns Infinity for more than the burst", async () => {
			assert.equal(await open().take(randomUUID(), slow(10), 11), Number.POSITIVE_INFINITY);
		});

		it("allows everything when the rate is 0", async () => {
			assert.equal(await takeMany(open(), randomUUID(), rateOf(0), 10_000), 10_000);
		});

		it("allows at a high rate at least the burst, and at most the burst and what the time has given", async () => {
			const [limits, key, rate] = [open(), randomUUID(), { perSecond: 1_000, burst: 2_000 }];
			const start = performance.now();
			const taken = await takeMany(limits, key, rate, 20_000);
			const givenBack = performance.now() - start;
			assert.ok(taken >= 2_000 && taken <= 2_000 + givenBack + 1, `${taken} in ${givenBack} ms`);
		});
	});
