// The promises of the tally on a given store: an id counts once, also when the processes that count crash.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, it } from "node:test";
import fc from "fast-check";
import { unavailable } from "../../mixins/errors.ts";
import { commands, pickedAt, run } from "./selections.simulation.ts";
import type { SelectionStore } from "./selections.store.ts";
import { tally } from "./selections.tally.ts";

/** `fresh`: returns partitions that no other test uses. */
export const tallySuite = (storeOf: () => SelectionStore, fresh: (number: number) => number[], runs: number) =>
	describe("the tally", () => {
		/** One partition of a topic and its owners. */
		const counter = () => {
			const partition = fresh(1)[0]!;
			const owners = new Map<string, ReturnType<typeof tally>>();
			let owner: string | undefined;
			const names = new Map<string, string>();
			const own = (name: string) => names.get(name) ?? names.set(name, `${name}-${randomUUID()}`).get(name)!;
			const ids = `-${randomUUID()}`;
			return {
				/** Delivers these picks ("id name", …), starting at an offset, to an owner; returns how many count. */
				async count(
					who: string,
					fromOffset: number,
					picks: string[],
					endOffset = fromOffset + picks.length,
					store = storeOf(),
					currentEnd = endOffset
				) {
					const first = who !== owner;
					owner = who;
					if (!owners.has(who)) owners.set(who, tally(store));
					const received = picks.map((pick, n) => {
						const [id, name] = pick.split(" ") as [string, string];
						return pickedAt(partition, fromOffset + n, id + ids, own(name));
					});
					return (await owners.get(who)!({ received, partition, endOffset, currentEnd: async () => currentEnd, first })).picks
						.length;
				},
				async of(name: string) {
					return (await storeOf().counts([own(name)]))[0]!.count;
				}
			};
		};

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

		it("counts every id once and never goes down, with crashes, delays, redeliveries and rebalances at any step", async () => {
			await fc.assert(
				fc.asyncProperty(commands, async history => {
					await run(history, storeOf(), fresh(2));
				}),
				{ numRuns: runs }
			);
		});
	});
