// What a balance store promises, whichever it is.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, it } from "node:test";
import fc from "fast-check";
import type { BalanceStore } from "./wallet.store.ts";

/** `open`: a store that vouches for what it holds. */
export const balanceStoreSuite = (where: string, open: () => Promise<{ store: BalanceStore; close: () => Promise<void> }>) =>
	describe(`balances, ${where}`, () => {
		let store: BalanceStore;
		let close: () => Promise<void>;
		before(async () => {
			({ store, close } = await open());
		});
		after(() => close?.());

		let offset = 0;
		const raise = (...entries: [user_id: string, seq: number, total_cents: number][]) =>
			store.raise(
				entries.map(([user_id, seq, total_cents]) => ({ user_id, seq, total_cents })),
				{ partition: 0, nextOffset: ++offset }
			);
		const totalOf = async (user: string) => (await store.read([user])).totals[0];

		it("knows nothing of a user nobody told it of", async () => {
			const { totals, generation } = await store.read([randomUUID(), randomUUID()]);
			assert.deepEqual(totals, [undefined, undefined]);
			assert.ok(generation);
		});

		it("answers many users at once, in the order asked, also one twice", async () => {
			const [ann, bob] = [randomUUID(), randomUUID()];
			assert.deepEqual(await raise([ann, 1, 4999], [bob, 7, 10]), [undefined, undefined]);
			const { totals } = await store.read([bob, randomUUID(), ann, bob]);
			assert.deepEqual(totals, [
				{ seq: 7, total_cents: 10 },
				undefined,
				{ seq: 1, total_cents: 4999 },
				{ seq: 7, total_cents: 10 }
			]);
		});

		it("takes a newer total and says which it had, and leaves an equal or an older one", async () => {
			const user = randomUUID();
			await raise([user, 2, 200]);
			assert.deepEqual(await raise([user, 3, 300]), [2]);
			assert.deepEqual(await raise([user, 3, 999]), [3]);
			assert.deepEqual(await raise([user, 2, 200]), [3]);
			assert.deepEqual(await totalOf(user), { seq: 3, total_cents: 300 });
		});

		it("takes a total that skips versions", async () => {
			const user = randomUUID();
			await raise([user, 1, 100]);
			assert.deepEqual(await raise([user, 9, 900]), [1]);
			assert.deepEqual(await totalOf(user), { seq: 9, total_cents: 900 });
		});

		it("ends with the newest total, in whatever order and however often they come", async () => {
			const deliveries = fc.array(fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 6 }), {
				minLength: 1,
				maxLength: 12
			});
			await fc.assert(
				fc.asyncProperty(deliveries, async batches => {
					const user = randomUUID();
					for (const batch of batches) for (const seq of batch) await raise([user, seq, seq * 100]);
					const newest = Math.max(...batches.flat());
					assert.deepEqual(await totalOf(user), { seq: newest, total_cents: newest * 100 });
				}),
				{ numRuns: 60 }
			);
		});

		it("keeps sums exact to the largest there are", async () => {
			const user = randomUUID();
			await raise([user, Number.MAX_SAFE_INTEGER - 1, Number.MAX_SAFE_INTEGER - 1]);
			await raise([user, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER]);
			assert.deepEqual(await totalOf(user), { seq: Number.MAX_SAFE_INTEGER, total_cents: Number.MAX_SAFE_INTEGER });
		});

		it("takes a repair of what it did not know, but not over something newer", async () => {
			const [ann, bob] = [randomUUID(), randomUUID()];
			const { generation } = await store.read([ann, bob]);
			await raise([bob, 5, 500]);
			await store.repair(
				[
					{ user_id: ann, seq: 3, total_cents: 300 },
					{ user_id: bob, seq: 4, total_cents: 400 }
				],
				generation!
			);
			assert.deepEqual((await store.read([ann, bob])).totals, [
				{ seq: 3, total_cents: 300 },
				{ seq: 5, total_cents: 500 }
			]);
		});

		it("tells users apart whatever they are called", async () => {
			const base = randomUUID();
			const names = ["generation", "applied", `${base}:a`, `${base} a`, `${base}🙂`, `${base}*`, "__proto__", "constructor"];
			const before = (await store.read(names)).totals.map(total => total?.seq ?? 0);
			await raise(...names.map((name, index): [string, number, number] => [name, before[index]! + 1, index]));
			assert.deepEqual(
				(await store.read(names)).totals.map(total => total?.total_cents),
				names.map((_, index) => index)
			);
			assert.ok((await store.read([])).generation);
		});
	});
