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

	it("rejects one call more than may wait", async () => {
		const add = microBatch<number, number>(async batch => batch, { maxItems: 1, maxWaiting: 2 });
		const answers = await Promise.allSettled([1, 2, 3].map(add));
		assert.deepEqual(
			answers.map(({ status }) => status),
			["fulfilled", "fulfilled", "rejected"]
		);
	});
});
