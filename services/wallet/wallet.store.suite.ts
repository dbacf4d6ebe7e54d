// The promises of a balance store, run on every implementation.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, it } from "node:test";
import fc from "fast-check";
import type { BalanceStore } from "./wallet.store.ts";

/** `open`: a store that has found its data complete. */
export const balanceStoreSuite = (where: string, open: () => Promise<{ store: BalanceStore; close: () => Promise<void> }>) =>
	describe(`balances, ${where}`, () => {
		let store: BalanceStore;
		let close: () => Promise<void>;
		before(async () => {
			({ store, close } = await open());
		});
		after(() => close?.());

		type Triple = [user_id: string, seq: number, total_cents: number];
		const entriesOf = (triples: Triple[]) => triples.map(([user_id, seq, total_cents]) => ({ user_id, seq, total_cents }));
		let offset = 0;
		const raise = (...triples: Triple[]) =>
			store.raise(entriesOf(triples), { partition: 0, nextOffset: ++offset }).then(({ raised }) => raised);
		const confirm = async (...triples: Triple[]) => store.confirm(entriesOf(triples), (await store.read([])).generation!);
		const totalOf = async (user: string) => (await store.read([user])).totalsCents[0];

		it("returns undefined for an unknown user", async () => {
			const { totalsCents, generation } = await store.read([randomUUID(), randomUUID()]);
			assert.deepEqual(totalsCents, [undefined, undefined]);
			assert.ok(generation);
		});

		it("returns many users in the order of the request, also one twice", async () => {
			const [ann, bob] = [randomUUID(), randomUUID()];
			await confirm([ann, 1, 4999], [bob, 7, 10]);
			const { totalsCents } = await store.read([bob, randomUUID(), ann, bob]);
			assert.deepEqual(totalsCents, [10, undefined, 4999, 10]);
		});

		it("applies a newer total and returns the versions before and after, and ignores an equal or older one", async () => {
			const user = randomUUID();
			await confirm([user, 2, 200]);
			for (const [seq, total_cents, before] of [
				[3, 300, 2],
				[3, 999, 3],
				[2, 200, 3]
			] as const)
				assert.deepEqual(await raise([user, seq, total_cents]), [
					{ before, newest: { seq: 3, total_cents: 300 }, isConfirmed: true }
				]);
			assert.equal(await totalOf(user), 300);
		});

		it("applies a total that skips versions", async () => {
			const user = randomUUID();
			await confirm([user, 1, 100]);
			await raise([user, 9, 900]);
			assert.equal(await totalOf(user), 900);
		});

		it("does not return an unconfirmed total: it may come from an old record that is redelivered", async () => {
			const user = randomUUID();
			assert.deepEqual(await raise([user, 3, 300]), [
				{ before: undefined, newest: { seq: 3, total_cents: 300 }, isConfirmed: false }
			]);
			assert.deepEqual(await raise([user, 4, 400]), [{ before: 3, newest: { seq: 4, total_cents: 400 }, isConfirmed: false }]);
			assert.equal(await totalOf(user), undefined);
			await confirm([user, 4, 400]);
			assert.equal(await totalOf(user), 400);
		});

		it("does not confirm a total that is older than the one it holds", async () => {
			const [ann, bob] = [randomUUID(), randomUUID()];
			const { generation } = await store.read([ann, bob]);
			await raise([ann, 6, 600]);
			await store.confirm(
				entriesOf([
					[ann, 5, 500],
					[bob, 5, 500]
				]),
				generation!
			);
			assert.deepEqual((await store.read([ann, bob])).totalsCents, [undefined, 500]);
			await confirm([ann, 6, 600]);
			assert.equal(await totalOf(ann), 600);
		});

		it("keeps a confirmed newer total when an older one is confirmed late", async () => {
			const user = randomUUID();
			await confirm([user, 5, 500]);
			await raise([user, 6, 600]);
			await confirm([user, 5, 500]);
			assert.equal(await totalOf(user), 600);
		});

		it("ends with the newest total in any order and with duplicates, and never goes back", async () => {
			const deliveries = fc.array(fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 6 }), {
				minLength: 1,
				maxLength: 12
			});
			await fc.assert(
				fc.asyncProperty(deliveries, async batches => {
					const user = randomUUID();
					await confirm([user, 1, 100]);
					let newest = 1;
					for (const batch of batches) {
						for (const seq of batch) await raise([user, seq, seq * 100]);
						newest = Math.max(newest, ...batch);
						assert.equal(await totalOf(user), newest * 100);
					}
				}),
				{ numRuns: 60 }
			);
		});

		it("keeps the largest sums exact", async () => {
			const user = randomUUID();
			const largest = Number.MAX_SAFE_INTEGER;
			await confirm([user, largest - 1, largest - 1]);
			assert.deepEqual(await raise([user, largest, largest]), [
				{ before: largest - 1, newest: { seq: largest, total_cents: largest }, isConfirmed: true }
			]);
			assert.equal(await totalOf(user), largest);
		});

		it("distinguishes user ids of any text", async () => {
			const base = randomUUID();
			const names = ["generation", "applied", `${base}:a`, `${base} a`, `${base}🙂`, `${base}*`, "__proto__", "constructor"];
			await confirm(...names.map((name, index): Triple => [name, 1, index]));
			const { totalsCents, generation } = await store.read(names);
			assert.deepEqual(
				totalsCents,
				names.map((_, index) => index)
			);
			assert.ok(generation);
		});
	});
