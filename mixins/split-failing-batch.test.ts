import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { splitFailingBatch } from "./split-failing-batch.ts";

const run = async (items: number[]) => {
	if (items.includes(13)) throw new RangeError("13");
	return items.map(item => item * 2);
};

describe("splitting a failing batch", () => {
	it("fails only the items that fail alone, and keeps the order", async () => {
		const results = await splitFailingBatch([1, 13, 2, 3, 13], run, {
			isItemError: error => error instanceof RangeError,
			onFailure: failed => failed.map(() => -1)
		});
		assert.deepEqual(results, [2, -1, 4, 6, -1]);
	});

	it("does not split after an error of the whole batch", async () => {
		let runs = 0;
		const results = await splitFailingBatch([1, 2], async () => Promise.reject(new Error(`run ${++runs}`)), {
			isItemError: () => false,
			onFailure: (failed, error) => failed.map(() => (error as Error).message)
		});
		assert.deepEqual(results, ["run 1", "run 1"]);
	});

	it("ends with the error that onFailure throws", async () => {
		const options = {
			isItemError: () => false,
			onFailure(_: number[], error: unknown): number[] {
				throw error;
			}
		};
		await assert.rejects(splitFailingBatch([13], run, options), RangeError);
	});
});
