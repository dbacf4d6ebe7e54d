// What every implementation of limits promises.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Limits, rateOf } from "./limits.ts";

/** Hardly ever gives a token back: what passes is the burst, however slow the machine is. */
export const slow = (burst: number) => ({ perSecond: 0.001, burst });

/** How many of so many single tokens were to be had, asked for all at once. */
export const takeMany = async (limits: Limits, key: string, rate: { perSecond: number; burst: number }, times: number) =>
	(await Promise.all(Array.from({ length: times }, () => limits.take(key, rate)))).filter(waitMs => waitMs === undefined).length;

export const limitsSuite = (name: string, open: () => Limits) =>
	describe(name, () => {
		it("lets the burst through, and then says how long to wait", async () => {
			const [limits, key] = [open(), randomUUID()];
			for (let n = 0; n < 3; n++) assert.equal(await limits.take(key, slow(3)), undefined);
			const waitMs = await limits.take(key, slow(3));
			assert.ok(waitMs !== undefined && waitMs > 900_000 && waitMs <= 1_000_000, `${waitMs}`);
		});

		it("lets no more through when all come at once", async () => {
			assert.equal(await takeMany(open(), randomUUID(), slow(10), 200), 10);
		});

		it("lets the next through after the wait that it named", async () => {
			const [limits, key, rate] = [open(), randomUUID(), { perSecond: 5, burst: 2 }];
			let waitMs: number | undefined;
			for (let n = 0; n < 1_000 && waitMs === undefined; n++) waitMs = await limits.take(key, rate);
			assert.ok(waitMs !== undefined && waitMs > 0 && waitMs <= 200, `${waitMs}`);
			// A timer may fire a millisecond early.
			await delay(waitMs + 2);
			assert.equal(await limits.take(key, rate), undefined);
		});

		it("counts each key by itself", async () => {
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

		it("says that more than the burst will never be there", async () => {
			assert.equal(await open().take(randomUUID(), slow(10), 11), Number.POSITIVE_INFINITY);
		});

		it("lets everything through when the rate is 0", async () => {
			assert.equal(await takeMany(open(), randomUUID(), rateOf(0), 10_000), 10_000);
		});

		it("lets neither less than the burst through at a high rate, nor more than that and what time has given", async () => {
			const [limits, key, rate] = [open(), randomUUID(), { perSecond: 1_000, burst: 2_000 }];
			const start = performance.now();
			const taken = await takeMany(limits, key, rate, 20_000);
			const givenBack = performance.now() - start;
			assert.ok(taken >= 2_000 && taken <= 2_000 + givenBack + 1, `${taken} in ${givenBack} ms`);
		});
	});
