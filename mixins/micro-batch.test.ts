import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { microBatch } from "./micro-batch.ts";

describe("a micro-batch", () => {
	/** The batches into which these items are put, which all arrive in one turn. */
	async function batchesOf(items: number[], options: { maxItems: number; max?: number }) {
		const batches: number[][] = [];
		const sizes = options.max === undefined ? undefined : { sizeOf: (item: number) => item, max: options.max };
		const add = microBatch<number, number>(
			async batch => {
				batches.push(batch);
				await nextTurn();
				return batch;
			},
			{ maxItems: options.maxItems, sizes, maxWaiting: 100 }
		);
		assert.deepEqual(await Promise.all(items.map(add)), items);
		return batches;
	}

	it("has at most `maxItems` items", async () =>
		assert.deepEqual(await batchesOf([9, 9, 9, 9, 9], { maxItems: 2 }), [[9, 9], [9, 9], [9]]));

	it("has at most the largest sum of sizes, in the order of arrival, and a larger item runs alone", async () => {
		assert.deepEqual(await batchesOf([4, 6, 1, 11, 12, 5, 5, 5], { maxItems: 100, max: 10 }), [
			[4, 6],
			[1],
			[11],
			[12],
			[5, 5],
			[5]
		]);
		assert.deepEqual(await batchesOf([1, 1, 1], { maxItems: 2, max: 10 }), [[1, 1], [1]]);
	});

	it("takes turns between the clients, and keeps the order of each", async () => {
		const batches: string[][] = [];
		const add = microBatch<string, string>(
			async batch => {
				batches.push(batch);
				await nextTurn();
				return batch;
			},
			{ maxItems: 3, maxWaiting: 100, keyOf: item => item.charAt(0) }
		);
		const items = ["a1", "a2", "a3", "a4", "a5", "b1", "b2", "c1"];
		assert.deepEqual(await Promise.all(items.map(add)), items);
		assert.deepEqual(batches, [
			["a1", "b1", "c1"],
			["a2", "b2", "a3"],
			["a4", "a5"]
		]);
	});

	it("puts a client's only call into the next batch, however many calls of another wait", async () => {
		const batches: string[][] = [];
		const add = microBatch<string, string>(
			async batch => {
				batches.push(batch);
				await nextTurn();
				return batch;
			},
			{ maxItems: 10, sizes: { sizeOf: () => 100, max: 300 }, maxWaiting: 1_000, keyOf: item => item.charAt(0) }
		);
		const flood = Array.from({ length: 500 }, (_, n) => add(`a${n}`));
		await nextTurn();
		await nextTurn();
		const before = batches.length;
		await add("b0");
		assert.deepEqual(
			batches.slice(before).findIndex(batch => batch.includes("b0")),
			0
		);
		await Promise.all(flood);
	});

	it("rejects one call more than may wait", async () => {
		const add = microBatch<number, number>(async batch => batch, { maxItems: 1, maxWaiting: 2 });
		const answers = await Promise.allSettled([1, 2, 3].map(add));
		assert.deepEqual(
			answers.map(({ status }) => status),
			["fulfilled", "fulfilled", "rejected"]
		);
	});
});
