// The promises of the tally on a given store: an id counts once, also when the processes that count crash.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { unavailable } from "../../mixins/errors.ts";
import { commands, run } from "./selections.simulation.ts";
import type { SelectionStore } from "./selections.store.ts";
import { counterOf } from "./selections.tally.fixture.ts";

/** `fresh`: returns partitions that no other test uses. */
export const tallySuite = (storeOf: () => SelectionStore, fresh: (number: number) => number[], runs: number) =>
	describe("the tally", () => {
		const counter = () => counterOf(storeOf(), fresh(1)[0]!);

		it("counts an id once: in one batch, in the next batch, and after a rebalance", async () => {
			const { count, of } = counter();
			assert.equal(await count("one", 0, ["1 a", "2 a", "1 a"]), 2);
			assert.equal(await count("one", 3, ["2 a", "3 a"]), 1);
			assert.equal(await count("two", 5, ["1 a", "3 a", "4 a"]), 1);
			assert.equal(await of("a"), 4);
		});

		it("keeps the first name of an id", async () => {
			const { count, of } = counter();
			assert.equal(await count("one", 0, ["1 a", "1 b"]), 1);
			assert.equal(await count("one", 2, ["1 b", "2 b"]), 1);
			assert.deepEqual([await of("a"), await of("b")], [1, 1]);
		});

		it("recognises records that are redelivered from any offset, and returns the current counts", async () => {
			const { count, of } = counter();
			const log = ["1 a", "2 b", "1 a", "3 a", "2 a", "4 b"];
			await count("one", 0, log);
			for (let from = log.length - 1; from >= 0; from--) {
				assert.equal(await count(`from ${from}`, from, log.slice(from), log.length), [4, 3, 2, 2, 1, 1][from]);
				assert.deepEqual([await of("a"), await of("b")], [2, 2]);
			}
		});

		it("continues from the old count when the topic is created again, and knows its ids", async () => {
			const { count, of } = counter();
			await count("one", 0, ["1 a", "2 a", "3 a", "4 a"]);
			assert.equal(await count("two", 0, ["5 a", "1 a"]), 1);
			assert.equal(await of("a"), 5);
			assert.equal(await count("three", 0, ["5 a", "1 a", "6 a"]), 2, "the one of before, and the new one");
			assert.equal(await count("one", 3, ["7 a", "8 a", "9 a"]), 3, "also by who knew the old topic");
			assert.equal(await count("four", 5, ["9 a", "8 a"]), 1, "the new topic has outgrown the old one, and is the same still");
			assert.equal(await of("a"), 9);
		});

		it("distinguishes the new topic from the old one also if nothing in its first batch counted", async () => {
			const { count, of } = counter();
			await count("one", 0, ["1 a", "2 a", "3 a"]);
			await count("two", 0, ["3 a", "1 a"]);
			assert.equal(await count("three", 2, ["4 a", "5 a"]), 2);
			assert.equal(await of("a"), 5);
		});

		it("distinguishes the new topic from the old one also if its first batch was interrupted", async () => {
			const { count, of } = counter();
			await count("one", 0, ["1 a", "2 a"]);
			const store = storeOf();
			const dying: SelectionStore = {
				...store,
				async write(source, change) {
					await store.write(source, { ...change, totals: new Map(), appliedOffset: -1 });
					if (change.selections.length > 0) throw unavailable("the store");
				}
			};
			await assert.rejects(count("two", 0, ["3 a"], 1, dying), { type: "UNAVAILABLE" });
			assert.equal(await count("three", 0, ["3 a", "4 a", "5 a"]), 3);
			assert.equal(await of("a"), 5);
		});

		it("knows that the topic is the same when others have handled more since a batch was read", async () => {
			const { count, of } = counter();
			const log = ["1 a", "2 a", "3 a", "4 a"];
			await count("two", 0, log);
			assert.equal(await count("one", 0, log.slice(0, 2), 2, storeOf(), log.length), 2);
			assert.equal(await count("three", 3, ["4 a", "5 a"]), 2);
			assert.equal(await of("a"), 5);
		});

		it("counts every id once and never goes down, with crashes, delays, redeliveries and rebalances at any step", async () => {
			await fc.assert(
				fc.asyncProperty(commands, async history => {
					await run(history, storeOf(), fresh(2));
				}),
				{ numRuns: runs }
			);
		});
	});
