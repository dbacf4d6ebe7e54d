// The promises of seat maps that are read often: they come from caches, and are never older than their version.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { StatusCache } from "./seats.store.cache.ts";
import { newIdentity, type SeatsNode } from "./seats.testing.ts";

export const mapsSuite = ({ as, knex, store, cache: cacheOf, newShow, withNode }: SeatsNode) =>
	describe("the cache of statuses", () => {
		/** Counts the maps that are read from Postgres meanwhile. */
		const countReads = async (work: () => Promise<void>) => {
			const real = store().findStatuses;
			let reads = 0;
			store().findStatuses = ids => {
				reads++;
				return real(ids);
			};
			await work().finally(() => {
				store().findStatuses = real;
			});
			return reads;
		};

		it("spares reading a map that has not changed, and is never older than the version", async () => {
			const id = await newShow();
			await withNode({}, async call => {
				const read = () => call("seats.seats", { id });
				assert.equal(await countReads(async () => assert.deepEqual(await read(), await read())), 1);
				await as(newIdentity())("seats.hold", { id, seats: ["A1"] });
				assert.equal(
					await countReads(async () => {
						for (let n = 0; n < 2; n++) {
							const { version, seats } = await read();
							assert.deepEqual([version, seats[0]?.status], [1, "held"]);
						}
					}),
					1
				);
			});
		});

		it("and the maps that were built from it spare everything but reading the version", async () => {
			const ids = [await newShow(), await newShow()];
			let cacheReads = 0;
			const real = cacheOf();
			const cache: StatusCache = {
				get: (...entry) => {
					cacheReads++;
					return real.get(...entry);
				},
				set: real.set
			};
			await withNode({ cache }, async call => {
				const read = () => Promise.all(ids.map(id => call("seats.seats", { id })));
				const first = await read();
				assert.equal(cacheReads, 2);
				const again = await read();
				assert.ok(again.every((map, n) => map === first[n]));
				assert.equal(cacheReads, 2);
				await as(newIdentity())("seats.hold", { id: ids[0]!, seats: ["A1"] });
				const [changed, same] = await read();
				assert.deepEqual([changed!.version, changed!.seats[0]?.status], [1, "held"]);
				assert.equal(same, first[1]);
				assert.equal(first[0]!.seats[0]?.status, "free");
			});
		});

		it("is read for one show after the other", async () => {
			const ids = await Promise.all(Array.from({ length: 5 }, () => newShow()));
			const real = store().findStatuses;
			const read: string[][] = [];
			store().findStatuses = shows => {
				read.push(shows);
				return real(shows);
			};
			await withNode({}, async call => {
				const maps = await Promise.all(ids.map(id => call("seats.seats", { id })));
				assert.deepEqual(
					maps.map(({ showId }) => showId),
					ids
				);
			}).finally(() => {
				store().findStatuses = real;
			});
			assert.deepEqual(read.toSorted(), ids.map(id => [id]).toSorted());
		});

		it("is not believed after Postgres was restored and counts the same version again", async () => {
			const id = await newShow();
			await withNode({}, async call => {
				const read = async () => (await call("seats.seats", { id })).seats.map(({ status }) => status[0]).join("");
				await as(newIdentity())("seats.hold", { id, seats: ["A1"] });
				assert.equal(await read(), "hfffffffff");
				// As if the last change had never been: what Postgres says then is a fact, also to those who have seen more.
				await knex().raw("update seats_levels set reserved = 0 where item = ?", [`${id}/A1`]);
				await knex().raw("delete from seats_movements where item = ? and kind = 'reserve'", [`${id}/A1`]);
				await knex().raw("update shows set version = 0, revision = gen_random_uuid() where id = ?", [id]);
				await as(newIdentity())("seats.hold", { id, seats: ["A2"] });
				assert.equal(await read(), "fhffffffff");
			});
		});

		it("may be unavailable or lose everything", async () => {
			const id = await newShow();
			const lost: StatusCache = { get: async () => undefined, set: () => {} };
			await withNode({ cache: lost }, async call => {
				for (let n = 0; n < 2; n++) assert.equal((await call("seats.seats", { id })).version, 0);
			});
		});
	});
