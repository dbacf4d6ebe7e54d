// The promises of what the owner of a partition remembers, on a given store.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { unavailable } from "../../mixins/errors.ts";
import type { SelectionStore } from "./selections.store.ts";
import { counterOf } from "./selections.tally.fixture.ts";

/** `fresh`: returns partitions that no other test uses. */
export const rememberedSuite = (storeOf: () => SelectionStore, fresh: (number: number) => number[]) =>
	describe("the totals that an owner remembers", () => {
		const counter = () => counterOf(storeOf(), fresh(1)[0]!);

		/** The store, with a list of the calls that it gets. */
		const observed = () => {
			const calls: string[] = [];
			const store = new Proxy(storeOf(), {
				get:
					(target, step: keyof SelectionStore) =>
					(...args: never[]) => {
						const names = step === "totals" ? args[1] : step === "counts" ? args[0] : undefined;
						calls.push(names ? `${step} of ${(names as string[]).length}` : step);
						return (target[step] as (...args: never[]) => Promise<unknown>)(...args);
					}
			});
			return { calls, store };
		};
		const REMEMBERED = ["seen", "write", "counts of 1"];

		it("reads the checkpoint and a total once while it owns the partition", async () => {
			const { count, of } = counter();
			const { calls, store } = observed();
			const steps = async (...picks: Parameters<typeof count>) => {
				calls.length = 0;
				await count(...picks);
				return [...calls];
			};
			assert.deepEqual(await steps("one", 0, ["1 a"], 1, store), ["checkpoint", "seen", "totals of 1", "write", "counts of 1"]);
			assert.deepEqual(await steps("one", 1, ["2 a"], 2, store), REMEMBERED);
			assert.deepEqual(await steps("one", 2, ["2 b"], 3, store), ["seen", "totals of 1", "write", "counts of 0"]);
			assert.deepEqual(await steps("one", 3, ["3 b"], 4, store), REMEMBERED, "also the total of a name without picks");
			await count("two", 4, ["4 a"]);
			assert.deepEqual(await steps("one", 5, ["5 a"], 6, store), ["checkpoint", "seen", "totals of 1", "write", "counts of 1"]);
			assert.deepEqual([await of("a"), await of("b")], [4, 1]);
		});

		it("reads the totals again after a write that failed, whatever part of it is stored", async () => {
			const parts = [
				{ selections: [], totals: new Map() },
				{ totals: new Map() },
				{ selections: [] },
				{ selections: [], appliedOffset: -1 },
				{}
			];
			for (const part of parts) {
				const { count, of } = counter();
				const { calls, store } = observed();
				let lost: typeof part | undefined;
				const write: SelectionStore["write"] = async (source, change) => {
					await store.write(source, { ...change, ...lost });
					if (lost) throw unavailable("the store");
				};
				const failing = new Proxy(store, {
					get: (target, step: keyof SelectionStore) => (step === "write" ? write : target[step])
				});
				await count("one", 0, ["1 a", "2 a"], 2, failing);
				lost = part;
				await assert.rejects(count("one", 2, ["3 a", "1 a", "4 a"], 5, failing), { type: "UNAVAILABLE" });
				lost = undefined;
				calls.length = 0;
				assert.equal(await count("one", 2, ["3 a", "1 a"], 5, failing), 1);
				assert.deepEqual(calls, ["seen", "totals of 1", "write", "counts of 1"]);
				assert.equal(await count("one", 4, ["4 a", "3 a"], 6, failing), 1);
				assert.equal(await of("a"), 4);
			}
		});

		it("forgets the totals when a foreign client picks too many names, and counts them all", async () => {
			const { count, of } = counter();
			const { calls, store } = observed();
			const many = Array.from({ length: 1_001 }, (_, n) => `${n} name-${n}`);
			await count("one", 0, many, many.length, store);
			calls.length = 0;
			await count("one", many.length, ["x name-0", "y name-1000"], many.length + 2, store);
			assert.deepEqual(calls, ["seen", "totals of 2", "write", "counts of 2"]);
			assert.deepEqual([await of("name-0"), await of("name-500"), await of("name-1000")], [2, 1, 2]);
		});
	});
