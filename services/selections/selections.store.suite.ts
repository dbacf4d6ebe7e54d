// The promises of a selection store, run on every implementation.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { rememberedSuite } from "./selections.remembered.suite.ts";
import type { Checkpoint, Position, Source, Total } from "./selections.rules.ts";
import type { Change, SelectionStore, Stored } from "./selections.store.ts";
import { tallySuite } from "./selections.tally.suite.ts";

/** `open`: an empty store. `runs`: the number of random histories. */
export const selectionStoreSuite = (
	profile: string,
	open: () => Promise<{ store: SelectionStore; close: () => Promise<void> }>,
	runs: number
) =>
	describe(`selections, ${profile}`, () => {
		let store: SelectionStore;
		let close: () => Promise<void>;
		before(async () => {
			({ store, close } = await open());
		});
		after(() => close?.());

		let partitions = 0;
		/** Partitions that no other test uses. */
		const fresh = (number: number) => Array.from({ length: number }, () => partitions++);
		const freshOne = () => fresh(1)[0]!;
		const stored = (position: Position, more: Partial<Stored> = {}): Stored => ({
			id: randomUUID(),
			name: "name",
			user_id: "user",
			...position,
			...more
		});

		/** Writes a change of which the test gives only what it is about. */
		const write = (source: Source, change: Partial<Change>) =>
			store.write(source, { selections: [], totals: new Map(), appliedOffset: -1, ...change });
		const add = (selections: Stored[]) => write(selections[0]!, { selections });
		const setTotals = (source: Source, totals: Map<string, Total>) => write(source, { totals });
		const setCheckpoint = (partition: number, { epoch, appliedOffset }: Checkpoint) =>
			write({ epoch, partition }, { appliedOffset });

		describe("checkpoints", () => {
			it("is epoch 0 with nothing applied when none is stored", async () => {
				assert.deepEqual(await store.checkpoint(freshOne()), { epoch: 0, appliedOffset: -1 });
			});

			it("keeps the newest, also when an older one is written after it", async () => {
				const partition = freshOne();
				const [older, newer, newEpoch] = [
					{ epoch: 0, appliedOffset: 5 },
					{ epoch: 0, appliedOffset: 2 ** 34 },
					{ epoch: 1, appliedOffset: -1 }
				];
				await setCheckpoint(partition, newer);
				await setCheckpoint(partition, older);
				assert.deepEqual(await store.checkpoint(partition), newer);

				await setCheckpoint(partition, newEpoch);
				await setCheckpoint(partition, newer);
				assert.deepEqual(await store.checkpoint(partition), newEpoch);
			});
		});

		describe("ids", () => {
			it("returns the position at which each of thousands was first seen, and no entry for unknown ids", async () => {
				const partition = freshOne();
				const all = Array.from({ length: 2_345 }, (_, offset) => stored({ epoch: 3, partition, offset: offset + 2 ** 33 }));
				await add(all);
				const ids = all.map(({ id }) => id);
				const seen = await store.seen([...ids, randomUUID()]);
				assert.deepEqual(
					seen,
					new Map(all.map(({ id, epoch, offset }) => [id, { epoch, partition, offset }])),
					"each with its stored position"
				);
				assert.equal((await store.seen([])).size, 0);
			});

			it("distinguishes similar ids", async () => {
				const prefix = randomUUID().slice(0, 8);
				const ids = ["'", '"', "\\", "{,}", "\u00e9", "e\u0301", " a", "a ", "A", "%", "💧", "x".repeat(56)].map(
					end => prefix + end
				);
				const position = { epoch: 0, partition: freshOne() };
				await add(ids.map((id, offset) => stored({ ...position, offset }, { id, name: id, user_id: id })));
				const seen = await store.seen(ids);
				assert.deepEqual(
					ids.map(id => seen.get(id)?.offset),
					ids.map((_, offset) => offset)
				);
			});

			it("keeps the ids when an older position is written after a newer one, or the same again", async () => {
				const position = { epoch: 1, partition: freshOne(), offset: 7 };
				const one = stored(position);
				await add([one]);
				await add([one]);
				await add([{ ...one, offset: 6 }]);
				await add([{ ...one, epoch: 0, offset: 70 }]);
				assert.deepEqual((await store.seen([one.id])).get(one.id), position);
			});
		});

		describe("a batch", () => {
			for (const picks of [0, 1, 4, 500])
				it(`stores the ids, the totals and the checkpoint of ${picks} picks, also when it is written again`, async () => {
					const source = { epoch: 1, partition: freshOne() };
					const names = ["one", "two"].map(name => name + randomUUID());
					const selections = Array.from({ length: picks }, (_, offset) => stored({ ...source, offset }));
					const totals = new Map(names.map((name, n) => [name, { picks: picks + n, appliedOffset: picks }]));
					const change = { selections, totals, appliedOffset: picks + 1 };
					for (let times = 0; times < 2; times++) {
						await store.write(source, change);
						assert.deepEqual(await store.checkpoint(source.partition), { epoch: 1, appliedOffset: picks + 1 });
						assert.deepEqual(await store.totals(source, names), totals);
						assert.equal((await store.seen(selections.map(({ id }) => id))).size, picks);
					}
				});

			it("keeps what a newer one has stored of the same ids, totals and checkpoint", async () => {
				const source = { epoch: 0, partition: freshOne() };
				const pick = stored({ ...source, offset: 3 });
				const [older, newer] = [3, 8].map(offset => ({
					selections: [{ ...pick, offset }],
					totals: new Map([[pick.id, { picks: offset, appliedOffset: offset }]]),
					appliedOffset: offset
				}));
				await store.write(source, newer!);
				await store.write(source, { ...older!, selections: [] });
				assert.deepEqual(await store.totals(source, [pick.id]), newer!.totals);
				assert.deepEqual(await store.checkpoint(source.partition), { epoch: 0, appliedOffset: 8 });
			});
		});

		describe("totals", () => {
			it("keeps the newest of each source and name, also when an older one is written after it", async () => {
				const source = { epoch: 2, partition: freshOne() };
				const [one, two] = [randomUUID(), randomUUID()];
				const newer = { picks: 5, appliedOffset: 2 ** 34 };
				await setTotals(source, new Map([[one, newer], [two, { picks: 1, appliedOffset: 0 }]])); // biome-ignore format: a table
				await setTotals(source, new Map([[one, { picks: 4, appliedOffset: 8 }], [two, { picks: 2, appliedOffset: 1 }]])); // biome-ignore format: a table
				assert.deepEqual(
					await store.totals(source, [two, one, randomUUID()]),
					new Map([
						[one, newer],
						[two, { picks: 2, appliedOffset: 1 }]
					])
				);
				assert.equal((await store.totals({ ...source, epoch: 1 }, [one])).size, 0, "another epoch's are its own");
			});

			it("sums the totals of all sources, for hundreds of names, in the order of the request", async () => {
				const names = Array.from({ length: 250 }, () => randomUUID());
				const totals = new Map(names.map((name, n) => [name, { picks: n, appliedOffset: 1_000 }]));
				for (const partition of fresh(3)) for (const epoch of [0, 1]) await setTotals({ epoch, partition }, totals);
				const unknown = randomUUID();
				assert.deepEqual(await store.counts([unknown, ...names]), [
					{ name: unknown, count: 0 },
					...names.map((name, n) => ({ name, count: 6 * n }))
				]);
				assert.deepEqual(await store.counts([]), []);
			});
		});

		tallySuite(() => store, fresh, runs);
		rememberedSuite(() => store, fresh);
	});
